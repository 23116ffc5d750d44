"""A data node put together: engine, server, housekeeping, and what other packages plug in.

A plug-in is a function `attach(node)`, called before the command table is built.  It may add handlers, gates,
INFO sections, work that starts and stops with the node, and periodic work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from kvserver import logs
from kvserver.client.connection import Connection
from kvserver.client.handshake import Handshakes, TlsListener
from kvserver.client.reasons import Level, Reason
from kvserver.client.server import Server
from kvserver.client.tls import Tls
from kvserver.config import Config, Loaded
from kvserver.config.replica_output import replica_output
from kvserver.doors import Doors, real_doors
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.command_table.row import Handler
from kvserver.engine.commands import all_handlers
from kvserver.engine.run import gates
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.node.housekeeping import Housekeeper
from kvserver.node.opening import open_all
from kvserver.node.supervisor import FOLLOWING, READY, SERVING, STOPPING, Supervisor
from kvserver.services import Services

Hook = Callable[[], Awaitable[None]]
Plugin = Callable[["Node"], None]


class Node:
    """One data node; see the module's docstring."""

    def __init__(
        self,
        config: Config,
        loaded: Loaded,
        plugins: Iterable[Plugin] = (),
        config_file: str = "",
        handlers: Callable[[], dict[str, Handler]] = all_handlers,
        doors: Doors | None = None,
    ) -> None:
        self.config = config
        self.loaded = loaded
        self.config_file = config_file
        self.log = logs.get("server")
        self.doors = real_doors() if doors is None else doors
        self.tls = Tls(config, self.log, self.doors.disk)
        self.services = Services(config, self.tls, self.doors)
        self.engine = Engine(config.databases, {}, self.services)
        self.server = Server(self.engine, self._needs_auth, Connection)
        self.handshakes = Handshakes(self.server, self.tls, self.log)
        self.housekeeper = Housekeeper(self.engine, self.server)
        self.handlers: dict[str, Handler] = handlers()
        self.starts: list[Hook] = []  # awaited in order, before clients are let in
        self.stops: list[Hook] = []  # awaited in reverse order
        self.listeners: list[asyncio.AbstractServer] = []
        self.tls_listeners: list[TlsListener] = []
        self.port = config.port
        self._socket: Path | None = None  # the unix socket, once it is there
        self._attack_logged_ms = 0
        self.serving = False  # all is loaded, clients are let in
        self.stopped = asyncio.Event()
        self.supervisor = Supervisor(self.log)
        self.on_listening: Callable[[], None] = _nothing
        self.shutdown_hooks: list[Callable[[], Awaitable[str]]] = []  # each may answer why not, "" = go on
        self.crash: Callable[[str], None] = _raise  # ends the process for DEBUG PANIC and the like
        self._periodic: list[asyncio.Task[None]] = []
        engine = self.engine
        engine.state.wall_us = lambda: int(self.doors.clock.wall() * 1e6)
        engine.on_crash = self._crashed
        engine.on_broken = self._broken
        self.server.on_end = self._ended
        for plugin in plugins:
            plugin(self)
        self._build_table()
        self._follow_config()

    def _build_table(self) -> None:
        rows = build_rows(self.handlers)
        for old, new in self.loaded.renames:
            row = rows.pop(old.upper().encode(), None)
            if row is not None and new:
                rows[new.upper().encode()] = row
        self.engine.rows.update(rows)
        self.engine.rows.update({name.lower(): row for name, row in rows.items()})

    def _needs_auth(self) -> bool:
        return self.services.access.needs_auth()

    def _crashed(self, name: str, trace: str) -> None:
        self.log.error("command failed unexpectedly", command=name, traceback=trace)

    def _broken(self, what: str, trace: str) -> NoReturn:
        """End the process as it stands: nothing more is acknowledged, logged, sent or saved."""
        try:
            self.log.critical(
                "the data set was changed, and an error of ours kept the change from the log: ending at once, since "
                "what is in memory may differ from the file and from the replicas", command=what, traceback=trace,
            )  # fmt: skip
        finally:  # memory may be short, or the log's disk full
            self.doors.process.exit(1)

    def _ended(self, reason: Reason, detail: str, c: Session | None, peer: str) -> None:
        """Say why a connection ends, as loudly as Redis does; attacks once a minute, since they come in numbers."""
        row = reason.value
        if row.level is Level.VERBOSE and self.config.loglevel not in ("verbose", "debug"):
            return
        if reason is Reason.HTTP_ATTACK:
            now_ms = self.engine.state.now_ms
            if now_ms - self._attack_logged_ms < 60_000:
                return
            self._attack_logged_ms = now_ms
        say = self.log.warning if row.level is Level.WARNING else self.log.info
        who = {"address": peer} if c is None else {"address": c.address, "id": c.id, "user": c.user.decode("latin-1")}
        say(row.text, reason=reason.word, **who, **({"detail": detail} if detail else {}))

    # -- options ----------------------------------------------------------------------------------------------

    def _follow_config(self) -> None:
        """Put options in force, now and whenever CONFIG SET changes them."""
        for names, apply in (
            (("maxclients", "client-query-buffer-limit", "proto-max-bulk-len", "timeout", "tcp-keepalive",
              "client-output-buffer-limit", "repl-backlog-size", "protected-mode", "requirepass", "bind"),
             self._apply_limits),
            (("hash-max-listpack-entries", "hash-max-listpack-value", "set-max-intset-entries",
              "zset-max-listpack-entries", "zset-max-listpack-value", "list-max-listpack-size", "hll-sparse-max-bytes",
              "stream-node-max-bytes", "stream-node-max-entries"), self._apply_encodings),
            (("hz",), self._apply_hz),
            (("loglevel",), lambda config: self.doors.process.set_log_level(config.loglevel)),
        ):  # fmt: skip
            for name in names:
                self.config.on_change(name, apply)
        self._apply_limits(self.config)
        self._apply_encodings(self.config)
        self._apply_hz(self.config)

    def _apply_limits(self, config: Config) -> None:
        limits = self.server.limits
        limits.maxclients = config.maxclients
        limits.query_buffer = config.client_query_buffer_limit
        limits.max_bulk = self.engine.state.limits.max_string = config.proto_max_bulk_len
        for connection in self.server.connections.values():
            connection.parser.max_bulk = limits.max_bulk
        limits.timeout_s = config.timeout
        limits.keepalive_s = config.tcp_keepalive
        limits.output = {**config.client_output_buffer_limit._asdict(), "replica": replica_output(config)}
        limits.reply_bytes = config.client_output_buffer_limit.normal.hard_bytes
        limits.protected_mode = config.protected_mode and not self._needs_auth()

    def _apply_encodings(self, config: Config) -> None:
        limits = self.engine.state.limits
        limits.hash_entries = config.hash_max_listpack_entries
        limits.hash_value = config.hash_max_listpack_value
        limits.set_intset = config.set_max_intset_entries
        limits.zset_entries = config.zset_max_listpack_entries
        limits.zset_value = config.zset_max_listpack_value
        limits.list_size = config.list_max_listpack_size
        limits.hll_sparse = config.hll_sparse_max_bytes
        limits.stream_bytes = config.stream_node_max_bytes
        limits.stream_entries = config.stream_node_max_entries

    def _apply_hz(self, config: Config) -> None:
        self.housekeeper.hz = max(1, min(config.hz, 500))

    # -- for plug-ins -----------------------------------------------------------------------------------------

    def every(self, seconds: float, work: Callable[[], Any]) -> None:
        """Call `work` every so often while the node runs; it may be a coroutine function."""

        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                result = work()
                if asyncio.iscoroutine(result):
                    await result

        async def start() -> None:
            self._periodic.append(asyncio.create_task(repeat()))

        self.starts.append(start)

    # -- life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load what is on disk, then let clients in.

        Raises:
            OSError: an address is taken or can't be bound, or TLS can't be had with the options given.
        """
        loop = asyncio.get_running_loop()
        log = self.engine.log
        log.on_pending = lambda: _soon(loop, log.flush)
        self.housekeeper.start()
        gates.set_starting(self.engine, True)  # whoever comes before the data are there is told so
        await self._listen()
        self.on_listening()
        self.log.info(f"Listening, PID: {self.doors.machine.pid}", port=self.port)
        for hook in self.starts:
            await hook()
        gates.set_starting(self.engine, False)
        self.serving = True
        self.log.info("Ready to accept connections", port=self.port, pid=self.doors.machine.pid)
        self.supervisor.tell(SERVING if self.config.replicaof is None else FOLLOWING)
        self.supervisor.tell(READY)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        sockets, backlog = self.doors.sockets, self.config.tcp_backlog
        self.tls.configure()
        if self.config.port:
            for sock in open_all(sockets, [(host, self.config.port) for host in self.config.bind], backlog):
                self.listeners.append(await loop.create_server(self.server.protocol, sock=sock, backlog=backlog))
        if self.config.tls_port:
            for sock in open_all(sockets, [(host, self.config.tls_port) for host in self.config.bind], backlog):
                self.tls_listeners.append(await self.handshakes.listen(sock))
        if self.config.unixsocket:
            path = self.doors.disk.path(self.config.unixsocket)
            path.unlink(missing_ok=True)
            self._socket = path.absolute()  # `dir` may change
            self.listeners.append(
                await loop.create_unix_server(self.server.protocol, str(path), backlog=backlog)
            )
            if self.config.unixsocketperm:
                path.chmod(self.config.unixsocketperm)

    async def shutdown(self, force: bool = False) -> str:
        """Stop cleanly; return "" or why the node goes on."""
        self.supervisor.tell(STOPPING)
        for hook in self.shutdown_hooks:
            reason = await hook()
            if reason and not force:
                return reason
        self.stopped.set()
        return ""

    async def stop(self) -> None:
        """Close everything; idempotent."""
        for task in self._periodic:
            task.cancel()
        for listener in self.listeners:
            listener.close()
        self.listeners.clear()
        for secure in self.tls_listeners:
            secure.close()
        self.tls_listeners.clear()
        self.handshakes.stop()
        for hook in reversed(self.stops):
            await hook()
        self.stops.clear()
        self.engine.log.flush()
        for connection in list(self.server.connections.values()):
            connection.end(Reason.SHUTDOWN)
        self.housekeeper.stop()
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)


def _raise(name: str) -> None:
    """No process is there to be ended: the command fails."""
    raise RuntimeError(f"DEBUG {name}")


def _nothing() -> None:
    """Nobody waits for the node to listen."""


def _soon(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    """Do `work` at the end of this turn of the loop."""
    loop.call_soon(work)
