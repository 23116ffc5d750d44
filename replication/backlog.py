"""The most recent bytes of the command stream, bounded, so that a replica that was away can continue.

Theory of operation. Bytes are kept in blocks in the order they were produced. Small appends are gathered into
blocks of 16 KiB, so that a stream of 40-byte commands doesn't cost an object each; an append at least that
large becomes a block of its own without being copied. The oldest blocks are let go of as long as at least
`size` bytes remain; of a huge one only the end is kept. So less than twice `size` is held, and usually
`size` plus less than one block.
"""

from __future__ import annotations

from collections import deque

BLOCK_BYTES = 16 * 1024


class Backlog:
    """The stream's bytes numbered `first_offset` .. `end_offset`, both inclusive, 1-based.

    Invariant: `first_offset + histlen == end_offset + 1`, and histlen is the sum of the blocks' lengths.
    """

    __slots__ = ("_blocks", "_open", "first_offset", "histlen", "size")

    def __init__(self, size: int, offset: int) -> None:
        """An empty backlog of `size` bytes for a stream that stands at `offset`."""
        self.size = size
        self.first_offset = offset + 1
        self.histlen = 0
        self._blocks: deque[bytes | bytearray] = deque()
        # The last block while it may still grow.
        self._open: bytearray | None = None

    @property
    def end_offset(self) -> int:
        """The number of the last byte held (or that of the byte before, when empty)."""
        return self.first_offset + self.histlen - 1

    def append(self, data: bytes) -> None:
        """Add the next bytes of the stream."""
        length = len(data)
        if not length:
            return
        block = self._open
        if length >= BLOCK_BYTES:
            self._blocks.append(data)
            self._open = None
        elif block is None:
            block = bytearray(data)
            self._blocks.append(block)
            self._open = block
        else:
            block += data
            if len(block) >= BLOCK_BYTES:
                self._open = None
        self.histlen += length
        if self.histlen > self.size:
            self._trim()

    def _trim(self) -> None:
        blocks = self._blocks
        while len(blocks) > 1 and self.histlen - len(blocks[0]) >= self.size:
            gone = len(blocks.popleft())
            self.histlen -= gone
            self.first_offset += gone
        excess = self.histlen - self.size
        # Only when that halves the block, so that a huge one isn't copied again and again.
        if excess >= BLOCK_BYTES and excess * 2 >= len(blocks[0]):
            blocks[0] = blocks[0][excess:]
            if len(blocks) == 1:
                self._open = None
            self.histlen -= excess
            self.first_offset += excess

    def beyond(self) -> int:
        """Bytes of memory that it takes in whole blocks, above `size`."""
        spare = self._open.__alloc__() - len(self._open) if self._open is not None else 0
        return max(0, self.histlen + spare - self.size)

    def resize(self, size: int) -> None:
        """Change the bound (CONFIG SET repl-backlog-size); what already was held stays if it fits."""
        self.size = size
        self._trim()

    def holds(self, offset: int) -> bool:
        """Whether a reader who wants byte `offset` next can be served; it may be the byte to come."""
        return self.first_offset <= offset <= self.first_offset + self.histlen

    def read_from(self, offset: int) -> list[bytes]:
        """Every byte from number `offset` to the end, as chunks; `holds(offset)` is the caller's duty."""
        assert self.holds(offset), (offset, self.first_offset, self.histlen)
        chunks: list[bytes] = []
        start = self.first_offset
        for block in self._blocks:
            end = start + len(block)
            if end > offset:
                chunks.append(bytes(block[offset - start :]) if start < offset else bytes(block))
            start = end
        return chunks
