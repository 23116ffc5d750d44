"""Reads that share what they wait for: a leader's a round, a follower's the answer to a question. Pure.

Theory of operation. What a read waits for has to begin after the read came. It begins at once where none is under way;
those that come while one is gather, and share the next one, which begins when that is over. So each read costs at most
two times across the network, and a thousand of them no more messages than one. One that isn't over after the reads'
own patience (its message may be lost) is waited for no more before the next is begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Sharing(Generic[T]):
    """See the module's theory of operation. Times are milliseconds of any clock that only rises."""

    __slots__ = ("_begun", "_gathered", "_latest", "_latest_ms")

    def __init__(self) -> None:
        self._gathered: list[T] = []
        self._begun: dict[object, list[T]] = {}
        self._latest: object = None
        self._latest_ms = 0

    @property
    def gathered(self) -> bool:
        """Whether some wait for what hasn't begun."""
        return bool(self._gathered)

    def join(self, read: T) -> None:
        """One more waits for the next."""
        self._gathered.append(read)

    def begin(self, name: object, now_ms: int, patience_ms: int) -> bool:
        """Whether the next one is to begin now, under this name: somebody waits for it, and none is under way."""
        under_way = self._latest in self._begun and now_ms - self._latest_ms < patience_ms
        if not self._gathered or under_way:
            return False
        self._latest, self._latest_ms = name, now_ms
        self._begun[name] = self._gathered
        self._gathered = []
        return True

    def over(self, name: object) -> list[T]:
        """What has this name is over, or lost: who waited for it, in the order in which they came."""
        return self._begun.pop(name, [])

    def take(self, which: Callable[[T], bool]) -> list[T]:
        """Take those out that wait no more, begun or not."""
        taken = []
        for reads in (*self._begun.values(), self._gathered):
            taken += [read for read in reads if which(read)]
            reads[:] = [read for read in reads if not which(read)]
        self._begun = {name: reads for name, reads in self._begun.items() if reads}
        return taken

    def take_gathered(self) -> list[T]:
        """Take those out whose turn hasn't come."""
        taken, self._gathered = self._gathered, []
        return taken
