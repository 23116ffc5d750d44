"""The judge of counters, on histories with known verdicts."""

from __future__ import annotations

import pytest

from ops.histories.counters import judge_counter
from ops.histories.operation import HistoryError, Operation, Outcome


def plus(amount: int, called: int, returned: int, outcome: Outcome = Outcome.OK, told: int | None = None) -> Operation:
    """An increment; `told` is the counter in its reply."""
    return Operation("w", "increment", "n", amount, told, called, returned, outcome)


def read(value: int, called: int, returned: int) -> Operation:
    """A read of the counter."""
    return Operation("r", "read", "n", None, value, called, returned)


def rules(*history: Operation) -> list[str]:
    """Names of the violations."""
    return [v.rule for v in judge_counter("n", history)]


@pytest.mark.parametrize("value", [1, 3, 4, 6])
def test_what_is_open_may_count_or_not(value: int) -> None:
    """An increment under way, or of unknown outcome, may be in a read; an acknowledged one must be."""
    assert rules(plus(1, 0, 1), plus(2, 2, 9), plus(3, 2, 3, Outcome.UNKNOWN), read(value, 4, 5)) == []


@pytest.mark.parametrize(("value", "rule"), [(0, "lost"), (7, "too-much")])
def test_a_read_outside_of_the_bounds_is_told(value: int, rule: str) -> None:
    """Less than was acknowledged is lost, more than was asked for is too much."""
    assert rules(plus(1, 0, 1), plus(2, 2, 9), plus(3, 2, 3, Outcome.UNKNOWN), read(value, 4, 5)) == [rule]


def test_what_was_refused_does_not_count() -> None:
    """A refused increment that a read shows is too much."""
    assert rules(plus(1, 0, 1), plus(1, 2, 3, Outcome.REFUSED), read(2, 4, 5)) == ["too-much"]


def test_what_is_asked_for_later_does_not_count() -> None:
    """A read that returned before an increment was called doesn't show it."""
    assert rules(read(1, 0, 1), plus(1, 2, 3)) == ["too-much"]


def test_reads_do_not_step_back() -> None:
    """Two reads of an open increment: once it was seen, it is seen by all that ask later."""
    increment = plus(1, 0, 1, Outcome.UNKNOWN)
    assert rules(increment, read(0, 2, 3), read(1, 4, 5)) == []
    assert rules(increment, read(1, 2, 3), read(0, 4, 5)) == ["backwards"]
    assert rules(increment, read(1, 2, 4), read(0, 3, 5)) == []


def test_an_increment_reads_too() -> None:
    """The reply of an increment holds its own amount, and what was acknowledged before."""
    assert rules(plus(1, 0, 1, told=1), plus(2, 2, 3, told=3)) == []
    assert rules(plus(1, 0, 1, told=1), plus(2, 2, 3, told=2)) == ["lost"]
    assert rules(plus(1, 0, 1, told=1), plus(2, 2, 3, told=1)) == ["lost"]


def test_amounts_are_above_zero() -> None:
    """A counter that goes down can't be judged, and is refused."""
    with pytest.raises(HistoryError):
        rules(plus(-1, 0, 1))
