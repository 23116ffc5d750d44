"""Replies that wait until what they promise is safe.

Theory of operation.  A reply tells its client that everything the client may have seen happened, and what is in
the command log has happened up to an offset.  A *promise* is made by whoever makes the log safe: it has reached
one offset or another (written to a file, synced, taken over by a quorum of replicas).  A reply goes out once every
promise has reached the offset at which the log stood when the reply was made; so no client sees a change, its own
or another's, that could still be lost.  Replies are let go in the order in which they came.

Without a promise nothing is held, and `on` is all that a connection looks at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Release = Callable[[bytes], None]


class Holds:
    """The replies held back on one node. Offsets are the command log's, bytes."""

    def __init__(self) -> None:
        self.on = False
        self.on_switch: Callable[[bool], None] = _nobody  # called when `on` changes
        self.safe = 0  # what all promises have reached
        self._promises: dict[str, int] = {}
        self._waiting: deque[tuple[int, Release, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def promise(self, name: str, offset: int) -> None:
        """Begin a promise, or move one that there is: it has reached `offset`, and replies beyond wait for it."""
        self._promises[name] = offset
        self._switch(True)
        self._look()

    def drop(self, name: str) -> None:
        """End a promise; what waited for it alone goes out."""
        if self._promises.pop(name, None) is not None:
            self._switch(bool(self._promises))
            self._look()

    def _switch(self, on: bool) -> None:
        if on != self.on:
            self.on = on
            self.on_switch(on)

    def wait(self, offset: int, release: Release, data: bytes) -> None:
        """Have `release(data)` called when the log is safe up to `offset`."""
        self._waiting.append((offset, release, data))

    def _look(self) -> None:
        waiting = self._waiting
        if not self.on:
            while waiting:
                _, release, data = waiting.popleft()
                release(data)
            return
        self.safe = safe = min(self._promises.values())
        while waiting and waiting[0][0] <= safe:
            _, release, data = waiting.popleft()
            release(data)


def _nobody(on: bool) -> None:
    """Nobody looks at it."""
