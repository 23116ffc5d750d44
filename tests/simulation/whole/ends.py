"""One end of a connection: bytes come late, in order, in parts, as far as the window lets them, or not at all.

A direction that is cut makes what is on the way wait and be tried again, as TCP does; a machine without power answers
nothing. An end is an asyncio.Transport for the program that has it.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulation.whole.loop import Process

if TYPE_CHECKING:
    from simulation.whole.world import World

WINDOW = 1 << 17
"""Bytes of one direction that both kernels hold together."""
SEGMENT = 1 << 16
RETRY_NS, RETRY_MAX_NS = 200_000_000, 1_600_000_000
FIN, RST = "FIN", "RST"
Piece = bytes | str


class End(asyncio.Transport):
    """See the module's text; here with the part of its kernel that serves it."""

    def __init__(self, world: World, process: Process, local: tuple[str, int], remote: tuple[str, int]) -> None:
        super().__init__(extra={"sockname": local, "peername": remote})
        self.peer: End
        self._world, self._loop, self._network = world, world.loop, world.network
        self.process = process
        self._way = (local[0], remote[0])
        self._label = f"{local}{remote}".encode()
        self._protocol: Any = None
        self._high, self._low = 64 * 1024, 16 * 1024
        self._out = bytearray()  # not yet taken by our kernel
        self._inbox = bytearray()  # taken by our kernel, not yet by our program
        self._flying = 0  # bytes that our kernel took and the peer's program hasn't read
        self._wire: deque[tuple[int, Piece]] = deque()  # on its way from us: when it arrives, and what
        self._travelling = False
        self._retry_ns = RETRY_NS
        self._reading = True
        self._eof_in = self._eof_told = False
        self._eof_wanted = self._eof_sent = False
        self._closing = self._closed = self._told = False
        self._full = self._feeding = False
        process.ends[self] = None

    # -- asyncio's contract -------------------------------------------------------------------------------------

    def begin(self, protocol: Any) -> None:
        """The program has the connection."""
        self._protocol = protocol
        protocol.connection_made(self)
        if self._closed:  # reset before it was accepted
            self._lose(_reset())
        self._feed_soon()

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._feed_soon()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        self._high, self._low = high, high // 4 if low is None else low
        self._judge()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return len(self._out)

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: Any) -> None:
        if self._closing or self._eof_wanted or not data:
            return
        self._out += data
        self._pump()
        self._judge()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        self._eof_wanted = True
        self._pump()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._pump()

    def abort(self) -> None:
        if not self._closed:
            self._closing = True
            self._out.clear()
            self._finish()

    # -- the kernel ---------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Give the kernel what it takes."""
        while self._out and self._flying < WINDOW and not self._closed:
            count = min(len(self._out), WINDOW - self._flying, SEGMENT)
            piece = bytes(self._out[:count])
            del self._out[:count]
            self._flying += count
            self._send(piece)
        if not self._out and not self._closed:
            if self._closing:
                self._finish()
            elif self._eof_wanted and not self._eof_sent:
                self._eof_sent = True
                self._send(FIN)

    def _judge(self) -> None:
        size = len(self._out)
        if not self._full and size > self._high:
            self._full = True
            self._protocol.pause_writing()
        elif self._full and size <= self._low and not self._closed:
            self._full = False
            self._protocol.resume_writing()

    def _room(self) -> None:
        """The peer has read."""
        self._pump()
        self._judge()

    def _finish(self) -> None:
        """The program has let go of the connection, and all was sent."""
        if not self._closed:
            self._closed = True
            self._send(RST if self._inbox else FIN)
            self._inbox.clear()
        self._lose(None)

    def _lose(self, failure: Exception | None) -> None:
        self._closing = self._closed = True
        self.process.ends.pop(self, None)
        if not self._told and self._protocol is not None:
            self._told = True
            self._loop.call_soon(self._protocol.connection_lost, failure, context=self.process.context)

    def vanish(self, silent: bool) -> None:
        """The process is gone: its kernel tells the peer, unless it is gone as well."""
        if not self._closed:
            self._closed = self._closing = self._told = True
            if silent:
                self._wire.clear()
            else:
                self._send(RST if self._inbox or self._protocol is None else FIN)
        self.process.ends.pop(self, None)

    def reset(self) -> None:
        """Something on the way ends the connection, for both ends."""
        for end in (self, self.peer):
            end._wire.clear()
            end._take(RST)

    def _send(self, what: Piece) -> None:
        network, wire = self._network, self._wire
        at_ns = self._loop.now_ns + network.delay_ns(*self._way)
        if wire and wire[-1][0] > at_ns:
            at_ns = wire[-1][0]
        if len(what) > 3 and self._world.rng.random() < network.split:
            cut = 1 + int(self._world.rng.random() * (len(what) - 1))
            wire.append((at_ns, what[:cut]))
            what, at_ns = what[cut:], at_ns + network.delay_ns(*self._way)
        wire.append((at_ns, what))
        if not self._travelling:
            self._travelling = True
            self._loop.after_ns(wire[0][0] - self._loop.now_ns, self._arrive)

    def _arrive(self) -> None:
        wire, loop = self._wire, self._loop
        if not wire:
            self._travelling = False
            return
        if self._way in self._network.cut or not self.peer.process.host.up:
            loop.after_ns(self._retry_ns, self._arrive)
            self._retry_ns = min(self._retry_ns * 2, RETRY_MAX_NS)
            return
        self._retry_ns = RETRY_NS
        what = wire.popleft()[1]
        if wire:
            loop.after_ns(max(0, wire[0][0] - loop.now_ns), self._arrive)
        else:
            self._travelling = False
        self._network.segments += 1
        self._world.trace(self._label, what)
        self.peer._take(what)

    def _take(self, what: Piece) -> None:
        """Something has reached our kernel."""
        if what is RST:
            self._inbox.clear()
            if not self._closed:
                self._closed = self._closing = True
                if self._protocol is not None:
                    self._loop.call_soon(self._lose, _reset(), context=self.process.context)
        elif self._closed:
            if what is not FIN:
                self._send(RST)
        elif what is FIN:
            self._eof_in = True
            self._feed_soon()
        else:
            self._inbox += what  # type: ignore[arg-type]
            self._feed_soon()

    def _feed_soon(self) -> None:
        if not self._feeding and self._protocol is not None and (self._inbox or self._eof_in):
            self._feeding = True
            self._loop.call_soon(self._feed, context=self.process.context)

    def _feed(self) -> None:
        """The program reads."""
        self._feeding = False
        if self._closing or not self._reading:
            return
        if self._inbox:
            data = bytes(self._inbox[:SEGMENT])
            del self._inbox[:SEGMENT]
            peer = self.peer
            peer._flying -= len(data)
            if peer._out:
                self._loop.call_later(
                    self._network.delay_ns(*self._way) / 1e9, peer._room, context=peer.process.context)
            self._protocol.data_received(data)
            self._feed_soon()
        elif self._eof_in and not self._eof_told:
            self._eof_told = True
            if not self._protocol.eof_received():
                self.close()


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
