"""DUMP's payloads: round trips, and damage behind a right checksum."""

from __future__ import annotations

import random
from contextlib import suppress
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from support.rdbfiles import engine_of_all_types

from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import ListValue
from persistence.rdb.crc64 import crc64
from persistence.rdb.errors import RdbError
from persistence.rdb.payload import dump_payload, restore_payload, verified
from persistence.rdb.read.values import EngineBuilders

VALUES = {
    key: value for key, value in sorted(engine_of_all_types().dbs[0].keys.items(), key=itemgetter(0)) if key != b"huge"
}
"""In an order that is everywhere the same: those who share the tests out compare their names."""


def plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return list(value) if isinstance(value, ListValue) else dict(value.items())


def sealed(body: bytes) -> bytes:
    """A payload with a right footer."""
    body += b"\x0a\x00"
    return body + crc64(body).to_bytes(8, "little")


@pytest.mark.parametrize("key", VALUES, ids=lambda key: key.decode())
@pytest.mark.parametrize("compress", [True, False])
def test_values_come_back(key: bytes, compress: bool) -> None:
    """Every type's payload restores to an equal value, and is verified."""
    payload = dump_payload(VALUES[key], compress)
    assert verified(payload)
    _, value, ttls = restore_payload(payload, EngineBuilders(Limits()))
    assert plain(value) == plain(VALUES[key])
    assert ttls is None


def test_footers_are_verified() -> None:
    """A wrong checksum, a version from the future and a payload shorter than a footer are refused."""
    payload = dump_payload(b"v")
    assert not verified(payload[:-1] + bytes([payload[-1] ^ 1]))
    assert verified(payload[:-1] + bytes([payload[-1] ^ 1]), checksum=False)
    future = payload[:-10] + b"\x63\x00"
    assert not verified(future + crc64(future).to_bytes(8, "little"))
    assert not verified(payload[-9:])


@pytest.mark.parametrize("key", VALUES, ids=lambda key: key.decode())
def test_damage_behind_a_right_checksum_harms_nobody(key: bytes) -> None:
    """Bits flipped and bytes cut off, then sealed again: RdbError or some value, within bounds of size."""
    body = dump_payload(VALUES[key])[:-10]
    rng = random.Random(key)
    for _ in range(40):
        damaged = bytearray(body[: rng.choice((len(body), len(body), rng.randrange(len(body) + 1)))])
        for _ in range(rng.choice((1, 1, 4))):
            if damaged:
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        with suppress(RdbError):
            restore_payload(sealed(bytes(damaged)), EngineBuilders(Limits()))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 30), st.binary(max_size=80))
def test_arbitrary_bodies_harm_nobody(number: int, body: bytes) -> None:
    """Any bytes of any type number raise RdbError or make a value."""
    with suppress(RdbError):
        _, value, _ = restore_payload(sealed(bytes([number]) + body), EngineBuilders(Limits()))
        assert value is not None


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x01vx", b"\x02\x00", b"\x63\x01v"])
def test_what_is_no_value_is_refused(body: bytes) -> None:
    """Nothing, half a value, more than a value, an empty collection and an unknown type raise."""
    with pytest.raises(RdbError):
        restore_payload(sealed(body), EngineBuilders(Limits()))
