"""A client that keeps connections busy with writes, and notes how long each batch takes (a shell: sockets, a clock)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import cast

import hiredis
import uvloop

from ops.bench.servers import HOST, BenchError

_WAIT = b"*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n"


@dataclass(frozen=True)
class Flooded:
    """What came of it: writes per second that were acknowledged, and the times of batches, in ms, sorted."""

    per_s: float
    times_ms: tuple[float, ...]


class _Client(asyncio.Protocol):
    """One connection: a batch is sent when the one before has been answered."""

    def __init__(self, batch: bytes, replies: int, done: list[float], until_s: float) -> None:
        self._batch = batch
        self._replies = replies
        self._done = done
        self._until_s = until_s
        self._left = 0
        self._sent_s = 0.0
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._left = self._replies
        self._sent_s = time.perf_counter()
        self._transport.write(self._batch)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                self._end(BenchError(f"a write was answered by {reply}"))
                return
            self._left -= 1
        if self._left == 0:
            now_s = time.perf_counter()
            self._done.append(now_s - self._sent_s)
            if now_s < self._until_s:
                self._send()
            else:
                self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(BenchError("a server closed a connection"))

    def _end(self, failure: BenchError | None) -> None:
        if not self.over.done():
            if failure is None:
                self.over.set_result(None)
            else:
                self.over.set_exception(failure)
            assert self._transport is not None
            self._transport.abort()


def flood(port: int, clients: int, pipeline: int, seconds: float, wait: bool = False) -> Flooded:
    """Write for so long; with `wait` a WAIT 1 stands behind each write. Raises BenchError."""
    return uvloop.run(_flood(port, clients, pipeline, seconds, wait))


async def _flood(port: int, clients: int, pipeline: int, seconds: float, wait: bool) -> Flooded:
    loop = asyncio.get_running_loop()
    done: list[float] = []
    began_s = time.perf_counter()
    everyone = []
    for number in range(clients):
        sets = [_set(f"key:{number}:{each}") + (_WAIT if wait else b"") for each in range(pipeline)]
        batch, replies = b"".join(sets), pipeline * (2 if wait else 1)
        _, client = await loop.create_connection(
            partial(_Client, batch, replies, done, began_s + seconds), HOST, port
        )
        everyone.append(client.over)
    await asyncio.gather(*everyone)
    spent_s = time.perf_counter() - began_s
    return Flooded(len(done) * pipeline / spent_s, tuple(sorted(1000 * each for each in done)))


def _set(key: str) -> bytes:
    return b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$16\r\nvalue-of-16-byte\r\n" % (len(key), key.encode())
