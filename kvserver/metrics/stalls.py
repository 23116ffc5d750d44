"""How long the event loop stood still: the lateness of a timer that should fire at a steady pace. Pure.

A timer that is due while something else holds the loop fires late, by what was left of the hold. At a hundred
ticks a second a hold of ten milliseconds or more can't slip between two ticks; the lateness seen is then at
most one period less than the hold.
"""

from __future__ import annotations

from bisect import bisect_left

from kvserver.metrics.rows import Distribution

PERIOD_S = 0.01
BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class StallMeter:
    """Counts the lateness of ticks, in seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._total_s = 0.0
        self.worst_s = 0.0
        self.last_s = 0.0
        self._due_s = 0.0

    def tick(self, now_s: float) -> float:
        """Note a tick at `now_s` (of a clock that nobody sets); return when the next one is due."""
        if self._due_s:
            late = max(now_s - self._due_s, 0.0)
            self._counts[bisect_left(BOUNDS_S, late)] += 1
            self._total_s += late
            self.worst_s = max(self.worst_s, late)
            self.last_s = late
        self._due_s = now_s + PERIOD_S
        return self._due_s

    def distribution(self) -> Distribution:
        """What was seen so far."""
        return Distribution(BOUNDS_S, tuple(self._counts), self._total_s)
