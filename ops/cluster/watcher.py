"""Asks the processes of a cluster how they are, over RESP, and listens to the sentinels' events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ops.cluster.layout import HOST, Layout, Member
from ops.cluster.status import (
    ClusterStatus,
    NodeStatus,
    SentinelStatus,
    node_status,
    sentinel_status,
)

PATIENCE_S = 0.5
"""How long a process may take to answer before it is shown as silent."""
EVENTS_KEPT = 200
FAILURES = (OSError, RedisError, TimeoutError, ValueError)
T = TypeVar("T")


def client(member: Member) -> redis.asyncio.Redis:
    """A client for one process, without retries: a silent process is news, not a thing to wait for."""
    return redis.asyncio.Redis(
        host=HOST,
        port=member.port,
        protocol=2,
        decode_responses=True,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )


class Watcher:
    """Keeps one client per process, and the events of the sentinels."""

    def __init__(self, layout: Layout, pid_of: Callable[[Member], int]) -> None:
        self.layout = layout
        self.events: deque[str] = deque(maxlen=EVENTS_KEPT)
        self.on_event: list[Callable[[str, str, float], None]] = []
        """Called with channel, message and the time (perf_counter) of each event, once per sentinel."""
        self._pid_of = pid_of
        self._clients = {member.name: client(member) for member in layout.members()}
        self._listeners: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen for events."""
        self._listeners = [asyncio.create_task(self._listen(member)) for member in self.layout.sentinels]

    async def close(self) -> None:
        """Stop listening, close every connection."""
        for task in self._listeners:
            task.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)
        for each in self._clients.values():
            with contextlib.suppress(*FAILURES):
                await each.aclose()

    async def ping(self, member: Member) -> bool:
        """Whether a process answers."""
        try:
            return bool(await self._patiently(self._clients[member.name].execute_command("PING")))
        except FAILURES:
            return False

    async def status(self) -> ClusterStatus:
        """Ask all of them at once."""
        nodes = asyncio.gather(*(self._node(member) for member in self.layout.nodes))
        sentinels = asyncio.gather(*(self._sentinel(member) for member in self.layout.sentinels))
        return ClusterStatus(tuple(await nodes), tuple(await sentinels), tuple(self.events))

    async def _node(self, member: Member) -> NodeStatus:
        try:
            info: Mapping[str, Any] = await self._patiently(self._clients[member.name].info())
            return node_status(member, self._pid_of(member), info)
        except FAILURES:
            return NodeStatus(member)

    async def _sentinel(self, member: Member) -> SentinelStatus:
        request = ("SENTINEL", "MASTER", self.layout.service)
        try:
            reply = await self._patiently(self._clients[member.name].execute_command(*request))
            return sentinel_status(member, self._pid_of(member), _texts(reply))
        except FAILURES:
            return SentinelStatus(member)

    async def _patiently(self, work: Awaitable[T]) -> T:
        async with asyncio.timeout(2 * PATIENCE_S):
            return await work

    async def _listen(self, member: Member) -> None:
        """Hear everything that a sentinel publishes, for as long as we run; connect again when it is gone."""
        while True:
            with contextlib.suppress(*FAILURES):
                async with client(member).pubsub() as pubsub:
                    await pubsub.psubscribe("*")
                    while True:
                        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                        if message is not None:
                            self._heard(member, str(message["channel"]), str(message["data"]))
            await asyncio.sleep(0.2)

    def _heard(self, member: Member, channel: str, message: str) -> None:
        if channel.startswith("__sentinel__"):
            return
        self.events.append(f"{time.strftime('%H:%M:%S')} {member.name} {channel} {message}")
        for listener in self.on_event:
            listener(channel, message, time.perf_counter())


def _texts(reply: Any) -> dict[str, str]:
    """Make a mapping of a flat list of names and values, or of redis-py's parsed dictionary."""
    if isinstance(reply, dict):
        return {str(k): str(v) for k, v in reply.items()}
    return {str(k): str(v) for k, v in zip(reply[::2], reply[1::2], strict=False)}
