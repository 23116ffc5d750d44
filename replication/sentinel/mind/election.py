"""Who may lead a failover: one vote per sentinel, group and epoch.

Safety rests on three facts. A vote is given once: only for an epoch newer than that of the last vote, and no
older than any epoch we have heard of. It is durable before anyone hears of it, so that a restart can't give
it twice. And a leader needs the votes of a majority of *all* sentinels ever seen in the group (and at least
`quorum`), reachable or not; two majorities share a voter, so an epoch has at most one leader.

Liveness: whoever stands votes for itself at once and asks the rest. Sentinels stand one after the other, in
the order of their ids, so that usually the first is elected before the second moves. If votes split all the
same, the losers try again after a short random pause; a voter waits for the candidate it voted for, unless
that one dies.
"""

from __future__ import annotations

from typing import NamedTuple

from replication.sentinel.mind import links
from replication.sentinel.mind.messages import Answer, DownQuery, Level, Reply, Request
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.group import Peer, Primary
from replication.sentinel.world.world import MAX_SANE_EPOCH, World

STAND_APART_MS = 60
"""Between the candidacies of two sentinels that know of each other: many round trips and a slow fsync."""
STAND_JITTER_MS = 15
SPLIT_PAUSE_MS = (40, 160)
ORPHAN_PAUSE_MS = (700, 1_200)
"""How long after its candidate's death a voter stands itself."""
QUICK_ASK_MS = 100
MAX_DESYNC_MS = 1_000


def adopt_epoch(turn: Turn, group: Primary, epoch: int) -> None:
    """Somebody knows of a newer epoch: it is ours too, durably."""
    if epoch > turn.world.epoch:
        turn.world.epoch = epoch
        turn.persist()
        turn.emit_text(Level.WARNING, "+new-epoch", str(epoch), group)


def vote(turn: Turn, group: Primary, epoch: int, candidate: str) -> None:
    """Give our vote for `epoch` if it is still ours to give. Invariant: `leader_epoch` never decreases."""
    adopt_epoch(turn, group, epoch)
    if not (group.leader_epoch < epoch and turn.world.epoch <= epoch):
        return
    group.leader, group.leader_epoch = candidate, epoch
    turn.persist()
    turn.emit_text(Level.WARNING, "+vote-for-leader", f"{candidate} {epoch}", group)
    if candidate != turn.world.my_id:
        leave_to(turn, group, candidate)


def leave_to(turn: Turn, group: Primary, candidate: str) -> None:
    """Leave the failover to the candidate that has our vote, for as long as it may reasonably take."""
    time_ms = 2 * min(group.failover_timeout_ms, turn.world.periods.election_timeout)
    patience = group.patience
    patience.since_ms, patience.candidate, patience.stand_at_ms = turn.now, candidate, 0
    patience.until_ms = turn.now + time_ms + turn.rng.randrange(MAX_DESYNC_MS)


def must_wait(turn: Turn, group: Primary) -> bool:
    """True while another's candidacy, or the memory of our own failed one, keeps us from standing."""
    patience = group.patience
    if turn.now >= patience.until_ms:
        return False
    candidate = group.peers.get(patience.candidate) if patience.candidate is not None else None
    if patience.candidate is None or (candidate is not None and not candidate.down):
        turn.wake_at(patience.until_ms)
        return True
    orphaned = max(patience.since_ms, candidate.down_since_ms if candidate is not None else 0)
    release = orphaned + turn.rng.randrange(*ORPHAN_PAUSE_MS)
    patience.until_ms = min(patience.until_ms, release)
    patience.candidate = None
    turn.wake_at(patience.until_ms)
    return turn.now < patience.until_ms


def answer(turn: Turn, query: DownQuery) -> None:
    """Reply to IS-MASTER-DOWN-BY-ADDR: our opinion, and our vote if one is sought."""
    group = turn.world.group_at(query.host, query.port)
    down = group is not None and group.down and not turn.world.tilt
    leader, epoch = "*", 0
    if group is not None and group.by_quorum and not group.down:
        links.send_info(turn, group)  # it may have stopped to lead: the next answer knows
    if group is not None and query.candidate != "*" and query.epoch <= MAX_SANE_EPOCH:
        vote(turn, group, query.epoch, query.candidate)
        leader, epoch = group.leader or "*", group.leader_epoch
    turn.actions.append(Answer(down, leader, epoch))


def turn_to_stand(world: World, group: Primary) -> int:
    """Our place among the sentinels of the group that are up, 0 the first."""
    return sum(run_id < world.my_id for run_id, peer in group.peers.items() if not peer.down)


def stand_delay(turn: Turn, group: Primary) -> int:
    """How long we wait before we stand, in milliseconds: for our turn, and a little by chance."""
    return turn_to_stand(turn.world, group) * STAND_APART_MS + turn.rng.randrange(STAND_JITTER_MS)


def ask_peers(turn: Turn, group: Primary, *, now_please: bool = False) -> None:
    """Ask whether they too consider the primary down and, while we stand, for their votes."""
    ask_period = turn.world.periods.ask_period
    quick = not group.objectively_down and turn.now - group.down_since_ms < 2 * ask_period
    for peer in group.peers.values():
        if turn.now - peer.answered_ms > ask_period * 5:
            peer.forget_opinion()
        if not group.down:
            continue
        period = min(QUICK_ASK_MS, ask_period) if quick and not peer.primary_down else ask_period
        if now_please or turn.now - max(peer.asked_ms, peer.answered_ms) >= period:
            ask(turn, peer)


def ask(turn: Turn, peer: Peer) -> None:
    """Ask a peer whether it considers the primary down and, if we stand for election, for its vote."""
    group = peer.group
    candidate = turn.world.my_id if group.failing_over else "*"
    sent = turn.send(peer, Request.ASK, b"SENTINEL", b"is-master-down-by-addr",
                     turn.world.shown(group.address).encode(), b"%d" % group.address.port,
                     b"%d" % turn.world.epoch, candidate.encode())
    if sent:
        peer.asked_ms = turn.now


def answered(turn: Turn, peer: Peer, reply: Reply) -> None:
    """A peer told its opinion, and perhaps its vote. Anything malformed is as good as silence."""
    match reply:
        case [int(down), bytes(leader), int(epoch)]:
            peer.answered_ms = turn.now
            peer.primary_down = down == 1
            if leader != b"*":
                peer.leader, peer.leader_epoch = leader.decode("utf-8", "replace"), epoch
        case _:
            return


class Tally(NamedTuple):
    """The votes of one epoch. `open` counts the reachable voters that have yet to give theirs."""

    leader: str | None
    mine: int
    open: int
    needed: int

    @property
    def hopeless(self) -> bool:
        """Whether we would not be elected even with all the votes that are still to come."""
        return self.mine + self.open < self.needed


def tally(world: World, group: Primary, epoch: int) -> Tally:
    """Count; a leader has a majority of all known voters, and at least the quorum."""
    counts: dict[str, int] = {}
    undecided = 0
    if group.leader is not None and group.leader_epoch == epoch:
        counts[group.leader] = 1
    for peer in group.peers.values():
        if peer.leader is not None and peer.leader_epoch == epoch:
            counts[peer.leader] = counts.get(peer.leader, 0) + 1
        elif not peer.down and not (peer.leader is not None and peer.leader_epoch > epoch):
            undecided += 1
    needed = max((len(group.peers) + 1) // 2 + 1, group.quorum)
    leader = next((run_id for run_id, votes in counts.items() if votes >= needed), None)
    return Tally(leader, counts.get(world.my_id, 0), undecided, needed)


def usable_sentinels(group: Primary) -> int:
    """How many sentinels of the group are up, ourselves included."""
    return 1 + sum(not peer.down for peer in group.peers.values())

