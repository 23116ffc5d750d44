"""The shell around connections on the TLS port, until their handshakes are over.

Connections are accepted here, not by an asyncio server, so that each handshake uses the context in force at
that moment, is counted, and is logged when it fails. Until it is done the connection is no client yet: it has no
session, counts as one towards maxclients, and has `TIMEOUT_S` to finish.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from kvserver.client.reasons import Reason
from kvserver.client.server import Server
from kvserver.client.tls import Tls

TIMEOUT_S = 10.0
"""For a handshake: three round trips at most, and a client on a bad line may lose packets."""
GOODBYE_S = 2.0
"""How long the other side may take to answer the end of a connection with its own."""
BATCH = 64
"""Connections accepted in one turn of the loop."""
RETRY_S = 1.0
"""How long nothing is accepted after the system had no file or memory left for it."""


class TlsListener:
    """A listening socket; `begin` gets each connection."""

    def __init__(self, sock: socket.socket, begin: Callable[[socket.socket], None], log: Any) -> None:
        self.sockets = (sock,)
        self._sock = sock
        self._begin = begin
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._sock)
        if self._retry is not None:
            self._retry.cancel()
        self._sock.close()

    def _listen(self) -> None:
        self._retry = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log.error("could not accept a connection", error=str(error))
                self._loop.remove_reader(self._sock)
                self._retry = self._loop.call_later(RETRY_S, self._listen)
                return
            sock.setblocking(False)
            self._begin(sock)


class Handshakes:
    """The handshakes under way on one node."""

    def __init__(self, server: Server, tls: Tls, log: Any) -> None:
        self._server = server
        self._tls = tls
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, sock: socket.socket) -> TlsListener:
        """Accept connections from a listening socket that doesn't block."""
        return TlsListener(sock, self._begin, self._log)

    def stop(self) -> None:
        """Drop those that aren't done."""
        for task in self._tasks:
            task.cancel()

    def _begin(self, sock: socket.socket) -> None:
        """Start a handshake; beyond maxclients the connection is dropped, as nobody could read why."""
        server, context = self._server, self._tls.incoming
        if context is None or len(server.connections) + len(self._tasks) >= server.limits.maxclients:
            server.rejected += 1
            if context is not None:
                server.note_end(Reason.MAX_CLIENTS, "", None, _peer(sock))
            sock.close()
            return
        task = asyncio.get_running_loop().create_task(self._shake(sock, context))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _shake(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        peer = _peer(sock)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._server.protocol,
                sock,
                ssl=context,
                ssl_handshake_timeout=TIMEOUT_S,
                ssl_shutdown_timeout=GOODBYE_S,
            )
        except OSError as error:
            self._log.warning("TLS handshake failed", reason=str(error) or type(error).__name__, peer=peer)
            self._server.ended[Reason.TLS_ERROR] += 1


def _peer(sock: socket.socket) -> str:
    try:
        return ":".join(map(str, sock.getpeername()[:2]))
    except OSError:
        return "gone"
