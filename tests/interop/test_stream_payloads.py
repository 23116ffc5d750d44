"""Streams with groups in DUMP, RESTORE and RDB files, between a real server and ours."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from support import Server, start_kvserver, start_redis


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with start_kvserver(enable_debug_command="yes") as ours, start_redis() as theirs:
        yield ours, theirs


def fill(client: redis.Redis, seed: int) -> None:
    """A stream with entries of several shapes, some deleted, and groups with what is pending."""
    rng = random.Random(seed)
    client.flushall()
    for i in range(1, 400):
        values = [b"x" * rng.randrange(90), b"12", b"-70000", b""]
        fields = {name: rng.choice(values) for name in rng.sample(["f", "g", "h"], rng.choice([1, 1, 2]))}
        client.xadd("s", fields, id=f"{i * 3}-{rng.randrange(2)}")
    ids = [entry for entry, _ in client.xrange("s")]
    client.xdel("s", *rng.sample(ids, 60))
    client.xtrim("s", maxlen=300, approximate=False)
    for group in ("one", "two", "idle"):
        client.xgroup_create("s", group, id=rng.choice(["0", "300"]))
    for _ in range(20):
        client.xreadgroup(rng.choice(["one", "two"]), rng.choice(["a", "b", "c"]), {"s": ">"}, count=7)
    client.xack("s", "one", *rng.sample(ids, 50))


def shown(client: redis.Redis, key: str) -> Any:
    """All that XINFO tells, but for how a server lays it out."""
    client.response_callbacks.clear()
    info = client.execute_command("XINFO", "STREAM", key, "FULL", "COUNT", 0)
    return [pair for pair in zip(info[::2], info[1::2], strict=True) if not pair[0].startswith(b"radix")]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("ours_first", [True, False])
def test_payloads(servers: tuple[Server, Server], seed: int, ours_first: bool) -> None:
    """What one server dumps the other restores, with every entry, group, consumer and pending entry."""
    one, other = servers if ours_first else servers[::-1]
    source, target = one.client(), other.client()
    fill(source, seed)
    target.flushall()
    target.restore("s", 0, source.dump("s"))
    assert shown(target, "s") == shown(source, "s")
    source.restore("back", 0, target.dump("s"))
    assert shown(source, "back") == shown(source, "s")


def test_a_damaged_payload_leaves_nothing(servers: tuple[Server, Server]) -> None:
    """Payloads with bytes changed are refused, or hold a stream that can be read; the server lives on."""
    client = servers[0].client()
    fill(client, 3)
    payload = client.dump("s")
    rng = random.Random(4)
    client.execute_command("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
    for _ in range(300):
        broken = bytearray(payload)
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(len(broken) - 10)] = rng.randrange(256)
        client.delete("r")
        try:
            client.restore("r", 0, bytes(broken[: rng.choice([len(broken), rng.randrange(12, len(broken))])]))
        except redis.ResponseError:
            assert not client.exists("r")
        else:
            client.xrange("r")
            client.execute_command("XINFO", "STREAM", "r", "FULL")
    assert client.xlen("s") == 300
