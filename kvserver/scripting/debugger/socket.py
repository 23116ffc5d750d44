"""The debugger's socket, read and written while the script holds the loop."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from kvserver.client.server import Server
from kvserver.client.sockets import duplicate
from kvserver.doors import Clock
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError

CHUNK = 4096
SEND_LIMIT_S = 5.0
"""How long a peer may take to accept an answer."""
IDLE_LIMIT_S = 600.0
"""How long a peer may think: after that the script runs on as if the peer had gone."""
LOOK_S = 0.05
"""How often the rest of the server is looked after meanwhile."""


class DebugSocket:
    """A client's socket, for as long as its script is debugged."""

    def __init__(self, sock: socket.socket, ended: Callable[[], bool], clock: Clock) -> None:
        self._clock = clock
        self._sock = sock
        self._ended = ended
        self._gone = False

    def send(self, data: bytes) -> None:
        """Send bytes; a peer that doesn't take them in time counts as gone."""
        deadline = self._clock.monotonic() + SEND_LIMIT_S
        view = memoryview(data)
        while view and not self._gone:
            left = deadline - self._clock.monotonic()
            if left <= 0 or not select.select((), (self._sock,), (), left)[1]:
                self._gone = True
                return
            try:
                view = view[self._sock.send(view) :]
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                self._gone = True

    def receive(self) -> bytes:
        """Wait for bytes; none when the peer has gone or thinks for too long, or the script must end."""
        deadline = self._clock.monotonic() + IDLE_LIMIT_S
        while not self._gone and self._clock.monotonic() < deadline:
            if select.select((self._sock,), (), (), LOOK_S)[0]:
                try:
                    data = self._sock.recv(CHUNK)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    data = b""
                self._gone = not data
                return data
            elif self._ended():
                return b""
        self._gone = True
        return b""

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()


def open_socket(server: Server, ended: Callable[[], bool], c: Session) -> DebugSocket:
    """Take a client's socket from the loop.

    Raises:
        CommandError: it can't be had: it is encrypted, or other replies are on their way through it.
    """
    connection = server.connections.get(c.id)
    if connection is None or c.no_block:
        raise CommandError("ERR a script can't be debugged here")
    transport = connection.transport
    sock = transport.get_extra_info("socket")
    if sock is None:
        raise CommandError("ERR a script can't be debugged here")
    if transport.get_extra_info("ssl_object") is not None:
        raise CommandError("ERR the Lua debugger needs a connection without TLS: it reads the socket itself")
    if c.out or transport.get_write_buffer_size():
        raise CommandError("ERR a script can't be debugged in a pipeline")
    return DebugSocket(duplicate(sock), ended, c.engine.services.clock)
