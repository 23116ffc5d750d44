"""How connections begin: an attempt, and what listens where it goes."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulation.whole.ends import RETRY_MAX_NS, RETRY_NS, End
from simulation.whole.loop import Process, owner

if TYPE_CHECKING:
    from simulation.whole.world import World

SYN_RETRY_NS, SYN_LIMIT_NS = 1_000_000_000, 127_000_000_000


class Attempt:
    """A connection that begins; `future` is our end, or an OSError."""

    def __init__(self, world: World, process: Process, ip: str, port: int) -> None:
        self.future: asyncio.Future[End] = world.loop.create_future()
        self._world, self._process, self._ip, self._port = world, process, ip, port
        self._source = process.host.ip
        self._local = (self._source, process.host.next_port())
        self._began_ns = world.loop.now_ns
        world.loop.after_ns(world.network.delay_ns(self._source, ip), self._syn, SYN_RETRY_NS)

    def _wanted(self) -> bool:
        return not self.future.done() and self._process.alive

    def _syn(self, retry_ns: int) -> None:
        world, loop = self._world, self._world.loop
        if not self._wanted():
            return
        target = world.hosts.get(self._ip)
        if target is None or not target.up or (self._source, self._ip) in world.network.cut:
            if loop.now_ns - self._began_ns > SYN_LIMIT_NS:
                self._tell(TimeoutError(errno.ETIMEDOUT, f"Connect call failed ('{self._ip}', {self._port})"))
            else:
                loop.after_ns(retry_ns, self._syn, retry_ns * 2)
            return
        listener = target.listeners.get(self._port)
        if listener is None:
            refusal = f"Connect call failed ('{self._ip}', {self._port})"
            self._answer(ConnectionRefusedError(errno.ECONNREFUSED, refusal))
            return
        remote = (self._ip, self._port)
        ours, theirs = End(world, self._process, self._local, remote), End(world, listener.process, remote, self._local)
        ours.peer, theirs.peer = theirs, ours
        loop.call_soon(listener.accept, theirs, context=listener.process.context)
        self._answer(ours)

    def _answer(self, what: End | OSError, retry_ns: int = RETRY_NS) -> None:
        network, loop = self._world.network, self._world.loop
        if (self._ip, self._source) in network.cut:
            loop.after_ns(retry_ns, self._answer, what, min(retry_ns * 2, RETRY_MAX_NS))
        else:
            loop.after_ns(network.delay_ns(self._ip, self._source), self._tell, what)

    def _tell(self, what: End | OSError) -> None:
        if not self._wanted():
            if isinstance(what, End):
                what.vanish(False)
        elif isinstance(what, OSError):
            self.future.set_exception(what)
        else:
            self.future.set_result(what)


class Listener(asyncio.AbstractServer):
    """A socket that listens, and the server that accepts from it. It is what `Sockets.listen` gives."""

    family = socket.AF_INET

    def __init__(self, process: Process, address: tuple[str, int]) -> None:
        self.process = process
        self._address = address
        self._factory: Callable[[], Any] | None = None
        self.sockets = (self,)
        listeners = process.host.listeners
        if address[1] in listeners:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        listeners[address[1]] = self

    def getsockname(self) -> tuple[str, int]:
        """The address."""
        return self._address

    def serve(self, factory: Callable[[], Any]) -> Listener:
        """Accept connections from now on."""
        self._factory = factory
        return self

    def accept(self, end: End) -> None:
        """Somebody has connected."""
        if self._factory is None or not self.is_serving():
            end.abort()
        else:
            end.begin(self._factory())

    def is_serving(self) -> bool:
        """Whether it still listens."""
        return self.process.host.listeners.get(self._address[1]) is self

    def close(self) -> None:
        """Listen no more."""
        if self.is_serving():
            del self.process.host.listeners[self._address[1]]

    async def wait_closed(self) -> None:
        """It is."""


class SimSockets:
    """The door."""

    def listen(self, host: str, port: int, backlog: int) -> Any:
        """A socket of the process that runs."""
        return Listener(owner(), (host, port))
