"""The shell around the system's resolver: it answers always, and only while names are allowed."""

from __future__ import annotations

import asyncio

import pytest

from replication.sentinel.mind.messages import Resolved
from replication.sentinel.shell.resolver import Resolver, look_up_at_once
from replication.sentinel.world.world import World

IMPOSSIBLE = "x" * 70 + ".test"
"""No label of a name is longer than 63 bytes."""


@pytest.mark.parametrize(("host", "ips"), [("localhost", {"127.0.0.1", "::1"}), (IMPOSSIBLE, {None})])
async def test_every_look_up_is_answered(host: str, ips: set[str | None]) -> None:
    """A name that resolves is told with its address, one that can't with none."""
    answer: asyncio.Future[Resolved] = asyncio.get_running_loop().create_future()
    Resolver(answer.set_result).look_up(host)
    async with asyncio.timeout(20):
        told = await answer
    assert told.host == host
    assert told.ip in ips


async def test_nothing_is_told_after_the_end() -> None:
    """A look-up that is under way when the sentinel ends is dropped."""
    told: list[Resolved] = []
    resolver = Resolver(told.append)
    resolver.look_up("localhost")
    (task,) = resolver._tasks
    resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == []


def test_what_an_operator_wrote_is_looked_up_before_it_is_used() -> None:
    """Names are, while they are allowed; a literal needs no look-up."""
    world = World("?" * 40)
    assert look_up_at_once(world, "localhost") is None
    world.resolve_hostnames = True
    assert look_up_at_once(world, "127.0.0.1") is None
    assert look_up_at_once(world, IMPOSSIBLE) == Resolved(IMPOSSIBLE, None)
    found = look_up_at_once(world, "localhost")
    assert found is not None
    assert found.ip in ("127.0.0.1", "::1")
