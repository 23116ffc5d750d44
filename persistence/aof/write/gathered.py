"""What waits to be written to the append-only file, in batches. Pure."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class File(Protocol):
    """What is written to in the end; see `append_file`."""

    def append(self, data: bytes) -> int:
        """Append bytes; how many were. Raises OSError."""

    def sync(self) -> None:
        """Have the disk hold them. Raises OSError."""


class Batch:
    """Bytes for one file, and the offset of the log behind them."""

    __slots__ = ("file", "offset", "pieces", "size")

    def __init__(self, file: File) -> None:
        self.file = file
        self.pieces: list[bytes] = []
        self.size = 0
        self.offset = 0

    def add(self, data: bytes) -> None:
        """More bytes behind those that there are."""
        self.pieces.append(data)
        self.size += len(data)


class Gathered(deque[Batch]):
    """The batches, oldest first: one for each file. `head` is what the next bytes have to follow."""

    head = b""

    def add(self, file: File, data: bytes) -> None:
        """Gather bytes for a file; none for the one before come any more."""
        if not self or self[-1].file is not file:
            self.append(Batch(file))
        batch = self[-1]
        if self.head:
            batch.add(self.head)
            self.head = b""
        batch.add(data)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return sum(batch.size for batch in self)

    def wanted(self, file: File) -> bool:
        """Whether some of them are for a file."""
        return any(batch.file is file for batch in self)
