"""Clients: they ask a sentinel who leads, talk to it, and note what they asked, what they were told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import hiredis

from kvserver.wire.resp import encode_request
from ops.histories.operation import Outcome
from simulation.whole.loop import Process, owner
from simulation.whole.programs import NODE_PORT, SENTINEL_PORT

PATIENCE_S = 1.0
FAILURES = (OSError, EOFError, TimeoutError, hiredis.ReplyError, hiredis.ProtocolError)
REFUSED = ("READONLY", "LOADING", "MASTERDOWN", "NOREPLICAS", "MISCONF", "NOQUORUM The write was not done")
"""Errors that say that nothing was done."""
SWAP = """
local found = redis.call('get', KEYS[1])
if found == ARGV[1] then redis.call('set', KEYS[1], ARGV[2]) end
return found
"""


@dataclass(slots=True)
class Note:
    """One thing that a client wanted. Times are nanoseconds; `ended` is None while nobody knows what became of it."""

    client: str
    action: str
    key: str
    value: Any
    called: int
    ended: int | None = None
    outcome: Outcome = Outcome.UNKNOWN
    result: Any = None


@dataclass
class Notes:
    """What all clients wanted and were told, in the order in which it began."""

    rows: list[Note] = field(default_factory=list)

    def acknowledged(self) -> int:
        """How many writes were."""
        return sum(row.outcome is Outcome.OK and row.action != "read" for row in self.rows)


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
        self, name: str, kind: str, sentinels: list[str], nodes: list[str], notes: Notes, pause_s: float,
        anywhere: bool
    ) -> None:
        self.name = name
        self.notes = notes
        self._act = ACTS[kind]
        self._sentinels = sentinels
        self._nodes = nodes
        self._pause_s = pause_s
        self._strays = anywhere or kind not in ("swap", "look", "transact")  # a replica's word is an old one
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
        if self._strays and rng.random() < 0.05:  # one that doesn't ask
            return rng.choice(self._nodes), NODE_PORT
        sentinel = await Connection.open(rng.choice(self._sentinels), SENTINEL_PORT)
        try:
            ip, port = await sentinel("SENTINEL", "get-master-addr-by-name", "main")
        finally:
            sentinel.close()
        return ip.decode(), int(port)

    async def note(self, action: str, key: str, value: Any, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do something, and note it; its result is what `act` returns."""
        loop = self.process.host.world.loop
        row = Note(self.name, action, key, value, loop.now_ns)
        self.notes.rows.append(row)
        try:
            row.result = await act()
            row.outcome = Outcome.OK
            row.ended = loop.now_ns
        except hiredis.ReplyError as error:
            if str(error).startswith(REFUSED):
                row.outcome = Outcome.REFUSED
                row.ended = loop.now_ns
            raise
        return row.result


async def _add(client: Client, ask: Connection) -> None:
    value = client.next()
    await client.note("add", f"list:{client.name}", value, lambda: ask("RPUSH", f"list:{client.name}", value))


async def _transact(client: Client, ask: Connection) -> None:
    """Some appends to some lists, and seldom a look at them."""
    rng = client.process.rng
    steps = [(f"log:{rng.randrange(3)}", client.next() if rng.random() < 0.9 else None)
             for _ in range(rng.randrange(1, 4))]

    async def act() -> list[list[str] | None]:
        rows = [("LRANGE", key, 0, -1) if value is None else ("RPUSH", key, value) for key, value in steps]
        replies = (await ask.many([("MULTI",), *rows, ("EXEC",)]))[-1]
        if any(isinstance(reply, hiredis.ReplyError) for reply in replies):
            raise EOFError("some of the steps failed")
        return [[item.decode() for item in reply] if value is None else None
                for reply, (_, value) in zip(replies, steps, strict=True)]

    await client.note("transaction", "log", steps, act)


async def _count(client: Client, ask: Connection) -> None:
    await client.note("increment", "counter", 1, lambda: ask("INCR", "counter"))


async def _swap(client: Client, ask: Connection) -> None:
    """Read a register, and replace what was seen."""
    key, value = f"register:{client.process.rng.randrange(2)}", client.next()
    seen = await client.note("read", key, None, lambda: _text(ask("GET", key)))
    if seen is None:
        await client.note("write", key, value, lambda: ask("SET", key, value))
    else:
        await client.note("cas", key, (seen, value), lambda: _text(ask("EVAL", SWAP, 1, key, seen, value)))


async def _look(client: Client, ask: Connection) -> None:
    if client.process.rng.random() < 0.5:
        key = f"register:{client.process.rng.randrange(2)}"
        await client.note("read", key, None, lambda: _text(ask("GET", key)))
    else:
        await client.note("read", "counter", None, lambda: _number(ask("GET", "counter")))


async def _text(reply: Awaitable[bytes | None]) -> str | None:
    found = await reply
    return None if found is None else found.decode()


async def _number(reply: Awaitable[bytes | None]) -> int:
    return int(await reply or b"0")


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
    "add": _add, "transact": _transact, "count": _count, "swap": _swap, "look": _look, "mixed": _mixed,
}  # fmt: skip
