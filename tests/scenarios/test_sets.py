"""Sets through redis-py."""

from __future__ import annotations

import pytest
import redis


def test_members(client: redis.Redis) -> None:
    """A member is there once, and the last one takes the key with it."""
    assert client.sadd("s", "a", "b", "a") == 2
    assert client.smismember("s", ["a", "x"]) == [1, 0]
    assert client.smove("s", "t", "a")
    assert client.smembers("s") == {b"b"}
    assert client.srem("s", "b", "c") == 1
    assert client.exists("s", "t") == 1


def test_algebra(client: redis.Redis) -> None:
    """Intersections, unions and differences are those of Python's sets, stored or not."""
    one, two = set(range(0, 3000, 2)), set(range(0, 3000, 3))
    client.sadd("one", *one)
    client.sadd("two", *two)

    def numbers(members: set[bytes]) -> set[int]:
        return set(map(int, members))

    assert numbers(client.sinter("one", "two")) == one & two
    assert numbers(client.sunion("one", "two", "none")) == one | two
    assert numbers(client.sdiff("one", "two", "none")) == one - two
    assert client.sintercard(2, ["one", "two"]) == len(one & two)
    assert client.sintercard(2, ["one", "two"], limit=7) == 7
    assert client.sinterstore("one", "one", "two") == len(one & two)
    assert numbers(client.smembers("one")) == one & two
    assert client.sdiffstore("one", "none") == 0
    assert not client.exists("one")


def test_every_member_has_its_turn(client: redis.Redis) -> None:
    """SPOP and SRANDMEMBER reach all members, also in a set that has shrunk."""
    client.sadd("s", *range(5000))
    gone = set(client.spop("s", 4900))
    assert len(gone) == 4900
    rest = client.smembers("s")
    assert not gone & rest
    assert len(rest) == 100
    seen = set(client.srandmember("s", -5000))
    assert seen == rest
    assert set(client.spop("s", 1000)) == rest
    assert client.spop("s") is None
    assert not client.exists("s")


def test_chances_are_even(client: redis.Redis) -> None:
    """No member of a large set is much likelier than another."""
    client.sadd("s", *range(1500))
    counts: dict[bytes, int] = {}
    for member in client.srandmember("s", -60000):
        counts[member] = counts.get(member, 0) + 1
    # 40 expected each; chi-square with 1499 degrees of freedom has a deviation of about 55.
    chi_square = sum((counts.get(b"%d" % i, 0) - 40) ** 2 / 40 for i in range(1500))
    assert chi_square < 1499 + 8 * 55


def test_encodings(client: redis.Redis) -> None:
    """Integers make an intset, anything else or too many of them a hashtable."""
    client.sadd("s", 1, 2, 3)
    assert client.object("ENCODING", "s") == b"intset"
    client.sadd("s", "x")
    assert client.object("ENCODING", "s") == b"hashtable"
    client.sadd("big", *range(513))
    assert client.object("ENCODING", "big") == b"hashtable"


def test_scanning(client: redis.Redis) -> None:
    """SSCAN with a pattern returns just the members that match."""
    client.sadd("s", *[f"{letter}{i}" for letter in "ab" for i in range(700)])
    assert set(client.sscan_iter("s", match="a*", count=50)) == {f"a{i}".encode() for i in range(700)}


def test_sorting(client: redis.Redis) -> None:
    """SORT orders by numbers, by texts, by other keys, and fetches what the elements point to."""
    client.sadd("s", 3, 1, 20)
    client.mset({"w_3": 1, "w_1": 3, "w_20": 2, "o_3": "three"})
    client.hset("h_1", "f", "one")
    assert client.sort("s") == [b"1", b"3", b"20"]
    assert client.sort("s", alpha=True, desc=True) == [b"3", b"20", b"1"]
    assert client.sort("s", by="w_*") == [b"3", b"20", b"1"]
    assert client.sort("s", by="w_*", get=["o_*", "h_*->f", "#"], start=0, num=1) == [b"three", None, b"3"]
    assert client.sort("s", store="list", desc=True) == 3
    assert client.lrange("list", 0, -1) == [b"20", b"3", b"1"]
    client.sadd("s", "x")
    with pytest.raises(redis.ResponseError, match="can't be converted into double"):
        client.sort("s")
