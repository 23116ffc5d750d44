"""Connections to the targets of MIGRATE, kept for a while for the next request to the same one.

A connection is kept under the credentials it was opened with, and nobody else's request is sent over it.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

MOST = 64
IDLE_S = 10.0

Target = tuple[str, int, tuple[bytes, ...]]
"""Host, port, credentials."""


@dataclass(slots=True)
class Link:
    """An open connection. `db` is the database it stands at, -1 before the first SELECT."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    fresh: bool = True
    db: int = -1
    timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Hang up."""
        if self.timer is not None:
            self.timer.cancel()
        self.writer.close()


class Links:
    """The connections that are kept, one a target. Whoever uses one takes it out."""

    def __init__(self) -> None:
        self._kept: dict[Target, Link] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, target: Target) -> Link | None:
        """A kept connection, if there is one that the target hasn't closed."""
        link = self._kept.pop(target, None)
        if link is None:
            return None
        if link.timer is not None:
            link.timer.cancel()
        if link.reader.at_eof() or link.writer.transport.is_closing():
            link.close()
            return None
        link.fresh = False
        return link

    async def open(self, target: Target, tls: ssl.SSLContext | None, timeout_s: float) -> Link:
        """A new connection. Raises OSError or TimeoutError."""
        host, port, _ = target
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        return Link(reader, writer)

    def keep(self, target: Target, link: Link) -> None:
        """Keep a connection that is good for another request; the oldest gives way."""
        if target in self._kept:
            link.close()
            return
        if len(self._kept) >= MOST:
            self._drop(next(iter(self._kept)))
        self._kept[target] = link
        link.timer = asyncio.get_running_loop().call_later(IDLE_S, self._drop, target)

    def _drop(self, target: Target) -> None:
        link = self._kept.pop(target, None)
        if link is not None:
            link.close()

    async def close(self) -> None:
        """Close all; the node stops."""
        for target in list(self._kept):
            self._drop(target)
