"""The shell that has the disk hold what was appended: once a second, when somebody waits for it, and when a file is
given up; on threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from kvserver.config import Config
from kvserver.doors import Clock, Threads
from persistence.aof.write.append_file import AppendFile

SYNC_S = 1.0


def on_loop(loop: asyncio.AbstractEventLoop | None, work: Callable[[], None]) -> None:
    """From a thread: have `work` done on the loop, if that still runs."""
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(work)


class Syncer:
    """Syncs files in the background; `error` is that of the last sync, of which `health` hears.

    `done` is called on the loop when a sync is over, or a file was given up; `busy_elsewhere` says whether a snapshot
    or a rewrite needs the disk (no-appendfsync-on-rewrite).
    """

    def __init__(
        self,
        threads: Threads,
        pool: Executor,
        clock: Clock,
        config: Config,
        log: Any,
        busy_elsewhere: Callable[[], bool],
        health: Callable[[], None],
        done: Callable[[], object],
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.error: OSError | None = None
        self.offset = 0  # of the log: what is before it was on the disk at the last look
        self.wanted = 0  # of the log: somebody waits until what is before it is there
        self.closing = 0  # files given up and not yet synced
        self._threads = threads
        self._pool = pool
        self._clock = clock
        self._config = config
        self._log = log
        self._busy_elsewhere = busy_elsewhere
        self._health = health
        self._done = done
        self._running: Future[None] | None = None
        self._last_s = 0.0

    @property
    def running(self) -> bool:
        """Whether a sync is under way."""
        return self._running is not None

    @property
    def allowed(self) -> bool:
        """Whether the log may be synced now."""
        return not (self._config.no_appendfsync_on_rewrite and self._busy_elsewhere())

    def restart(self) -> None:
        """A new file is being written to: its second begins now."""
        self._last_s = self._clock.monotonic()

    def wait(self) -> None:
        """Wait for the sync that is under way. Raises OSError if it fails."""
        if self._running is not None:
            self._threads.wait(self._running)

    def tick(self, file: AppendFile | None, offset: int) -> None:
        """Some times a second: begin a sync if it is time; the file holds the log up to `offset`."""
        due = self._config.appendfsync == "everysec" or self.error is not None  # who waited for one that failed waits
        if file is None or not file.unsynced or not due or self._running is not None:
            return
        if self._clock.monotonic() - self._last_s >= SYNC_S and self.allowed:
            self._begin(file, offset)

    @property
    def due(self) -> bool:
        """Whether somebody waits for a sync that isn't under way; what failed waits for its time."""
        return self._running is None and self.wanted > self.offset and self.error is None

    def look(self, file: AppendFile, offset: int) -> None:
        """Begin a sync if somebody waits for one; the file holds the log up to `offset`."""
        if self.due and file.unsynced:
            self._begin(file, offset)

    def _begin(self, file: AppendFile, offset: int) -> None:
        self._last_s = self._clock.monotonic()
        self._running = future = self._pool.submit(file.sync)
        future.add_done_callback(lambda _: on_loop(self.loop, lambda: self._end(future, offset)))

    def _end(self, future: Future[None], offset: int) -> None:
        self._running = None
        before = self.error
        try:
            self._threads.wait(future)
            self.error = None
            if not self.closing:
                self.offset = offset
        except OSError as error:
            if before is None:
                self._log.warning(f"Error syncing the AOF file: {error.strerror}")
            self.error = error
        if (before is None) != (self.error is None):
            self._health()
        self._done()

    def give_up(self, file: AppendFile) -> None:
        """Sync and close a file that nothing is written to any more; a sync of it that is under way ends first."""
        self.closing += 1
        future = self._pool.submit(self._sync_and_close, file, self._running)
        future.add_done_callback(lambda _: on_loop(self.loop, self._closed))

    def _sync_and_close(self, file: AppendFile, running: Future[None] | None) -> None:
        """On a thread. What runs began earlier, on another one."""
        try:
            if running is not None:
                self._threads.wait(running)
            if file.unsynced:
                file.sync()
        except OSError as error:
            path = str(file.path)
            self._log.warning("the append-only file given up could not be synced", path=path, error=str(error))
        file.close()

    def _closed(self) -> None:
        self.closing -= 1
        self._done()
