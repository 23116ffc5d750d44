"""Virtual time: events in order, nothing between them."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

START_MS = 1_000_000_000
"""A machine that has run for days, so that a clock set back by hours has not become negative."""


class Clock:
    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.now_ms = START_MS
        self._order = count()
        self._events: list[tuple[int, int, Callable[[], None]]] = []

    def after(self, delay_ms: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_ms + max(0, delay_ms), next(self._order), act))

    def run_until(self, when_ms: int, done: Callable[[], bool] | None = None) -> bool:
        """Run events up to `when_ms`, or until `done` after one of them; returns whether it was done."""
        while self._events and self._events[0][0] <= when_ms:
            when, _, act = heapq.heappop(self._events)
            self.now_ms = when
            act()
            if done is not None and done():
                return True
        self.now_ms = max(self.now_ms, when_ms)
        return False
