"""The connection of a replica to its primary: lines, bytes, and an end that the primary hears of at once (a shell)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl

from kvserver.doors import Clock

READ_MAX = 1 << 16
LINE_MAX = 1 << 12


class LinkError(Exception):
    """An attempt ended; `soon` when the primary said that it will be ready shortly."""

    def __init__(self, reason: str, soon: bool = False) -> None:
        super().__init__(reason)
        self.soon = soon


class Wire:
    """An open connection. `io_at_s`: when bytes last came (monotonic seconds)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock) -> None:
        self._clock = clock
        self.io_at_s = self._clock.monotonic()
        self._reader = reader
        self._writer = writer

    async def line(self) -> bytes:
        """The next line, without its end. Raises LinkError when it doesn't end, or the connection did."""
        line = await self._reader.readline()
        self.io_at_s = self._clock.monotonic()
        if not line.endswith(b"\n"):
            raise LinkError("connection closed during the handshake")
        if len(line) > LINE_MAX:
            raise LinkError("endless line during the handshake")
        return line.rstrip(b"\r\n")

    async def read(self) -> bytes:
        """The next bytes, at least one. Raises LinkError at the end."""
        data = await self._reader.read(READ_MAX)
        if not data:
            raise LinkError("connection closed by the primary", soon=True)
        self.io_at_s = self._clock.monotonic()
        return data

    def write(self, data: bytes) -> None:
        """Send, if the connection stands."""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    def cut(self) -> None:
        """Drop the connection; the primary hears of it even if our loop stands still from now on."""
        fileno = self.fileno()
        if fileno >= 0:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fileno)) as connection:
                connection.shutdown(socket.SHUT_RDWR)
        self._writer.transport.abort()

    def fileno(self) -> int:
        """The connection's file descriptor, -1 when it is closed."""
        sock = self._writer.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())


async def dial(
    host: str, port: int, source: str, tls: ssl.SSLContext | None, timeout_s: float, clock: Clock
) -> Wire:
    """Connect, from the address `source` if one is given. Raises OSError, or TimeoutError after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        local = (source, 0) if source else None
        return Wire(*await asyncio.open_connection(host, port, limit=READ_MAX, local_addr=local, ssl=tls), clock)
