"""Plugs persistence into a data node: commands, loading at start, save points, saving at shutdown, a gate."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from kvserver import logs
from kvserver.engine.command_table.row import TELLS_DISK, WRITE, Row
from kvserver.engine.keys.keyspace import EXPIRE_DELETE, Db
from kvserver.engine.run import gates
from kvserver.engine.run.executor import PASS, Engine
from kvserver.engine.run.session import ATT_INTERNAL, Session
from kvserver.wire.resp import error
from persistence import function_commands
from persistence import save_commands as commands
from persistence.aof import rewrite_commands as aof_commands
from persistence.aof.append_only import GATE, AppendOnly
from persistence.info_fields import persistence_fields
from persistence.migrate import migrate
from persistence.migrate.links import Links
from persistence.rdb.errors import RdbError
from persistence.snapshot.loader import Loader
from persistence.snapshot.snapshotter import Snapshotter

if TYPE_CHECKING:
    from kvserver.node.node import Node

TICK_S = 0.1

MISCONF = error(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands "
    "that may modify the data set are disabled, because this instance is configured to report errors during "
    "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
    "details about the RDB error."
)


class Persistence:
    """What this package adds to one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.engine = node.engine
        self.log = logs.get("persistence")
        self.saver = Snapshotter(node.engine, node.config, self.log)
        self.loader = Loader(node.engine, self.log)
        self.aof = AppendOnly(node.engine, node.config, node.server.holds, self.saver, self.loader, self.log)

    def attach(self) -> None:
        """Add everything."""
        node, engine = self.node, self.engine
        engine.extensions[commands.KEY] = self.saver
        engine.extensions["loader"] = self.loader
        engine.extensions[aof_commands.KEY] = self.aof
        engine.extensions["aof_synced_offset"] = self.aof.synced_offset
        self.aof.writer.on_synced = self.tell_synced
        engine.extensions["aof_rewriting"] = lambda: self.aof.rewriter.in_progress
        engine.extensions.setdefault("on_replaced", []).append(self.aof.restart)
        node.handlers.update(commands.HANDLERS)
        node.handlers.update(function_commands.HANDLERS)
        node.handlers.update(migrate.HANDLERS)
        links = engine.extensions[migrate.LINKS] = Links()
        node.handlers.update(aof_commands.HANDLERS)
        engine.add_gate(gates.ORDER_DISK, "disk", self.disk_gate)
        admin: Any = engine.extensions.get("admin")
        if admin is not None:
            admin.info.setdefault("persistence", []).append(
                lambda: persistence_fields(self.saver, self.loader, self.aof)
            )
            admin.info.setdefault("memory", []).append(lambda: [("mem_aof_buffer", self.aof.writer.pending_bytes)])
            admin.debug.update(commands.DEBUG)
            admin.info.setdefault("stats", []).append(lambda: [("migrate_cached_sockets", len(links))])
            admin.debug.update(aof_commands.DEBUG)
            admin.reset_hooks.append(self.aof.reset_stats)
        engine.extensions.setdefault("on_flush", []).append(self.on_flush)
        engine.extensions.setdefault("unlimited", []).append(lambda: self.aof.writer.pending_bytes)
        node.starts.append(self.load)
        node.every(TICK_S, self.tick)
        node.shutdown_hooks.append(self.aof.before_shutdown)
        node.shutdown_hooks.append(self.save_at_shutdown)
        engine.extensions["abandon"] = self.saver.abandon
        node.stops.append(self.aof.stop)
        node.stops.append(self.saver.stop)
        node.stops.append(links.close)
        node.config.on_change("appendonly", self.aof.follow_option)

    async def load(self) -> None:
        """Load the append-only file if that is on, else the snapshot file; either may not be there.

        Raises:
            OSError: it can't be read, or isn't valid. Starting empty would soon overwrite it.
        """
        self.aof.read_manifest()
        if not self.node.config.appendonly:
            await self.load_snapshot()
            return
        await self.aof.load()
        self.aof.open_at_start()

    async def load_snapshot(self) -> None:
        """Load the snapshot file, if there is one. Raises OSError, as `load`."""
        path = self.saver.path
        config = self.node.config
        began_s = time()
        try:
            found = await self.loader.load_file(
                path, config.replicaof is not None, config.rdbchecksum, config.key_load_delay
            )
        except RdbError as failure:
            raise OSError(f"Fatal error loading the DB: {path} cannot be loaded: {failure}. It was left as it is.")
        if found is None:
            return
        self.engine.extensions["rdb_aux"] = found.aux
        self.engine.extensions["rdb_gone"] = found.gone
        restore_functions = self.engine.extensions.get("restore_functions")
        if found.functions and restore_functions is not None:
            restore_functions(found.functions)
        self.engine.state.dirty = 0
        self.log.info(
            "snapshot loaded",
            path=str(path),
            keys=found.keys,
            expired=found.expired,
            seconds=round(time() - began_s, 3),
        )

    def tick(self) -> None:
        """Some times a second: save points, and whether writes must be refused."""
        if not self.loader.loading:
            self.saver.tick()
        self.aof.tick()
        broken = not self.saver.last_ok and self.node.config.stop_writes_on_bgsave_error
        wanted = WRITE | TELLS_DISK if broken and self.node.config.save else 0
        if self.engine.deny_masks.get("disk", 0) != wanted:
            self.engine.forbid("disk", wanted)

    def tell_synced(self) -> None:
        """More of the log is on the disk: tell whoever wants to know."""
        for listener in self.engine.extensions.get("on_aof_synced", ()):
            listener()

    def on_flush(self, db: Db) -> None:
        """A database was emptied; only FLUSHALL, and once, concerns the saver."""
        current = self.engine.current
        command = current.row.name if current is not None and current.row is not None else ""
        if command == "flushall" and db is self.engine.dbs[-1]:
            self.saver.flushed()

    def disk_gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Who can't save or log refuses writes; a replica follows its primary whatever happens to a save."""
        if not row.flags & (WRITE | TELLS_DISK) or c.attention & ATT_INTERNAL:
            return PASS
        if engine.deny_masks.get("disk") and engine.state.expire_mode == EXPIRE_DELETE:
            return MISCONF
        if engine.deny_masks.get(GATE):
            trouble = self.aof.trouble
            return error(f"MISCONF Errors writing to the AOF file: {trouble.strerror if trouble else ''}")
        return PASS

    async def save_at_shutdown(self) -> str:
        """Save before the node stops, if there are save points or SHUTDOWN asks for it; "" or why not."""
        wanted = self.engine.extensions.get("shutdown_save")
        if self.loader.loading or not (self.node.config.save if wanted is None else wanted):
            await self.saver.stop()
            return ""
        await self.saver.stop()
        good = self.saver.last_ok
        failure = await self.saver.begin()
        if failure:
            self.saver.last_ok = good  # the node goes on, and takes writes if it did before
        return f"Error trying to save the DB, can't exit: {failure}" if failure else ""


def attach(node: Node) -> None:
    """Add this package's handlers, gates and work to the node."""
    Persistence(node).attach()
