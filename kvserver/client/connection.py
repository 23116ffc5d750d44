# cython: boundscheck=False, wraparound=False
"""The shell around client sockets: bytes in, one write out per chunk (an asyncio protocol).

Theory of operation.  A `Connection` feeds what arrives to its parser, has the engine execute request after
request, gathers the replies and writes them at once.  What can't be written at once, and how a connection ends, is
decided by its `Output` (output.py); what that asks for is done by the half of a connection that sends (sending.py).
Three things bound what is held for a client:

- replies: when more than `GATHER_MAX` bytes have gathered they are written and the other clients have their
  turn; what a slow peer doesn't take waits, and when that is more than `Limits.unsent`, reading and serving stop
  until it has caught up (back-pressure: nothing is dropped).  A smaller bound wouldn't do: clients send long
  pipelines before they read the first reply;
- messages nobody waits for (pub/sub, MONITOR, the replication stream) can't be held back, so a client that
  exceeds client-output-buffer-limit is disconnected;
- requests: the query buffer has a limit, in which the arguments of an unfinished request and what MULTI has
  queued count; and while a session is blocked its socket is read only a little.

A socket that isn't read doesn't tell when its peer has gone, and one that is being closed may wait for ever for
a peer that doesn't read: `limits.sweep`, once a second, ends both.

While what all clients hold together is limited (maxmemory-clients), `Server.watch` is shown each client that is
served or sent something.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import cython

from kvserver.client import limits
from kvserver.client.outbox import FULL_BYTES
from kvserver.client.reasons import Reason
from kvserver.client.sending import Sending
from kvserver.client.sockets import address, tune_socket
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
    from cython.cimports.cpython.time import perf_counter_ns
    from cython.cimports.kvserver.client.server import now_ms  # type: ignore
else:
    from time import perf_counter_ns

    from kvserver.client.server import now_ms

if TYPE_CHECKING:
    from kvserver.client.server import Server

GATHER_MAX = 1 << 20
"""Bytes of replies gathered before they are written although more requests wait."""
REPLY_COST = 256
"""Counted on top of each reply's bytes: some four thousand short requests in a row are a turn, too."""
FAST_COST = 32
"""The same for each request served on the fast way, which takes an eighth of the time."""

# C's copies of the constants, declared in the .pxd: a global of Python would be an object to look up and compare.
_gather_max = GATHER_MAX
_reply_cost = REPLY_COST
_fast_cost = FAST_COST
_close = ATT_CLOSE
_reply = ATT_REPLY
_unauthenticated = ATT_UNAUTHENTICATED


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


class Connection(Sending):
    """One client's socket, shaped as `asyncio.Protocol`; see the module's theory of operation."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.parser = Parser(server.limits.max_bulk)
        self.unfinished: list[bytes] | None = None  # arguments of a request in parts, counted as they come
        self.counted = 0  # how many of them
        self.counted_bytes = 0
        self.last_pending = 0  # unsent bytes at the last sweep
        self.still_sweeps = 0  # sweeps in a row in which they were the same

    # -- asyncio's calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet or refuse a new client."""
        self.transport = transport
        server = self.server
        server.accepted += 1
        peer = transport.get_extra_info("peername")
        if limits.refuse(self, peer):
            return
        self.transport.set_write_buffer_limits(high=FULL_BYTES)
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
        session.ask_for(server.holds.safety)
        server.connections[session.id] = self
        tune_socket(transport.get_extra_info("socket"), server.limits.keepalive_s)

    def data_received(self, data: bytes) -> None:
        """Serve what a chunk completes."""
        c = self.session
        if c is None or self.output.ended:
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
        if c.blocked is None and not self.output.stalled:
            self.serve()
        if self.parser.pos < len(self.parser.buf) or self.parser.pieces is not None or self.parser.left:
            limits.bound_input(self, c)
        elif self.unfinished is not None:
            self.unfinished = None
        if watch is not None:
            watch.note(c)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        if self.reason is None and self.session is not None:
            self._note(limits.loss(exc), "" if exc is None else str(exc))
        self.output.drop()
        self._forget()

    def eof_received(self) -> bool:
        """The client sends no more: close, once the replies so far are out. True while they aren't safe."""
        self.end(Reason.PEER_CLOSED)
        return self.output.held > 0

    def pause_writing(self) -> None:
        """The transport is full: gather what comes, and serve the peer only as long as that isn't too much."""
        self.output.no_room()
        if self.session is not None and self.session.attention & ATT_UNAUTHENTICATED:
            self.end(Reason.OUTPUT_HARD, later=True)
        else:
            limits.bound_output(self)

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._do(self.output.room())
        self._do(self.output.relax())

    # -- serving ----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Execute the requests that are whole, and write their replies."""
        c = self.session
        if c is None:
            return
        engine = self.engine
        parser = self.parser
        fast = self.server.fast
        out: list[bytes] = []
        gathered = 0
        c.out = out
        engine.last_ns = perf_counter_ns()
        try:
            while True:
                served = fast.serve(c, parser)
                if served:
                    replies = fast.take()
                    out.append(replies)
                    gathered += len(replies) + served * _fast_cost
                    if gathered > _gather_max:
                        self._yield(c, out)
                        break
                args = parser.next()
                if args is None:
                    if parser.pos:  # an idle client holds no chunk, only what of a request isn't whole
                        parser.buf = parser.buf[parser.pos :]
                        parser.pos = 0
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
                if c.attention & _close or self.output.ended:
                    break
        except ProtocolError as failure:
            out.append(error(f"ERR Protocol error: {failure}"))
            c.end(Reason.PROTOCOL_ERROR, str(failure))
        c.out = None
        if out and not self.output.ended:
            self._flush(c, out)
        if c.attention & _close:
            self._do(self.output.end())

    def _yield(self, c: Session, out: list[bytes]) -> None:
        """Write what has gathered; go on after the other clients have had their turn."""
        if self.output.ended:
            return
        self._flush(c, out)
        if not self.output.stalled:
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
        if self.output.direct:
            self.transport.write(data)
        else:
            self._send(data)

    def resume(self) -> None:
        """Go on with requests that arrived meanwhile; or end, if the one that waited wanted that."""
        c = self.session
        if c is not None and c.attention & ATT_CLOSE and c.out is None:
            self._do(self.output.end())
        if c is None or self.output.ended or self.output.stalled or c.blocked is not None:
            return
        if c.out is None:
            self.read(True)
            asyncio.get_running_loop().call_soon(self._resume_soon)

    def _resume_soon(self) -> None:
        c = self.session
        if c is None or self.output.ended or self.output.stalled or c.blocked is not None:
            return
        self.read(True)
        self.serve()
        if self.server.watch is not None:
            self.server.watch.note(c)

    def buffered(self) -> int:
        """Bytes of requests received and not yet served."""
        return self.parser.buffered() + self.parser.gathered()

    def chunk_bytes(self) -> int:
        """Bytes of the last chunk read that stay until all of its requests are served."""
        return len(self.parser.buf)
