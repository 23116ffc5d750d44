"""Clients of a server that are to see how their connections end: plain ones, which tell all that comes back."""

from __future__ import annotations

import contextlib

from support.servers import Server
from support.waiting import wait_until

OPEN = b"(open)"
"""Stands for the end of a connection that isn't ended."""
SECONDS = 5.0


class Link:
    """A plain connection that sends bytes, and tells all that comes back."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sock = server.connect(SECONDS)
        self.id = int(self.ask(b"CLIENT ID\r\n")[1:])

    def send(self, *requests: bytes) -> None:
        """Send inline requests as one chunk."""
        self.sock.sendall(b"".join(request + b"\r\n" for request in requests))

    def ask(self, data: bytes) -> bytes:
        """Send bytes, return a reply that is one line."""
        self.sock.sendall(data)
        return self.line()

    def line(self) -> bytes:
        """Read a line."""
        data = b""
        while not data.endswith(b"\r\n"):
            byte = self.sock.recv(1)
            assert byte, f"ended after {data!r}"
            data += byte
        return data

    def seen(self) -> bytes:
        """All that comes until the connection ends; `OPEN` behind it if it doesn't."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            try:
                while chunk := self.sock.recv(65536):
                    data += chunk
            except TimeoutError:
                return data + OPEN
        return data

    def answers(self) -> bytes:
        """What comes up to the answer to a PING; the connection is alive."""
        self.sock.sendall(b"PING\r\n")
        data = b""
        while not data.lower().endswith((b"+pong\r\n", b"pong\r\n$0\r\n\r\n")):
            chunk = self.sock.recv(65536)
            if not chunk:
                return data + b"(ended)"
            data += chunk
        return data + OPEN

    def blocked(self) -> Link:
        """Wait until its request waits."""
        admin = self.server.client()
        wait_until(lambda: b" flags=b " in admin.execute_command("CLIENT", "LIST", "ID", self.id, NEVER_DECODE=True))
        return self


class Pair:
    """A server, and clients of it."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def link(self, *requests: bytes) -> Link:
        """A new client that has sent some requests."""
        link = Link(self.server)
        if requests:
            link.send(*requests)
        return link

    def waiting(self, request: bytes) -> Link:
        """A new client that waits in a blocking command."""
        return self.link(request).blocked()

    def subscriber(self) -> Link:
        """A new client that has subscribed to `ch`."""
        link = self.link(b"SUBSCRIBE ch")
        for _ in range(6):
            link.line()
        return link

    def do(self, *requests: bytes) -> bytes:
        """Requests in one chunk on a connection of their own; what comes back until QUIT is answered."""
        return self.link(*requests, b"QUIT").seen()
