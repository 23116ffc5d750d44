"""The shell of a replica's link to its primary: connects, feeds the handshake, the load and the stream.

Theory of operation. One task owns the connection and repeats attempts with a growing delay. What an attempt
says is `handshake`'s decision, what a snapshot's bytes become `incoming`'s, what the stream does `stream`'s.
A snapshot is decoded into new tables in slices, so that the node goes on serving what it has; when it is
complete the tables are exchanged. The task is ended, or its connection cut, from outside: on a new primary, on
promotion, or when nothing has been heard for repl-timeout.

A link works under the term of the node's role in which it was started. A task that was cancelled may live on
(whoever awaits may swallow the cancellation), so after each await that leads to an effect the link asks whether
that term still runs. If not, what it brings is dropped, and the task ends.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from time import perf_counter_ns  # as the executor's: tells how long a command took, decides nothing
from typing import Any, Protocol

from kvserver.client.reasons import Reason
from kvserver.config import Config
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.services.offers import Pause
from kvserver.wire.resp import ProtocolError, encode_request
from replication.replica.framing import Payload, PayloadError
from replication.replica.handshake import Full, Handshake, Partial, Refused, Send, Settings, Wait, retry_delay_s
from replication.replica.incoming import Incoming
from replication.replica.snapshot_decoder import BadSnapshot, Intake
from replication.replica.stream import Applier
from replication.replica.wire import LinkError, Wire, dial
from replication.voting import Voting

Dial = Callable[..., Coroutine[Any, Any, Wire]]
PAUSED_S = 0.01
# What a silent primary is called in the log, by the link's state: Redis's words, which tools look for.
_SILENT = defaultdict(
    lambda: "Timeout connecting to the MASTER",
    sync="Timeout receiving bulk data from MASTER",
    connected="MASTER timeout: no data nor PING received",
)


class StaleTerm(Exception):
    """The node's role has changed since the link was started: it has nothing more to say here."""


class Owner(Protocol):
    """What the link reports to, and asks."""

    def admits(self, term: int) -> bool:
        """Whether a link of this term may have an effect; counts what may not."""

    def settings(self) -> Settings:
        """What to tell the primary now."""

    def continued(self, term: int, replid: bytes | None) -> None:
        """The primary accepted the offset asked for; its history may have a new id."""

    def snapshot_begins(self, term: int) -> None:
        """The primary sends a data set."""

    def adopt(self, term: int, full: Full, incoming: Incoming, wire: Wire) -> None:
        """A complete snapshot was received: put it in force, at its offset of its history. Raises LinkError."""

    def lost(self, term: int) -> None:
        """The attempt is over; the link tries again."""

    def refused(self, term: int, reason: str) -> None:
        """The primary refused PSYNC."""

    def received(self, size: int) -> None:
        """So many bytes of the primary's data set, or of its stream, have come."""

    def synced_offset(self) -> int | None:
        """How far the own append-only file is on the disk: None without one, -1 before its first."""

    @property
    def voting(self) -> Voting:
        """The node's part in a quorum."""


class _Port(NoPort):
    """The stream's session can be listed and killed like a client's; it is never written to."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def write(self, data: bytes) -> None:
        """The primary wants no replies."""

    def end(self, reason: Reason, detail: str = "", own: bool = False) -> None:
        """Cut the connection; the link will connect again."""
        self._link.cut()

    def resume(self) -> None:
        """The stream is never held up."""

    def pending_bytes(self) -> int:
        """Acknowledgements only: nothing worth counting."""
        return 0

    def chunk_bytes(self) -> int:
        """The stream is parsed elsewhere."""
        return 0

    def fileno(self) -> int:
        """The socket's file descriptor, -1 for none."""
        return self._link.fileno()


class Link:
    """The way to one primary. `state` is ROLE's word for how far it is."""

    def __init__(
        self, host: str, port: int, term: int, engine: Engine, config: Config, owner: Owner, log: Any, dial: Dial = dial
    ) -> None:
        self.host = host
        self.port = port
        self.term = term
        self.state = "connect"
        self._clock = engine.services.clock
        self.down_since_s = self._clock.monotonic()
        self.payload: Payload | None = None
        self.stream_db = 0
        self.failures = 0
        self.unapplied_bytes = 0  # of the stream, received while CLIENT PAUSE holds writes back
        self._engine = engine
        self._config = config
        self._owner = owner
        self._log = log.bind(primary=f"{host}:{port}")
        self._dial = dial
        self._task: asyncio.Task[None] | None = None
        self._wire: Wire | None = None
        self._applier: Applier | None = None
        self._ended = False
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

    @property
    def io_at_s(self) -> float:
        """When the primary was last heard (monotonic seconds); without a connection, when it was lost."""
        return self.down_since_s if self._wire is None else self._wire.io_at_s

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """End at once: nothing more is applied, not even what has been received."""
        if self._task is not None:
            self._task.cancel()
        if self._applier is not None:
            self._applier.stop()
        self.cut()
        self._ended, self.state = True, "none"

    def settle(self) -> None:
        """Have everything that was applied in the log."""
        if self._applier is not None:
            self._applier.settle()

    def cut(self) -> None:
        """Drop the connection, if there is one."""
        if self._wire is not None:
            self._wire.cut()

    def fileno(self) -> int:
        """The connection's file descriptor, -1 without one."""
        return -1 if self._wire is None else self._wire.fileno()

    def _require_term(self) -> None:
        """Raises StaleTerm when the role has changed since this link was started."""
        if not self._owner.admits(self.term):
            raise StaleTerm

    def tick(self, send_ack: bool) -> None:
        """Notice a silent primary; once a second, acknowledge or show that we live."""
        if self._wire is None:
            return
        if self._clock.monotonic() - self.io_at_s > self._config.repl_timeout:
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
        offset, synced = self._engine.log.offset, self._owner.synced_offset()
        voted = None if self._wire is None else self._owner.voting.link.acknowledgement(self._wire)
        if self._ack_wanted:
            self._ack_wanted = False
            self._file_wanted = offset if synced is not None and synced < offset else 0
        self._write(encode_request(_acknowledgement(offset, synced) if voted is None else voted))

    def _write(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.write(data)

    # -- attempts ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            started_s = self._clock.monotonic()
            soon = False
            try:
                await self._attempt()
            except StaleTerm:
                self._hang_up()
                return
            except LinkError as failure:
                soon = failure.soon
                self._log.warning("replication attempt ended", reason=str(failure), state=self.state)
            except (OSError, EOFError, ValueError, ProtocolError, PayloadError, BadSnapshot, TimeoutError) as failure:
                self._log.warning("replication link lost", reason=str(failure) or repr(failure), state=self.state)
            if self._ended:
                self._hang_up()
                return
            was_up = self._close()
            failures = 0 if was_up else failures + 1
            spent_s = self._clock.monotonic() - started_s
            await asyncio.sleep(max(0.0, retry_delay_s(failures, soon) - spent_s))

    def _close(self) -> bool:
        """Tidy up behind an attempt; whether the stream had been flowing."""
        was_up = self.connected
        self._hang_up()
        self.state = "connect"
        if was_up:
            self.down_since_s = self._clock.monotonic()
        self._owner.lost(self.term)
        return was_up

    def _hang_up(self) -> None:
        self.cut()
        if self._wire is not None:
            self._owner.voting.link.left(self._wire)
        self._wire = None
        self.payload = None

    async def _attempt(self) -> None:
        self._require_term()
        self.state = "connecting"
        config = self._config
        tls = self._engine.services.tls.for_replication()
        wire = await self._dial(self.host, self.port, config.bind_source_addr, tls, config.repl_timeout, self._clock)
        self._wire = wire
        self._require_term()
        self.state = "handshake"
        handshake = Handshake(replace(self._owner.settings(), quorum=self._owner.voting.link.hello(wire)))
        action = handshake.start()
        while isinstance(action, Send | Wait):
            if isinstance(action, Send):
                wire.write(encode_request(action.args))
            line = await wire.line()
            self._require_term()
            action = handshake.reply(line)
        self._owner.voting.link.joined(wire, "quorum" in handshake.understood)
        if isinstance(action, Refused):
            self._owner.voting.link.refused(wire, action.reason)
            self._owner.refused(self.term, action.reason)
            raise LinkError(action.reason, action.soon)
        if isinstance(action, Partial):
            self._owner.continued(self.term, action.replid)
            self._log.info("continuing: Successful partial resynchronization", offset=self._engine.log.offset)
            rest = b""
        else:
            rest = await self._bootstrap(wire, action)
        await self._stream(wire, rest)

    # -- snapshot ---------------------------------------------------------------------------------------------

    async def _bootstrap(self, wire: Wire, full: Full) -> bytes:
        """Receive a snapshot and put it in force; return what came behind it."""
        self.state = "sync"
        self._owner.snapshot_begins(self.term)
        self._log.info("receiving a snapshot", replid=full.replid.decode(), offset=full.offset)
        payload = self.payload = Payload()
        intake = Intake(self._config, self._engine)
        while not payload.done:
            began = payload.started
            body = payload.feed(await _read(wire, self._owner))
            if payload.started and not began:
                self._log.info("Loading DB in memory")  # Redis's words for this and the next, which tools look for
            await intake.take(body)
            self._require_term()
        incoming = intake.finish()
        self._owner.adopt(self.term, full, incoming, wire)
        self.stream_db = incoming.stream_db
        self._log.info("snapshot loaded: Finished with success", keys=incoming.keys, bytes=payload.received)
        return payload.rest

    # -- stream -----------------------------------------------------------------------------------------------

    async def _stream(self, wire: Wire, rest: bytes) -> None:
        self._require_term()  # what waited for the end of a hand-over may have changed the role
        engine = self._engine
        c = _open_session(engine, self)
        pause = engine.services.administration.pause
        applier = self._applier = Applier(engine, c, self._failed, self._config.proto_max_bulk_len)
        self.payload = None
        self.state = "connected"
        self._owner.voting.link.streams(wire, applier)
        self._acknowledge()
        try:
            data = rest
            while True:
                if data:
                    if pause.mode:
                        await self._while_paused(wire, pause, len(data))
                    self._require_term()
                    c.bytes_in += len(data)
                    now_ms = c.last_ms = int(self._clock.wall() * 1000)
                    applier.apply(data, now_ms, perf_counter_ns())
                    self.stream_db = c.db.index
                    self._owner.voting.link.applied(wire)
                if self._ack_wanted:
                    self._acknowledge()
                await asyncio.sleep(0)
                data = await _read(wire, self._owner)
        finally:
            self.unapplied_bytes = 0
            self._applier = None
            engine.close_session(c)

    async def _while_paused(self, wire: Wire, pause: Pause, unapplied: int) -> None:
        """CLIENT PAUSE holds the primary's writes back as well; the primary isn't silent meanwhile."""
        self.unapplied_bytes = unapplied
        while pause.mode:
            wire.io_at_s = self._clock.monotonic()
            await asyncio.sleep(PAUSED_S)  # a pause ends in many ways, none awaitable
        self.unapplied_bytes = 0

    def _failed(self, name: str, reply: str) -> None:
        self.failures += 1
        self._log.error("== CRITICAL == a command of the primary's stream failed here", command=name, error=reply)


async def _read(wire: Wire, owner: Owner) -> bytes:
    """What the primary sends next of its data set or its stream, counted."""
    data = await wire.read()
    owner.received(len(data))
    return data


def _acknowledgement(offset: int, synced: int | None) -> list[bytes]:
    args = [b"REPLCONF", b"ACK", b"%d" % offset]
    return args if synced is None or synced < 0 else [*args, b"FACK", b"%d" % synced]


def _open_session(engine: Engine, link: Link) -> Session:
    """The session that the stream's commands run in."""
    c = engine.open_session(_Port(link))
    c.become_internal("primary")
    c.db = engine.dbs[link.stream_db]
    c.address = f"{link.host}:{link.port}"
    return c
