"""The shell around connections on the TLS port, until their handshakes are over.

A connection is accepted without TLS and then raised to it, so that each handshake uses the context in force at
that moment. Until it is done the connection is no client yet: it has no session, counts as one towards
maxclients, and has `TIMEOUT_S` to finish.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

from kvserver.server import Server
from kvserver.tls import Tls

TIMEOUT_S = 10.0
"""For a handshake: three round trips at most, and a client on a bad line may lose packets."""
GOODBYE_S = 2.0
"""How long the other side may take to answer the end of a connection with its own."""


class Handshakes:
    """The handshakes under way on one node."""

    def __init__(self, server: Server, tls: Tls, log: Any) -> None:
        self._server = server
        self._tls = tls
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def protocol(self) -> asyncio.Protocol:
        """Create the protocol of a new connection (asyncio's protocol factory)."""
        return _Newcomer(self)

    def begin(self, newcomer: _Newcomer, transport: asyncio.Transport) -> None:
        """Start a handshake; beyond maxclients the connection is dropped, as nobody could read why."""
        server, context = self._server, self._tls.incoming
        if context is None or len(server.connections) + len(self._tasks) >= server.limits.maxclients:
            server.rejected += 1
            transport.abort()
            return
        transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._shake(newcomer, transport, context))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Drop those that aren't done."""
        for task in self._tasks:
            task.cancel()

    async def _shake(self, newcomer: _Newcomer, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        peer = transport.get_extra_info("peername")
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                newcomer,
                context,
                server_side=True,
                ssl_handshake_timeout=TIMEOUT_S,
                ssl_shutdown_timeout=GOODBYE_S,
            )
        except OSError as error:
            self._log.warning("TLS handshake failed", reason=str(error) or repr(error), peer=peer)
            transport.abort()
            return
        if secured is None or newcomer.gone:
            transport.abort()
            return
        self._server_takes(newcomer, secured)

    def _server_takes(self, newcomer: _Newcomer, transport: asyncio.Transport) -> None:
        """The handshake is done: the connection becomes a client's, with what it has sent already."""
        connection = self._server.protocol()
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if newcomer.held and not connection.closing:
            connection.data_received(b"".join(newcomer.held))


class _Newcomer(asyncio.Protocol):
    """A connection during its handshake, and for the moment between its end and the server's taking over."""

    def __init__(self, owner: Handshakes) -> None:
        self._owner = owner
        self.held: list[bytes] = []
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted."""
        self._owner.begin(self, cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Requests that came right behind the handshake."""
        self.held.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has given up."""
        self.gone = True
