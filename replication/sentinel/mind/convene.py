"""A failover in a group that goes by quorum: nodes promise the epoch, and the most advanced of them is told to lead it.

What is promoted must hold all that was acknowledged. Priorities and freshness can't tell which node that is; promises
can (`replication.quorum.choice`). So, once elected:

- HOLDING, in a planned switchover only: the primary holds writes back until a replica has all that it has.
- GATHER_PROMISES: each node that can be reached is asked to promise the epoch to this try. Whoever promised follows
  nothing older any more, so what the answers say stands still. As soon as they let somebody lead, and everybody who
  can be reached has answered or had `STRAGGLER_MS` to do so, that node is told to lead.
- WAIT_PROMOTION: it is believed when its INFO says that it leads this very epoch.

If nobody may lead, nothing is promoted, and an event says what is missing. A refusal that names a newer epoch is taken
in, so that the next attempt's is newer still. REPLICAOF NO ONE is never sent here.
"""

from __future__ import annotations

from collections.abc import Callable

from replication.quorum.choice import Answer, Choice, choose
from replication.quorum.members import majority
from replication.sentinel.mind import attempts, detector, election, links, promises
from replication.sentinel.mind.messages import Level, Reply, ReplyError, Request
from replication.sentinel.mind.selection import suitable
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.gathering import Gathering
from replication.sentinel.world.group import Attempt, Instance, Kind, Primary, Replica
from replication.sentinel.world.stages import Outcome, Stage

HOLD_MS = 1_500
"""For how long the primary is asked to hold writes back at most."""
CATCH_UP_MS = 1_000
"""How long a switchover waits for a replica that has everything."""
LOOK_AGAIN_MS = 10
STRAGGLER_MS = 100
ABSENT_MS = 500
"""How long a node that can't be reached is waited for while nobody may lead without it."""
ANSWER_MS = 2_000
"""The same for a node that was asked: a promise waits for its disk."""
LEAD_MS = 2_000
"""How long the chosen node may take until its INFO says that it leads."""


def begin(turn: Turn, group: Primary, attempt: Attempt) -> Outcome:
    """We are elected: draw the try, and begin."""
    word = f"{turn.world.my_id[:8]}-{turn.rng.getrandbits(128):032x}"
    attempt.gathering = Gathering(word, attempt.unsafe)
    if attempt.planned and turn.send(group, Request.HOLD, b"QUORUM", b"HOLD", b"%d" % HOLD_MS, tag=word):
        turn.emit(Level.NOTICE, "+failover-state-hold", group)
        return Outcome.HOLDS
    return _convene(turn, group, attempt)


def _convene(turn: Turn, group: Primary, attempt: Attempt) -> Outcome:
    assert attempt.gathering is not None
    turn.emit(Level.NOTICE, "+failover-state-gather-promises", group,
              f"#epoch {attempt.epoch} try {attempt.gathering.word}")
    return Outcome.CONVENED


# -- HOLDING ----------------------------------------------------------------------------------------------------------


def hold(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    """Wait until a replica that may lead has all that the primary has; without one, leave all as it is."""
    gathering = attempt.gathering
    assert gathering is not None
    if gathering.deaf or not reachable(group, turn.now):
        return _convene(turn, group, attempt)
    if gathering.target is not None and any(
            _caught_up(turn, replica, gathering.target) for replica in group.replicas.values()):
        return _convene(turn, group, attempt)
    if turn.now - attempt.stage_since_ms > CATCH_UP_MS:
        turn.emit(Level.WARNING, "-failover-abort-not-caught-up", group)
        turn.send(group, Request.OTHER, b"QUORUM", b"HOLD", b"0")
        attempts.give_up(turn, group, attempt, attempts.NO_REPLICA_PAUSE_MS)
        return None
    if gathering.holds:
        for replica in group.replicas.values():
            if turn.now - replica.info_ms >= LOOK_AGAIN_MS:
                links.send_info(turn, replica)
        turn.wake_at(turn.now + LOOK_AGAIN_MS)
    return None


def _caught_up(turn: Turn, replica: Replica, target: int) -> bool:
    standing, leader = replica.standing, replica.group.standing
    return (standing is not None and leader is not None and suitable(turn.world, replica.group, replica, turn.now)
            and standing.last_epoch == leader.last_epoch and standing.offset >= target)


def _held(turn: Turn, group: Primary, node: Instance, attempt: Attempt, reply: Reply) -> None:
    gathering = attempt.gathering
    if gathering is None or attempt.stage is not Stage.HOLDING:
        return
    gathering.holds = reply == b"OK"
    gathering.deaf = not gathering.holds
    for each in group.nodes():
        each.info_in_flight = False
        links.send_info(turn, each)


def primary_told(group: Primary) -> None:
    """An INFO of the primary: the first that it sent while it held writes back says how far a replica has to be."""
    attempt = group.failover
    gathering = attempt.gathering if attempt is not None else None
    if gathering is not None and gathering.holds and gathering.target is None and group.standing is not None:
        gathering.target = group.standing.offset


# -- GATHER_PROMISES --------------------------------------------------------------------------------------------------


def reachable(node: Instance, now: int) -> bool:
    """Whether the node can be asked, and may be expected to answer."""
    return node.link.ready and not detector.unresponsive(node, now)


def _knows(node: Instance, now: int) -> bool:
    """Whether the process that can be reached is the one that told where it stands; it may have been replaced since."""
    return reachable(node, now) and node.info_ms >= node.link.command.since_ms


def hopeful(group: Primary, now: int) -> bool:
    """Whether the nodes that can be reached might let one of them lead, by what they said last.

    Without hope nobody is asked: who promises leaves a leader that may be well, but is out of our reach.
    """
    there = [node for node in group.nodes() if _knows(node, now) and not (group.isolated_since_ms and node is group)]
    standings = [node.standing for node in there if node.standing is not None and node.standing.founded]
    ids = {standing.node_id for standing in standings}
    return len(there) == len(group.replicas) + 1 or any(majority(each.members, ids) for each in standings)


def may_stand(turn: Turn, group: Primary) -> bool:
    """Whether it makes sense to stand for election; if not, an event says once what is missing."""
    if hopeful(group, turn.now):
        return True
    away = [f"{turn.world.shown(node.address)}:{node.address.port}" for node in group.nodes()
            if not _knows(node, turn.now) or node.standing is None or not node.standing.founded]
    reason = f"no majority can be asked to promise; missing {', '.join(away)}"
    group.patience.stand_at_ms = 0
    if reason != group.patience.reason:
        group.patience.reason = reason
        turn.emit(Level.WARNING, "-failover-abort-no-quorum", group, f"#{reason}")
    return False


def gather(turn: Turn, group: Primary, attempt: Attempt) -> Outcome | None:
    """Ask, and decide once the answers suffice, or no more can be expected."""
    gathering = attempt.gathering
    assert gathering is not None
    if attempts.superseded(group, attempt):
        turn.emit(Level.WARNING, "-failover-abort-not-elected", group)
        attempts.give_up(turn, group, attempt, 0)
        return None
    due = [node for node in group.nodes() if not gathering.replied(node.name) and not (attempt.shuns and node is group)]
    for node in due:
        _ask(turn, attempt, gathering, node)
    answers = gathering.counted()
    wish = _wish(group, attempt, answers)
    found = choose(answers.values(), wish)
    waiting = [node for node in due if node.name in gathering.asked and reachable(node, turn.now)]
    if isinstance(found, Choice) and not found.refound:
        gathering.agreed_ms = gathering.agreed_ms or turn.now
        wait_until = gathering.agreed_ms + STRAGGLER_MS if waiting else 0
    elif not due or (gathering.outrun and not waiting):
        wait_until = 0
    else:
        wait_until = attempt.stage_since_ms + (ANSWER_MS if waiting else ABSENT_MS)
    if turn.now < wait_until:
        turn.wake_at(wait_until)
        return None
    gathering.wish = wish
    if isinstance(found, Choice):
        return _order(turn, group, attempt, found)
    if gathering.unsafe and answers:
        return _order(turn, group, attempt, _at_any_price(answers))
    _abort(turn, group, attempt, "-failover-abort-no-quorum", found.reason)
    return None


def _ask(turn: Turn, attempt: Attempt, gathering: Gathering, node: Instance) -> None:
    """Ask a node to promise, once over each connection: the same try may ask again."""
    if not node.link.ready or gathering.asked.get(node.name, -1) >= node.link.command.since_ms:
        return
    if turn.send(node, Request.PROMISE, b"QUORUM", b"PROMISE", b"%d" % attempt.epoch, gathering.word.encode(),
                 tag=gathering.word):
        gathering.asked[node.name] = turn.now


def _answered(turn: Turn, group: Primary, node: Instance, attempt: Attempt, reply: Reply) -> None:
    gathering = attempt.gathering
    if gathering is None or attempt.stage is not Stage.GATHER_PROMISES or gathering.replied(node.name):
        return
    if isinstance(reply, ReplyError):
        gathering.refusals[node.name] = reason = promises.shown(reply)
        gathering.outrun = gathering.outrun or promises.promised_elsewhere(reply) > attempt.epoch
        turn.emit(Level.NOTICE, "-quorum-promise", node, f"#{reason}")
        return
    answer = promises.parse_answer(reply, attempt.epoch)
    if answer is None:
        gathering.refusals[node.name] = "an answer that can't be"
        turn.emit(Level.WARNING, "-quorum-answer-dropped", node, "#no node that promised can say this")
        return
    gathering.answers[node.name] = answer
    if node.name not in gathering.counted():
        turn.emit(Level.WARNING, "-quorum-answer-dropped", node, f"#another node has its id {answer.node_id} too")
        return
    turn.emit(Level.VERBOSE, "+quorum-promise", node,
              f"#epoch {attempt.epoch} log {answer.last_epoch}:{answer.offset}")


def _wish(group: Primary, attempt: Attempt, answers: dict[str, Answer]) -> tuple[str, ...]:
    """Who should lead among equals: who leads already, unless it is to hand over; then as replicas are selected."""
    def place(name: str) -> tuple[int, int, str]:
        replica = group.replicas.get(name)
        if replica is None:
            return (2 if attempt.planned else 0), 0, ""
        last = replica.priority == 0
        return (3 if last else 1), replica.priority, (replica.run_id or "~").lower()
    return tuple(answers[name].node_id for name in sorted(answers, key=place))


def _at_any_price(answers: dict[str, Answer]) -> Choice:
    """The most advanced of those that are there founds the group anew with them."""
    best = max(answers.values(), key=lambda answer: answer.rank)
    return Choice(best.node_id, best.last_epoch, best.offset,
                  refound=frozenset(answer.node_id for answer in answers.values()))


def _order(turn: Turn, group: Primary, attempt: Attempt, choice: Choice) -> Outcome | None:
    """Tell the chosen node to lead; if it can't be told any more, its promise doesn't count any more."""
    gathering = attempt.gathering
    assert gathering is not None
    name = next(name for name, answer in gathering.counted().items() if answer.node_id == choice.node_id)
    node = group if name == group.name else group.replicas[name]
    order = [b"QUORUM", b"LEAD", b"%d" % attempt.epoch, gathering.word.encode(), choice.node_id.encode(),
             b"%d" % choice.last_epoch, b"%d" % choice.offset]
    if choice.refound:
        order.append(",".join(sorted(choice.refound)).encode())
    if not turn.send(node, Request.LEAD, *order, tag=gathering.word):
        del gathering.answers[name], gathering.asked[name]
        return None
    gathering.choice, attempt.promoted = choice, node
    node.info_in_flight = False
    links.send_info(turn, node)
    turn.send(node, Request.OTHER, b"CONFIG", b"REWRITE")
    _tell_choice(turn, group, attempt, node)
    return Outcome.AGREED


def _tell_choice(turn: Turn, group: Primary, attempt: Attempt, node: Primary | Replica) -> None:
    gathering = attempt.gathering
    assert gathering is not None
    assert gathering.choice is not None
    choice = gathering.choice
    turn.emit(Level.WARNING, "+selected-master" if node is group else "+selected-slave", node)
    if choice.refound:
        safe = isinstance(choose(gathering.counted().values(), gathering.wish), Choice)
        who = ",".join(sorted(member[:8] for member in choice.refound))
        risk = f"#the group is founded anew by {who}; at least {_bytes_at_risk(group, choice)} bytes may be lost"
        turn.emit(Level.WARNING, "+quorum-refound" if safe else "+failover-unsafe", node, risk)
    turn.emit(Level.NOTICE, "+failover-state-wait-promotion", node)


def _bytes_at_risk(group: Primary, choice: Choice) -> int:
    """How much further than the chosen log any node's was, as far as we have heard."""
    known = [node.standing for node in group.nodes() if node.standing is not None and node.standing.founded]
    return max((each.offset - choice.offset for each in known
                if (each.last_epoch, each.offset) > (choice.last_epoch, choice.offset)), default=0)


# -- WAIT_PROMOTION ---------------------------------------------------------------------------------------------------


def await_leader(turn: Turn, group: Primary, attempt: Attempt) -> None:
    """Give up if the chosen node refused, is gone, or takes too long: what it does later counts in an older epoch."""
    gathering, node = attempt.gathering, attempt.promoted
    assert gathering is not None
    assert node is not None
    late_ms = attempt.stage_since_ms + LEAD_MS
    if gathering.refused:
        _abort(turn, group, attempt, "-failover-abort-lead-refused", gathering.refused)
    elif turn.now >= late_ms or detector.unresponsive(node, turn.now):
        _abort(turn, group, attempt, "-failover-abort-slave-timeout", "the chosen node doesn't lead")
    else:
        turn.wake_at(late_ms)


def _ordered(turn: Turn, group: Primary, node: Instance, attempt: Attempt, reply: Reply) -> None:
    gathering = attempt.gathering
    if gathering is None or attempt.stage is not Stage.WAIT_PROMOTION or reply == b"OK":
        return
    gathering.refused = promises.shown(reply) if isinstance(reply, ReplyError) else "an answer that can't be"


def leads_ours(node: Primary | Replica, attempt: Attempt) -> bool:
    """Whether the chosen node says that it leads, in this attempt's epoch if the group goes by quorum."""
    if attempt.promoted is not node or attempt.stage is not Stage.WAIT_PROMOTION or node.role is not Kind.PRIMARY:
        return False
    if attempt.gathering is None:
        return True
    return node.standing is not None and node.standing.leads and node.standing.epoch == attempt.epoch


# -- all stages -------------------------------------------------------------------------------------------------------


def _abort(turn: Turn, group: Primary, attempt: Attempt, channel: str, reason: str) -> None:
    """Nothing is promoted. Soon again, with a newer epoch; sooner when a node is back that was missing."""
    gathering = attempt.gathering
    assert gathering is not None
    turn.emit(Level.WARNING, channel, group, f"#{reason}")
    group.patience.reason = reason
    group.patience.missing = {node.name for node in group.nodes() if node.name not in gathering.answers}
    refused = gathering.outrun or gathering.refused
    pause_ms = turn.rng.randrange(*election.SPLIT_PAUSE_MS) if refused else attempts.NO_REPLICA_PAUSE_MS
    attempts.give_up(turn, group, attempt, attempts.backoff(group, pause_ms))


def node_is_back(turn: Turn, group: Primary, node: Primary | Replica) -> None:
    """A node of a quorum said where it stands: what the last attempt lacked may be there now."""
    patience = group.patience
    if node.name in patience.missing and node.standing is not None and node.standing.founded:
        patience.missing.discard(node.name)
        if patience.candidate is None:
            patience.until_ms = min(patience.until_ms, turn.now)
            turn.wake_at(turn.now)


_REPLIES: dict[Request, Callable[[Turn, Primary, Instance, Attempt, Reply], None]] = {
    Request.HOLD: _held,
    Request.PROMISE: _answered,
    Request.LEAD: _ordered,
}


def replied(turn: Turn, group: Primary, node: Instance, request: Request, reply: Reply, tag: str) -> bool:
    """Take in the reply to a request of ours; False: to none of these. Only the attempt that sent it is moved by it."""
    handler = _REPLIES.get(request)
    if handler is None:
        return False
    if isinstance(reply, ReplyError):
        election.adopt_epoch(turn, group, promises.promised_elsewhere(reply))
    attempt = group.failover
    if attempt is not None and attempt.gathering is not None and attempt.gathering.word == tag:
        handler(turn, group, node, attempt, reply)
    return True
