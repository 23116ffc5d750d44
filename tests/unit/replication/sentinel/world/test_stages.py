"""The stages of an attempt: which way each can end, and that nothing of an attempt outlives it."""

from __future__ import annotations

import pytest
from support.sentinel_bench import Bench

from replication.sentinel.mind import failover
from replication.sentinel.world import stages
from replication.sentinel.world.group import Attempt
from replication.sentinel.world.stages import TRANSITIONS, Outcome, Stage


def test_an_attempt_can_be_given_up_until_somebody_was_promoted() -> None:
    """Once a replica leads there is no way back; before, there is one from every stage."""
    assert [stage for stage in Stage if Outcome.GIVEN_UP in TRANSITIONS[stage]] == [
        Stage.WAIT_START, Stage.HOLDING, Stage.GATHER_PROMISES, Stage.SELECT_SLAVE, Stage.SEND_SLAVEOF_NOONE,
        Stage.WAIT_PROMOTION]


@pytest.mark.parametrize(("first", "left_out"), [
    (Outcome.ELECTED, {Stage.HOLDING, Stage.GATHER_PROMISES}),
    (Outcome.CONVENED, {Stage.HOLDING, Stage.SELECT_SLAVE, Stage.SEND_SLAVEOF_NOONE}),
    (Outcome.HOLDS, {Stage.SELECT_SLAVE, Stage.SEND_SLAVEOF_NOONE}),
])
def test_the_stages_follow_one_another_to_the_end(first: Outcome, left_out: set[Stage]) -> None:
    """Without being given up an attempt goes through every stage of its way in order, and is over after the last."""
    attempt = Attempt(1, 1_000)
    seen = [attempt.stage]
    way = [stage for stage in Stage if stage not in left_out]
    for moment, stage in enumerate(way, 1_001):
        onwards = set(TRANSITIONS[stage]) - {Outcome.GIVEN_UP}
        outcome = first if stage is Stage.WAIT_START else onwards.pop()
        assert stage is Stage.WAIT_START or not onwards
        if attempt.after(outcome, moment):
            seen.append(attempt.stage)
            assert attempt.stage_since_ms == moment
    assert seen == way


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_ends_in_no_other_way(stage: Stage) -> None:
    """An outcome that a stage can't have is our own mistake, and says so."""
    for outcome in set(Outcome) - set(TRANSITIONS[stage]):
        with pytest.raises(KeyError):
            Attempt(1, 1_000, stage=stage).after(outcome, 1_001)


def test_the_picture_is_drawn_from_the_table() -> None:
    """Each way of the table stands in the picture at the head of its file."""
    picture = [line.split() for line in (stages.__doc__ or "").splitlines()]
    for stage, ways in TRANSITIONS.items():
        for outcome, following in ways.items():
            if following is not None:
                assert [stage.name, outcome.name, following.name] in picture


def test_what_outlives_an_attempt_is_what_elections_and_pauses_need() -> None:
    """Given up, an attempt leaves the vote and the epoch of the group as they are, and a pause behind it."""
    bench = Bench()
    turn = bench.monitor.begin(bench.now)
    failover.start(turn, bench.group)
    assert bench.group.failover is not None
    failover.abandon(turn, bench.group)
    assert bench.group.failover is None
    assert (bench.group.leader, bench.group.leader_epoch) == (bench.world.my_id, bench.world.epoch)
    assert bench.group.patience.failures == 1
