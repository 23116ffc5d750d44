"""What waits for a slow peer: all of it, in order, in few objects."""

from __future__ import annotations

import random
from collections.abc import Callable

from kvserver.client.outbox import BLOCK_BYTES, Outbox


def drain(outbox: Outbox, write: Callable[[bytes], None], full: Callable[[], bool]) -> None:
    """Give blocks away as a connection does: until nothing is left or no more is taken."""
    while outbox.size and not full():
        write(outbox.take())


def test_what_is_gathered_comes_out_in_order() -> None:
    """Small and large pieces leave as the same sequence of bytes, however often the transport is full."""
    rng = random.Random(3)
    outbox = Outbox()
    sent: list[bytes] = []
    given = b""
    for _ in range(300):
        piece = rng.randbytes(rng.choice((0, 1, 50, 3000, BLOCK_BYTES, BLOCK_BYTES * 3)))
        given += piece
        outbox.add(piece)
        if rng.random() < 0.1:
            most = len(sent) + rng.randrange(1, 4)
            drain(outbox, sent.append, lambda most=most: len(sent) >= most)  # type: ignore[misc]
        assert outbox.size == len(given) - sum(map(len, sent))
    drain(outbox, sent.append, lambda: False)
    assert b"".join(sent) == given
    assert outbox.size == 0


def test_many_small_messages_are_few_objects() -> None:
    """A hundred thousand messages of a few bytes are held for hardly more than their bytes."""
    outbox = Outbox()
    for _ in range(100_000):
        outbox.add(b"*1\r\n$4\r\nPING\r\n")
    assert outbox.size == 1_400_000
    assert outbox.memory_bytes() < 1_410_000
    sent: list[bytes] = []
    drain(outbox, sent.append, lambda: False)
    assert len(sent) <= 1_400_000 // BLOCK_BYTES + 1


def test_a_full_transport_gets_nothing() -> None:
    """Nothing is written while the transport says that it is full."""
    outbox = Outbox()
    outbox.add(b"x")
    drain(outbox, lambda data: None, lambda: True)
    assert outbox.size == 1
