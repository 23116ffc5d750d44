# cython: boundscheck=False, wraparound=False
"""The shell around client sockets: bytes in, one write out per chunk (an asyncio protocol).

Theory of operation.  A `Connection` feeds what arrives to its parser, has the engine execute request after
request, gathers the replies and writes them at once.  Three things bound what it holds for a client:

- replies: when more than `GATHER_MAX` bytes have gathered they are written and the other clients have their
  turn; what a slow peer doesn't take is gathered (`outbox.py`), and when that is more than `Limits.unsent`,
  reading and serving stop until it has caught up (back-pressure: nothing is dropped).  A smaller bound wouldn't
  do: clients send long pipelines before they read the first reply;
- messages nobody waits for (pub/sub, MONITOR, the replication stream) can't be held back, so a client that
  exceeds client-output-buffer-limit is disconnected;
- requests: the query buffer has a limit, in which the arguments of an unfinished request and what MULTI has
  queued count; and while a session is blocked its socket is read only a little.

Replies may have to wait until what they promise is safe (see `kvserver.engine.run.holds`); then whatever comes behind
them on the connection waits as well, and when that is much the connection is read no more.

A socket that isn't read doesn't tell when its peer has gone, and one that is being closed may wait for ever for
a peer that doesn't read: `limits.sweep`, once a second, ends both.

While what all clients hold together is limited (maxmemory-clients), `Server.watch` is shown each client that is
served or sent something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import cython

from kvserver.client import held, limits, outbox
from kvserver.client.sockets import address, tune_socket
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.holds import Holds
from kvserver.engine.run.session import (
    ATT_CLOSE,
    ATT_REPLY,
    ATT_UNAUTHENTICATED,
    REPLY_OFF,
    REPLY_ON,
    REPLY_SKIP,
    REPLY_SKIP_NEXT,
    Session,
)
from kvserver.wire.resp import Parser, ProtocolError, error

if cython.compiled:
    from cython.cimports.cpython.time import perf_counter_ns, time
else:
    from time import perf_counter_ns, time

if TYPE_CHECKING:
    from kvserver.config import BufferLimit

GATHER_MAX = 1 << 20
"""Bytes of replies gathered before they are written although more requests wait."""
REPLY_COST = 256
"""Counted on top of each reply's bytes: some four thousand short requests in a row are a turn, too."""

# C's copies of the constants, declared in the .pxd: a global of Python would be an object to look up and compare.
_gather_max = GATHER_MAX
_reply_cost = REPLY_COST
_close = ATT_CLOSE
_reply = ATT_REPLY
_unauthenticated = ATT_UNAUTHENTICATED


class Limits:
    """What the options allow a client, as plain numbers."""

    def __init__(self) -> None:
        self.maxclients = 10000
        self.query_buffer = 1 << 30  # bytes
        self.max_bulk = 512 << 20  # bytes
        self.output: dict[str, BufferLimit] = {}
        self.reply_bytes = 0  # the hard limit of `output` for normal clients, 0 = none
        self.unsent = limits.UNSENT_MAX  # bytes that may wait for a slow client before its requests wait, too
        self.timeout_s = 0
        self.keepalive_s = 300
        self.protected_mode = False  # refuse peers that aren't on this machine


class Server:
    """What the connections of one node share: the engine, the limits, the counters."""

    def __init__(self, engine: Engine, needs_auth: Callable[[], bool]) -> None:
        self.engine = engine
        self.limits = Limits()
        self.holds = Holds()
        self.needs_auth = needs_auth
        self.system_time = engine.services.clock.system
        self.wall = engine.services.clock.wall
        self.connections: dict[int, Connection] = {}
        self.accepted = 0
        self.rejected = 0
        self.net_in = 0  # bytes
        self.net_out = 0  # bytes
        self.reads = self.writes = 0
        self.output_limit_kills = 0
        self.query_limit_kills = 0
        self.on_protocol_error: Callable[[Session, str], None] = _unheard
        self.watch: Watch | None = None  # sums up what all clients hold, while that is limited

    def received(self, size: int) -> None:
        """Count a read of so many bytes."""
        self.net_in += size
        self.reads += 1

    def sent(self, size: int) -> None:
        """Count a write of so many bytes."""
        self.net_out += size
        self.writes += 1

    def protocol(self) -> Any:
        """Create the `Connection` of a new client (asyncio's protocol factory, which wants another type)."""
        return Connection(self)


def now_ms(server: Server) -> int:
    """Unix time in milliseconds: the machine's is read in C."""
    return int((time() if server.system_time else server.wall()) * 1000)


def _attend(parser: Parser, c: Session, reply: bytes | None) -> bytes | None:
    """Apply what is special about the session to a reply: CLIENT REPLY, and trust after AUTH."""
    if not parser.trusted:
        parser.trusted = not c.attention & ATT_UNAUTHENTICATED
    if c.attention & _reply:
        mode = c.reply_mode
        if mode == REPLY_SKIP_NEXT:
            c.reply_mode = REPLY_SKIP
            return None
        if mode == REPLY_SKIP:
            c.reply_mode = REPLY_ON
            c.attend(ATT_REPLY, False)
            return None
        if mode == REPLY_OFF:
            return None
    return reply


class Watch(Protocol):
    """Keeps what all clients together hold below a limit."""

    def settle(self) -> None:
        """Before a client is served: end clients if the limit is exceeded."""

    def note(self, c: Session) -> None:
        """A client may hold more now, or less."""


def _unheard(c: Session, text: str) -> None:
    """Nobody logs."""


class Connection:
    """One client's socket, shaped as `asyncio.Protocol`; see the module's theory of operation."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.engine = server.engine
        self.transport: Any = None
        self.session: Session | None = None
        self.parser = Parser(server.limits.max_bulk)
        self.paused = False  # nothing is served: the peer takes our bytes too slowly, or too much is held back
        self.slow = False  # the transport is full
        self.held = 0  # chunks of output held back until they are safe
        self.held_bytes = 0
        self.ending = False  # the connection ends when they are out
        self.reading = True
        self.closing = False
        self.soft_since = 0.0  # when the soft output limit was passed, 0 = it isn't
        self.unfinished: list[bytes] | None = None  # arguments of a request in parts, counted as they come
        self.counted = 0  # how many of them
        self.counted_bytes = 0
        self.last_pending = 0  # unsent bytes at the last sweep
        self.outbox: outbox.Outbox | None = None  # what the transport hasn't got yet, while it is full

    # -- asyncio's calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet or refuse a new client."""
        self.transport = transport
        server = self.server
        server.accepted += 1
        peer = transport.get_extra_info("peername")
        if limits.refuse(self, peer):
            return
        self.transport.set_write_buffer_limits(high=outbox.FULL_BYTES)
        self.engine.state.now_ms = now_ms(server)
        session = self.engine.open_session(self)
        session.address = address(peer, transport)
        session.local_address = address(transport.get_extra_info("sockname"), transport)
        session.buffered = self.buffered
        self.engine.services.access.enter_default(session)
        if server.needs_auth():
            session.attend(ATT_UNAUTHENTICATED, True)
            self.parser.trusted = False
        self.session = session
        server.connections[session.id] = self
        tune_socket(transport.get_extra_info("socket"), server.limits.keepalive_s)

    def data_received(self, data: bytes) -> None:
        """Serve what a chunk completes."""
        c = self.session
        if c is None or self.closing:
            return
        n = len(data)
        self.server.received(n)
        c.bytes_in += n
        now = now_ms(self.server)
        self.engine.state.now_ms = now
        c.last_ms = now
        self.parser.feed(data)
        watch = self.server.watch
        if watch is not None:
            watch.note(c)
            watch.settle()
        if c.blocked is None and not self.paused:
            self.serve()
        if self.parser.pos < len(self.parser.buf) or self.parser.pieces is not None or self.parser.left:
            limits.bound_input(self, c)
        elif self.unfinished is not None:
            self.unfinished = None
        if watch is not None:
            watch.note(c)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self.closing = True
        self._forget()

    def _forget(self) -> None:
        c = self.session
        if c is not None:
            self.session = None
            self.server.connections.pop(c.id, None)
            self.engine.close_session(c)

    def eof_received(self) -> bool:
        """The client sends no more: close, once the replies so far are out."""
        outbox.hand_over(self)
        self.closing = True
        self.ending = self.held > 0
        return self.ending

    def pause_writing(self) -> None:
        """The transport is full: gather what comes, and serve the peer only as long as that isn't too much."""
        self.slow = True
        if self.session is not None and self.session.attention & ATT_UNAUTHENTICATED:
            self.server.output_limit_kills += 1
            self.abort()
        else:
            limits.bound_output(self)

    def resume_writing(self) -> None:
        """The transport has room again."""
        self.slow = False
        if self.outbox is not None and not outbox.drain(self):
            return
        self.soft_since = 0.0
        self.paused = self.held_bytes > held.HELD_MAX
        self.resume()

    # -- serving ----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Execute the requests that are whole, and write their replies."""
        c = self.session
        if c is None:
            return
        engine = self.engine
        parser = self.parser
        out: list[bytes] = []
        gathered = 0
        c.out = out
        engine.last_ns = perf_counter_ns()
        try:
            while True:
                args = parser.next()
                if args is None:
                    break
                reply = engine.execute(c, args)
                if c.attention or not parser.trusted:
                    reply = _attend(parser, c, reply)
                if reply is not None:
                    out.append(reply)
                    gathered += len(reply) + _reply_cost
                    if gathered > _gather_max:
                        self._yield(c, out)
                        break
                elif c.blocked is not None:
                    break
                if c.attention & _close or self.closing:
                    break
        except ProtocolError as failure:
            out.append(error(f"ERR Protocol error: {failure}"))
            self.server.on_protocol_error(c, str(failure))
            c.close_after_reply()
        c.out = None
        if out and not self.closing:
            self._flush(c, out)
        if c.attention & _close and not self.closing:
            held.end(self)
        if parser.pos >= len(parser.buf):
            parser.buf = b""  # all is served: an idle client holds no chunk
            parser.pos = 0

    def _yield(self, c: Session, out: list[bytes]) -> None:
        """Write what has gathered; go on after the other clients have had their turn."""
        if self.closing:
            return
        self._flush(c, out)
        if not self.paused:
            self.read(False)
            asyncio.get_running_loop().call_soon(self._resume_soon)

    def _flush(self, c: Session, out: list[bytes]) -> None:
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        n = len(data)
        if (self.server.limits.reply_bytes or c.attention & _unauthenticated) and limits.overflows(self, c, n):
            return
        self.server.sent(n)
        c.bytes_out += n
        if self.held or self.server.holds.on:
            held.send_when_safe(self, data)
        elif self.slow:
            outbox.send(self, data)
        else:
            self.transport.write(data)

    # -- the port of the session ------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes that are no reply to the request being served."""
        if self.closing:
            return
        self.server.sent(len(data))
        if self.session is not None:
            self.session.bytes_out += len(data)
        if self.held or self.server.holds.on:
            held.send_when_safe(self, data)
        else:
            outbox.send(self, data)
        if self.slow or self.paused:
            limits.check_output(self)
        if self.server.watch is not None and self.session is not None:
            self.server.watch.note(self.session)

    def close(self, reason: str) -> None:
        """End the connection at once; what wasn't sent is dropped."""
        self.abort()
        if self.session is None or self.session.kind != "replica":
            self._forget()

    def abort(self) -> None:
        """End the connection at once; the session is forgotten when the loop comes round."""
        self.closing = True
        self.outbox = None
        self.transport.abort()
        if self.session is None or self.session.kind != "replica":
            asyncio.get_running_loop().call_soon(self._forget)  # with TLS the transport tells late

    def resume(self) -> None:
        """Go on with requests that arrived meanwhile."""
        c = self.session
        if c is None or self.closing or self.paused or c.blocked is not None:
            return
        if c.out is None:
            self.read(True)
            asyncio.get_running_loop().call_soon(self._resume_soon)

    def _resume_soon(self) -> None:
        c = self.session
        if c is None or self.closing or self.paused or c.blocked is not None:
            return
        self.read(True)
        self.serve()
        if self.server.watch is not None:
            self.server.watch.note(c)

    def buffered(self) -> int:
        """Bytes of requests received and not yet served."""
        return self.parser.buffered() + self.parser.gathered()

    def pending_bytes(self) -> int:
        """Bytes written, or held back, that the peer hasn't taken."""
        waiting = int(self.transport.get_write_buffer_size()) + self.held_bytes
        return waiting if self.outbox is None else waiting + self.outbox.held_bytes()

    def fileno(self) -> int:
        """The socket's file descriptor, -1 for none."""
        sock = self.transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def read(self, on: bool) -> None:
        """Have the socket read, or not."""
        if on != self.reading and not self.transport.is_closing():
            self.reading = on
            if on:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()
