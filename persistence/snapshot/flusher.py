"""The file of an empty data set that FLUSHALL leaves where there are save points."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from persistence.snapshot.snapshotter import Snapshotter


class Flusher:
    """Writes the file that FLUSHALL leaves: of an empty data set, with the function libraries there are.

    Redis writes it before it replies. Here a thread does, and until the file is durable replies wait
    (`Snapshotter.on_flushing`), so that a client sees the same. Of several in a row the last one is written.
    """

    def __init__(self, saver: Snapshotter) -> None:
        self._saver = saver
        doors = saver.engine.services.doors
        self._disk = doors.disk
        self._clock = doors.clock
        self._threads = doors.threads
        self._pool = doors.threads.pool(1, "flushall")
        self._content = b""  # of the next file, "" for none
        self._owed = 0  # changes since the last save, which the file will have saved
        self._task: asyncio.Task[None] | None = None
        self._writing: Future[None] | None = None

    def begin(self, unwanted: asyncio.Task[str] | None) -> None:
        """The data set is empty now, and shall be so on the disk once `unwanted`, a cancelled save, is over."""
        saver = self._saver
        self._owed += saver.engine.state.dirty
        saver.engine.state.dirty = 0
        snapshot = saver.open(origin=False)
        try:
            chunks = []
            while (chunk := snapshot.next_chunk(1.0)) is not None:
                chunks.append(chunk)
        finally:
            snapshot.close()
        self._content = b"".join(chunks)
        if self._task is None:
            saver.on_flushing(True)
            self._task = asyncio.get_running_loop().create_task(self._run(unwanted))

    async def wait(self) -> None:
        """Until no such file is being written."""
        while self._task is not None:
            await asyncio.wait((self._task,))

    def finish(self) -> None:
        """Have done with it before anything else happens."""
        if self._writing is not None:
            with suppress(OSError):  # which will be seen to
                self._threads.wait(self._writing)
        if self._content:
            content, self._content = self._content, b""
            try:
                self._write(content)
            except OSError as error:
                self._failed(error)

    async def _run(self, unwanted: asyncio.Task[str] | None) -> None:
        try:
            if unwanted is not None:
                await asyncio.wait((unwanted,))
            while self._content:
                content, self._content = self._content, b""
                owed, self._owed = self._owed, 0
                self._writing = self._pool.submit(self._write, content)
                try:
                    await asyncio.wrap_future(self._writing)
                except OSError as error:
                    self._saver.engine.state.dirty += owed
                    self._failed(error)
                else:
                    self._saver.last_save_s = int(self._clock.wall())
                    self._saver.saves += 1
                    self._saver.last_ok = True
                finally:
                    self._writing = None
        finally:
            self._task = None
            self._saver.on_flushing(False)

    def _write(self, content: bytes) -> None:
        """On a thread: the file, durable. Raises OSError."""
        self._disk.replace(self._saver.path, content)

    def _failed(self, error: OSError) -> None:
        self._saver.log.error("the file of FLUSHALL could not be written", path=str(self._saver.path), error=str(error))
