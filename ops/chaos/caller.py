"""A client that knows exactly what it doesn't know: RESP on one connection, and who leads, asked of the sentinels."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import hiredis

from ops.chaos.places import SERVICE
from ops.chaos.workloads import Command, is_refusal

Address: TypeAlias = tuple[str, int]

CONNECT_S = 0.3
SENTINEL_S = 0.3
FRESH_S = 0.5
"""For so long after a sentinel told of a switch the others may not know yet."""
AGAIN_S = 0.02
"""Between two attempts to find out who leads."""
CHUNK = 1 << 16


class NotSent(Exception):
    """There was no connection on which the request could have been sent."""


class Refused(Exception):
    """The request did not run; the server said so."""


class Unheard(Exception):
    """Nobody knows whether the request ran, or will run."""


class Link:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = hiredis.Reader(encoding="utf-8")

    @staticmethod
    async def dial(to: Address, local: str, patience_s: float = CONNECT_S) -> Link:
        """Connect from a local address ("" = any). Raises OSError, TimeoutError."""
        async with asyncio.timeout(patience_s):
            return Link(*await asyncio.open_connection(*to, local_addr=(local, 0) if local else None))

    async def ask(self, commands: Sequence[Command], patience_s: float) -> list[Any]:
        """Send all at once, return all replies; errors are replies, too. Raises OSError, TimeoutError."""
        self._writer.write(b"".join(_packed(command) for command in commands))
        async with asyncio.timeout(patience_s):
            return [await self.hear() for _ in commands]

    async def hear(self) -> Any:
        """The next reply. Raises OSError."""
        while (reply := self._parser.gets()) is False:
            data = await self._reader.read(CHUNK)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self._parser.feed(data)
        return reply

    def close(self) -> None:
        """Drop it."""
        self._writer.transport.abort()


def _packed(command: Command) -> bytes:
    words: Any = command
    packed: bytes = hiredis.pack_command(words)
    return packed


@dataclass
class Finder:
    """Who leads, as the sentinels say: asked one after the other, and heard as they tell of a switch."""

    sentinels: Sequence[Address]
    local: str
    callers: list[Caller] = field(default_factory=list)
    """Those whose connections are dropped when another leads."""
    _told: Address | None = None
    _told_s: float = 0.0

    async def primary(self) -> Address:
        """What was told a moment ago, else the address that the first sentinel to answer gives. Raises NotSent."""
        if self._told is not None and time.monotonic() - self._told_s < FRESH_S:
            return self._told
        for sentinel in self.sentinels:
            with contextlib.suppress(OSError, TimeoutError):
                link = await Link.dial(sentinel, self.local, SENTINEL_S)
                try:
                    (reply,) = await link.ask([("SENTINEL", "get-master-addr-by-name", SERVICE)], SENTINEL_S)
                finally:
                    link.close()
                if isinstance(reply, list):
                    return str(reply[0]), int(reply[1])
        raise NotSent("no sentinel answers")

    async def listen(self, sentinel: Address) -> None:
        """Hear of switches, for as long as we run."""
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                link = await Link.dial(sentinel, self.local, SENTINEL_S)
                try:
                    await link.ask([("SUBSCRIBE", "+switch-master")], SENTINEL_S)
                    while True:
                        _, _, message = await link.hear()
                        self._switched((message.split()[3], int(message.split()[4])))
                finally:
                    link.close()
            await asyncio.sleep(SENTINEL_S)

    def _switched(self, leads: Address) -> None:
        self._told, self._told_s = leads, time.monotonic()
        for caller in self.callers:
            if caller.address not in (None, leads):
                caller.drop()


class Caller:
    """One client: connects where the primary is, and goes elsewhere when it must; or to `home`, always."""

    def __init__(
        self, finder: Finder, setup: Sequence[Command], patience_s: float, clings_s: float,
        home: Address | None = None,
    ) -> None:  # fmt: skip
        self._finder = finder
        self._setup = setup
        self._patience_s = patience_s
        self._clings_s = clings_s
        self._home = home
        self._link: Link | None = None
        self._trying: Link | None = None
        self._served_s = 0.0
        self.address: Address | None = None
        """Where it is connected, or tried to be."""
        if not clings_s and home is None:
            finder.callers.append(self)

    def drop(self) -> None:
        """Close the connection; what waits for a reply will not hear it."""
        for link in (self._link, self._trying):
            if link is not None:
                link.close()
        self._link = self._trying = None

    async def connect(self) -> None:
        """Have a connection to a node that says that it leads, or to `home`. Raises NotSent."""
        if self._link is not None:
            return
        clings = time.monotonic() - self._served_s < self._clings_s
        to = self._home or (self.address if clings else None) or await self._finder.primary()
        self.address = to
        try:
            self._trying = link = await Link.dial(to, self._finder.local)
        except (OSError, TimeoutError) as failure:
            raise NotSent(repr(failure))
        try:
            role, *replies = await link.ask([("ROLE",), *self._setup], self._patience_s)
        except (OSError, TimeoutError) as failure:
            link.close()
            raise NotSent(repr(failure))
        finally:
            self._trying = None
        wrong = next((str(reply) for reply in replies if isinstance(reply, hiredis.ReplyError)), "")
        if wrong or not isinstance(role, list) or (role[0] != "master" and self._home is None):
            link.close()
            raise NotSent(wrong or f"no primary: {role}")
        self._link = link

    async def call(self, commands: Sequence[Command]) -> Any:
        """Send commands on the connection; the last reply. Raises Refused, Unheard."""
        link = self._link
        assert link is not None, "not connected"
        try:
            reply = (await link.ask(commands, self._patience_s))[-1]
        except (OSError, TimeoutError) as failure:
            self.drop()
            raise Unheard(repr(failure))
        if isinstance(reply, hiredis.ReplyError):
            if not self._clings_s:
                self.drop()
            raise Refused(str(reply)) if is_refusal(str(reply)) else Unheard(str(reply))
        self._served_s = time.monotonic()
        return reply
