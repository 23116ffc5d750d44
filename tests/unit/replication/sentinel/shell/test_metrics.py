"""What a sentinel's metrics say of groups that go by quorum."""

from __future__ import annotations

from typing import Any

from support.quorum_bench import Group, P
from support.sentinel_bench import Bench

from replication.sentinel.shell.metrics import SENTINEL, SentinelView


def sample(bench: Bench, name: str, **events: int) -> list[float]:
    view: Any = SentinelView(bench.world, bench.now, events, 0, 0.0, None)  # type: ignore[arg-type]
    row = next(row for row in SENTINEL if row.name == f"sentinel_{name}")
    return [value for _, value in row.read(view)]


def test_metrics_tell_that_a_group_has_no_leader() -> None:
    """Whether the group goes by quorum, whether its primary leads, and what its nodes promised can be seen."""
    group = Group()
    names = ("by_quorum", "leaderless", "isolated", "promised_epoch")
    assert [sample(group, name) for name in names] == [[True], [False], [False], [1]]
    group.info(P, "resting", 0, promised=4)
    assert [sample(group, name) for name in names] == [[True], [True], [False], [4]]
    assert [sample(Bench(), name) for name in names] == [[False], [False], [False], [0]]


def test_failovers_without_a_quorum_are_counted() -> None:
    """So are those by force, each by its event."""
    events = {"-failover-abort-no-quorum": 3, "+failover-unsafe": 1}
    assert sample(Bench(), "failovers_without_quorum_total", **events) == [3]
    assert sample(Bench(), "unsafe_failovers_total", **events) == [1]
