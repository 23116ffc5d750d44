"""The shell that rewrites the append-only file: a new base from a snapshot, without a fork.

Theory of operation.  First a new, empty increment is put into the manifest; that changes nothing for whoever loads
the files now.  Then comes the instant: what was logged before belongs to the old increment, what is logged from
then on to the new one, and the snapshot is of that moment.  It is encoded in slices and written to a temporary
file.  When that is on the disk, it is given its name, and a manifest replaces the old one in which it is the base,
and what it makes superfluous is history; the files of history are deleted at last.  A crash at any time leaves a
manifest whose files hold everything.

While the log is being switched on there is nothing yet that could be continued: what is logged since the instant
goes to a temporary increment, which the new manifest takes in under a proper name.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from kvserver.config import Config
from kvserver.doors.disk import rename
from kvserver.doors.pacing import SAVE_S, behind_s
from kvserver.engine.run.executor import Engine
from persistence.aof.folder import Folder
from persistence.aof.load.position import encode_position
from persistence.aof.manifest import AofFile, Manifest
from persistence.aof.rewrite.command_snapshot import CommandSnapshot
from persistence.aof.schedule import BackOff
from persistence.aof.write.append_file import AppendFile
from persistence.aof.write.writer import Writer, select
from persistence.disk import AtomicFile
from persistence.snapshot.output import WRITE_BYTES, write_out
from persistence.snapshot.snapshot import Snapshot
from persistence.snapshot.snapshotter import Snapshotter

OFF, WAIT, ON = "off", "wait", "on"
"""Not written; written as soon as the first base is there; written."""


class Rewriter:
    """Rewrites on one node; see the module's theory of operation. Times are Unix seconds, -1 where there is none."""

    def __init__(
        self, engine: Engine, config: Config, folder: Folder, writer: Writer, saver: Snapshotter, log: Any
    ) -> None:
        self.state = OFF
        self.manifest = Manifest()
        self.scheduled = False
        self.ok = True
        self.rewrites = 0
        self.last_seconds = -1
        self.began_s = 0.0
        self.kept_bytes = 0
        self.size = 0  # of the files that hold the data, bytes
        self.base_size = 0  # what it was after the last rewrite
        self.back_off = BackOff()
        self.current: Snapshot | None = None
        self._engine = engine
        self._clock = engine.services.clock
        self._threads = engine.services.doors.threads
        self._disk = engine.services.doors.disk
        self._config = config
        self._folder = folder
        self._writer = writer
        self._saver = saver
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._cleaning: asyncio.Task[None] | None = None
        self._uninterrupted = False  # it hasn't begun, or the manifest is being replaced: `_killed` is looked at then
        self._killed = False

    @property
    def in_progress(self) -> bool:
        """Whether a rewrite runs."""
        return self._task is not None

    @property
    def given_up(self) -> bool:
        """Whether the rewrite in progress is to end, and only waits for the disk."""
        return self._task is not None and self._killed

    def begin(self) -> bool:
        """Start a rewrite, none being in progress; False when that can't be, which the log explains."""
        assert self._task is None
        try:
            self._folder.create()
        except OSError as error:
            self._log.error(f"Can't open or create append-only dir {self._folder.path}: {error.strerror}")
            self._failed()
            return False
        self.scheduled = self._killed = False
        self._uninterrupted = True
        self.rewrites += 1
        self.began_s = self._clock.wall()
        self._log.info("Background append only file rewriting started", state=self.state)
        self._task = asyncio.get_running_loop().create_task(self._run())
        return True

    def kill(self) -> None:
        """Give a rewrite in progress up; that is no failure."""
        if self._task is not None:
            self._log.info("Killing running AOF rewrite (no child process, a task)")
            self._killed = True
            if not self._uninterrupted:
                self._task.cancel()

    async def stop(self) -> None:
        """Give a rewrite up, and wait until it has tidied up."""
        self.kill()
        tasks = [task for task in (self._task, self._cleaning) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def over_within(self, seconds: float) -> bool:
        """Whether the rewrite in progress ends in so short a time."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=seconds)
        return self._task is None

    def clean_up(self) -> None:
        """Have the files of history deleted, unless they are to be kept or something else is under way."""
        idle = self._task is None and self._cleaning is None
        if idle and self.manifest.history and not self._config.aof_disable_auto_gc:
            self._cleaning = asyncio.get_running_loop().create_task(self._clean())

    # -- a rewrite --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            self._uninterrupted = False
            if self._killed:
                raise asyncio.CancelledError
            if self._cleaning is not None:
                await self._cleaning
            await self._rewrite()
        except asyncio.CancelledError:
            self._log.warning("Background AOF rewrite was killed")
            self._undo()
        except OSError as error:
            self._log.error("Background AOF rewrite terminated with error", error=str(error))
            self._failed()
            self._undo()
        except Exception:
            self._log.error("Background AOF rewrite terminated with error", exc_info=True)
            self._failed()
            self._undo()
        finally:
            if self.current is not None:
                self.current.close()
                self.kept_bytes = self.current.kept_bytes
                self.current = None
            self.last_seconds = int(self._clock.wall() - self.began_s)
            self._task = None
        self.clean_up()

    async def _rewrite(self) -> None:
        wanted = self.state
        file = await self._new_increment(wanted)
        snapshot = self.current = self._at_the_instant(file)
        config = self._config
        target = self.manifest.with_new_base(self._folder.filename, self.preamble)
        assert target.base is not None
        output = AtomicFile(
            self._disk, self._folder.of(target.base), self._folder.temporary_base,
            config.aof_rewrite_incremental_fsync,
        )  # fmt: skip
        size = await write_out(output, self._threads, lambda: snapshot.next_chunk(SAVE_S, WRITE_BYTES), self._pause_s)
        self._log.info("Successfully created the AOF base file", file=target.base.name, bytes=size, keys=snapshot.keys)
        self._uninterrupted = True
        try:
            self.manifest = await self._threads.run(self._put_in_force, target, wanted)
        finally:
            self._uninterrupted = False
        self.ok = True
        self.back_off.reset()
        if self.state != OFF and self._writer.file is not None:
            self.size = self.base_size = size + self._writer.file.size
        if self.state == WAIT and not self._killed:
            self.state = ON
        self._log.info(
            "Background AOF rewrite finished successfully",
            bytes=size,
            seconds=round(self._clock.wall() - self.began_s, 3),
        )

    def _pause_s(self) -> float:
        """A turn of the loop, or what rdb-key-save-delay (microseconds) asks for."""
        keys = 0 if self.current is None else self.current.keys
        return min(0.1, behind_s(self.began_s, keys, self._config.rdb_key_save_delay, self._clock.wall()))

    async def _new_increment(self, state: str) -> AppendFile | None:
        """The file for what is logged from the instant on; None when nothing is."""
        if state == OFF:
            return None
        self._uninterrupted = True
        try:
            if state == WAIT:
                file = await self._threads.run(AppendFile, self._disk, self._folder.temporary_incr, True)
            else:
                manifest = self.manifest.with_new_incr(self._folder.filename)
                file = await self._threads.run(self._open_increment, manifest)
                self.manifest = manifest
        finally:
            self._uninterrupted = False
        self._log.info(f"Creating AOF incr file {file.path.name} on background rewrite")
        if self._killed:
            file.close()
            raise asyncio.CancelledError
        return file

    def _open_increment(self, manifest: Manifest) -> AppendFile:
        """On a thread."""
        file = AppendFile(self._disk, self._folder.of(manifest.incr[-1]), fresh=True)
        try:
            self._folder.persist(manifest)
        except OSError:
            file.close()
            raise
        return file

    def _at_the_instant(self, file: AppendFile | None) -> Snapshot:
        engine = self._engine
        engine.log.flush()
        if file is not None:
            self._writer.open(file, self.stream_head())
        return self.snapshot()

    @property
    def preamble(self) -> bool:
        """Whether a base file is a snapshot: always, where the log is kept whole, as it says more than the data."""
        return self._config.aof_use_rdb_preamble or self._engine.log.whole

    def snapshot(self) -> Snapshot:
        """A snapshot of this instant, in the form that a base file has to have."""
        engine = self._engine
        if self.preamble:
            return self._saver.open(aof_base=True)
        head = b"#TS:%d\r\n" % int(self._clock.wall()) if self._config.aof_timestamp_enabled else b""
        return CommandSnapshot(engine, self._clock.perf, head, engine.services.scripting.sources())

    def stream_head(self) -> bytes:
        """What a new file has to begin with, so that it is known which database the log stands at, and where it is."""
        engine = self._engine
        where = encode_position(engine.log.offset) if engine.log.whole else b""
        if not engine.state.follows:
            engine.log.selected = -1  # a primary's log selects its database anew
            return where
        position = engine.services.replication.position()
        return select(-1 if position is None else position[2]) + where

    def _put_in_force(self, target: Manifest, state: str) -> Manifest:
        """On a thread: what has been written becomes what is loaded."""
        if state == WAIT:
            target = target.with_new_incr(self._folder.filename)
            rename(self._disk, self._folder.temporary_incr, self._folder.of(target.incr[-1]))
        target = target.with_incr_as_history(keep_last=state != OFF)
        self._folder.persist(target)
        return target

    def _failed(self) -> None:
        self.ok = False
        self.back_off.failed()

    def _undo(self) -> None:
        """A rewrite failed or was killed; while the log is being switched on, that begins anew."""
        if self.state == WAIT:
            self._writer.close()
            self._folder.remove((self._folder.temporary_incr,))
            self.scheduled = True

    # -- history ----------------------------------------------------------------------------------------------

    async def _clean(self) -> None:
        manifest = self.manifest
        left = manifest.without_history()
        paths = [self._folder.of(file) for file in manifest.history]
        try:
            await self._threads.run(self._delete, manifest.history, left, paths)
            self.manifest = left
        except OSError as error:
            self._log.warning("the append-only file's history could not be deleted", error=str(error))
        finally:
            self._cleaning = None

    def _delete(self, history: tuple[AofFile, ...], left: Manifest, paths: list[Path]) -> None:
        """On a thread."""
        self._folder.remove(paths)
        self._folder.persist(left)
        self._log.info("Removed the history files of the AOF", files=[file.name for file in history])
