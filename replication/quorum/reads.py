"""Reads whose replies wait until what they show can't vanish any more, and linearizable ones.

Theory of operation. The state runs ahead of what is committed, on a primary as on a replica. A *committed* read is
executed at once, at the end of the log, and its reply waits until that offset is committed. A *linearizable* read waits
as well for a round that began after the read came, and in which a majority answered that it has promised nothing
newer; all reads that wait share rounds. On a replica the question goes to the leader it follows: the answer is an
offset, the read is executed once the replica has applied that much, and then waits like any other.

A read is named by whoever asks; the names come back in `Done`, in the order in which the reads may be answered.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Waiting:
    """One read. `at`: the offset that has to be committed, None before it was executed. `after`: the offset to be
    applied before it is executed (None: not known yet). `round`: to be confirmed first, 0 for none.
    `asker`: the link over which a follower asked, None for a client of our own."""

    name: object
    at: int | None
    after: int | None = None
    round: int = 0
    asker: object = None


class Reads:
    """The reads that wait on one node, oldest first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, read: Waiting) -> None:
        """One more waits."""
        self._waiting.append(read)

    def drop_all(self) -> list[object]:
        """Forget all; the names of our own clients' reads, which are to be told that the outcome isn't known."""
        names = [read.name for read in self._waiting if read.asker is None]
        self._waiting.clear()
        return names

    def drop_link(self, link: object) -> None:
        """Forget what was asked over a link that is gone."""
        self._waiting = [read for read in self._waiting if read.asker is not link]

    def answer_by(self, name: object, offset: int) -> None:
        """The leader's answer to a follower's question: execute `name` at `offset` or later."""
        for read in self._waiting:
            if read.name == name and read.at is None:
                read.after = offset

    def executable(self, applied: int) -> list[Waiting]:
        """Linearizable reads of a follower that may be executed now: they are, at `applied`."""
        ready = [r for r in self._waiting if r.at is None and r.after is not None and r.after <= applied]
        for read in ready:
            read.at = applied
        return ready

    def done(self, commit: int, confirmed: int | None) -> list[Waiting]:
        """Take out what may be answered; `confirmed`: the last round a majority answered, None on a follower."""
        ready: list[Waiting] = []
        left: list[Waiting] = []
        for read in self._waiting:
            safe = read.at is not None and read.at <= commit and (confirmed is None or read.round <= confirmed)
            (ready if safe else left).append(read)
        self._waiting = left
        return ready
