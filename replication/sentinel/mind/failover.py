"""A failover, from the decision to stand for election to the last replica that follows the new primary.

Its stages, and the ways from one to the next, are the table in `world.stages`; here is what is done in each (where the
group goes by quorum it is `convene` that finds the new primary).
Until WAIT_PROMOTION the attempt may be given up: not elected, no replica, no answer, a newer leader. From
RECONF_SLAVES on there is a new primary, whose configuration epoch is the epoch of the election, and the attempt
only goes forward, unless a newer configuration replaces it (`discovery`). The promotion itself is believed when
the replica's INFO says so (`reconcile`).
"""

from __future__ import annotations

from collections.abc import Callable

from replication.sentinel.mind import attempts, convene, election, links
from replication.sentinel.mind.messages import Level, Request
from replication.sentinel.mind.selection import candidates, select_replica
from replication.sentinel.mind.switching import change_address
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Attempt, Instance, Move, Patience, Primary, Replica, group_of
from replication.sentinel.world.stages import Outcome, Reconf, Stage

FRESH_INFO_WAIT_MS = 300
"""How long a new leader waits for its candidates' newest offsets."""


def start_if_due(turn: Turn, group: Primary) -> None:
    """Stand for election when the primary is objectively down, or hands over, and nothing keeps us from it."""
    hands_over = _hands_over(turn, group)
    if not (group.objectively_down or hands_over):
        group.patience.stand_at_ms = 0
        return
    if group.failing_over or election.must_wait(turn, group):
        return
    if group.by_quorum and not convene.may_stand(turn, group):
        return
    patience = group.patience
    if not patience.stand_at_ms:
        patience.stand_at_ms = turn.now + election.stand_delay(turn, group)
    if turn.now >= patience.stand_at_ms:
        start(turn, group, planned=hands_over)
        if hands_over:
            for peer in group.peers.values():
                election.ask(turn, peer)
        election.ask_peers(turn, group, now_please=True)
    else:
        turn.wake_at(patience.stand_at_ms)


def _hands_over(turn: Turn, group: Primary) -> bool:
    """Whether the primary of a group that goes by quorum is up and leads, and says that another should."""
    standing = group.standing
    return (group.by_quorum and not group.down and not group.leaderless_since_ms
            and standing is not None and standing.leads and standing.hands_over
            and select_replica(turn.world, group, turn.now) is not None)


def start(turn: Turn, group: Primary, *, forced: bool = False, planned: bool = False, unsafe: bool = False) -> None:
    """Begin an attempt: open a new epoch and vote for ourselves in it."""
    assert group.failover is None
    turn.world.epoch += 1
    shuns = bool(group.isolated_since_ms) and not (planned or unsafe)
    group.failover = Attempt(turn.world.epoch, turn.now, forced, planned, unsafe=unsafe, shuns=shuns)
    group.patience.stand_at_ms = 0
    turn.emit_text(Level.WARNING, "+new-epoch", str(turn.world.epoch), group)
    turn.emit(Level.WARNING, "+try-failover", group)
    election.vote(turn, group, group.failover.epoch, turn.world.my_id)


def advance(turn: Turn, group: Primary) -> None:
    """Go as far as this moment allows."""
    while (attempt := group.failover) is not None:
        outcome = _STEPS[attempt.stage](turn, group, attempt)
        if outcome is None:
            return
        attempts.end_stage(turn, group, attempt, outcome)


def abandon(turn: Turn, group: Primary) -> None:
    """Leave what isn't promoted yet to others: our judgement is suspended (TILT), or theirs is newer."""
    attempt = group.failover
    if attempt is not None and attempt.stage <= Stage.WAIT_PROMOTION:
        elected = attempt.stage > Stage.WAIT_START
        channel = "-failover-abort-slave-timeout" if elected else "-failover-abort-not-elected"
        turn.emit(Level.WARNING, channel, group)
        attempts.give_up(turn, group, attempt, 0)


def _wait_start(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    votes = election.tally(turn.world, group, attempt.epoch)
    if votes.leader == turn.world.my_id or attempt.forced:
        turn.emit(Level.WARNING, "+elected-leader", group)
        if turn.world.crash_after_election:
            turn.crash()
        if group.by_quorum:
            return convene.begin(turn, group, attempt)
        turn.emit(Level.WARNING, "+failover-state-select-slave", group)
        for replica in group.replicas.values():
            if replica.info_ms <= max(group.down_since_ms, attempt.started_ms - FRESH_INFO_WAIT_MS):
                links.send_info(turn, replica)
        return Outcome.ELECTED
    timeout = min(turn.world.periods.election_timeout, group.failover_timeout_ms)
    if votes.hopeless or attempts.superseded(group, attempt) or turn.now - attempt.started_ms > timeout:
        turn.emit(Level.WARNING, "-failover-abort-not-elected", group)
        if votes.leader is not None:
            election.leave_to(turn, group, votes.leader)
        attempts.give_up(turn, group, attempt, attempts.backoff(group, turn.rng.randrange(*election.SPLIT_PAUSE_MS)))
    return None


def _offsets_are_fresh(turn: Turn, group: Primary, attempt: Attempt) -> bool:
    """True once every suitable replica has told its offset since the primary went down, or time is up."""
    if not group.down or turn.now - attempt.stage_since_ms >= FRESH_INFO_WAIT_MS:
        return True
    turn.wake_at(attempt.stage_since_ms + FRESH_INFO_WAIT_MS)
    return all(replica.info_ms > group.down_since_ms
               for replica in candidates(turn.world, group, turn.now))


def _select(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    if _goes_by_quorum(turn, group, attempt) or not _offsets_are_fresh(turn, group, attempt):
        return None
    replica = select_replica(turn.world, group, turn.now)
    if replica is None:
        turn.emit(Level.WARNING, "-failover-abort-no-good-slave", group)
        attempts.give_up(turn, group, attempt, attempts.backoff(group, attempts.NO_REPLICA_PAUSE_MS))
        return None
    turn.emit(Level.WARNING, "+selected-slave", replica)
    attempt.promoted = replica
    turn.emit(Level.NOTICE, "+failover-state-send-slaveof-noone", replica)
    return Outcome.CHOSEN


def _goes_by_quorum(turn: Turn, group: Primary, attempt: Attempt) -> bool:
    """It turned out only now that the group goes by quorum: no node of it is told to follow no one. Anew, and soon."""
    if group.by_quorum:
        turn.emit(Level.WARNING, "-failover-abort-not-elected", group)
        attempts.give_up(turn, group, attempt, turn.rng.randrange(*election.SPLIT_PAUSE_MS))
    return group.by_quorum


def _send_no_one(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    assert attempt.promoted is not None
    if _goes_by_quorum(turn, group, attempt) or _gave_up_promotion(turn, group, attempt):
        return None
    if attempt.promoted.link.disconnected or not follow(turn, attempt.promoted, None):
        return None
    turn.emit(Level.NOTICE, "+failover-state-wait-promotion", attempt.promoted)
    return Outcome.SENT


def _wait_promotion(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    if attempt.gathering is not None:
        convene.await_leader(turn, group, attempt)
        return None
    _gave_up_promotion(turn, group, attempt)
    return None


def _gave_up_promotion(turn: Turn, group: Primary, attempt: Attempt) -> bool:
    late = turn.now - attempt.stage_since_ms > group.failover_timeout_ms
    superseded = attempts.superseded(group, attempt) and attempt.stage < Stage.WAIT_PROMOTION
    if late or superseded:
        turn.emit(Level.WARNING, "-failover-abort-slave-timeout", group)
        attempts.give_up(turn, group, attempt, attempts.backoff(group, attempts.NO_REPLICA_PAUSE_MS))
    return late or superseded


def promotion_seen(turn: Turn, group: Primary, attempt: Attempt) -> None:
    """The chosen replica says it is a primary: this is the configuration now, durably, for all to know."""
    promoted = attempt.promoted
    assert promoted is not None
    assert attempt.epoch > group.config_epoch
    group.config_epoch, group.patience.failures, group.patience.reason = attempt.epoch, 0, ""
    attempts.end_stage(turn, group, attempt, Outcome.LEADS)
    turn.persist()
    turn.emit(Level.WARNING, "+promoted-slave", promoted)
    if turn.world.crash_after_promotion:
        turn.crash()
    turn.emit(Level.WARNING, "+failover-state-reconf-slaves", group)
    if promoted is not group:
        run_reconfig_script(turn, group, "leader", group.address, promoted.address)
    links.spread_hello(turn, group)
    if group.by_quorum and promoted is not group:
        # If the old one is up it counts: the new leader needs a majority to commit at all. It may lead still.
        fence(turn, group, attempt.epoch, attempt.gathering.word if attempt.gathering is not None else "")
        follow(turn, group, promoted.address)


def fence(turn: Turn, node: Instance, epoch: int, word: str) -> bool:
    """Have a node of a quorum promise an epoch that is led already: if it leads an older one, it stops."""
    return turn.send(node, Request.OTHER, b"QUORUM", b"PROMISE", b"%d" % epoch, word.encode())


def run_reconfig_script(turn: Turn, group: Primary, role: str, old: Address, new: Address) -> None:
    """Arguments as Redis's: name, role, state, from ip, from port, to ip, to port."""
    if group.client_reconfig_script:
        shown = turn.world.shown
        turn.run_script(group.client_reconfig_script, group.name, role, "start",
                        shown(old), str(old.port), shown(new), str(new.port))


def follow(turn: Turn, instance: Instance, primary: Address | None) -> bool:
    """Make a node follow `primary` (None: no one), remember it, and send its clients to ask again who leads.

    One transaction, so that no client sees half of it; then INFO, to see at once what came of it. False: there
    is no connection, and nothing was sent.
    """
    if not instance.link.ready:
        return False
    assert primary is not None or not group_of(instance).by_quorum
    host, port = (b"NO", b"ONE") if primary is None else (
        turn.world.shown(primary).encode(), b"%d" % primary.port)
    for request in ((b"MULTI",), (b"SLAVEOF", host, port), (b"CONFIG", b"REWRITE"),
                    (b"CLIENT", b"KILL", b"TYPE", b"normal"), (b"CLIENT", b"KILL", b"TYPE", b"pubsub"),
                    (b"EXEC",)):
        turn.send(instance, Request.OTHER, *request)
    instance.info_in_flight = False
    links.send_info(turn, instance)
    return True


def _reconfigure(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    """Lead the other replicas over, no more than parallel-syncs of them at a time.

    All at once where the group goes by quorum: until a majority follows, no write is acknowledged.
    """
    at_once = len(group.replicas) if group.by_quorum else group.parallel_syncs
    moving = sum(move.state is not Reconf.DONE for move in attempt.moves.values())
    for replica in group.replicas.values():
        if moving >= at_once:
            break
        move = attempt.moves.get(replica.name)
        if replica is attempt.promoted or (move is not None and move.state is Reconf.DONE):
            continue
        if move is None:
            if not replica.link.disconnected:
                moving += _send_over(turn, attempt, replica, "+slave-reconf-sent")
        elif move.state is Reconf.SENT and turn.now - move.sent_ms > turn.world.periods.slave_reconf_timeout:
            turn.emit(Level.NOTICE, "-slave-reconf-sent-timeout", replica)
            move.state = Reconf.DONE
    return _followed(turn, group, attempt)


def _send_over(turn: Turn, attempt: Attempt, replica: Replica, channel: str) -> bool:
    assert attempt.promoted is not None
    sent = follow(turn, replica, attempt.promoted.address)
    if sent:
        attempt.moves[replica.name] = Move(Reconf.SENT, turn.now)
        turn.emit(Level.NOTICE, channel, replica)
    return sent


def _followed(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    """The end: every replica that is up follows, or the time for it has run out, or the new primary is gone.

    Whoever waited for a dead primary to return could neither call it down nor vote for its successor: it is
    watched as the primary that it is, like the peers do, and its replicas are brought into line later.
    """
    assert attempt.promoted is not None
    others = [replica for replica in group.replicas.values() if replica is not attempt.promoted]
    waiting = any(not replica.down and replica.reconf is not Reconf.DONE for replica in others)
    late = turn.now - attempt.stage_since_ms > group.failover_timeout_ms
    if late:
        turn.emit(Level.WARNING, "+failover-end-for-timeout", group)
    if not (late or not waiting or attempt.promoted.down):
        return None
    turn.emit(Level.WARNING, "+failover-end", group)
    if late:
        for replica in others:
            if replica.reconf is Reconf.NONE and not replica.link.disconnected:
                _send_over(turn, attempt, replica, "+slave-reconf-sent-be")
    return Outcome.FOLLOWED


def _update_config(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    assert attempt.promoted is not None
    if attempt.promoted is group:
        group.patience = Patience()
        return Outcome.SWITCHED  # it leads anew: nobody's address has changed
    new = attempt.promoted.address
    announce_switch(turn, group, group.address, new)
    change_address(turn, group, new)
    return Outcome.SWITCHED


def announce_switch(turn: Turn, group: Primary, old: Address, new: Address) -> None:
    """Tell clients that the group's primary is another one: the event they wait for."""
    shown = turn.world.shown
    text = f"{group.name} {shown(old)} {old.port} {shown(new)} {new.port}"
    turn.emit_text(Level.WARNING, "+switch-master", text, group)


_STEPS: dict[Stage, Callable[[Turn, Primary, Attempt], Outcome | None]] = {
    Stage.WAIT_START: _wait_start,
    Stage.HOLDING: convene.hold,
    Stage.GATHER_PROMISES: convene.gather,
    Stage.SELECT_SLAVE: _select,
    Stage.SEND_SLAVEOF_NOONE: _send_no_one,
    Stage.WAIT_PROMOTION: _wait_promotion,
    Stage.RECONF_SLAVES: _reconfigure,
    Stage.UPDATE_CONFIG: _update_config,
}
"""What is done in each stage; the outcome that ends it, or None while it lasts (or was given up)."""
