"""The shell around the system's resolver: the only place where a sentinel waits for the address of a name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from replication.sentinel.mind.messages import Resolved
from replication.sentinel.world.address import literal
from replication.sentinel.world.world import World


def look_up_at_once(world: World, host: str) -> Resolved | None:
    """What came of looking up a host name that an operator wrote; None if it needs none, or names aren't allowed.

    Waits for the resolver: at the start, and in SENTINEL MONITOR, as Redis does.
    """
    if not world.resolve_hostnames or literal(host) is not None:
        return None
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Resolved(host, None)
    return Resolved(host, str(found[0][4][0]))


class Resolver:
    """Looks names up beside the event loop's work, and hands `take` what came of each."""

    def __init__(self, take: Callable[[Resolved], object]) -> None:
        self._take = take
        self._tasks: set[asyncio.Task[None]] = set()

    def look_up(self, host: str) -> None:
        """Begin; the answer comes later, also if there is no such host."""
        task = asyncio.get_running_loop().create_task(self._look_up(host))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Nothing is told any more."""
        for task in self._tasks:
            task.cancel()

    async def _look_up(self, host: str) -> None:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            self._take(Resolved(host, None))
        else:
            self._take(Resolved(host, str(found[0][4][0])))
