"""Hashes through redis-py."""

from __future__ import annotations

import pytest
import redis
from support import Server


def test_fields_come_and_go(client: redis.Redis) -> None:
    """Fields are counted when new, replaced when not, and the last one takes the key with it."""
    assert client.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert client.hset("h", "a", 3) == 0
    assert client.hsetnx("h", "a", 4) == 0
    assert client.hgetall("h") == {b"a": b"3", b"b": b"2"}
    assert client.hmget("h", "a", "none", "b") == [b"3", None, b"2"]
    assert client.hdel("h", "a", "b", "none") == 2
    assert not client.exists("h")


def test_counting(client: redis.Redis) -> None:
    """HINCRBY and HINCRBYFLOAT add, and refuse what is no number or too large."""
    assert client.hincrby("h", "n", 5) == 5
    assert client.hincrbyfloat("h", "n", "0.1") == 5.1
    with pytest.raises(redis.ResponseError, match="hash value is not an integer"):
        client.hincrby("h", "n")
    client.hset("h", "n", 2**63 - 1)
    with pytest.raises(redis.ResponseError, match="increment or decrement would overflow"):
        client.hincrby("h", "n")
    client.hset("h", "n", "text")
    with pytest.raises(redis.ResponseError, match="hash value is not a float"):
        client.hincrbyfloat("h", "n")


def test_a_big_hash_is_scanned_while_it_grows(client: redis.Redis) -> None:
    """HSCAN returns every field that is there from beginning to end, though others come meanwhile."""
    client.hset("h", mapping={f"f{i}": i for i in range(3000)})
    assert client.object("ENCODING", "h") == b"hashtable"
    found: dict[bytes, bytes] = {}
    cursor, first = 0, True
    while cursor or first:
        cursor, part = client.hscan("h", cursor, count=100)
        found |= part
        if first:
            client.hset("h", mapping={f"g{i}": i for i in range(3000)})
        first = False
    assert {f"f{i}".encode() for i in range(3000)} <= found.keys()


def test_random_fields(client: redis.Redis) -> None:
    """HRANDFIELD gives different fields for a positive count, repeats for a negative one."""
    client.hset("h", mapping={f"f{i}": i for i in range(100)})
    fields = client.hrandfield("h", 40)
    assert len(fields) == len(set(fields)) == 40
    assert len(client.hrandfield("h", 1000)) == 100
    assert len(client.hrandfield("h", -300)) == 300
    pairs = client.hrandfield("h", 10, withvalues=True)
    assert all(client.hget("h", pairs[i]) == pairs[i + 1] for i in range(0, 20, 2))


def test_three_shapes_of_replies(node: Server) -> None:
    """In RESP3 a hash is a map and pairs are arrays."""
    client = node.client(protocol=3)
    client.flushall()
    client.hset("h", mapping={"a": 1})
    assert client.hgetall("h") == {b"a": b"1"}
    assert client.execute_command("HRANDFIELD", "h", 1, "WITHVALUES") == [[b"a", b"1"]]


def test_another_type_is_refused(client: redis.Redis) -> None:
    """Hash commands leave a key of another type alone."""
    client.set("s", "text")
    for line in ("HSET s a b", "HGET s a", "HGETALL s", "HINCRBY s a 1", "HDEL s a", "HSCAN s 0"):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            client.execute_command(*line.split())
    assert client.get("s") == b"text"
