"""Serves sockets while the event loop can't, because a script holds it (see busy.py).

The loop isn't re-entrant, so for that time the sockets are watched and read here.  A connection that the loop has
gets a transport that writes past the loop's; one that is accepted here is handed to the loop at the end.
Connections with TLS have to wait: their bytes can't be read without the loop's own state.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
from collections.abc import Callable, Iterable
from typing import Any

from kvserver.client.connection import Connection
from kvserver.client.server import Server
from kvserver.client.sockets import duplicate
from kvserver.engine.run.session import Session

CHUNK = 1 << 16


class Direct:
    """A transport that writes at once; what the socket doesn't take goes the loop's way."""

    def __init__(self, sock: socket.socket, real: Any) -> None:
        self.sock = sock
        self.real = real  # None: the loop doesn't know the connection yet
        self.unsent = bytearray()
        self.closing = False

    def write(self, data: bytes) -> None:
        """Send bytes, in order."""
        if self.real is not None and self.real.get_write_buffer_size():
            self.real.write(data)
            return
        sent = 0
        if not self.unsent:
            with contextlib.suppress(OSError):
                sent = self.sock.send(data)
        if sent < len(data):
            if self.real is not None:
                self.real.write(data[sent:])
            else:
                self.unsent += data[sent:]

    def close(self) -> None:
        """End the connection."""
        self.closing = True
        if self.real is not None:
            self.real.close()

    abort = close

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self.closing or (self.real is not None and bool(self.real.is_closing()))

    def get_write_buffer_size(self) -> int:
        """Bytes not sent yet."""
        return len(self.unsent) + (self.real.get_write_buffer_size() if self.real is not None else 0)

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing: it tells nobody that it is full."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell about the socket."""
        if self.real is not None:
            return self.real.get_extra_info(name, default)
        if name == "socket":
            return self.sock
        if name in ("peername", "sockname"):
            with contextlib.suppress(OSError):
                return self.sock.getpeername() if name == "peername" else self.sock.getsockname()
        return default

    def pause_reading(self) -> None:
        """Stop reading."""
        if self.real is not None:
            self.real.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self.real is not None:
            self.real.resume_reading()


class Pump:
    """The sockets of one node, for as long as a script is slow."""

    def __init__(self, server: Server, listeners: Callable[[], Iterable[asyncio.AbstractServer]]) -> None:
        self._server = server
        self._listeners = listeners
        self._selector: selectors.BaseSelector | None = None
        self._taken: dict[Connection, Direct] = {}

    def serve(self, besides: Session) -> None:
        """Serve what has arrived from all clients but one."""
        selector = self._selector
        if selector is None:
            selector = self._begin(besides)
        for key, _ in selector.select(0):
            connection = key.data
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if connection is None:
                self._accept(selector, sock)
            else:
                self._read(selector, sock, connection)

    def _begin(self, besides: Session) -> selectors.BaseSelector:
        selector = self._selector = selectors.DefaultSelector()
        for listener in self._listeners():
            for known in getattr(listener, "sockets", ()):
                if getattr(listener, "_ssl_context", None) is None:
                    selector.register(duplicate(known), selectors.EVENT_READ, None)
        for connection in list(self._server.connections.values()):
            transport = connection.transport
            known = transport.get_extra_info("socket")
            encrypted = transport.get_extra_info("ssl_object") is not None
            if connection.session is besides or encrypted or known is None or not connection.reading:
                continue
            output = connection.output
            if output.ended or output.stalled or output.full:
                continue
            direct = Direct(duplicate(known), transport)
            connection.transport = direct
            self._taken[connection] = direct
            selector.register(direct.sock, selectors.EVENT_READ, connection)
        return selector

    def _accept(self, selector: selectors.BaseSelector, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        connection = self._server.protocol()
        direct = Direct(sock, None)
        connection.connection_made(direct)
        if connection.output.ended:
            sock.close()
            return
        self._taken[connection] = direct
        selector.register(sock, selectors.EVENT_READ, connection)

    def _read(self, selector: selectors.BaseSelector, sock: socket.socket, connection: Connection) -> None:
        try:
            data = sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            connection.data_received(data)
        if not data or connection.output.ended:
            selector.unregister(sock)
            direct = self._taken.pop(connection)
            connection.transport = direct.real or direct
            sock.close()
            if connection.session is not None:
                connection.connection_lost(None)
            direct.close()

    def finish(self) -> None:
        """Give everything back to the loop."""
        selector, self._selector = self._selector, None
        taken, self._taken = self._taken, {}
        if selector is not None:
            for key in list(selector.get_map().values()):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if key.data is None or taken[key.data].real is not None:
                    sock.close()
            selector.close()
        for connection, direct in taken.items():
            if direct.real is not None:
                connection.transport = direct.real
            else:
                _Handover(connection, direct).begin()


class _Handover(asyncio.Protocol):
    """Gives a connection that was accepted here to the loop."""

    def __init__(self, connection: Connection, direct: Direct) -> None:
        self.connection = connection
        self.direct = direct

    def begin(self) -> None:
        """Have the loop take the socket."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(lambda: self, self.direct.sock))
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None and self.connection.session is not None:
            self.connection.connection_lost(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has the socket."""
        connection = self.connection
        connection.transport = transport
        if self.direct.unsent:
            connection.transport.write(bytes(self.direct.unsent))
        transport.set_protocol(connection)  # type: ignore[arg-type]
