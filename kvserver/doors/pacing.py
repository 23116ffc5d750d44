"""Work beside serving: for about so long, then others have their turn. Pure: the clock is handed in.

Whoever has much to do on the loop begins a `Slice`, works while there is time `left`, lets others in (a turn of the
loop, or a timer), and begins the next.  Options for tests make work slow on purpose, so many microseconds for each
thing done: `behind_s` tells how far it is ahead of that, which is how long it has to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

LOAD_S = 0.002
"""A slice of reading data in, seconds: clients are refused meanwhile, or served from what there was."""
SAVE_S = 0.001
"""A slice of writing data out, seconds: clients are served meanwhile."""
PIECE_BYTES = 1 << 14
"""Bytes of a stream that are decoded between two looks at the clock."""


class Slice:
    """A slice of `budget_s` seconds by the clock `now` (`Clock.perf`). It has begun when it is made."""

    __slots__ = ("_end_s", "_now", "budget_s")

    def __init__(self, now: Callable[[], float], budget_s: float) -> None:
        self._now = now
        self.budget_s = budget_s
        self._end_s = now() + budget_s

    def begin(self) -> None:
        """Begin another one."""
        self._end_s = self._now() + self.budget_s

    def left(self) -> bool:
        """Whether there is time left."""
        return self._now() < self._end_s

    def extend(self) -> None:
        """Add as much again, for work that comes behind the first."""
        self._end_s += self.budget_s


def behind_s(began_s: float, count: int, each_us: int, now_s: float) -> float:
    """How many seconds too early `count` things are done that shall take `each_us` microseconds each; 0 = none."""
    return max(0.0, began_s + count * each_us / 1e6 - now_s) if each_us > 0 else 0.0


def fed(
    feed: Callable[[bytes], object], block: bytes, work: Slice, stops: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Feed a decoder with a block, piece by piece, yielding when `work` is over, or after each piece if `stops()`.

    Whoever iterates lets others in at each turn; the next slice begins behind that. What `feed` raises comes through.
    """
    for start in range(0, len(block), PIECE_BYTES):
        feed(block[start : start + PIECE_BYTES])
        if not work.left() or stops():
            yield
            work.begin()
