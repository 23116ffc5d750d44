"""A client of the chaos run against a server that misbehaves: what it concludes is what it may know."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from ops.chaos.caller import Caller, Finder, NotSent, Refused, Unheard

PRIMARY = b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
REPLICA = b"*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0\r\n"


@contextlib.asynccontextmanager
async def server(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[tuple[str, int]]:
    """A server that answers each chunk; None ends the connection."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while data := await reader.read(1 << 16):
            reply = answer(data)
            if reply is None:
                break
            writer.write(reply)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[:2]
    finally:
        listener.close()
        for writer in writers:
            writer.close()


def sentinel(leads: tuple[str, int]) -> Callable[[bytes], bytes]:
    """A sentinel that names a primary."""
    host, port = leads[0].encode(), str(leads[1]).encode()
    reply = b"*2\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(host), host, len(port), port)
    return lambda data: reply


def node(reply: bytes | None, role: bytes = PRIMARY) -> Callable[[bytes], bytes | None]:
    """A node that says its role, and gives one reply to everything else."""
    return lambda data: role if b"ROLE" in data else reply


async def called(answer: Callable[[bytes], bytes | None]) -> object:
    """What one call to such a node brings."""
    async with server(answer) as leads, server(sentinel(leads)) as watcher:
        caller = Caller(Finder([watcher], ""), (), 0.2, 0.0)
        await caller.connect()
        assert caller.address == leads
        try:
            return await caller.call((("GET", "k"),))
        finally:
            caller.drop()


async def test_a_reply_is_a_reply() -> None:
    """What the server says is returned."""
    assert await called(node(b"$1\r\nv\r\n")) == "v"


async def test_a_refusal_is_known() -> None:
    """The server says that nothing happened."""
    with pytest.raises(Refused):
        await called(node(b"-READONLY no\r\n"))


@pytest.mark.parametrize("reply", [None, b"", b"$5\r\nhal", b"-NOQUORUM unknown\r\n"])
async def test_silence_is_not_a_refusal(reply: bytes | None) -> None:
    """After an end, no reply, half a reply or another error nobody knows what happened."""
    with pytest.raises(Unheard):
        await called(node(reply))


async def test_a_node_that_does_not_lead_is_no_use() -> None:
    """What the sentinel named says that it is a replica: nothing is sent."""
    with pytest.raises(NotSent):
        await called(node(b"+OK\r\n", REPLICA))


async def test_nobody_answers() -> None:
    """Without a sentinel nothing is sent."""
    async with server(lambda data: None) as gone:
        with pytest.raises(NotSent):
            await Caller(Finder([gone], ""), (), 0.2, 0.0).connect()


async def test_the_next_sentinel_is_asked() -> None:
    """A sentinel that is gone costs a moment, no more."""
    async with server(lambda d: None) as gone, server(node(b"")) as leads, server(sentinel(leads)) as watcher:
        assert await Finder([gone, watcher], "").primary() == leads


async def test_who_clings_goes_back_where_it_was() -> None:
    """The sentinel names another, but the old primary still takes the client."""
    async with server(node(b"+OK\r\n")) as old, server(node(b"+OK\r\n")) as new:
        for clings_s, goes_to in ((60.0, old), (0.0, new)):
            named = [old]
            async with server(lambda data, named=named: sentinel(named[0])(data)) as watcher:  # type: ignore[misc]
                caller = Caller(Finder([watcher], ""), (), 0.2, clings_s)
                await caller.connect()
                await caller.call((("SET", "k", "v"),))
                caller.drop()
                named[0] = new
                await caller.connect()
                assert caller.address == goes_to
                caller.drop()


async def test_who_stays_home_reads_from_a_replica() -> None:
    """A client of its own host's node takes no notice of who leads."""
    async with server(node(b"$1\r\nv\r\n", REPLICA)) as home:
        caller = Caller(Finder([], ""), (), 0.2, 0.0, home)
        await caller.connect()
        assert await caller.call((("GET", "k"),)) == "v"
        caller.drop()
