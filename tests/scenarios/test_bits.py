"""Bitmaps and bitfields through redis-py."""

from __future__ import annotations

import random

import pytest
import redis


def test_bits_against_a_plain_integer(client: redis.Redis) -> None:
    """Bits set and cleared at random are read, counted and found as in a plain list of bits."""
    rng = random.Random(1)
    bits = [0] * 400
    for _ in range(300):
        place, on = rng.randrange(400), rng.randrange(2)
        assert client.setbit("b", place, on) == bits[place]
        bits[place] = on
    client.setbit("b", 399, bits[399])
    assert [client.getbit("b", i) for i in range(0, 420, 7)] == (bits + [0] * 20)[0:420:7]
    assert client.bitcount("b") == sum(bits)
    for _ in range(50):
        low, high = sorted(rng.choices(range(400), k=2))
        assert client.bitcount("b", low, high, "BIT") == sum(bits[low : high + 1])
        found = client.bitpos("b", 1, low, high, "BIT")
        assert found == (low + bits[low : high + 1].index(1) if 1 in bits[low : high + 1] else -1)


def test_combining_strings(client: redis.Redis) -> None:
    """BITOP treats shorter strings as if they ended in zeros; an empty result removes the target."""
    client.mset({"one": b"\xf0\x0f\xff", "two": b"\xff\xff"})
    assert client.bitop("AND", "to", "one", "two") == 3
    assert client.get("to") == b"\xf0\x0f\x00"
    client.bitop("XOR", "to", "one", "two", "none")
    assert client.get("to") == b"\x0f\xf0\xff"
    client.bitop("NOT", "to", "two")
    assert client.get("to") == b"\x00\x00"
    assert client.bitop("OR", "to", "none") == 0
    assert not client.exists("to")


def test_fields_overflow_as_told(client: redis.Redis) -> None:
    """Numbers of any width wrap round, saturate or refuse."""
    wrapped = "SET u8 #0 250 INCRBY u8 #0 10"
    line = f"BITFIELD f {wrapped} OVERFLOW SAT INCRBY i5 8 100 OVERFLOW FAIL INCRBY u4 16 99 GET u8 0"
    assert client.execute_command(*line.split()) == [0, 4, 15, None, 4]
    assert client.execute_command("BITFIELD_RO", "f", "GET", "i5", "8") == [15]
    with pytest.raises(redis.ResponseError, match="only supports the GET subcommand"):
        client.execute_command("BITFIELD_RO", "f", "SET", "u8", "0", "1")
    with pytest.raises(redis.ResponseError, match="Invalid bitfield type"):
        client.execute_command("BITFIELD", "f", "GET", "u64", "0")


def test_offsets_beyond_all_strings(client: redis.Redis) -> None:
    """An offset that no string reaches is refused, and leaves no key behind."""
    for offset in (-1, 2**32, 2**64, "x", "1_0"):
        with pytest.raises(redis.ResponseError, match="bit offset is not an integer or out of range"):
            client.setbit("b", offset, 1)  # type: ignore[arg-type]
    with pytest.raises(redis.ResponseError, match="bit is not an integer or out of range"):
        client.execute_command("SETBIT", "b", 0, 2)
    assert not client.exists("b")
