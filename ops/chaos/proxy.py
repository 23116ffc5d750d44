"""The network as a TCP proxy on loopback, where namespaces aren't permitted.

Each place has an address of its own in 127/8. A server listens there at a port that nobody is told; the port that
everybody is told is the proxy's. It knows who calls by the address from which they call, so that it can hold back one
direction of one pair. What is held back goes on when the cut is healed, as TCP would send it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil

from ops.chaos.places import Pair, Place, places

BEHIND = 1
"""A server's own port is that far above the one that others are told."""
CHUNK = 1 << 16
DELAY_S = (0.01, 0.07)
LOST_S = 0.2
"""What a lost packet costs: it is sent again after so long."""
LOSS = 0.04
OPERATOR = "operator"
"""Who isn't at any place: never cut off."""


class Proxy:
    """One listener for each server; it listens while the server is up."""

    kind = "TCP proxy on loopback"

    def __init__(self, seed: int) -> None:
        pid = os.getpid()
        self.places = places(f"127.{77 + pid % 100}.{pid // 100 % 250}")
        self.limits: tuple[str, ...] = ("disk-full",)
        self._names = {place.address: place.name for place in self.places}
        self._dying = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._random = random.Random(seed)
        self._cut: frozenset[Pair] = frozenset()
        self._rough: frozenset[str] = frozenset()
        self._changed = asyncio.Condition()
        self._listeners: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Nothing is needed before a server is up."""

    async def close(self) -> None:
        """End every connection."""
        for place in self.places:
            await self.serves(place, False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def command(self, place: Place, words: list[str]) -> list[str]:
        """The process is told its address; where the tool is there, it dies with us even if we are killed."""
        return [*self._dying, *words]

    def listen(self, place: Place) -> int:
        """Behind the port that others are told."""
        return place.port + BEHIND

    async def serves(self, place: Place, is_up: bool) -> None:
        """Refuse connections while there is no process."""
        listener = self._listeners.pop(place.name, None)
        if listener is not None:
            listener.close()
        if is_up:

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.get_running_loop().create_task(self._serve(place, reader, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

            self._listeners[place.name] = await asyncio.start_server(accept, place.address, place.port)

    async def shape(self, cut: frozenset[Pair], rough: frozenset[str]) -> None:
        """Cut, and make rough, just these."""
        async with self._changed:
            self._cut, self._rough = cut, rough
            self._changed.notify_all()

    async def _serve(self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = self._names.get(writer.get_extra_info("peername")[0], OPERATOR)
        there: asyncio.StreamWriter | None = None
        try:
            await self._passage((caller, place.name))
            await self._passage((place.name, caller))
            back, there = await asyncio.open_connection(place.address, self.listen(place))
            ways = [
                asyncio.create_task(self._pump(reader, there, (caller, place.name))),
                asyncio.create_task(self._pump(back, writer, (place.name, caller))),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for each in (writer, there):
                if each is not None:
                    each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: Pair) -> None:
        with contextlib.suppress(OSError):
            while True:
                try:
                    data = await reader.read(CHUNK)
                except OSError:
                    data = b""
                await self._passage(pair)
                if not data:
                    return
                writer.write(data)
                await writer.drain()

    async def _passage(self, pair: Pair) -> None:
        """Wait until what one place sends may reach the other."""
        if pair in self._cut:
            async with self._changed:
                await self._changed.wait_for(lambda: pair not in self._cut)
        if self._rough & set(pair):
            await asyncio.sleep(self._random.uniform(*DELAY_S) + LOST_S * (self._random.random() < LOSS))
