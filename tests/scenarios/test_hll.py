"""HyperLogLog through redis-py, and beside a real server."""

from __future__ import annotations

import random

import pytest
import redis
from support import start_redis


def test_counting(client: redis.Redis) -> None:
    """Elements are counted about right, alone and together, and adding known ones is told."""
    assert client.pfadd("one", *range(1000)) == 1
    assert client.pfadd("one", *range(500)) == 0
    client.pfadd("two", *range(500, 1500))
    assert abs(client.pfcount("one") - 1000) < 30
    assert abs(client.pfcount("one", "two", "none") - 1500) < 45
    assert client.pfmerge("to", "one", "two")
    assert client.pfcount("to") == client.pfcount("one", "two")
    assert client.execute_command("PFSELFTEST") == b"OK"


def test_what_is_none(client: redis.Redis) -> None:
    """Other strings and damaged ones are refused, and stay as they are."""
    client.set("s", "HYLLabc")
    client.set("d", b"HYLL\x01" + bytes(11) + b"\x7f\xf0")
    for line in (("PFADD", "s", "x"), ("PFCOUNT", "s"), ("PFMERGE", "to", "s")):
        with pytest.raises(redis.ResponseError, match="not a valid HyperLogLog"):
            client.execute_command(*line)
    for line in (("PFCOUNT", "d", "none"), ("PFMERGE", "to", "d")):
        with pytest.raises(redis.ResponseError, match="Corrupted HLL object detected"):
            client.execute_command(*line)
    assert client.get("s") == b"HYLLabc"
    assert not client.exists("to")


def test_same_bytes_as_redis(client: redis.Redis) -> None:
    """The same elements leave the same string as in Redis, sparse, growing dense, merged, and counted."""
    rng = random.Random(5)
    with start_redis() as theirs:
        other = theirs.client()
        for _ in range(60):
            elements = [rng.randbytes(rng.randrange(1, 12)) for _ in range(40)]
            key = rng.choice(["a", "b", "c"])
            for each in (client, other):
                each.pfadd(key, *elements)
                each.pfcount("a")
                each.pfmerge("m", "b", key)
            for name in ("a", "b", "c", "m"):
                assert client.dump(name) == other.dump(name)
        assert client.execute_command("PFDEBUG", "ENCODING", "m") == other.execute_command("PFDEBUG", "ENCODING", "m")
