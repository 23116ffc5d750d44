# cython: boundscheck=False, wraparound=False
"""The shell around client sockets: bytes in, one write out per chunk (an asyncio protocol).

Theory of operation.  A `Connection` feeds what arrives to its parser, has the engine execute request after
request, gathers the replies and writes them at once.  Three things bound what it holds for a client:

- replies: when more than `GATHER_MAX` bytes have gathered they are written, and when the transport says that
  the peer is slow, reading and serving stop until it has caught up (back-pressure: nothing is dropped);
- messages nobody waits for (pub/sub, MONITOR, the replication stream) can't be held back, so a client that
  exceeds client-output-buffer-limit is disconnected;
- requests: the query buffer has a limit, and while a session is blocked its socket is read only a little.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cython

from kvserver.engine.executor import Engine
from kvserver.engine.session import (
    ATT_CLOSE,
    ATT_REPLY,
    ATT_UNAUTHENTICATED,
    REPLY_OFF,
    REPLY_ON,
    REPLY_SKIP,
    REPLY_SKIP_NEXT,
    Session,
)
from kvserver.resp import Parser, ProtocolError, error

if cython.compiled:
    from cython.cimports.cpython.time import perf_counter_ns, time
else:
    from time import perf_counter_ns, time

if TYPE_CHECKING:
    from kvserver.config import BufferLimit

GATHER_MAX = 1 << 20
"""Bytes of replies gathered before they are written although more requests wait."""
BLOCKED_BUFFER = 1 << 20
"""Bytes of requests taken from a client that is blocked before its socket is read no more."""


class Limits:
    """What the options allow a client, as plain numbers."""

    def __init__(self) -> None:
        self.maxclients = 10000
        self.query_buffer = 1 << 30  # bytes
        self.max_bulk = 512 << 20  # bytes
        self.output: dict[str, BufferLimit] = {}
        self.timeout_s = 0
        self.keepalive_s = 300
        self.protected_mode = False  # refuse peers that aren't on this machine


class Server:
    """What the connections of one node share: the engine, the limits, the counters."""

    def __init__(self, engine: Engine, needs_auth: Callable[[], bool]) -> None:
        self.engine = engine
        self.limits = Limits()
        self.needs_auth = needs_auth
        self.connections: dict[int, Connection] = {}
        self.accepted = 0
        self.rejected = 0
        self.net_in = 0  # bytes
        self.net_out = 0  # bytes
        self.output_limit_kills = 0
        self.query_limit_kills = 0
        self.on_protocol_error: Callable[[Session, str], None] = _unheard

    def protocol(self) -> Any:
        """Create the `Connection` of a new client (asyncio's protocol factory, which wants another type)."""
        return Connection(self)


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
        self.paused = False  # the peer takes our bytes too slowly
        self.reading = True
        self.closing = False
        self.soft_since = 0.0  # when the soft output limit was passed, 0 = it isn't

    # -- asyncio's calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet or refuse a new client."""
        self.transport = transport
        server = self.server
        server.accepted += 1
        peer = transport.get_extra_info("peername")
        refusal = _refusal(server, peer)
        if refusal:
            server.rejected += 1
            self.closing = True
            self.transport.write(error(refusal))
            self.transport.close()
            return
        self.engine.state.now_ms = int(time() * 1000)
        session = self.engine.open_session(self)
        session.address = _address(peer, transport)
        session.local_address = _address(transport.get_extra_info("sockname"), transport)
        session.buffered = self.buffered
        for greet in self.engine.extensions.get("on_open", ()):
            greet(session)
        if server.needs_auth():
            session.attend(ATT_UNAUTHENTICATED, True)
            self.parser.trusted = False
        self.session = session
        server.connections[session.id] = self
        _tune_socket(transport.get_extra_info("socket"), server.limits.keepalive_s)

    def data_received(self, data: bytes) -> None:
        """Serve what a chunk completes."""
        c = self.session
        if c is None or self.closing:
            return
        n = len(data)
        self.server.net_in += n
        c.bytes_in += n
        now = int(time() * 1000)
        self.engine.state.now_ms = now
        c.last_ms = now
        self.parser.feed(data)
        if c.blocked is None and (not self.paused or c.kind == "replica"):
            self.serve()
        if self.parser.pos < len(self.parser.buf) or self.parser.pieces is not None:
            self._bound_input(c)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self.closing = True
        c = self.session
        if c is not None:
            self.session = None
            self.server.connections.pop(c.id, None)
            self.engine.close_session(c)

    def eof_received(self) -> bool:
        """The client sends no more: close."""
        return False

    def pause_writing(self) -> None:
        """The peer is slow: serve no more of its requests until it has caught up."""
        self.paused = True
        # A replica is slow whenever it takes a snapshot; its acknowledgements have to be heard meanwhile.
        if self.session is None or self.session.kind != "replica":
            self._read(False)

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.paused = False
        self.soft_since = 0.0
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
                if c.attention:
                    reply = self._attend(c, reply)
                if reply is not None:
                    out.append(reply)
                    gathered += len(reply)
                    if gathered > GATHER_MAX:
                        self._flush(c, out)
                        gathered = 0
                        if self.paused:
                            break
                elif c.blocked is not None:
                    break
                if c.attention & ATT_CLOSE or self.closing:
                    break
        except ProtocolError as failure:
            out.append(error(f"ERR Protocol error: {failure}"))
            self.server.on_protocol_error(c, str(failure))
            c.close_after_reply()
        c.out = None
        if out:
            self._flush(c, out)
        if c.attention & ATT_CLOSE and not self.closing:
            self.closing = True
            self.transport.close()

    def _attend(self, c: Session, reply: bytes | None) -> bytes | None:
        """Apply what is special about the session to a reply: CLIENT REPLY, and trust after AUTH."""
        if not self.parser.trusted:
            self.parser.trusted = not c.attention & ATT_UNAUTHENTICATED
        if c.attention & ATT_REPLY:
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

    def _flush(self, c: Session, out: list[bytes]) -> None:
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        n = len(data)
        self.server.net_out += n
        c.bytes_out += n
        self.transport.write(data)

    # -- the port of the session ------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes that are no reply to the request being served."""
        if self.closing:
            return
        self.server.net_out += len(data)
        if self.session is not None:
            self.session.bytes_out += len(data)
        self.transport.write(data)
        if self.paused:
            self.check_output()

    def close(self, reason: str) -> None:
        """End the connection at once; what wasn't sent is dropped."""
        if not self.closing:
            self.closing = True
            self.transport.abort()

    def resume(self) -> None:
        """Go on with requests that arrived meanwhile."""
        c = self.session
        if c is None or self.closing or self.paused or c.blocked is not None:
            return
        if c.out is None:
            self._read(True)
            asyncio.get_running_loop().call_soon(self._resume_soon)

    def _resume_soon(self) -> None:
        c = self.session
        if c is not None and not self.closing and not self.paused and c.blocked is None:
            self.serve()

    def buffered(self) -> int:
        """Bytes of requests received and not yet served."""
        return self.parser.buffered()

    def pending_bytes(self) -> int:
        """Bytes written that the peer hasn't taken."""
        return int(self.transport.get_write_buffer_size())

    def fileno(self) -> int:
        """The socket's file descriptor, -1 for none."""
        sock = self.transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    # -- limits -----------------------------------------------------------------------------------------------

    def _bound_input(self, c: Session) -> None:
        held = self.parser.buffered()
        if held > self.server.limits.query_buffer:
            self.server.query_limit_kills += 1
            self.close("query buffer limit")
        elif held > BLOCKED_BUFFER and c.blocked is not None:
            self._read(False)

    def check_output(self) -> None:
        """Disconnect a client whose unsent messages exceed its class's limit."""
        c = self.session
        if c is None:
            return
        limit = self.server.limits.output.get(_output_class(c))
        if limit is None:
            return
        held = self.pending_bytes()
        over = bool(limit.hard_bytes) and held > limit.hard_bytes
        if limit.soft_bytes and held > limit.soft_bytes:
            now = time()
            self.soft_since = self.soft_since or now
            over = over or now - self.soft_since > limit.soft_seconds
        else:
            self.soft_since = 0.0
        if over:
            self.server.output_limit_kills += 1
            self.close("output buffer limit")

    def _read(self, on: bool) -> None:
        if on != self.reading and not self.transport.is_closing():
            self.reading = on
            if on:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()


def _refusal(server: Server, peer: Any) -> str:
    """Why a new client isn't let in, "" = it is."""
    if len(server.connections) >= server.limits.maxclients:
        return "ERR max number of clients reached"
    if server.limits.protected_mode and isinstance(peer, tuple) and not _is_local(peer[0]):
        return (
            "DENIED Redis is running in protected mode because protected mode is enabled and no password is "
            "set for the default user. In this mode connections are only accepted from the loopback "
            "interface. To connect from elsewhere set a password, bind explicitly, or disable protected-mode."
        )
    return ""


def _output_class(c: Session) -> str:
    """The class of client-output-buffer-limit that a session belongs to."""
    if c.kind == "replica":
        return "replica"
    return "pubsub" if c.channels or c.patterns or c.shard_channels else "normal"


def _address(name: Any, transport: asyncio.BaseTransport) -> str:
    """Show a socket address as CLIENT LIST does: ip:port, [ip6]:port, path:0."""
    if isinstance(name, tuple) and len(name) >= 2:
        host = f"[{name[0]}]" if ":" in str(name[0]) else name[0]
        return f"{host}:{name[1]}"
    own = transport.get_extra_info("sockname")
    path = name or own
    return f"{path.decode() if isinstance(path, bytes) else path}:0"


def _is_local(host: str) -> bool:
    return host == "::1" or host.startswith(("127.", "::ffff:127."))


def _tune_socket(sock: Any, keepalive_s: int) -> None:
    """Ask the kernel to notice dead peers (tcp-keepalive)."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if keepalive_s:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", keepalive_s),
            ("TCP_KEEPINTVL", max(keepalive_s // 3, 1)),
            ("TCP_KEEPCNT", 3),
        ):
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
