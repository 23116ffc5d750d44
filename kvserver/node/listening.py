"""Changing `port`, `tls-port` and `bind` while running: clients that are connected stay, new ones use the new
addresses.

The old sockets are closed first, as an address can't be bound beside a wildcard; when the new ones can't be
bound, the old ones are bound again and the change is refused.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from kvserver.admin.context import NodeView
from kvserver.config import Config, ConfigError
from kvserver.doors import Sockets
from kvserver.node.opening import Address, open_all

Listener = Any
"""What has `sockets` and `close()`: an asyncio.Server or a TlsListener."""
Listen = Callable[[socket.socket], Awaitable[Listener]]
_TCP = (socket.AF_INET, socket.AF_INET6)

CANT_LISTEN = "Unable to listen on this port. Check server logs."


class Listening:
    """The TCP listeners of a node, with and without TLS, as far as they change."""

    def __init__(self, node: NodeView) -> None:
        self._node = node
        self._plain = _Listeners(node.log, node.services.doors.sockets, node.listeners, self._listen)
        self._secure = _Listeners(node.log, node.services.doors.sockets, node.tls_listeners, node.handshakes.listen)

    async def _listen(self, sock: socket.socket) -> asyncio.AbstractServer:
        server, backlog = self._node.server, self._node.config.tcp_backlog
        return await asyncio.get_running_loop().create_server(server.protocol, sock=sock, backlog=backlog)

    def port_changed(self, config: Config) -> None:
        """Listen on another port, or refuse."""
        self._plain.move(config, config.port, CANT_LISTEN)
        self._node.port = config.port

    def tls_port_changed(self, config: Config) -> None:
        """Listen for TLS on another port, or refuse."""
        self._node.tls.reconfigure(config)
        self._secure.move(config, config.tls_port, CANT_LISTEN)

    def addresses_changed(self, config: Config) -> None:
        """Listen on other addresses, or refuse."""
        refusal = "Failed to bind to specified addresses."
        before = self._plain.move(config, config.port, refusal)
        try:
            self._secure.move(config, config.tls_port, refusal)
        except ConfigError:
            self._plain.close()
            self._plain.serve(open_all(self._node.services.doors.sockets, before, config.tcp_backlog))
            raise


class _Listeners:
    """Those of one port. `listen` accepts connections from a socket."""

    def __init__(self, log: Any, sockets: Sockets, listeners: list[Any], listen: Listen) -> None:
        self._log = log
        self._sockets = sockets
        self._listeners = listeners
        self._listen = listen
        self._opening: list[tuple[asyncio.Task[None], socket.socket]] = []

    def move(self, config: Config, port: int, refusal: str) -> list[Address]:
        """Listen on `port` (0: on none) of the addresses of `bind`; return where it was before.

        Raises ConfigError when one can't be bound; those of before are then listened on again.
        """
        backlog = config.tcp_backlog
        before = self.close()
        try:
            sockets = open_all(self._sockets, [(host, port) for host in config.bind] if port else [], backlog)
        except OSError as error:
            self._log.warning("could not listen", error=str(error), port=port)
            self.serve(open_all(self._sockets, before, backlog))
            raise ConfigError(refusal) from None
        self.serve(sockets)
        return before

    def close(self) -> list[Address]:
        """Stop listening; returns where that was."""
        addresses: list[Address] = []
        for task, waiting in self._opening:
            if not task.done():
                task.cancel()
                addresses.append(waiting.getsockname()[:2])
                waiting.close()
        self._opening.clear()
        for listener in list(self._listeners):
            sockets = [sock for sock in getattr(listener, "sockets", ()) if sock.family in _TCP]
            if sockets:
                addresses += [sock.getsockname()[:2] for sock in sockets]
                listener.close()
                self._listeners.remove(listener)
        return addresses

    def serve(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections from listening sockets."""
        for sock in sockets:
            self._opening.append((asyncio.ensure_future(self._accept(sock)), sock))

    async def _accept(self, sock: socket.socket) -> None:
        self._listeners.append(await self._listen(sock))
