"""Clients: they ask a sentinel who leads, talk to it, and note what they asked, what they were told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import hiredis

from kvserver.wire.resp import encode_request
from simulation.whole.loop import Process, owner
from simulation.whole.programs import NODE_PORT, SENTINEL_PORT

PATIENCE_S = 1.0
FAILURES = (OSError, EOFError, TimeoutError, hiredis.ReplyError, hiredis.ProtocolError)
REFUSED = ("READONLY", "LOADING", "MASTERDOWN", "NOREPLICAS", "MISCONF", "UNREPLICATED", "NOTHERE")
"""Errors that say that nothing was done."""
SWAP = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('set', KEYS[1], ARGV[2]) return 1 end return 0"


@dataclass(slots=True)
class Operation:
    """One thing that a client wanted. `end_ns` is None while nobody knows whether it was done."""

    client: str
    kind: str
    key: str
    value: Any
    begin_ns: int
    end_ns: int | None = None
    outcome: str = "unknown"
    """`ok`, `refused` (it wasn't done), or `unknown`."""
    result: Any = None


@dataclass
class History:
    """What all clients wanted and were told, in the order in which it began."""

    operations: list[Operation] = field(default_factory=list)

    def done(self, kind: str) -> list[Operation]:
        """Those of a kind that were acknowledged."""
        return [each for each in self.operations if each.kind == kind and each.outcome == "ok"]


class Connection:
    """A connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._replies = hiredis.Reader()

    @classmethod
    async def open(cls, ip: str, port: int) -> Connection:
        """Connect. Raises OSError, TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            return cls(*await asyncio.open_connection(ip, port))

    async def __call__(self, *words: Any) -> Any:
        """Send one request, return its reply. Raises one of FAILURES."""
        return (await self.many([words]))[0]

    async def many(self, requests: list[tuple[Any, ...]]) -> list[Any]:
        """Send some requests at once, return their replies; an error reply is raised."""
        self._writer.write(b"".join(
            encode_request([word if isinstance(word, bytes) else str(word).encode() for word in words])
            for words in requests
        ))  # fmt: skip
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < len(requests):
                reply = self._replies.gets()
                if isinstance(reply, hiredis.ReplyError):
                    raise reply
                if reply is not False:
                    found.append(reply)
                    continue
                data = await self._reader.read(1 << 16)
                if not data:
                    raise EOFError("hung up")
                self._replies.feed(data)
        return found

    def close(self) -> None:
        """Let go of it."""
        self._writer.transport.abort()


Act = Callable[["Client", Connection], Awaitable[None]]


class Client:
    """Does one kind of thing over and over, on whoever leads."""

    def __init__(
        self, name: str, kind: str, sentinels: list[str], nodes: list[str], history: History, pause_s: float
    ) -> None:
        self.name = name
        self.history = history
        self._act = ACTS[kind]
        self._sentinels = sentinels
        self._nodes = nodes
        self._pause_s = pause_s
        self._count = 0
        self.process: Process

    def next(self) -> str:
        """A value that nobody writes twice."""
        self._count += 1
        return f"{self.name}.{self._count}"

    async def main(self, process: Process) -> int:
        """Go on until somebody ends the process."""
        self.process = process
        rng = process.rng
        while True:
            connection = None
            try:
                ip, port = await self._where()
                connection = await Connection.open(ip, port)
                while True:
                    await self._act(self, connection)
                    await asyncio.sleep(rng.random() * self._pause_s)
            except FAILURES:
                await asyncio.sleep(0.02 + rng.random() * 0.1)
            finally:
                if connection is not None:
                    connection.close()

    async def _where(self) -> tuple[str, int]:
        rng = self.process.rng
        if rng.random() < 0.05:  # one that doesn't ask
            return rng.choice(self._nodes), NODE_PORT
        sentinel = await Connection.open(rng.choice(self._sentinels), SENTINEL_PORT)
        try:
            ip, port = await sentinel("SENTINEL", "get-master-addr-by-name", "main")
        finally:
            sentinel.close()
        return ip.decode(), int(port)

    async def note(self, kind: str, key: str, value: Any, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do something, and note it."""
        loop = self.process.host.world.loop
        operation = Operation(self.name, kind, key, value, loop.now_ns)
        self.history.operations.append(operation)
        try:
            operation.result = await act()
            operation.outcome = "ok"
            operation.end_ns = loop.now_ns
        except hiredis.ReplyError as error:
            if str(error).startswith(REFUSED):
                operation.outcome = "refused"
                operation.end_ns = loop.now_ns
            raise
        return operation.result


async def _append(client: Client, ask: Connection) -> None:
    value = client.next()
    await client.note("append", f"list:{client.name}", value, lambda: ask("RPUSH", f"list:{client.name}", value))


async def _pair(client: Client, ask: Connection) -> None:
    value = client.next()
    rows = [("MULTI",), ("RPUSH", "pair:1", value), ("RPUSH", "pair:2", value), ("EXEC",)]
    await client.note("pair", "pair", value, lambda: ask.many(rows))


async def _count(client: Client, ask: Connection) -> None:
    await client.note("count", "counter", 1, lambda: ask("INCR", "counter"))


async def _swap(client: Client, ask: Connection) -> None:
    value = client.next()
    seen = await client.note("get", "register", None, lambda: ask("GET", "register"))
    if seen is None:
        await client.note("set", "register", value, lambda: ask("SET", "register", value))
        return
    seen = seen.decode()
    await client.note("swap", "register", (seen, value), lambda: ask("EVAL", SWAP, 1, "register", seen, value))


async def _read(client: Client, ask: Connection) -> None:
    kind, words = owner().rng.choice((("get", ("GET", "register")), ("count?", ("GET", "counter")),
                                     ("pair?", ("LRANGE", "pair:1", 0, -1))))
    await client.note(kind, words[1], None, lambda: ask(*words))


async def _mixed(client: Client, ask: Connection) -> None:
    """Types, databases and lives of keys that other clients don't use: what differs afterwards is an error."""
    rng = owner().rng
    key, member, number = f"k{rng.randrange(20)}", f"m{rng.randrange(50)}", rng.randrange(100)
    words = rng.choice((
        ("HSET", f"h{key}", member, number), ("HDEL", f"h{key}", member), ("SADD", f"s{key}", member),
        ("SPOP", f"s{key}"), ("ZADD", f"z{key}", number, member), ("SET", key, number, "PX", 1 + number * 20),
        ("EXPIRE", f"h{key}", 1 + number), ("DEL", f"z{key}"), ("XADD", f"x{key}", "MAXLEN", 5, "*", "f", number),
        ("SETRANGE", f"r{key}", number, "x" * rng.choice((1, 10, 3000))), ("PUBLISH", "c", number),
        ("BLPOP", f"l{key}", 0.1), ("LPUSH", f"l{key}", member), ("FLUSHDB",) if number == 7 else ("DBSIZE",),
    ))  # fmt: skip
    await ask.many([("SELECT", rng.choice((1, 2))), words])


ACTS: dict[str, Act] = {
    "append": _append, "pair": _pair, "count": _count, "swap": _swap, "read": _read, "mixed": _mixed,
}  # fmt: skip
