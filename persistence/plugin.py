"""Plugs persistence into a data node: commands, loading at start, save points, saving at shutdown, a gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvserver import logs
from kvserver.engine.command_table.row import TELLS_DISK, WRITE, Row
from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import REPLAY, Session
from kvserver.node.supervisor import NOT_SAVED, SAVING
from kvserver.services.offers import Origin, SnapshotStream
from kvserver.wire.resp import error
from persistence import function_commands, save_commands as commands
from persistence.aof import rewrite_commands as aof_commands
from persistence.aof.append_only import GATE, AppendOnly
from persistence.aof.rewrite.rewriter import OFF, WAIT
from persistence.info_fields import persistence_fields
from persistence.migrate import migrate
from persistence.migrate.links import Links
from persistence.rdb import payload
from persistence.rdb.errors import RdbError
from persistence.snapshot.loader import Loader
from persistence.snapshot.snapshotter import Snapshotter

if TYPE_CHECKING:
    from kvserver.node.node import Node

TICK_S = 0.1
FLUSH_PROMISE = "flushall"
"""The promise that isn't kept for any offset until the file that FLUSHALL has emptied is on the disk."""


class Persistence:
    """What this package adds to one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.engine = node.engine
        self.log = logs.get("persistence")
        self.saver = Snapshotter(node.engine, node.config, self.log)
        self.loader = Loader(node.engine, self.log)
        self.aof = AppendOnly(node.engine, node.config, node.server.holds, self.saver, self.loader, self.log)
        self._origin = Origin()

    def attach(self) -> None:
        """Add everything."""
        node, engine = self.node, self.engine
        services, links = node.services, Links()
        services.persistence = self
        for own in (self.saver, self.aof, links):
            services.keep(own)
        signals, contributions = services.signals, services.contributions
        self.aof.writer.on_synced = signals.log_synced.emit
        self.saver.rewriting = lambda: self.aof.rewriter.in_progress
        self.saver.on_judged = self.judge_saves
        self.saver.on_flushing = self.hold_replies
        for option in ("save", "stop-writes-on-bgsave-error"):
            node.config.on_change(option, lambda _: self.judge_saves())
        signals.data_replaced.connect(self.aof.restart)
        signals.db_emptied.connect(self.on_flush)
        signals.stats_reset.connect(self.aof.reset_stats)
        node.handlers.update(commands.HANDLERS)
        node.handlers.update(function_commands.HANDLERS)
        node.handlers.update(migrate.HANDLERS)
        node.handlers.update(aof_commands.HANDLERS)
        engine.set_gate(GATE, self.aof_gate)
        contributions.add_info("persistence", lambda: persistence_fields(self.saver, self.loader, self.aof))
        contributions.add_info("memory", lambda: [("mem_aof_buffer", self.aof.writer.pending_bytes)])
        contributions.add_info("stats", lambda: [("migrate_cached_sockets", len(links))])
        contributions.debug.update(commands.DEBUG)
        contributions.debug.update(aof_commands.DEBUG)
        contributions.unlimited.append(lambda: self.aof.writer.pending_bytes)
        node.starts.append(self.load)
        node.every(TICK_S, self.tick)
        node.shutdown_hooks.append(self.aof.before_shutdown)
        node.shutdown_hooks.append(self.save_at_shutdown)
        node.stops.append(self.aof.stop)
        node.stops.append(self.saver.stop)
        node.stops.append(links.close)
        node.config.on_change("appendonly", self.aof.follow_option)

    # -- what others use of it --------------------------------------------------------------------------------

    def open_snapshot(self, data: bool, libraries: bool) -> SnapshotStream:
        """A snapshot of this instant, with or without keys and function libraries."""
        return self.saver.open(data=data, libraries=libraries)

    def synced_offset(self) -> int | None:
        """Up to which offset the append-only file is on the disk; None without one, -1 before its first base."""
        return self.aof.synced_offset()

    def written_offset(self) -> int | None:
        """Up to which offset the log outlives the process, in the append-only file; None without one.

        -1 before its first base.
        """
        state = self.aof.rewriter.state
        return None if state == OFF else -1 if state == WAIT else self.aof.writer.written_offset

    def sync_soon(self, offset: int) -> None:
        """Somebody waits until the log is on the disk up to `offset`."""
        if self.aof.on:
            self.aof.writer.sync_soon(offset)

    def take_origin(self) -> Origin:
        """What the loaded snapshot said of itself; the first caller gets it."""
        origin, self._origin = self._origin, Origin()
        return origin

    def serialized_length(self, value: Any) -> int:
        """How many bytes a value takes in a snapshot."""
        return payload.body_length(value, self.node.config.rdbcompression)

    def abandon(self) -> None:
        """The process ends at once: leave no half-written file behind."""
        self.saver.abandon()

    # -- life -------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the append-only file if that is on, else the snapshot file; either may not be there.

        Raises:
            OSError: it can't be read, or isn't valid. Starting empty would soon overwrite it.
        """
        self.aof.read_manifest()
        if not self.node.config.appendonly:
            await self.load_snapshot()
            self.node.services.signals.data_loaded.emit(self._origin)
            return
        await self.aof.load()
        self._origin = Origin()
        self.node.services.signals.data_loaded.emit(self.aof.loader.origin)
        self.aof.open_at_start()

    async def load_snapshot(self) -> None:
        """Load the snapshot file, if there is one. Raises OSError, as `load`."""
        path = self.saver.path
        config, clock = self.node.config, self.node.services.clock
        began_s = clock.wall()
        try:
            found = await self.loader.load_file(
                path, self.engine.state.follows, config.rdbchecksum, config.key_load_delay
            )
        except RdbError as failure:
            raise OSError(f"Fatal error loading the DB: {path} cannot be loaded: {failure}. It was left as it is.")
        if found is None:
            return
        self._origin = Origin(found.aux, found.gone)
        if found.functions:
            self.node.services.scripting.restore(found.functions)
        self.engine.state.dirty = 0
        self.log.info(
            "snapshot loaded",
            path=str(path),
            keys=found.keys,
            expired=found.expired,
            seconds=round(clock.wall() - began_s, 3),
        )

    def tick(self) -> None:
        """Some times a second: save points, rewrites, syncs."""
        if not self.loader.loading:
            self.saver.tick()
        self.aof.tick()

    def judge_saves(self) -> None:
        """A save has ended, or an option about them has changed: refuse writes, or take them."""
        config = self.node.config
        broken = not self.saver.last_ok and config.stop_writes_on_bgsave_error and config.save
        self.engine.forbid("disk", WRITE | TELLS_DISK if broken else 0)

    def hold_replies(self, on: bool) -> None:
        """While FLUSHALL's file is on its way to the disk nobody is told anything, as nobody is served by Redis."""
        holds = self.node.server.holds
        if on:
            holds.promise(FLUSH_PROMISE, -1)
        else:
            holds.drop(FLUSH_PROMISE)

    def on_flush(self, db: Db) -> None:
        """A database was emptied; only FLUSHALL, and once, concerns the saver."""
        current = self.engine.current
        if current is None or current.row is None or current.context == REPLAY:
            return
        if current.row.name == "flushall" and db is self.engine.dbs[-1]:
            self.saver.flushed()

    def aof_gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Who can't log refuses writes."""
        trouble = self.aof.trouble
        return error(f"MISCONF Errors writing to the AOF file: {trouble.strerror if trouble else ''}")

    async def save_at_shutdown(self) -> str:
        """Save before the node stops, if there are save points or SHUTDOWN asks for it; "" or why not."""
        wanted = self.node.services.administration.wish.save
        if self.loader.loading or not (self.node.config.save if wanted is None else wanted):
            await self.saver.stop()
            return ""
        await self.saver.stop()
        good = self.saver.last_ok
        self.node.supervisor.tell(SAVING)
        failure = await self.saver.begin()
        if failure:
            self.node.supervisor.tell(NOT_SAVED)
            self.saver.last_ok = good  # the node goes on, and takes writes if it did before
        return f"Error trying to save the DB, can't exit: {failure}" if failure else ""


def attach(node: Node) -> None:
    """Add this package's handlers, gates and work to the node."""
    Persistence(node).attach()
