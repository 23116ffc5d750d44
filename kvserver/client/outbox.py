"""What waits for a slow peer: gathered here, so that a transport isn't left with an object for each small message.

A transport keeps every write it can't make at once as an object of its own, with bookkeeping of its loop's: a
replica that stands still for a minute would cost several times the bytes it is sent.  So once a transport says
that it is full, further bytes are gathered in blocks of `BLOCK_BYTES`, and given to it as it empties.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from kvserver.client import limits

if TYPE_CHECKING:
    from kvserver.client.server import Connection

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

    def drain(self, write: Callable[[bytes], None], full: Callable[[], bool]) -> None:
        """Give blocks away until nothing is left or `full()` says that no more is taken."""
        while self.size and not full():
            if not self._blocks:
                self._close()
            block = self._blocks.popleft()
            self.size -= len(block)
            write(block)

    def held_bytes(self) -> int:
        """Bytes of memory that this takes, objects included."""
        return self.size + BLOCK_COST * (1 + len(self._blocks))


def send(connection: Connection, data: bytes) -> None:
    """Write, or gather for a slow peer."""
    if not connection.slow:
        connection.transport.write(data)
        return
    if connection.outbox is None:
        connection.outbox = Outbox()
    connection.outbox.add(data)
    limits.bound_output(connection)


def drain(connection: Connection) -> bool:
    """Write what has gathered, as much as the transport takes; True when that was all."""
    outbox = connection.outbox
    if outbox is not None and not connection.closing:
        outbox.drain(connection.transport.write, lambda: connection.slow)
        if outbox.size or connection.slow:
            return False
    connection.outbox = None
    return True


def hand_over(connection: Connection) -> None:
    """Give the transport all that waits for it, so that it closes behind that."""
    if connection.outbox is not None:
        connection.outbox.drain(connection.transport.write, lambda: False)
        connection.outbox = None
