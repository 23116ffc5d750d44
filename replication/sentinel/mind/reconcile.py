"""What a node says of itself, and what follows from it.

First the world learns (also in TILT): run id, role, replicas, offsets. Then, unless judgement is suspended,
a node whose role or primary differs from the configuration is moved along the failover it takes part in, or
brought back into line. The latter waits until it is certain that the configuration is the newest there is:
every peer that is up has repeated it since the node changed, or (as Redis does) enough time has passed for
a newer one to arrive.
"""

from __future__ import annotations

from replication.sentinel.mind import convene, election, failover, leadership, names
from replication.sentinel.mind.messages import Level, Reply
from replication.sentinel.mind.node_info import Info, parse_info
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.group import Instance, Kind, Peer, Primary, Replica, group_of
from replication.sentinel.world.stages import Reconf
from replication.sentinel.world.world import World

ROLE_PATIENCE_HELLOS = 4
"""Without confirmation by all peers: how many hello periods a returning primary is left alone."""
CONFIRM_MARGIN_MS = 1_000
AGAIN_MS = 1_000
"""How soon a node of a quorum is told again what it hasn't done."""
MAX_REPLICAS = 10_000
"""More than a primary can sensibly have: the rest of such an INFO is not believed."""


def info_arrived(turn: Turn, instance: Instance, reply: Reply) -> None:
    """Take in the reply to INFO; one that isn't a text only ends the waiting for it."""
    instance.info_in_flight = False
    if not isinstance(reply, bytes):
        return
    info = parse_info(reply)
    instance.info_text, instance.info_ms = reply, turn.now
    _learn_run_id(turn, instance, info)
    if isinstance(instance, (Primary, Replica)):
        _learn_standing(turn, instance, info)
    if isinstance(instance, Primary):
        _learn_replicas(turn, instance, info)
    elif isinstance(instance, Replica):
        _learn_replication(turn, instance, info)
    _learn_role(turn, instance, info)
    if isinstance(instance, (Primary, Replica)):
        leadership.learn(turn, instance)
    if turn.world.tilt or not isinstance(instance, (Primary, Replica)):
        return
    attempt = group_of(instance).failover
    if attempt is not None and info.role is Kind.PRIMARY and convene.leads_ours(instance, attempt):
        failover.promotion_seen(turn, group_of(instance), attempt)
    elif isinstance(instance, Primary):
        convene.primary_told(instance)
    elif info.role is Kind.PRIMARY:
        _handle_leading_replica(turn, instance)
    elif info.role is Kind.REPLICA:
        _fix_wrong_primary(turn, instance)
        _advance_reconf(turn, instance)


def _learn_run_id(turn: Turn, instance: Instance, info: Info) -> None:
    if info.run_id is None or info.run_id == instance.run_id:
        return
    if instance.run_id is not None:
        turn.emit(Level.NOTICE, "+reboot", instance)
        if isinstance(instance, Primary) and instance.reboot_down_after_ms:
            instance.rebooting_since_ms = turn.now
    instance.run_id = info.run_id


def _learn_standing(turn: Turn, node: Primary | Replica, info: Info) -> None:
    """Epochs that nodes have promised are ours too, so that the next attempt's is newer.

    The group goes by quorum once the log of one of its nodes is a group's, and until none of its nodes takes part in a
    quorum any more.
    """
    group = node if isinstance(node, Primary) else node.group
    node.standing = info.quorum
    if info.quorum is not None:
        election.adopt_epoch(turn, group, info.quorum.promised)
    before = group.by_quorum
    if info.quorum is not None and info.quorum.founded:
        group.by_quorum = True
    elif group.by_quorum and not info.loading and all(each.info_ms and not each.standing for each in group.nodes()):
        group.by_quorum = False
    if group.by_quorum is not before:
        turn.persist()
    if info.quorum is not None:
        convene.node_is_back(turn, group, node)


def _learn_replicas(turn: Turn, group: Primary, info: Info) -> None:
    for host, port in info.replicas:
        if len(group.replicas) >= MAX_REPLICAS or turn.world.replica_at(group, host, port) is not None:
            continue
        address = names.find(turn, host, port, ask_again=group)
        if address is None or address.same(group.address):
            continue
        turn.emit(Level.NOTICE, "+slave", turn.world.add_replica(group, address, turn.now))
        turn.persist()


def _learn_replication(turn: Turn, replica: Replica, info: Info) -> None:
    replica.link_down_ms, replica.syncing = info.link_down_ms, info.syncing
    if info.role is not Kind.REPLICA:
        return
    before = (replica.follows_host, replica.follows_port)
    if info.follows_host is not None:
        replica.follows_host = info.follows_host
    if info.follows_port is not None:
        replica.follows_port = info.follows_port
    if before != (replica.follows_host, replica.follows_port):
        replica.follows_since_ms = turn.now
    if info.link_up is not None:
        replica.link_up = info.link_up
    if info.priority is not None:
        replica.priority = info.priority
    if info.offset is not None:
        replica.offset = info.offset
    if info.announced is not None:
        replica.announced = info.announced


def _learn_role(turn: Turn, instance: Instance, info: Info) -> None:
    if info.role is None or info.role is instance.role:
        return
    instance.role, instance.role_since_ms = info.role, turn.now
    if isinstance(instance, Replica) and info.role is Kind.REPLICA:
        instance.follows_since_ms = turn.now
    sign = "+" if instance.kind is info.role else "-"
    turn.emit(Level.VERBOSE, f"{sign}role-change", instance, f"new reported role is {info.role.value}")


def _handle_leading_replica(turn: Turn, replica: Replica) -> None:
    """A replica that leads: the one we promoted, or one that missed that it no longer does."""
    group = replica.group
    if group.failing_over:
        return
    if group.by_quorum and replica.standing is not None and replica.standing.founded:
        _fence(turn, replica)
        return
    patience = ROLE_PATIENCE_HELLOS * turn.world.periods.publish_period
    if _may_correct(turn, replica, replica.role_since_ms, patience) \
            and failover.follow(turn, replica, group.address):
        turn.emit(Level.NOTICE, "+convert-to-slave", replica)


def _fence(turn: Turn, replica: Replica) -> None:
    """A node of a quorum that leads, and isn't our primary: if its epoch is over, promising the present one tells it.

    That costs nobody anything: who leads an older epoch than one that a majority has promised commits nothing more.
    If its epoch is newer, we have yet to hear of it (`leadership`).
    """
    group, standing = replica.group, replica.standing
    assert standing is not None
    present = group.standing.epoch if looks_sane(turn.world, group, turn.now) and group.standing else group.config_epoch
    if standing.epoch >= present or turn.now - replica.corrected_ms < AGAIN_MS:
        return
    word = f"{turn.world.my_id[:8]}-{turn.rng.getrandbits(128):032x}"
    if failover.fence(turn, replica, present, word):
        replica.corrected_ms = turn.now
        turn.emit(Level.WARNING, "+quorum-fence", replica, f"#epoch {standing.epoch} is over: {present}")
        if looks_sane(turn.world, group, turn.now):
            failover.follow(turn, replica, group.address)
            turn.emit(Level.NOTICE, "+convert-to-slave", replica)


def _join(turn: Turn, replica: Replica) -> None:
    """A node of a quorum that rests, or follows who is no more, counts for nothing: at once, if somebody leads."""
    if looks_sane(turn.world, replica.group, turn.now) and turn.now - replica.corrected_ms >= AGAIN_MS \
            and failover.follow(turn, replica, replica.group.address):
        replica.corrected_ms = turn.now
        turn.emit(Level.NOTICE, "+fix-slave-config", replica)


def _fix_wrong_primary(turn: Turn, replica: Replica) -> None:
    """A replica of something else: it was away during a failover, or somebody moved it by hand."""
    group = replica.group
    if group.address.is_at(replica.follows_host, replica.follows_port) or group.failing_over:
        return
    if group.by_quorum and replica.standing is not None and replica.standing.state == "resting":
        _join(turn, replica)
        return
    since = max(replica.follows_since_ms, replica.corrected_ms)
    if _may_correct(turn, replica, since, group.failover_timeout_ms) \
            and failover.follow(turn, replica, group.address):
        replica.corrected_ms = turn.now
        turn.emit(Level.NOTICE, "+fix-slave-config", replica)


def _may_correct(turn: Turn, replica: Replica, since_ms: int, patience_ms: int) -> bool:
    """True if the primary is sound, and our configuration certainly (or probably) the newest."""
    group, now = replica.group, turn.now
    if not looks_sane(turn.world, group, now):
        return False
    if confirmed_since(turn.world, group, since_ms, now):
        return True
    return not_down_for(replica, patience_ms, now) and now - since_ms > patience_ms


def looks_sane(world: World, group: Primary, now: int) -> bool:
    """Whether the primary is up and has said lately that it is one."""
    fresh = group.info_ms and now - group.info_ms < 2 * world.periods.info_period
    sound = bool(fresh) and group.role is Kind.PRIMARY and not group.down and not group.objectively_down
    return sound and not group.leaderless_since_ms


def confirmed_since(world: World, group: Primary, since_ms: int, now: int) -> bool:
    """Every peer that is up has told us of this very configuration after `since_ms`, and they are enough.

    A hello counts from `CONFIRM_MARGIN_MS` after the change, so that one already under way then, or sent by a
    leader about to see its promotion succeed, is not mistaken for one sent in knowledge of it.
    """
    if now - since_ms < CONFIRM_MARGIN_MS:
        return False
    up = [peer for peer in group.peers.values() if not peer.down]
    if 1 + len(up) < max(group.quorum, (len(group.peers) + 1) // 2 + 1):
        return False
    return all(_agrees(group, peer, since_ms + CONFIRM_MARGIN_MS) for peer in up)


def _agrees(group: Primary, peer: Peer, since_ms: int) -> bool:
    return (peer.hello_ms > since_ms and peer.hello_epoch == group.config_epoch
            and group.address.is_at(*peer.hello_address))


def not_down_for(instance: Instance, ms: int, now: int) -> bool:
    """Whether the process is up, and has been so for more than `ms` milliseconds."""
    return not instance.down and (not instance.down_since_ms or now - instance.down_since_ms > ms)


def _advance_reconf(turn: Turn, replica: Replica) -> None:
    """A replica that was sent over has changed its primary; later its link to it stands."""
    attempt = replica.group.failover
    move = attempt.moves.get(replica.name) if attempt is not None else None
    if attempt is None or attempt.promoted is None or move is None:
        return
    arrived = attempt.promoted.address.is_at(replica.follows_host, replica.follows_port)
    if move.state is Reconf.SENT and arrived:
        move.state = Reconf.IN_PROGRESS
        turn.emit(Level.NOTICE, "+slave-reconf-inprog", replica)
    if move.state is Reconf.IN_PROGRESS and replica.link_up:
        move.state = Reconf.DONE
        turn.emit(Level.NOTICE, "+slave-reconf-done", replica)
