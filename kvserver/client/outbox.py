"""What waits for a slow peer: gathered here, so that a transport isn't left with an object for each small message.

A transport keeps every write it can't make at once as an object of its own, with bookkeeping of its loop's: a
replica that stands still for a minute would cost several times the bytes it is sent.  So once a transport says
that it is full, further bytes are gathered in blocks of `BLOCK_BYTES`, and given to it as it empties.
"""

from __future__ import annotations

from collections import deque

BLOCK_BYTES = 16 * 1024
FULL_BYTES = 1024
"""Bytes at which a transport is to say that it is full: as small messages they cost its loop ten times as much."""
BLOCK_COST = 72
"""Counted on top of a block's bytes: the object's head, what the allocator adds, its place in the queue."""


class Outbox:
    """Bytes in order; `size` is how many they are."""

    __slots__ = ("_blocks", "_open", "size")

    def __init__(self) -> None:
        self.size = 0
        self._blocks: deque[bytes] = deque()
        self._open = bytearray()  # the last block, while it grows

    def add(self, data: bytes) -> None:
        """Append; large data stay the object they are."""
        n = len(data)
        self.size += n
        if n >= BLOCK_BYTES:
            self._close()
            self._blocks.append(data)
            return
        self._open += data
        if len(self._open) >= BLOCK_BYTES:
            self._close()

    def _close(self) -> None:
        if self._open:
            self._blocks.append(bytes(self._open))
            self._open = bytearray()

    def take(self) -> bytes:
        """Remove and return the first block; there has to be one."""
        if not self._blocks:
            self._close()
        block = self._blocks.popleft()
        self.size -= len(block)
        return block

    def memory_bytes(self) -> int:
        """Bytes of memory that this takes, objects included."""
        return self.size + BLOCK_COST * (1 + len(self._blocks))
