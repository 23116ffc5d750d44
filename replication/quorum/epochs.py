"""Which epoch each byte of a log was written in: a list of epochs and the offsets at which they begin.

Redis's two replication ids are the last two rows of such a list; a quorum needs all of it, since a follower may
continue only where its last byte and the leader's byte at that offset are of the same epoch. An offset that is
lower than the leader's proves nothing.

Offsets count as the command log does: byte *n* is the n-th byte ever put into it, 0 is "before the first".
"""

from __future__ import annotations

from bisect import bisect_right


class Epochs:
    """The epochs of one log, oldest first; epochs grow, and so do their first offsets."""

    __slots__ = ("_epochs", "_starts")

    def __init__(self, rows: tuple[tuple[int, int], ...] = ()) -> None:
        """`rows`: (epoch, offset of its first byte), oldest first.

        Raises:
            ValueError: epochs or offsets that don't grow.
        """
        self._epochs: list[int] = []
        self._starts: list[int] = []
        for epoch, start in rows:
            self.open(epoch, start)

    def rows(self) -> tuple[tuple[int, int], ...]:
        """(epoch, offset of its first byte), oldest first."""
        return tuple(zip(self._epochs, self._starts, strict=True))

    def open(self, epoch: int, start: int) -> None:
        """Epoch `epoch` begins with byte `start`.

        Raises:
            ValueError: not newer than the last epoch, or not behind its first byte.
        """
        if self._epochs and (epoch <= self._epochs[-1] or start <= self._starts[-1]):
            raise ValueError(f"epoch {epoch} can't begin at {start} behind {self.rows()[-1]}")
        if epoch < 1 or start < 1:
            raise ValueError(f"epoch {epoch} can't begin at {start}")
        self._epochs.append(epoch)
        self._starts.append(start)

    def of(self, offset: int) -> int:
        """The epoch in which byte `offset` was written; 0 for bytes before the group was founded."""
        place = bisect_right(self._starts, offset)
        return self._epochs[place - 1] if place else 0
