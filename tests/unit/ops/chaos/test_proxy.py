"""The network of the chaos run where namespaces aren't permitted: what is cut is silent, what is mended goes on."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import pytest

from ops.chaos.places import Place, both_ways
from ops.chaos.proxy import Proxy

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs all of 127/8 on loopback")
NOTHING: frozenset[tuple[str, str]] = frozenset()
SILENCE_S = 0.2


@contextlib.asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Proxy, Place, Place]]:
    """A proxy, a node that echoes, and a place from which clients call."""
    proxy = Proxy(1)
    node, clients = proxy.places[0], proxy.places[2]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    behind = await asyncio.start_server(serve, node.address, proxy.listen(node))
    await proxy.serves(node, True)
    try:
        yield proxy, node, clients
    finally:
        behind.close()
        await proxy.close()


async def dial(node: Place, caller: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as a process of that place does."""
    return await asyncio.open_connection(node.address, node.port, local_addr=(caller.address, 0))


async def heard(reader: asyncio.StreamReader, count: int) -> bytes:
    """So many bytes, or nothing if none come for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            return await reader.readexactly(count)
    return b""


@pytest.mark.parametrize("to_node", [True, False])
async def test_one_way_is_cut_and_mended(to_node: bool) -> None:
    """What is sent meanwhile arrives when the cut is over, whichever direction it was."""
    async with echoing() as (proxy, node, clients):
        reader, writer = await dial(node, clients)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        cut = (clients.name, node.name) if to_node else (node.name, clients.name)
        await proxy.shape(frozenset({cut}), frozenset())
        writer.write(b"two")
        assert await heard(reader, 3) == b""
        await proxy.shape(NOTHING, frozenset())
        assert await reader.readexactly(3) == b"two"
        writer.close()


async def test_who_is_cut_off_hears_nothing_of_an_end() -> None:
    """A connection that the server ends stays open for who is cut off from it."""
    async with echoing() as (proxy, node, clients):
        reader, writer = await dial(node, clients)
        writer.write(b"one")
        await reader.readexactly(3)
        await proxy.shape(both_ways({node.name}, {clients.name}), frozenset())
        writer.write_eof()
        assert await heard(reader, 1) == b""
        assert not reader.at_eof()
        await proxy.shape(NOTHING, frozenset())
        assert await reader.read() == b""
        writer.close()


async def test_others_are_not_cut_off() -> None:
    """A cut is between two places."""
    async with echoing() as (proxy, node, clients):
        await proxy.shape(both_ways({node.name}, {clients.name}), frozenset())
        other = proxy.places[5]
        reader, writer = await dial(node, other)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        writer.close()


async def test_a_process_that_is_gone_refuses() -> None:
    """Who calls where no process is hears it at once, as from a kernel."""
    async with echoing() as (proxy, node, clients):
        await proxy.serves(node, False)
        with pytest.raises(ConnectionRefusedError):
            await dial(node, clients)


async def test_rough_links_deliver() -> None:
    """Slow and lossy, but everything arrives, in order."""
    async with echoing() as (proxy, node, clients):
        await proxy.shape(NOTHING, frozenset({node.name}))
        reader, writer = await dial(node, clients)
        for number in range(5):
            writer.write(b"%d" % number)
        assert await reader.readexactly(5) == b"01234"
        writer.close()
