"""The append-only file of one node: when it is on, loaded, rewritten, and what happens when it can't be written."""

from __future__ import annotations

from typing import Any, NoReturn

from kvserver.config import Config, ConfigError
from kvserver.engine.command_table.row import TELLS_DISK, WRITE
from kvserver.engine.commands.keys import databases
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.holds import Holds
from persistence.aof.folder import Folder
from persistence.aof.load.loader import AofLoader, AofLoadError
from persistence.aof.manifest import ManifestError
from persistence.aof.rewrite.rewriter import OFF, ON, WAIT, Rewriter
from persistence.aof.schedule import growth_percent, is_due
from persistence.aof.write.append_file import AppendFile
from persistence.aof.write.writer import Writer
from persistence.disk import AtomicFile
from persistence.snapshot.loader import Loader
from persistence.snapshot.output import write_at_once
from persistence.snapshot.snapshotter import Snapshotter

GATE = "aof"
"""The name under which writes are forbidden while the file can't be written."""
FIRST_BASE_S = 1.0
"""How long a shutdown waits for the first base; without it nothing that was logged could be loaded."""


class AppendOnly:
    """The append-only file of one node, and the decisions about it."""

    def __init__(
        self, engine: Engine, config: Config, holds: Holds, saver: Snapshotter, loader: Loader, log: Any
    ) -> None:
        self.folder = Folder(config, engine.services.doors)
        self.writer = Writer(engine, config, holds, log, self)
        self.rewriter = Rewriter(engine, config, self.folder, self.writer, saver, log)
        self.loader = AofLoader(engine, config, self.folder, loader, log)
        self._engine = engine
        self._config = config
        self._saver = saver
        self._loading = loader
        self._log = log

    @property
    def on(self) -> bool:
        """Whether the log is written, or will be as soon as the first base is there."""
        return self.rewriter.state != OFF

    def disk_is_busy(self) -> bool:
        """Whether a snapshot or a rewrite is being written."""
        return self._saver.in_progress or self.rewriter.in_progress

    def must_wait(self) -> bool:
        """Whether a rewrite can't begin at once: a save is in progress, or a transaction."""
        return self._saver.in_progress or bool(self._engine.depth)

    # -- start ------------------------------------------------------------------------------------------------

    def read_manifest(self) -> None:
        """Learn which files there are. Raises OSError with the whole text when that can't be known."""
        try:
            self.rewriter.manifest = self.folder.read()
        except ManifestError as error:
            raise OSError("\n".join(error.report()))

    async def load(self) -> None:
        """Load the files at start. Raises OSError when not all of the data can be had."""
        manifest = self.rewriter.manifest
        if self.folder.wants_upgrade(manifest):
            manifest = self.rewriter.manifest = await self._engine.services.doors.threads.run(self.folder.upgrade)
            self._log.info(
                f"Successfully migrated an old-style AOF configuration ({self.folder.filename}) into the AOF "
                f"directory ({self.folder.path})."
            )
        began_s = self._engine.services.clock.wall()
        try:
            if not await self.loader.load(manifest):
                return
        except AofLoadError as error:
            raise OSError(str(error))
        self._log.info(f"DB loaded from append only file: {self._engine.services.clock.wall() - began_s:.3f} seconds")
        rewriter = self.rewriter
        rewriter.manifest = manifest.without_last(self.loader.left_out)
        rewriter.size = self.loader.total_bytes
        rewriter.base_size = 0 if manifest.base is None else self.folder.size((manifest.base,))

    def open_at_start(self) -> None:
        """Write from here on, behind what was loaded. Raises OSError.

        This waits for the disk: nobody is served yet.
        """
        folder, rewriter = self.folder, self.rewriter
        disk = self._engine.services.doors.disk
        manifest = rewriter.manifest
        folder.create()
        if not manifest.files:
            manifest = manifest.with_new_base(folder.filename, rewriter.preamble)
            assert manifest.base is not None
            write_at_once(AtomicFile(disk, folder.of(manifest.base), folder.temporary_base), rewriter.snapshot())
            self._log.info(f"Creating AOF base file {manifest.base.name} on server start")
        verb = "Opening"
        if not manifest.incr:
            manifest = manifest.with_new_incr(folder.filename)
            verb = "Creating"
        file = AppendFile(disk, folder.of(manifest.incr[-1]), fresh=False)
        folder.persist(manifest)
        rewriter.manifest = manifest
        self._log.info(f"{verb} AOF incr file {file.path.name} on server start")
        rewriter.state = ON
        self.writer.open(file, rewriter.stream_head())

    # -- on and off -------------------------------------------------------------------------------------------

    def follow_option(self, config: Config) -> None:
        """CONFIG SET appendonly. Raises ConfigError when the file can't be begun."""
        if config.appendonly == self.on:
            return
        if not config.appendonly:
            self.switch_off()
        elif not self.switch_on():
            raise ConfigError("Unable to turn on AOF. Check server logs.")

    def switch_on(self) -> bool:
        """Begin with a base of what there is; False when that can't be."""
        rewriter = self.rewriter
        rewriter.state = WAIT
        if self._saver.in_progress:
            rewriter.scheduled = True
            self._log.info(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled "
                "to start when possible."
            )
        elif self._engine.depth:
            rewriter.scheduled = True
            self._log.info(
                "AOF was enabled during a transaction. An AOF background was scheduled to start when possible."
            )
        elif rewriter.in_progress:
            self._log.info(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and "
                "starting a rewrite now."
            )
            rewriter.kill()
            rewriter.scheduled = True
        elif not rewriter.begin():
            rewriter.state = OFF
            self._log.error(
                "The AOF is to be enabled but a background rewrite can't be begun. Check the above logs for more "
                "info about the error."
            )
            return False
        return True

    def switch_off(self) -> None:
        """Write no more; what was logged is written and synced."""
        rewriter = self.rewriter
        waiting = rewriter.state == WAIT
        rewriter.state = OFF
        rewriter.scheduled = False
        self.writer.close()
        rewriter.kill()
        if waiting:
            self.folder.remove((self.folder.temporary_incr,))
        self.health()

    def restart(self) -> None:
        """The data set was replaced by another: the file has to begin anew with it."""
        if self.on:
            self.switch_off()
            self.switch_on()

    # -- time -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Some times a second."""
        self.writer.tick()
        if self._loading.loading or self._saver.in_progress or self.rewriter.in_progress:
            return
        rewriter, config = self.rewriter, self._config
        if rewriter.scheduled:
            if not self._must_wait():
                rewriter.begin()
        elif rewriter.state == ON and is_due(
            rewriter.size, rewriter.base_size, config.auto_aof_rewrite_percentage, config.auto_aof_rewrite_min_size
        ):
            if not self._must_wait():
                growth = growth_percent(rewriter.size, rewriter.base_size)
                self._log.info(f"Starting automatic rewriting of AOF on {growth}% growth")
                rewriter.begin()
        else:
            rewriter.clean_up()

    def _must_wait(self) -> bool:
        blocked, delay_s = self.rewriter.back_off.blocks(self._engine.services.clock.wall())
        if delay_s:
            self._log.warning(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in "
                f"{delay_s // 60} minutes"
            )
        return blocked

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.writer.delayed = 0

    def written(self, count: int) -> None:
        """So many bytes more are in the file."""
        self.rewriter.size += count

    # -- trouble ----------------------------------------------------------------------------------------------

    @property
    def trouble(self) -> OSError | None:
        """Why the file can't be written or synced; None when it can."""
        return (self.writer.error or self.writer.syncer.error) if self.on else None

    def health(self) -> None:
        """Something failed, or works again: refuse writes, or take them."""
        trouble = self.trouble
        if trouble is not None and self._engine.state.follows and not self._config.replica_ignore_disk_write_errors:
            self.fatal(f"Replica was unable to write command to disk: {trouble.strerror}")
        wanted = WRITE | TELLS_DISK if trouble is not None else 0
        if self._engine.deny_masks.get(GATE, 0) != wanted:
            self._engine.forbid(GATE, wanted)

    def fatal(self, text: str) -> NoReturn:
        """End the process: to go on would break a promise."""
        try:
            self._log.error(text)
        finally:  # a log on the same full disk must not keep the promise from being kept
            self._engine.services.doors.process.exit(1)

    def synced_offset(self) -> int | None:
        """Up to which offset of the log the file is on the disk; None when it is off, -1 before its first base."""
        state = self.rewriter.state
        return None if state == OFF else -1 if state == WAIT else self.writer.synced_offset

    # -- commands ---------------------------------------------------------------------------------------------

    def load_again(self) -> None:
        """DEBUG LOADAOF: what is in the files replaces what is in memory; the process ends if that fails."""
        engine = self._engine
        try:
            if self.on:
                self.writer.finish()
                self.rewriter.manifest = self.folder.read()
            for db in engine.dbs:
                databases.empty(engine, db)
            engine.services.scripting.restore([])
            self.loader.load_at_once(self.rewriter.manifest)
        except (AofLoadError, ManifestError, OSError) as error:
            self.fatal(str(error))
        engine.state.dirty = 0

    async def before_shutdown(self) -> str:
        """Have everything on the disk before the node stops; "" or why it can't stop."""
        if not self.on:
            return ""
        rewriter = self.rewriter
        if rewriter.in_progress:
            if rewriter.state == WAIT and not await rewriter.over_within(FIRST_BASE_S):
                return "Writing initial AOF, can't exit"
            if rewriter.in_progress:
                self._log.warning("There is a child rewriting the AOF. Killing it!")
                await rewriter.stop()
        self._log.info("Calling fsync() on the AOF file.")
        error = self.writer.finish()
        if error is not None:
            self._log.error(f"Fail to fsync the AOF file: {error.strerror}")
        return ""

    async def stop(self) -> None:
        """The node stops."""
        await self.rewriter.stop()
        if self.on:
            self.writer.finish()
