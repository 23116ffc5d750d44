"""Stories of the nodes' roles under simulation: equal offset under one id is equal data, and who breaks it is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from replication.history import History
from replication.role import Role
from replication.role_states import State
from simulation.story import Story, run


@pytest.mark.parametrize("seed", range(5_000, 5_006))
def test_faults_leave_equal_data_under_equal_ids(seed: int) -> None:
    """Killed, cut off, handed over, restarted from old snapshots: who stands at one place of one id holds the same."""
    run(seed, hand_overs=True)


@pytest.mark.parametrize("seed", range(2))
def test_a_role_handed_to_and_fro_ends_nowhere_twice(seed: int) -> None:
    """Through twenty hand-overs, with links that outlive their end, one node leads and the others hold the same."""
    story = Story(seed, sentinels=3, nodes=3)
    done = 0
    for _ in range(20):
        leader = next(node for node in story.nodes if node.follows is None)
        leader.hand_over(timeout_ms=5_000)
        story.clock.run_until(story.clock.now_ms + 5_000, lambda leader=leader: leader.role.state is State.STREAMING)
        done += leader.role.state is State.STREAMING
        story.clock.run_until(story.clock.now_ms + story.rng.randrange(400, 4_000))
        assert len([node for node in story.nodes if node.role.leads]) == 1, story.state()
    assert done >= 15
    story.converge()
    story.settle()


def test_stale_links_are_there_and_are_dropped() -> None:
    """The stories do have links that outlive their end: some of what they bring is dropped."""
    assert sum(node.role.stale + node.dropped for seed in range(3) for node in run(seed, hand_overs=True).nodes) > 0


# -- rules taken out -----------------------------------------------------------------------------------------


def _admits_all(self: Role, term: int) -> bool:
    return True


def _keeps_its_id(self: History, new_id: bytes, offset: int) -> History:
    return self


def _silence_invariants(self: Role) -> None:
    return None


def _run_all(seeds: range) -> None:
    for seed in seeds:
        run(seed, hand_overs=True)


@pytest.mark.parametrize(
    ("where", "name", "broken"), [(Role, "admits", _admits_all), (History, "promoted", _keeps_its_id)]
)
def test_data_that_differ_are_seen_when_a_rule_is_taken_out(
    where: Any, name: str, broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the lease, or without a new id at each promotion, the data differ, and the checker says so."""
    monkeypatch.setattr(Role, "check_invariants", _silence_invariants)
    monkeypatch.setattr(where, name, broken)
    with pytest.raises(AssertionError):
        _run_all(range(6_000, 6_030))
