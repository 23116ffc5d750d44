"""The shell that saves snapshots to the disk: on request, at save points, at shutdown.

A save opens a `Snapshot`, pulls its chunks in slices of a millisecond between which the loop serves
clients, and hands them to a thread that writes. Only one save runs at a time. It counts as done when file
and folder are synced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kvserver.config import Config
from kvserver.doors.pacing import SAVE_S, behind_s
from kvserver.engine.run.executor import Engine
from persistence.disk import AtomicFile
from persistence.rdb.facts import aux_fields
from persistence.snapshot import points
from persistence.snapshot.flusher import Flusher
from persistence.snapshot.output import WRITE_BYTES, write_at_once, write_out
from persistence.snapshot.snapshot import Snapshot


class Snapshotter:
    """Saves the data set of one engine. Times are Unix seconds, -1 or 0.0 where there is none."""

    def __init__(self, engine: Engine, config: Config, log: Any) -> None:
        self.engine = engine
        self._doors = engine.services.doors
        self._clock = self._doors.clock
        self.config = config
        self.log = log
        self.last_save_s = int(self._clock.wall())
        self.last_try_s = 0
        self.on_judged: Callable[[], None] = _nobody  # hears that `last_ok` was set
        self.on_flushing: Callable[[bool], None] = _unheard  # that FLUSHALL's file is being written, or is there
        self.last_ok = True
        self.last_seconds = -1
        self.saves = 0
        self.began_s = 0.0
        self.scheduled = False
        self.skip_checksums = False  # DEBUG SET-SKIP-CHECKSUM-VALIDATION
        self.kept_bytes = 0
        self.current: Snapshot | None = None
        self.file: AtomicFile | None = None  # what a save in progress writes
        self.rewriting: Callable[[], bool] = _never  # whether the append-only file is being rewritten
        self._task: asyncio.Task[str] | None = None
        self._flusher = Flusher(self)

    @property
    def in_progress(self) -> bool:
        """Whether a save runs."""
        return self._task is not None

    @property
    def last_ok(self) -> bool:
        """Whether the last save succeeded; true before the first."""
        return self._last_ok

    @last_ok.setter
    def last_ok(self, ok: bool) -> None:
        self._last_ok = ok
        self.on_judged()

    @property
    def path(self) -> Path:
        """Where the file goes."""
        return self._doors.disk.path(self.config.dir) / self.config.dbfilename

    def open(
        self, aof_base: bool = False, data: bool = True, libraries: bool = True, origin: bool = True
    ) -> Snapshot:
        """A snapshot of this instant, for any consumer, with its `origin` in a replication history.

        One that a log continues (`aof_base`) belongs to none unless that log is whole, nor does one taken inside a
        transaction.
        """
        engine = self.engine
        services = engine.services
        return Snapshot(
            engine,
            self._clock.perf,
            self._facts(aof_base, origin),
            services.scripting.sources() if libraries else (),
            self.config.rdbcompression,
            self.config.rdbchecksum,
            data,
        )

    def _facts(self, aof_base: bool, origin: bool) -> list[tuple[bytes, bytes]]:
        services = self.engine.services
        known = origin and (not aof_base or self.engine.log.whole)
        position = services.replication.position() if known else None
        fields = aux_fields(int(self._clock.wall()), services.administration.used_bytes(), position, aof_base)
        for more in services.contributions.facts if known else ():
            fields += more()
        return fields

    def begin(self) -> asyncio.Task[str]:
        """Start a save of this instant; the task's result is "" or why it failed. None may be in progress."""
        assert self._task is None
        self.scheduled = False
        self.began_s = self._clock.wall()
        self.last_try_s = int(self.began_s)
        snapshot = self.current = self.open()
        self._task = asyncio.get_running_loop().create_task(self._save(snapshot, self.engine.state.dirty))
        return self._task

    def save_at_once(self) -> None:
        """Save while everything waits: for tools and tests.

        Raises:
            OSError: the file can't be written.
        """
        self._flusher.finish()
        disk = self._doors.disk
        write_at_once(AtomicFile(disk, self.path, disk.temporary(self.path)), self.open())
        self.last_save_s = int(self._clock.wall())
        self.engine.state.dirty = 0

    def busy_elsewhere(self) -> bool:
        """Whether a rewrite of the append-only file keeps a save from beginning."""
        return self.rewriting()

    def flushed(self) -> None:
        """FLUSHALL: what a save in progress would write is no longer wanted; save points want the empty set saved."""
        unwanted, self._task = self._task, None
        if unwanted is not None:
            cancel(unwanted)
        if self.config.save:
            self._flusher.begin(unwanted)

    def abandon(self) -> None:
        """The process ends at once: leave no unfinished file behind."""
        if self.file is not None:
            self.file.temporary.unlink(missing_ok=True)
        self._flusher.finish()

    async def stop(self) -> None:
        """Give up a save in progress; what FLUSHALL has begun is finished."""
        await self._flusher.wait()
        task = self._task
        if task is not None:
            cancel(task)
            await asyncio.gather(task, return_exceptions=True)

    def tick(self) -> None:
        """Called some times a second: begin a save that is due."""
        if self._task is not None or self.busy_elsewhere():
            return
        now = int(self._clock.wall())
        if self.scheduled:
            self.begin()
            return
        due = points.due(
            self.config.save, self.engine.state.dirty, now, self.last_save_s, self.last_try_s, self.last_ok
        )
        if due is not None:
            self.log.info("save point reached", changes=due.changes, seconds=due.seconds)
            self.begin()

    async def _save(self, snapshot: Snapshot, dirty: int) -> str:
        path = self.path
        failure = "interrupted"
        me = asyncio.current_task()
        try:
            await self._flusher.wait()  # whose file is the older one
            temporary = self._doors.disk.temporary(path)
            file = self.file = AtomicFile(self._doors.disk, path, temporary, self.config.rdb_save_incremental_fsync)
            size = await write_out(
                file, self._doors.threads, lambda: self._next_chunk(snapshot), lambda: self._pause_s(snapshot)
            )
            failure = ""
            self.last_save_s = int(self._clock.wall())
            self.saves += 1
            self.engine.state.dirty = max(0, self.engine.state.dirty - dirty)
            self.log.info("snapshot saved", path=str(path), bytes=size, keys=snapshot.keys)
        except OSError as error:
            failure = str(error)
            self.log.error("snapshot could not be saved", path=str(path), error=failure)
        except Exception as error:
            failure = repr(error)
            self.log.error("snapshot failed", exc_info=True)
        finally:
            snapshot.close()
            if self._task is me:  # else FLUSHALL has let go of it
                self.current = self.file = None
                self._task = None
            self.kept_bytes = snapshot.kept_bytes
            self.last_seconds = int(self._clock.wall() - self.began_s)
            if failure != "interrupted":
                self.last_ok = not failure
        return failure

    def _next_chunk(self, snapshot: Snapshot) -> bytes | None:
        if self.config.rdb_key_save_delay > 0:
            return snapshot.next_chunk(0.0, 1)
        return snapshot.next_chunk(SAVE_S, WRITE_BYTES)

    def _pause_s(self, snapshot: Snapshot) -> float:
        """Nothing but a turn of the loop, unless rdb-key-save-delay asks for time at each key."""
        return behind_s(self.began_s, snapshot.keys, self.config.rdb_key_save_delay, self._clock.wall())


def _nobody() -> None:
    """Nobody listens."""


def _unheard(on: bool) -> None:
    """Nobody listens."""


def _never() -> bool:
    """There is no append-only file."""
    return False


def cancel(task: asyncio.Task[str]) -> None:
    """Cancel a task once it has begun: one cancelled before never gets to tidy up."""
    asyncio.get_running_loop().call_soon(task.cancel)
