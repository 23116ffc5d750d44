"""Rates per second of growing totals, averaged over the last second and a half as INFO shows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

SAMPLES = 16
INTERVAL_MS = 100


class Rates:
    """Samples some totals every 100 ms and averages the last 16 rates of each."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._last: tuple[int, ...] = (0,) * len(self._names)
        self._last_ms = 0
        self._rates: list[deque[float]] = [deque(maxlen=SAMPLES) for _ in self._names]

    def sample(self, totals: Sequence[int], now_ms: int) -> None:
        """Note the totals, unless the last sample is too young; the first sample is only a start."""
        elapsed_ms = now_ms - self._last_ms
        if 0 <= elapsed_ms < INTERVAL_MS:
            return
        if self._last_ms and elapsed_ms > 0:
            for rates, total, before in zip(self._rates, totals, self._last, strict=True):
                rates.append(max(0, total - before) * 1000 / elapsed_ms)
        self._last = tuple(totals)
        self._last_ms = now_ms

    def per_second(self, name: str) -> float:
        """The average rate of a total."""
        rates = self._rates[self._names.index(name)]
        return sum(rates) / SAMPLES

    def reset(self) -> None:
        """Forget the samples (the totals may go back to zero)."""
        self._last_ms = 0
        for rates in self._rates:
            rates.clear()
