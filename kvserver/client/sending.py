# cython: boundscheck=False, wraparound=False
"""The sending half of a connection to a client, and its end: does what the `Output` (output.py) asks for.

Messages nobody waits for (pub/sub, MONITOR, the replication stream) can't be held back, so a client that exceeds
client-output-buffer-limit is disconnected.  Every end goes through `Sending.end`, with its `Reason` (reasons.py): the
first one counts, is logged, and says whether what is queued is still sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvserver.client import limits
from kvserver.client.output import ABORT, CLOSE, DRAIN, HOLD, RESUME, SOON, STOP, WRITE, Output, State
from kvserver.client.reasons import Reason
from kvserver.engine.command_table import row
from kvserver.engine.run.holds import Held
from kvserver.engine.run.session import ATT_CLOSE, Session

if TYPE_CHECKING:
    from kvserver.client.server import Server

POSTED_MAX = 1 << 14
"""Bytes of messages posted in a turn from which on the client's output limit is looked at."""

# C's copies of the constants, declared in the .pxd: a global of Python would be an object to look up and compare.
_write = WRITE
_hold = HOLD
_posted_max = POSTED_MAX
_data = row.SHOWS_DATA


class Sending:
    """The sending half of a connection, and its end: does what the `Output` asks for."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.engine = server.engine
        self.transport: Any = None
        self.session: Session | None = None
        self.output = Output()
        self.reason: Reason | None = None  # why it ends
        self.reading = True
        self.held_level = 0  # what those that wait wait for
        self.held_linear = False

    def _send(self, data: bytes) -> None:
        """Send what can't just be written, behind what is posted."""
        c = self.session
        if self.output.posted_bytes:
            data = self.output.take_posted() + data
        holds = self.server.holds
        offset = self.engine.log.offset
        # A replica's stream isn't held: it is part of what makes the log safe.
        exempt = c is None or c.kind == "replica"
        safe = exempt or not holds.on or offset <= holds.safe
        level, linear = 0, False
        if c is not None and c.did & _data and c.level and not exempt:
            level, linear = c.level, c.linear
            wanted = c.write_offset if c.local else offset
            safe = safe and not linear and wanted <= holds.reached(level)
            c.did = 0
        do = self.output.send(data, safe, exempt)
        if do == _write:
            self.transport.write(data)
            return
        if do & _write:
            self.transport.write(data)
        elif do & _hold:
            self._hold_back(data, offset, level, linear)
        else:
            limits.bound_output(self)
        self._do(do)

    def _hold_back(self, data: bytes, offset: int, level: int, linear: bool) -> None:
        """Hold back what isn't safe, or comes behind what isn't: then for no less than that waits for.

        What shows no data (level 0) waits for what is promised to everybody: a handshake for no majority that needs it.
        """
        c = self.session
        assert c is not None
        if self.output.held == 1:
            self.held_level, self.held_linear = level, linear
        else:
            self.held_level = max(self.held_level, level)
            self.held_linear = self.held_linear or linear
        if c.local and self.server.holds.safe >= offset:
            offset = c.write_offset
        held = Held(offset, self, data, self.held_level, self.engine.state.now_ms)
        self.server.holds.wait(held, self.held_linear)

    def regate(self) -> None:
        """What the session asks for has changed: look whether bytes have to be asked about."""
        c = self.session
        self.output.gate(self.server.holds.on or (c is not None and c.level > 0))

    def _turn_over(self) -> None:
        """Send what was posted in this turn, if nothing has taken it along."""
        if self.output.posted_bytes:
            self.server.writes += 1
            self._send(b"")

    def released(self, data: bytes) -> None:
        """What was held back is safe now; nothing, where all was given up before."""
        if not self.output.held:
            return
        do = self.output.released(data)
        if do & _write:
            self.transport.write(data)
        self._do(do)
        self._do(self.output.relax())

    def unsafe(self, text: bytes) -> None:
        """Nothing of what was held back will be safe: say so in its place, and end; once, whoever else says it."""
        if self.output.state == State.GONE or not self.output.held:
            return
        if self.reason is None:
            self._note(Reason.UNSAFE, "")
        do = self.output.fail()
        self._do(do & DRAIN)
        self.transport.write(text)
        self._do(do & ~DRAIN)

    def _do(self, do: int) -> None:
        """Do what the output asks for, writing apart: that is for who has the bytes."""
        if do & DRAIN:
            while (data := self.output.take()) is not None:
                self.transport.write(data)
        if do & CLOSE:
            self.transport.close()
        if do & ABORT:
            self.transport.abort()
        if do & STOP:
            self.read(False)
        if do & RESUME:
            self.resume()

    def resume(self) -> None:
        """Go on with requests that arrived meanwhile."""

    def write(self, data: bytes) -> None:
        """Send bytes that are no reply to the request being served."""
        output = self.output
        if output.ended or not data:
            return
        self.server.net_out += len(data)
        if self.session is not None:
            self.session.bytes_out += len(data)
        if self.session is not None and self.session.kind == "replica":
            self.server.net_repl_out += len(data)
            self.server.writes += 1
            self._send(data)  # the stream comes once a turn anyway
        elif output.posts():
            if output.post(data) & SOON:
                asyncio.get_running_loop().call_soon(self._turn_over)
        else:
            self.server.writes += 1
            self._send(data)
        if output.full or output.stalled or output.posted_bytes > _posted_max:
            limits.check_output(self)
        if self.server.watch is not None and self.session is not None:
            self.server.watch.note(self.session)

    def end(self, reason: Reason, detail: str = "", own: bool = False, later: bool = False) -> None:
        """End the connection; `own` when the client's own request does it.

        What is queued is sent or dropped, as the reason says. `later`: the session is forgotten as the loop comes
        round, not at once, since the caller may be walking over sessions.
        """
        sends = reason.sends(own)
        if self.output.ended and (sends or self.output.state == State.GONE):
            return
        if self.reason is None:
            self._note(reason, detail)
        c = self.session
        if sends:
            if c is not None:
                c.attention |= ATT_CLOSE
                if own or c.out is not None:
                    return  # its reply comes first: see `serve` and `resume`
            self._do(self.output.end())
            return
        self._do(self.output.drop())
        if c is not None and c.kind == "replica":
            return  # the feeder walks over its replicas; the transport tells soon
        if later:
            asyncio.get_running_loop().call_soon(self._forget)  # with TLS the transport tells late
        else:
            self._forget()

    def _note(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        peer = "" if self.session is not None else limits.peer_of(self.transport)
        self.server.note_end(reason, detail, self.session, peer)

    def _forget(self) -> None:
        c = self.session
        if c is not None:
            self.session = None
            self.server.connections.pop(c.id, None)
            self.engine.close_session(c)

    def pending_bytes(self) -> int:
        """Bytes written, or held back, that the peer hasn't taken."""
        return int(self.transport.get_write_buffer_size()) + self.output.unsent()

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
