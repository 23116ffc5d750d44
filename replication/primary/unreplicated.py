"""The bound on what an asynchronous primary may lose: how old, and how long, its writes are that no replica has. Pure.

Theory of operation. A write is noted by where the log stood when it came, and when; it is on a replica once some
replica has acknowledged more than that. Notes are taken no finer than `RESOLUTION_S`, and only of the oldest writes
does it matter when they came, so few are kept however many writes there are. A write that changed nothing leaves the
log where it was, and is forgotten by the next look.

A replica acknowledges once a second by itself; whoever states a bound asks more often (`waiting` says when).
"""

from __future__ import annotations

from collections import deque

RESOLUTION_S = 0.01
NOTES_MAX = 4096
"""Then only the last note is dropped for a newer one: the older a note, the more it matters."""


class Unreplicated:
    """See the module's docstring. Offsets are the command log's, times seconds of a clock that only rises."""

    __slots__ = ("_notes", "acked")

    def __init__(self) -> None:
        self.acked = 0
        self._notes: deque[tuple[int, float]] = deque()

    def begin(self, offset: int) -> None:
        """Count from here on: what is in the log already isn't asked about."""
        self.acked = offset
        self._notes.clear()

    def acknowledge(self, offset: int) -> None:
        """Some replica has everything up to `offset`."""
        if offset > self.acked:
            self.acked = offset

    def write(self, end: int, now_s: float) -> None:
        """A write comes while the log ends at `end`."""
        self._settle(end)
        if self._notes and (now_s - self._notes[-1][1] < RESOLUTION_S or len(self._notes) >= NOTES_MAX):
            return
        self._notes.append((end, now_s))

    def age_s(self, end: int, now_s: float) -> float:
        """How old the oldest write is that no replica has; 0.0 when there is none."""
        self._settle(end)
        return max(0.0, now_s - self._notes[0][1]) if self._notes else 0.0

    def length(self, end: int) -> int:
        """How many bytes of the log no replica has acknowledged."""
        return max(0, end - self.acked)

    def waiting(self, end: int) -> bool:
        """Whether some write waits for a replica's acknowledgement."""
        self._settle(end)
        return bool(self._notes)

    def _settle(self, end: int) -> None:
        """Forget writes that a replica has, and such as changed nothing."""
        notes = self._notes
        while notes and notes[0][0] < self.acked:
            notes.popleft()
        while notes and notes[-1][0] >= end:
            notes.pop()
