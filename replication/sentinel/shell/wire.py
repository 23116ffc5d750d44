"""The shell around one outgoing connection to a node or a peer: bytes out, replies and endings in."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Protocol, cast

from kvserver.wire.resp import encode_request
from replication.sentinel.mind.messages import (
    Cause,
    Closed,
    Event,
    Heard,
    Opened,
    Replied,
    Reply,
    ReplyError,
    Send,
)
from replication.sentinel.mind.replies import BadReply, ReplyParser
from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Lane
from replication.sentinel.world.world import HELLO_CHANNEL


class Take(Protocol):
    """Where events go."""

    def __call__(self, event: Event) -> object:
        """Give the decisions an event."""


class Outgoing(asyncio.Protocol):
    """One attempt to connect, and the connection that comes of it. Tells its end exactly once."""

    def __init__(self, link: int, lane: Lane, take: Take, tls: ssl.SSLContext | None = None) -> None:
        self._link = link
        self._lane = lane
        self._take = take
        self._tls = tls
        self._parser = ReplyParser()
        self._due: deque[Send] = deque()
        self._transport: asyncio.Transport | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._over = False

    def connect(self, address: Address, source: str | None) -> None:
        """Begin to connect, from the local address `source` if there is one."""
        self._attempt = asyncio.get_running_loop().create_task(self._connect(address, source))

    async def _connect(self, address: Address, source: str | None) -> None:
        local = (source, 0) if source else None
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self, address.ip, address.port, local_addr=local, ssl=self._tls)
        except ConnectionRefusedError as error:
            self._end(Cause.REFUSED, str(error))
        except OSError as error:
            self._end(Cause.UNREACHABLE, str(error))

    def send(self, request: Send) -> None:
        """Write a request, if the connection stands; its reply is told as the request's."""
        if self._transport is not None and not self._over:
            self._due.append(request)
            self._transport.write(encode_request(list(request.args)))

    def abandon(self) -> None:
        """Close, without a word to the decisions, who wanted it so."""
        self._over = True
        if self._attempt is not None:
            self._attempt.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _end(self, cause: Cause, detail: str) -> None:
        if not self._over:
            self._over = True
            self._take(Closed(self._link, self._lane, cause, detail))

    # asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands: tell so, with our own address on it."""
        self._transport = cast(asyncio.Transport, transport)
        if self._over:
            self._transport.abort()
            return
        name = transport.get_extra_info("sockname")
        self._take(Opened(self._link, self._lane, str(name[0]) if isinstance(name, tuple) else ""))

    def data_received(self, data: bytes) -> None:
        """Replies came, whole or in parts; nonsense ends the connection."""
        self._parser.feed(data)
        try:
            while not self._over and (found := self._parser.next()) is not None:
                self._received(found[0])
        except BadReply as error:
            self._drop(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended: tell so, unless that was our wish."""
        self._end(Cause.LOST, str(exc or "closed by the other side"))

    def _drop(self, reason: str) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end(Cause.LOST, reason)

    def _received(self, reply: Reply) -> None:
        if self._lane is Lane.PUBSUB:
            self._pushed(reply)
        elif self._due:
            request = self._due.popleft()
            self._take(Replied(self._link, request.request, request.group, reply, request.tag))
        else:
            self._drop("a reply that nobody asked for")

    def _pushed(self, reply: Reply) -> None:
        match reply:
            case [b"message", channel, bytes(payload)] if channel == HELLO_CHANNEL:
                self._take(Heard(self._link, payload))
            case ReplyError(text) if text.startswith(("NOAUTH", "NOPERM")):
                self._drop(text)
            case _:
                self._take(Heard(self._link, None))
