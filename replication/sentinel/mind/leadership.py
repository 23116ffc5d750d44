"""Whether the primary of a group that goes by quorum leads: learned from what nodes say, and what is done is another's.

*Leaderless* is a group whose primary is up and leads nothing: it restarted, or has promised an epoch that nobody came
to lead; or another node leads a newer epoch, of which nobody has told us. It stays so until somebody is elected.

*Isolated* is a primary that leads and hears from no majority, while we reach it, and a majority that aims to follow it:
it acknowledges nothing, though it answers us. Followers that receive a data set don't count, since they do reach it,
nor do those that are slow to answer us, too: it isn't the way between them then.
"""

from __future__ import annotations

from replication.quorum.members import majority
from replication.sentinel.mind import detector
from replication.sentinel.mind.messages import Level
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.group import Kind, Primary, Replica
from replication.sentinel.world.stages import Stage

PROMPT_MS = 300
"""How late the answer to a ping may be of a node that has nothing else to do."""


def learn(turn: Turn, node: Primary | Replica) -> None:
    """A node has told where it stands: what that says of the group's primary."""
    group = node if isinstance(node, Primary) else node.group
    if not group.info_ms:
        return
    leads = not group.by_quorum or _leads(group)
    if leads and group.leaderless_since_ms:
        turn.emit(Level.NOTICE, "-leaderless", group)
        group.leaderless_since_ms = 0
    elif not leads and not group.leaderless_since_ms and not _deposed_by_us(group):
        state = group.standing.state if group.standing is not None else "no member"
        turn.emit(Level.NOTICE, "+leaderless", group, f"#{state}")
        group.leaderless_since_ms = turn.now
    isolated = group.by_quorum and leads and _isolated(group, turn.now)
    if isolated != bool(group.isolated_since_ms):
        turn.emit(Level.DEBUG, "+isolated" if isolated else "-isolated", group)
        group.isolated_since_ms = turn.now if isolated else 0
    if group.leaderless_since_ms:
        turn.wake_at(group.leaderless_since_ms + detector.LEADERLESS_MS)


def _leads(group: Primary) -> bool:
    standing = group.standing
    return (group.role is Kind.PRIMARY and standing is not None and standing.leads
            and not any(_leads_newer(replica, standing.epoch) for replica in group.replicas.values()))


def _leads_newer(replica: Replica, epoch: int) -> bool:
    standing = replica.standing
    return (standing is not None and standing.leads and standing.epoch > epoch and not replica.down
            and replica.role is Kind.PRIMARY)


def _deposed_by_us(group: Primary) -> bool:
    return group.failover is not None and group.failover.stage > Stage.WAIT_START


def _isolated(group: Primary, now: int) -> bool:
    standing = group.standing
    if standing is None or not standing.reach or all(2 * standing.reach > len(each) for each in standing.members):
        return False
    return majority(standing.members, {
        replica.standing.node_id for replica in group.replicas.values()
        if replica.standing is not None and _follows_in_vain(group, replica, now)})


def _follows_in_vain(group: Primary, replica: Replica, now: int) -> bool:
    aims = group.address.is_at(replica.follows_host, replica.follows_port)
    answers = replica.link.ready and not replica.down and detector.silence_ms(replica.link, now) < PROMPT_MS
    return aims and answers and not replica.syncing
