"""Counters: what a read may show, given which increments were acknowledged, and no step back.

    increment   value: the amount, above zero    result: the counter afterwards, or None if it wasn't told
    read                                         result: the counter

A counter that is read is at least what had been acknowledged before the read was called, and at most what had been
asked for before it returned, without what was refused. Two reads, one of which returned before the other was called,
don't go down. An increment that told the counter is a read, too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from ops.histories.operation import HistoryError, Operation, Outcome, Violation

_Seen = tuple[int, Operation]


def judge_counter(key: str, history: Sequence[Operation]) -> list[Violation]:
    """Judge the operations on one counter, which begins with 0.

    Raises:
        HistoryError: an amount isn't above zero.
    """
    increments = [each for each in history if each.action == "increment"]
    for each in increments:
        if each.value <= 0:
            raise HistoryError(f"{key} is incremented by {each.value}")
    acknowledged = _Sums((i.returned, i.value) for i in increments if i.outcome is Outcome.OK)
    asked = _Sums((i.called, i.value) for i in increments if i.outcome is not Outcome.REFUSED)
    seen = [(int(each.result), each) for each in history if each.outcome is Outcome.OK and each.result is not None]
    violations: list[Violation] = []
    for value, read in seen:
        own = read.value if read.action == "increment" else 0
        low, high = acknowledged.before(read.called) + own, asked.before(read.returned)
        if value < low:
            told = f"{read.client} was told {value}, when {low} had been acknowledged"
            violations.append(Violation("lost", key, told, (read,)))
        elif value > high:
            told = f"{read.client} was told {value}, when no more than {high} had been asked for"
            violations.append(Violation("too-much", key, told, (read,)))
    return violations + list(_steps_back(key, seen))


def _steps_back(key: str, seen: Sequence[_Seen]) -> Iterable[Violation]:
    """Reads that show less than one that had returned before they were called."""
    ended = sorted(seen, key=lambda each: each[1].returned)
    highest: _Seen | None = None
    at = 0
    for value, read in sorted(seen, key=lambda each: each[1].called):
        while at < len(ended) and ended[at][1].returned < read.called:
            if highest is None or ended[at][0] > highest[0]:
                highest = ended[at]
            at += 1
        if highest is not None and value < highest[0]:
            told = f"{read.client} was told {value}, after {highest[1].client} had been told {highest[0]}"
            yield Violation("backwards", key, told, (highest[1], read))


class _Sums:
    """Sums of amounts by time."""

    def __init__(self, amounts: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(amounts)
        self._times = [when for when, _ in ordered]
        self._sums = [0, *accumulate(amount for _, amount in ordered)]

    def before(self, when: int) -> int:
        """The sum of what lies before a time."""
        return self._sums[bisect_left(self._times, when)]
