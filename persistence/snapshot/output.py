"""The shell's way from a snapshot to a file: encoded in slices on the loop, written by a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kvserver.doors import Threads
from persistence.disk import AtomicFile
from persistence.snapshot.snapshot import Snapshot

WRITE_BYTES = 1 << 18
"""Bytes gathered before the writing thread gets them."""


async def write_out(
    file: AtomicFile, threads: Threads, next_chunk: Callable[[], bytes | None],
    pause_s: Callable[[], float] = lambda: 0.0,
) -> int:
    """Write all chunks, commit the file and return its size; nothing is left of it if that fails.

    `next_chunk` works for a slice of time and may bring forth nothing; None is the end. `pause_s` says how long to
    leave the loop to others between two slices, 0 being a turn.

    Raises:
        OSError: the file can't be written.
    """
    # Each call of a thread is shielded: who cancels this waits until none is at work on the file any more.
    writing: asyncio.Future[None] | None = None
    gathered: list[bytes] = []
    size = 0
    try:
        await threads.run(file.write, b"")
        while True:
            chunk = next_chunk()
            if chunk:
                gathered.append(chunk)
                size += len(chunk)
            if size >= WRITE_BYTES or chunk is None:
                if writing is not None:
                    await asyncio.shield(writing)
                writing = asyncio.ensure_future(threads.run(file.write, b"".join(gathered)))
                gathered, size = [], 0
            if chunk is None:
                break
            await asyncio.sleep(pause_s())
        if writing is not None:
            await asyncio.shield(writing)
        writing = asyncio.ensure_future(threads.run(file.commit))
        await asyncio.shield(writing)
        return file.size
    except BaseException:
        if writing is not None:
            await asyncio.gather(writing, return_exceptions=True)
        await threads.run(file.abort)
        raise


def write_at_once(file: AtomicFile, snapshot: Snapshot) -> None:
    """Write a whole snapshot while everything waits. Raises OSError."""
    try:
        while (chunk := snapshot.next_chunk(1.0)) is not None:
            file.write(chunk)
        file.commit()
    finally:
        snapshot.close()
        file.abort()
