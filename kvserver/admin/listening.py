"""Changing `port` and `bind` while running: clients that are connected stay, new ones use the new addresses.

The old sockets are closed first, as an address can't be bound beside a wildcard; when the new ones can't be
bound, the old ones are bound again and the change is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable

from kvserver.admin.context import NodeView
from kvserver.config import Config, ConfigError

Address = tuple[str, int]
_WILDCARDS = {"*": "0.0.0.0", "::*": "::"}
_TCP = (socket.AF_INET, socket.AF_INET6)


class Listening:
    """The TCP listeners of a node, as far as they change."""

    def __init__(self, node: NodeView) -> None:
        self._node = node
        self._opening: list[tuple[asyncio.Task[None], socket.socket]] = []

    def port_changed(self, config: Config) -> None:
        """Listen on another port, or refuse."""
        self._move(config, "Unable to listen on this port. Check server logs.")

    def addresses_changed(self, config: Config) -> None:
        """Listen on other addresses, or refuse."""
        self._move(config, "Failed to bind to specified addresses.")

    def _move(self, config: Config, refusal: str) -> None:
        backlog = config.tcp_backlog
        before = self._close()
        try:
            wanted = [(host, config.port) for host in config.bind] if config.port else []
            sockets = open_all(wanted, backlog)
        except OSError as error:
            self._node.log.warning("could not listen", error=str(error))
            self._serve(open_all(before, backlog))
            raise ConfigError(refusal) from None
        self._serve(sockets)
        self._node.port = config.port

    def _close(self) -> list[Address]:
        """Stop listening; returns where that was."""
        addresses: list[Address] = []
        for task, waiting in self._opening:
            if not task.done():
                task.cancel()
                addresses.append(waiting.getsockname()[:2])
                waiting.close()
        self._opening.clear()
        for listener in list(self._node.listeners):
            sockets = [sock for sock in getattr(listener, "sockets", ()) if sock.family in _TCP]
            if sockets:
                addresses += [sock.getsockname()[:2] for sock in sockets]
                listener.close()
                self._node.listeners.remove(listener)
        return addresses

    def _serve(self, sockets: Iterable[socket.socket]) -> None:
        for sock in sockets:
            self._opening.append((asyncio.ensure_future(self._accept(sock)), sock))

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._node.listeners.append(await loop.create_server(self._node.server.protocol, sock=sock))


def open_all(addresses: Iterable[Address], backlog: int) -> list[socket.socket]:
    """Listening sockets for all addresses; those marked with a dash may fail. Raises OSError, keeping none."""
    opened: list[socket.socket] = []
    try:
        for host, port in addresses:
            with contextlib.suppress(OSError) if host.startswith("-") else contextlib.nullcontext():
                opened.append(_open(_WILDCARDS.get(host.removeprefix("-"), host.removeprefix("-")), port, backlog))
    except OSError:
        for sock in opened:
            sock.close()
        raise
    return opened


def _open(host: str, port: int, backlog: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.create_server(address[:2], family=family, backlog=backlog)
    sock.setblocking(False)
    return sock
