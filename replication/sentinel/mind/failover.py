"""A failover, from the decision to stand for election to the last replica that follows the new primary.

    NONE -> WAIT_START -> SELECT_SLAVE -> SEND_SLAVEOF_NOONE -> WAIT_PROMOTION -> RECONF_SLAVES
         -> UPDATE_CONFIG -> (the group has a new address) -> NONE

Until WAIT_PROMOTION the failover may be abandoned: not elected, no replica, no answer, a newer leader. From
RECONF_SLAVES on there is a new primary, whose configuration epoch is the epoch of the election, and the
failover only goes forward, unless a newer configuration replaces it (`discovery`). The promotion itself is
believed when the replica's INFO says so (`reconcile`).
"""

from __future__ import annotations

from collections.abc import Callable

from replication.sentinel.mind import election, links
from replication.sentinel.mind.groups import change_address
from replication.sentinel.mind.messages import Level, Request
from replication.sentinel.mind.selection import candidates, select_replica
from replication.sentinel.mind.turn import Turn
from replication.sentinel.mind.world import Address, Instance, Primary, Reconf, Replica, Stage

FRESH_INFO_WAIT_MS = 300
"""How long a new leader waits for its candidates' newest offsets."""
NO_REPLICA_PAUSE_MS = 1_000
MAX_BACKOFF_DOUBLINGS = 8


def start_if_due(turn: Turn, group: Primary) -> None:
    """Stand for election when the primary is objectively down and nothing holds us back."""
    if not group.objectively_down or group.failing_over or election.held(turn, group):
        return
    if not group.start_at_ms:
        group.start_at_ms = turn.now + election.stand_delay(turn, group)
    if turn.now >= group.start_at_ms:
        start(turn, group)
        election.ask_peers(turn, group, now_please=True)
    else:
        turn.wake_at(group.start_at_ms)


def start(turn: Turn, group: Primary, *, forced: bool = False) -> None:
    """Open a new epoch and vote for ourselves in it."""
    turn.world.epoch += 1
    group.failover_epoch, group.forced, group.start_at_ms = turn.world.epoch, forced, 0
    group.started_ms = turn.now
    _enter(turn, group, Stage.WAIT_START)
    turn.emit_text(Level.WARNING, "+new-epoch", str(turn.world.epoch), group)
    turn.emit(Level.WARNING, "+try-failover", group)
    election.vote(turn, group, group.failover_epoch, turn.world.my_id)


def _enter(turn: Turn, group: Primary, stage: Stage) -> None:
    group.stage, group.stage_since_ms = stage, turn.now


def advance(turn: Turn, group: Primary) -> None:
    """Go as far as this moment allows."""
    while group.failing_over:
        stage = group.stage
        _STEPS[stage](turn, group)
        if group.stage is stage:
            return


def abort(turn: Turn, group: Primary, pause_ms: int) -> None:
    """Give up before anything was promoted; try again no sooner than after `pause_ms`."""
    assert group.stage <= Stage.WAIT_PROMOTION
    if group.promoted is not None:
        group.promoted.promoted = False
        group.promoted = None
    group.forced = False
    group.attempts += 1
    _enter(turn, group, Stage.NONE)
    if group.held_for is None or turn.now >= group.hold_until_ms:
        group.hold_until_ms, group.hold_since_ms, group.held_for = turn.now + pause_ms, turn.now, None
        turn.wake_at(group.hold_until_ms)


def abandon(turn: Turn, group: Primary) -> None:
    """Leave what isn't promoted yet to others: our judgement is suspended (TILT), or theirs is newer."""
    if Stage.NONE < group.stage <= Stage.WAIT_PROMOTION:
        elected = group.stage > Stage.WAIT_START
        channel = "-failover-abort-slave-timeout" if elected else "-failover-abort-not-elected"
        turn.emit(Level.WARNING, channel, group)
        abort(turn, group, 0)


def _backoff(group: Primary, base_ms: int) -> int:
    """The pause before the next attempt: doubling, in the end longer than those who voted for us wait for us.

    So another gets a turn, who may know more: a sentinel that restarted after the primary's death, say, can't
    tell that a replica without a link was not already behind before it.
    """
    ceiling = 2 * (group.failover_timeout_ms + election.MAX_DESYNC_MS)
    return min(base_ms << min(group.attempts, MAX_BACKOFF_DOUBLINGS), ceiling)


def _superseded(group: Primary) -> bool:
    """We have since voted for someone in a newer epoch: our own leadership is over."""
    return group.leader_epoch > group.failover_epoch


def _wait_start(turn: Turn, group: Primary) -> None:
    votes = election.tally(turn.world, group, group.failover_epoch)
    if votes.leader == turn.world.my_id or group.forced:
        turn.emit(Level.WARNING, "+elected-leader", group)
        if turn.world.crash_after_election:
            turn.crash()
        _enter(turn, group, Stage.SELECT_SLAVE)
        turn.emit(Level.WARNING, "+failover-state-select-slave", group)
        for replica in group.replicas.values():
            if replica.info_ms <= max(group.down_since_ms, group.started_ms - FRESH_INFO_WAIT_MS):
                links.send_info(turn, replica)
        return
    timeout = min(turn.world.periods.election_timeout, group.failover_timeout_ms)
    if votes.hopeless or _superseded(group) or turn.now - group.started_ms > timeout:
        turn.emit(Level.WARNING, "-failover-abort-not-elected", group)
        if votes.leader is not None:
            election.hold_for(turn, group, votes.leader)
        abort(turn, group, _backoff(group, turn.rng.randrange(*election.SPLIT_PAUSE_MS)))


def _offsets_are_fresh(turn: Turn, group: Primary) -> bool:
    """True once every suitable replica has told its offset since the primary went down, or time is up."""
    if not group.down or turn.now - group.stage_since_ms >= FRESH_INFO_WAIT_MS:
        return True
    turn.wake_at(group.stage_since_ms + FRESH_INFO_WAIT_MS)
    return all(replica.info_ms > group.down_since_ms
               for replica in candidates(turn.world, group, turn.now))


def _select(turn: Turn, group: Primary) -> None:
    if not _offsets_are_fresh(turn, group):
        return
    replica = select_replica(turn.world, group, turn.now)
    if replica is None:
        turn.emit(Level.WARNING, "-failover-abort-no-good-slave", group)
        abort(turn, group, _backoff(group, NO_REPLICA_PAUSE_MS))
        return
    turn.emit(Level.WARNING, "+selected-slave", replica)
    replica.promoted, group.promoted = True, replica
    _enter(turn, group, Stage.SEND_SLAVEOF_NOONE)
    turn.emit(Level.NOTICE, "+failover-state-send-slaveof-noone", replica)


def _send_no_one(turn: Turn, group: Primary) -> None:
    assert group.promoted is not None
    if _give_up_promotion(turn, group):
        return
    if group.promoted.link.disconnected or not follow(turn, group.promoted, None):
        return
    turn.emit(Level.NOTICE, "+failover-state-wait-promotion", group.promoted)
    _enter(turn, group, Stage.WAIT_PROMOTION)


def _wait_promotion(turn: Turn, group: Primary) -> None:
    _give_up_promotion(turn, group)


def _give_up_promotion(turn: Turn, group: Primary) -> bool:
    late = turn.now - group.stage_since_ms > group.failover_timeout_ms
    superseded = _superseded(group) and group.stage < Stage.WAIT_PROMOTION
    if late or superseded:
        turn.emit(Level.WARNING, "-failover-abort-slave-timeout", group)
        abort(turn, group, _backoff(group, NO_REPLICA_PAUSE_MS))
    return late or superseded


def promotion_seen(turn: Turn, group: Primary) -> None:
    """The chosen replica says it is a primary: this is the configuration now, durably, for all to know."""
    assert group.promoted is not None
    assert group.failover_epoch > group.config_epoch
    group.config_epoch, group.attempts = group.failover_epoch, 0
    _enter(turn, group, Stage.RECONF_SLAVES)
    turn.persist()
    turn.emit(Level.WARNING, "+promoted-slave", group.promoted)
    if turn.world.crash_after_promotion:
        turn.crash()
    turn.emit(Level.WARNING, "+failover-state-reconf-slaves", group)
    run_reconfig_script(turn, group, "leader", group.address, group.promoted.address)
    links.spread_hello(turn, group)


def run_reconfig_script(turn: Turn, group: Primary, role: str, old: Address, new: Address) -> None:
    """Arguments as Redis's: name, role, state, from ip, from port, to ip, to port."""
    if group.client_reconfig_script:
        shown = turn.world.shown
        turn.run_script(group.client_reconfig_script, group.name, role, "start",
                        shown(old), str(old.port), shown(new), str(new.port))


def follow(turn: Turn, instance: Instance, primary: Address | None) -> bool:
    """Make a node follow `primary` (None: no one), remember it, and send its clients to ask again who leads.

    One transaction, so that no client sees half of it; then INFO, to see at once what came of it.
    """
    if not instance.link.ready:
        return False
    host, port = (b"NO", b"ONE") if primary is None else (
        turn.world.shown(primary).encode(), b"%d" % primary.port)
    for request in ((b"MULTI",), (b"SLAVEOF", host, port), (b"CONFIG", b"REWRITE"),
                    (b"CLIENT", b"KILL", b"TYPE", b"normal"), (b"CLIENT", b"KILL", b"TYPE", b"pubsub"),
                    (b"EXEC",)):
        turn.send(instance, Request.OTHER, *request)
    instance.info_in_flight = False
    links.send_info(turn, instance)
    return True


def _reconfigure(turn: Turn, group: Primary) -> None:
    """Lead the other replicas over, no more than parallel-syncs of them at a time."""
    assert group.promoted is not None
    moving = sum(r.reconf in (Reconf.SENT, Reconf.IN_PROGRESS) for r in group.replicas.values())
    for replica in group.replicas.values():
        if moving >= group.parallel_syncs:
            break
        if replica.promoted or replica.reconf is Reconf.DONE:
            continue
        late = turn.now - replica.reconf_sent_ms > turn.world.periods.slave_reconf_timeout
        if replica.reconf is Reconf.SENT and late:
            turn.emit(Level.NOTICE, "-slave-reconf-sent-timeout", replica)
            replica.reconf = Reconf.DONE
        elif replica.reconf is Reconf.NONE and not replica.link.disconnected:
            moving += _send_over(turn, group, replica, "+slave-reconf-sent")
    _detect_end(turn, group)


def _send_over(turn: Turn, group: Primary, replica: Replica, channel: str) -> bool:
    assert group.promoted is not None
    sent = follow(turn, replica, group.promoted.address)
    if sent:
        replica.reconf, replica.reconf_sent_ms = Reconf.SENT, turn.now
        turn.emit(Level.NOTICE, channel, replica)
    return sent


def _detect_end(turn: Turn, group: Primary) -> None:
    """The end: every replica that is up follows, or the time for it has run out, or the new primary is gone.

    Whoever waited for a dead primary to return could neither call it down nor vote for its successor: it is
    watched as the primary that it is, like the peers do, and its replicas are brought into line later.
    """
    assert group.promoted is not None
    waiting = any(not (r.promoted or r.down or r.reconf is Reconf.DONE) for r in group.replicas.values())
    late = turn.now - group.stage_since_ms > group.failover_timeout_ms
    if late:
        turn.emit(Level.WARNING, "+failover-end-for-timeout", group)
    if late or not waiting or group.promoted.down:
        turn.emit(Level.WARNING, "+failover-end", group)
        _enter(turn, group, Stage.UPDATE_CONFIG)
    if late:
        for replica in group.replicas.values():
            if not replica.promoted and replica.reconf is Reconf.NONE and not replica.link.disconnected:
                _send_over(turn, group, replica, "+slave-reconf-sent-be")


def _update_config(turn: Turn, group: Primary) -> None:
    new = group.promoted.address if group.promoted is not None else group.address
    announce_switch(turn, group, group.address, new)
    change_address(turn, group, new)


def announce_switch(turn: Turn, group: Primary, old: Address, new: Address) -> None:
    shown = turn.world.shown
    text = f"{group.name} {shown(old)} {old.port} {shown(new)} {new.port}"
    turn.emit_text(Level.WARNING, "+switch-master", text, group)


_STEPS: dict[Stage, Callable[[Turn, Primary], None]] = {
    Stage.WAIT_START: _wait_start,
    Stage.SELECT_SLAVE: _select,
    Stage.SEND_SLAVEOF_NOONE: _send_no_one,
    Stage.WAIT_PROMOTION: _wait_promotion,
    Stage.RECONF_SLAVES: _reconfigure,
    Stage.UPDATE_CONFIG: _update_config,
}
