"""The shell of a replica's link to its primary: connects, feeds the handshake, the load and the stream.

Theory of operation. One task owns the connection and repeats attempts with a growing delay. What an attempt
says is `handshake`'s decision, what a snapshot's bytes become `incoming`'s, what the stream does `stream`'s. A snapshot is decoded into new tables in slices, so that the node goes on
serving what it has; when it is complete the tables are exchanged. The task is ended, or its connection cut,
from outside: on a new primary, on promotion, or when nothing has been heard for repl-timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import defaultdict
from time import monotonic, perf_counter_ns, time
from typing import Any, Protocol

from kvserver.config import Config
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_INTERNAL, Session
from kvserver.wire.resp import ProtocolError, encode_request
from replication.replica.framing import Payload, PayloadError
from replication.replica.handshake import Full, Handshake, Partial, Refused, Send, Settings, Wait, retry_delay_s
from replication.replica.incoming import Incoming
from replication.replica.snapshot_decoder import BadSnapshot, Intake
from replication.replica.stream import Applier

READ_MAX = 1 << 16
LINE_MAX = 1 << 12
PAUSED_S = 0.01
# What a silent primary is called in the log, by the link's state: Redis's words, which tools look for.
_SILENT = defaultdict(
    lambda: "Timeout connecting to the MASTER",
    sync="Timeout receiving bulk data from MASTER",
    connected="MASTER timeout: no data nor PING received",
)


class LinkError(Exception):
    """An attempt ended; `soon` when the primary said that it will be ready shortly."""

    def __init__(self, reason: str, soon: bool = False) -> None:
        super().__init__(reason)
        self.soon = soon


class Owner(Protocol):
    """What the link reports to, and asks."""

    def settings(self) -> Settings:
        """What to tell the primary now."""

    def may_continue(self, replid: bytes | None) -> None:
        """The primary accepted the offset asked for; its history may have a new id."""

    def adopt(self, full: Full, incoming: Incoming) -> None:
        """A complete snapshot was received: put it in force, at its offset of its history."""

    def link_changed(self) -> None:
        """The link went up or down."""

    def refused(self, reason: str) -> None:
        """The primary refused PSYNC."""

    def synced_offset(self) -> int | None:
        """How far the own append-only file is on the disk: None without one, -1 before its first."""


class _Port:
    """The stream's session can be listed and killed like a client's; it is never written to."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def write(self, data: bytes) -> None:
        """The primary wants no replies."""

    def close(self, reason: str) -> None:
        """Cut the connection; the link will connect again."""
        self._link.cut()

    def resume(self) -> None:
        """The stream is never held up."""

    def pending_bytes(self) -> int:
        """Acknowledgements only: nothing worth counting."""
        return 0

    def fileno(self) -> int:
        """The socket's file descriptor, -1 for none."""
        return self._link.fileno()


class Link:
    """The way to one primary. `state` is ROLE's word for how far it is."""

    def __init__(self, host: str, port: int, engine: Engine, config: Config, owner: Owner, log: Any) -> None:
        self.host = host
        self.port = port
        self.state = "connect"
        self.io_at_s = monotonic()
        self.down_since_s = monotonic()
        self.payload: Payload | None = None
        self.stream_db = 0
        self.failures = 0
        self.held_bytes = 0  # of the stream, received while CLIENT PAUSE holds writes back
        self._engine = engine
        self._config = config
        self._owner = owner
        self._log = log.bind(primary=f"{host}:{port}")
        self._task: asyncio.Task[None] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._ack_wanted = False
        self._file_wanted = 0  # the offset whose place on the disk the primary is to hear of at once

    @property
    def loading(self) -> bool:
        """Whether a snapshot's bytes are coming in."""
        return self.payload is not None and self.payload.started

    @property
    def connected(self) -> bool:
        """Whether the stream is flowing."""
        return self.state == "connected"

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """End at once."""
        if self._task is not None:
            self._task.cancel()
        self.cut()
        self.state = "none"

    def cut(self) -> None:
        """Drop the connection, if there is one; the primary hears of it even if our loop stands still from now on."""
        if self._writer is None:
            return
        fileno = self.fileno()
        if fileno >= 0:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fileno)) as connection:
                connection.shutdown(socket.SHUT_RDWR)
        self._writer.transport.abort()

    def fileno(self) -> int:
        """The connection's file descriptor, -1 without one."""
        sock = None if self._writer is None else self._writer.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def tick(self, send_ack: bool) -> None:
        """Notice a silent primary; once a second, acknowledge or show that we live."""
        if self._writer is None:
            return
        if monotonic() - self.io_at_s > self._config.repl_timeout:
            self._log.warning(_SILENT[self.state], state=self.state, timeout_s=self._config.repl_timeout)
            self.cut()
        elif send_ack and self.connected:
            self._acknowledge()
        elif send_ack and self.state == "sync":
            self._write(b"\n")

    def want_ack(self) -> None:
        """The primary asked (REPLCONF GETACK): answer behind what is being applied."""
        self._ack_wanted = True

    def file_synced(self) -> None:
        """The append-only file got further: perhaps as far as the primary wants to know."""
        if self._file_wanted and self.connected and (self._owner.synced_offset() or 0) >= self._file_wanted:
            self._file_wanted = 0
            self._acknowledge()

    def _acknowledge(self) -> None:
        """Say how far the stream is applied, and how far that is in a file on the disk."""
        offset = self._engine.log.offset
        args = [b"REPLCONF", b"ACK", b"%d" % offset]
        synced = self._owner.synced_offset()
        if synced is not None and synced >= 0:
            args += [b"FACK", b"%d" % synced]
        if self._ack_wanted:
            self._ack_wanted = False
            self._file_wanted = offset if synced is not None and synced < offset else 0
        self._write(encode_request(args))

    def _write(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.transport.is_closing():
            self._writer.write(data)

    # -- attempts ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            started_s = monotonic()
            soon = False
            try:
                await self._attempt()
            except LinkError as failure:
                soon = failure.soon
                self._log.warning("replication attempt ended", reason=str(failure), state=self.state)
            except (OSError, EOFError, ValueError, ProtocolError, PayloadError, BadSnapshot, TimeoutError) as failure:
                self._log.warning("replication link lost", reason=str(failure) or repr(failure), state=self.state)
            was_up = self._close()
            failures = 0 if was_up else failures + 1
            spent_s = monotonic() - started_s
            await asyncio.sleep(max(0.0, retry_delay_s(failures, soon) - spent_s))

    def _close(self) -> bool:
        """Tidy up behind an attempt; whether the stream had been flowing."""
        was_up = self.connected
        self.cut()
        self._reader = self._writer = None
        self.payload = None
        self.state = "connect"
        if was_up:
            self.down_since_s = monotonic()
            self._owner.link_changed()
        return was_up

    async def _attempt(self) -> None:
        self.state = "connecting"
        source = self._config.bind_source_addr
        self._reader, self._writer = await asyncio.wait_for(
            asyncio.open_connection(
                self.host,
                self.port,
                limit=READ_MAX,
                local_addr=(source, 0) if source else None,
                ssl=self._engine.extensions["tls"].for_replication(),
            ),
            self._config.repl_timeout,
        )
        self.io_at_s = monotonic()
        self.state = "handshake"
        handshake = Handshake(self._owner.settings())
        action = handshake.start()
        while isinstance(action, Send | Wait):
            if isinstance(action, Send):
                self._write(encode_request(action.args))
            action = handshake.reply(await self._line())
        if isinstance(action, Refused):
            self._owner.refused(action.reason)
            raise LinkError(action.reason, action.soon)
        if isinstance(action, Partial):
            self._owner.may_continue(action.replid)
            self._log.info("continuing: Successful partial resynchronization", offset=self._engine.log.offset)
            rest = b""
        else:
            rest = await self._bootstrap(action)
        await self._stream(rest)

    async def _line(self) -> bytes:
        assert self._reader is not None
        line = await self._reader.readline()
        self.io_at_s = monotonic()
        if not line.endswith(b"\n"):
            raise LinkError("connection closed during the handshake")
        if len(line) > LINE_MAX:
            raise LinkError("endless line during the handshake")
        return line.rstrip(b"\r\n")

    async def _read(self) -> bytes:
        assert self._reader is not None
        data = await self._reader.read(READ_MAX)
        if not data:
            raise LinkError("connection closed by the primary", soon=True)
        self.io_at_s = monotonic()
        return data

    # -- snapshot ---------------------------------------------------------------------------------------------

    async def _bootstrap(self, full: Full) -> bytes:
        """Receive a snapshot and put it in force; return what came behind it."""
        self.state = "sync"
        self._log.info("receiving a snapshot", replid=full.replid.decode(), offset=full.offset)
        payload = self.payload = Payload()
        intake = Intake(self._config, self._engine)
        while not payload.done:
            began = payload.started
            body = payload.feed(await self._read())
            if payload.started and not began:
                self._log.info("Loading DB in memory")  # Redis's words for this and the next, which tools look for
            await intake.take(body)
        incoming = intake.finish()
        self._owner.adopt(full, incoming)
        self.stream_db = incoming.stream_db
        self._log.info("snapshot loaded: Finished with success", keys=incoming.keys, bytes=payload.received)
        return payload.rest

    # -- stream -----------------------------------------------------------------------------------------------

    async def _stream(self, rest: bytes) -> None:
        engine = self._engine
        c = self._open_session()
        pause = engine.extensions.get("pause")
        applier = Applier(engine, c, self._failed, self._config.proto_max_bulk_len)
        self.payload = None
        self.state = "connected"
        self._owner.link_changed()
        self._acknowledge()
        try:
            data = rest
            while True:
                if data:
                    if pause is not None and pause.mode:
                        await self._while_paused(pause, len(data))
                    c.bytes_in += len(data)
                    now_ms = c.last_ms = int(time() * 1000)
                    applier.apply(data, now_ms, perf_counter_ns())
                    self.stream_db = c.db.index
                if self._ack_wanted:
                    self._acknowledge()
                await asyncio.sleep(0)
                data = await self._read()
        finally:
            self.held_bytes = 0
            engine.close_session(c)

    async def _while_paused(self, pause: Any, held: int) -> None:
        """CLIENT PAUSE holds the primary's writes back as well; the primary isn't silent meanwhile."""
        self.held_bytes = held
        while pause.mode:
            self.io_at_s = monotonic()
            await asyncio.sleep(PAUSED_S)  # a pause ends in many ways, none awaitable
        self.held_bytes = 0

    def _open_session(self) -> Session:
        engine = self._engine
        c = engine.open_session(_Port(self))
        c.kind = "primary"
        c.attention = ATT_INTERNAL
        c.db = engine.dbs[self.stream_db]
        c.address = f"{self.host}:{self.port}"
        return c

    def _failed(self, name: str, reply: str) -> None:
        self.failures += 1
        self._log.error("== CRITICAL == a command of the primary's stream failed here", command=name, error=reply)
