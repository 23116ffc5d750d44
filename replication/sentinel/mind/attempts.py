"""How an attempt ends that comes to nothing, whichever way it went, and how long its failure is remembered."""

from __future__ import annotations

from replication.sentinel.mind import election
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.group import Attempt, Primary
from replication.sentinel.world.stages import Outcome

NO_REPLICA_PAUSE_MS = 1_000
MAX_BACKOFF_DOUBLINGS = 8


def end_stage(turn: Turn, group: Primary, attempt: Attempt, outcome: Outcome) -> None:
    """Go on to the next stage, or be over."""
    if not attempt.after(outcome, turn.now):
        group.failover = None


def give_up(turn: Turn, group: Primary, attempt: Attempt, pause_ms: int) -> None:
    """Nothing was promoted: try again no sooner than after `pause_ms`, or than a vote we gave allows."""
    end_stage(turn, group, attempt, Outcome.GIVEN_UP)
    patience = group.patience
    patience.failures += 1
    if patience.candidate is None or turn.now >= patience.until_ms:
        patience.until_ms, patience.since_ms, patience.candidate = turn.now + pause_ms, turn.now, None
        turn.wake_at(patience.until_ms)


def backoff(group: Primary, base_ms: int) -> int:
    """The pause before the next attempt: doubling, in the end longer than those who voted for us wait for us.

    So another gets a turn, who may know more: a sentinel that restarted after the primary's death, say, can't
    tell that a replica without a link was not already behind before it.
    """
    ceiling = 2 * (group.failover_timeout_ms + election.MAX_DESYNC_MS)
    return min(base_ms << min(group.patience.failures, MAX_BACKOFF_DOUBLINGS), ceiling)


def superseded(group: Primary, attempt: Attempt) -> bool:
    """We have since voted for someone in a newer epoch: our own leadership is over."""
    return group.leader_epoch > attempt.epoch
