"""Replies that wait until what they promise is safe.

Theory of operation.  A reply tells its client that everything the client may have seen happened, and what is in
the command log has happened up to an offset.  A *promise* is made by whoever makes the log safe: it has reached
one offset or another (written to a file, synced).  A reply goes out once every promise has reached the offset at which
the log stood when the reply was made; so no client sees a change, its own or another's, that could still be lost.

Promises are everybody's.  Beside them a connection may ask for more, a *level*: that the log is in the memory of a
majority of a group, or on the disks of one (`COPIED`, `SYNCED`), and that a majority has confirmed since the reply was
made that nobody else leads (`linear`).  Replies of one level are let go in the order in which they came.  What can't
become safe any more is `fail`ed: its connection is told so, and ends.  Disks are waited for by whoever asks them:
`on_sought` hears when a reply begins to wait for `SYNCED`, and `take_sought` says up to where.

Without a promise or a level nothing is held, and `on` is all that a connection looks at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

NONE, COPIED, SYNCED = 0, 1, 2
"""Levels: what is promised to everybody; in a majority's memory; on a majority's disks."""
EVERYTHING = 1 << 62
"""An offset beyond any: nothing waits."""


class Holder(Protocol):
    """Whose replies wait."""

    def released(self, data: bytes) -> None:
        """These are safe now."""

    def unsafe(self, text: bytes) -> None:
        """None of those that wait will be; `text` is an error reply that says why."""


@dataclass(frozen=True, slots=True)
class Safety:
    """What a connection's replies wait for. `local`: what others wrote, and it only read, isn't waited for."""

    level: int = NONE
    local: bool = False
    linear: bool = False


class Held:
    """Some replies of one connection: the offset that makes them safe, and when they began to wait (Unix ms)."""

    __slots__ = ("data", "holder", "level", "offset", "since_ms")

    def __init__(self, offset: int, holder: Holder, data: bytes, level: int, since_ms: int) -> None:
        self.offset = offset
        self.holder = holder
        self.data = data
        self.level = level
        self.since_ms = since_ms


class Holds:
    """The replies held back on one node. Offsets are the command log's, bytes."""

    def __init__(self) -> None:
        self.on = False
        self.on_switch: Callable[[bool], None] = _nobody  # called when `on` changes
        self.safe = 0  # what all promises have reached
        self.safety = Safety()  # what connections ask for that didn't choose
        self.confirm: Callable[[Held], None] = self.confirmed  # begins a round for a reply that needs one
        self.on_sought: Callable[[], None] = _nothing  # a reply has begun to wait for disks
        self._sought = 0  # up to where replies wait for disks, of those that nobody was told of yet
        self._promises: dict[str, int] = {}
        self._reached = [EVERYTHING, EVERYTHING, EVERYTHING]  # by level, its own alone
        self._waiting: tuple[deque[Held], ...] = (deque(), deque(), deque())

    def __len__(self) -> int:
        return sum(map(len, self._waiting))

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

    def reach(self, level: int, offset: int) -> None:
        """A level has reached `offset` (EVERYTHING: nothing waits for it)."""
        self._reached[level] = offset
        self._look()

    def own(self, level: int) -> int:
        """What a level itself has reached, whatever is promised to everybody."""
        return self._reached[level]

    def reached(self, level: int) -> int:
        """Up to where replies of a level are safe."""
        promised = self.safe if self.on else EVERYTHING
        return min(promised, self._reached[level])

    def _switch(self, on: bool) -> None:
        if on != self.on:
            self.on = on
            self.on_switch(on)

    def wait(self, held: Held, linear: bool = False) -> None:
        """Hold replies back until they are safe; `linear`: a round has to confirm them first."""
        if linear:
            self.confirm(held)
        else:
            self._enqueue(held)

    def _enqueue(self, held: Held) -> None:
        self._waiting[held.level].append(held)
        if held.level == SYNCED and held.offset > self._sought:
            self._sought = held.offset
            self.on_sought()

    def take_sought(self) -> int:
        """Up to where replies wait for disks that have begun to since the last call, 0 for none."""
        sought, self._sought = self._sought, 0
        return sought

    def confirmed(self, *replies: Held) -> None:
        """The round for these is over; behind what waits of their level they go out."""
        for held in replies:
            self._enqueue(held)
        self._look()

    def _look(self) -> None:
        if self.on:
            self.safe = min(self._promises.values())
        for level, waiting in enumerate(self._waiting):
            if waiting:
                reached = self.reached(level)
                while waiting and waiting[0].offset <= reached:
                    held = waiting.popleft()
                    held.holder.released(held.data)

    # -- what won't be safe -----------------------------------------------------------------------------------

    def oldest_ms(self) -> int:
        """Since when the oldest reply waits for a level, Unix ms; 0 for none."""
        return min((waiting[0].since_ms for waiting in self._waiting[COPIED:] if waiting), default=0)

    def fail(self, text: bytes, until_ms: int = EVERYTHING) -> int:
        """Give replies up that wait for a level since `until_ms` or before; how many connections were told so."""
        holders: dict[Holder, None] = {}
        for waiting in self._waiting[COPIED:]:
            holders.update((held.holder, None) for held in waiting if held.since_ms <= until_ms)
        if holders:
            for waiting in self._waiting:
                left = [held for held in waiting if held.holder not in holders]
                waiting.clear()
                waiting.extend(left)
            for holder in holders:
                holder.unsafe(text)
        return len(holders)


def _nobody(on: bool) -> None:
    """Nobody looks at it."""


def _nothing() -> None:
    """Nobody has disks sync."""
