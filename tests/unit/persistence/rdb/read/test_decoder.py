"""The decoder: whatever a Redis wrote, fed in pieces of any size, and whatever it never would have written."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from support.rdbfiles import by_hand, engine_of_all_types, snapshot_bytes, text

from kvserver.engine.run.executor import Engine
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import ListValue
from persistence.rdb import listpack
from persistence.rdb.errors import RdbError
from persistence.rdb.model import Aux, End, Event, Function, Key, ResizeDb, SelectDb, Version
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.snapshot.restore import Restorer


def decode(data: bytes, size: int = 0, builders: Builders | None = None) -> list[Event]:
    decoder = Decoder(builders)
    events: list[Event] = []
    for i in range(0, len(data), size or len(data)):
        events += decoder.feed(data[i : i + (size or len(data))])
    decoder.finish()
    return events


def keys(events: list[Event]) -> dict[tuple[int, bytes], Any]:
    return {(e.db, e.key): (e.value, e.expire_ms) for e in events if isinstance(e, Key)}


def value(*record: bytes) -> Any:
    """The value of the only key of a file."""
    (found,) = [e for e in decode(by_hand(*record)) if isinstance(e, Key)]
    return found.value


def plain(stored: Any) -> Any:
    if isinstance(stored, bytes | bytearray):
        return bytes(stored)
    return list(stored) if isinstance(stored, ListValue) else dict(stored.items())


def content(engine: Engine) -> dict[tuple[int, bytes], Any]:
    return {(db.index, k): (plain(v), db.ttl_at(k)) for db in engine.dbs for k, v in db.keys.items()}


def test_all_types_come_back_into_an_engine() -> None:
    """Encoded, decoded and restored, every type holds what it held, in the same representation."""
    engine = engine_of_all_types()
    data = snapshot_bytes(engine, (b"#!lua name=x\n",))
    other = Engine(4, {})
    restorer = Restorer(other.dbs, 0)
    restorer.apply(decode(data, 1000, EngineBuilders(Limits())))
    assert content(other) == content(engine)
    assert restorer.functions == [b"#!lua name=x\n"]
    assert restorer.aux[b"redis-ver"] == b"7.0.15"
    for db, twin in zip(engine.dbs, other.dbs, strict=True):
        for key, stored in db.keys.items():
            if not isinstance(stored, bytes | bytearray):
                assert twin.keys.get(key).encoding() == stored.encoding(), key


@pytest.mark.parametrize("size", [1, 2, 7, 61, 4096, 0])
def test_the_size_of_the_pieces_does_not_matter(size: int) -> None:
    """Fed whole, byte by byte and anything between, the events are the same."""
    data = snapshot_bytes(engine_of_all_types())
    assert keys(decode(data, size)) == keys(decode(data))


def test_what_follows_the_end_is_left_alone() -> None:
    """Bytes behind the checksum are kept as they are, wherever the last piece was cut."""
    data = by_hand(b"\x00", text(b"k"), text(b"v"))
    for cut in range(len(data) + 1):
        decoder = Decoder()
        decoder.feed(data[:cut])
        decoder.feed(data[cut:] + b"tail")
        decoder.feed(b" goes on")
        assert decoder.ended
        assert decoder.rest == b"tail goes on"
        assert decoder.offset == len(data)


def test_events_are_in_the_order_of_the_file() -> None:
    """Header, facts, databases with hints, functions, keys with their attributes, end."""
    events = decode(
        by_hand(
            b"\xfa" + text(b"redis-ver") + text(b"7.0.0"),
            b"\xf5" + text(b"code"),
            b"\xf4\x05\x01\x00",
            b"\xfe\x02\xfb\x01\x00",
            b"\xfc" + struct.pack("<q", 77) + b"\xf8\x05" + b"\xf9\x07",
            b"\x00" + text(b"k") + text(b"v"),
            b"\xfd" + struct.pack("<i", 9) + b"\x00" + text(b"s") + text(b"w"),
        )
    )
    assert events[:5] == [Version(10), Aux(b"redis-ver", b"7.0.0"), Function(b"code"), SelectDb(2), ResizeDb(1, 0)]
    first, second = events[5:7]
    assert isinstance(first, Key)
    assert isinstance(second, Key)
    assert (first.db, first.key, first.value, first.expire_ms, first.idle_s, first.freq) == (2, b"k", b"v", 77, 5, 7)
    assert (second.expire_ms, second.idle_s, second.freq) == (9000, -1, -1)
    assert isinstance(events[7], End)


def test_old_formats() -> None:
    """Types that today's servers no longer write are read."""
    two = b"\x02" + text(b"a") + text(b"b")
    pack = listpack.wrap([listpack.element(e) for e in (b"a", b"1", b"b", b"2.5")])
    assert value(b"\x01", text(b"k"), two) == [b"a", b"b"]
    assert list(value(b"\x02", text(b"k"), two)) == [b"a", b"b"]
    assert value(b"\x04", text(b"k"), b"\x01" + text(b"f") + text(b"v")) == {b"f": b"v"}
    doubles = b"\x03" + text(b"x") + b"\x031.5" + text(b"y") + b"\xfe" + text(b"z") + b"\xff"
    assert value(b"\x03", text(b"k"), doubles) == {b"x": 1.5, b"y": float("inf"), b"z": float("-inf")}
    assert value(b"\x11", text(b"k"), text(pack)) == {b"a": 1.0, b"b": 2.5}
    assert list(value(b"\x14", text(b"k"), text(pack))) == [b"a", b"1", b"b", b"2.5"]


def test_fields_that_expire() -> None:
    """Both hash types of Redis 7.4 give the fields' expiry times."""
    long = b"\x18" + text(b"k") + struct.pack("<q", 1000) + b"\x02"
    long += b"\x06" + text(b"f") + text(b"v") + b"\x00" + text(b"g") + text(b"w")
    packed = listpack.wrap([listpack.element(e) for e in (b"f", b"v", b"1005", b"g", b"w", b"0")])
    short = b"\x19" + text(b"k") + struct.pack("<q", 1000) + text(packed)
    for record in (long, short):
        (found,) = [e for e in decode(by_hand(record, version=12)) if isinstance(e, Key)]
        assert found.value == {b"f": b"v", b"g": b"w"}
        assert found.field_ttls == {b"f": 1005}


def test_module_data_beside_the_keys_is_skipped() -> None:
    """What a module left in the file doesn't keep the keys from being read."""
    head = b"\xf7\x81" + bytes(8) + b"\x02\x01"
    module = head + b"\x02\x05" + b"\x05" + text(b"x") + b"\x03abcd" + b"\x04" + b"d" * 8
    assert value(module + b"\x00", b"\x00" + text(b"k") + text(b"v")) == b"v"


def test_empty_collections_are_left_out() -> None:
    """A key with an empty collection is counted, not reported, and its expiry doesn't pass to the next."""
    decoder = Decoder()
    record = b"\xfc" + struct.pack("<q", 5) + b"\x02" + text(b"e") + b"\x00"
    events = decoder.feed(by_hand(record, b"\x00" + text(b"k") + text(b"v")))
    assert keys(events) == {(0, b"k"): (b"v", -1)}
    assert decoder.empty_keys == 1


def test_files_without_checksum() -> None:
    """Version 4 has none; 0 says that the writer had checksums off."""
    assert value(b"\x00", text(b"k"), text(b"v")) == b"v"
    assert keys(decode(by_hand(b"\x00", text(b"k"), text(b"v"), version=4)))
    assert keys(decode(by_hand(b"\x00", text(b"k"), text(b"v"))[:-8] + bytes(8)))


BROKEN = {
    "signature": b"RADIS0010\xff" + bytes(8),
    "version 0": b"REDIS0000\xff" + bytes(8),
    "version 99": b"REDIS0099\xff" + bytes(8),
    "version text": b"REDIS00 1\xff" + bytes(8),
    "checksum": by_hand(b"\x00" + text(b"k") + text(b"v"))[:-1] + b"\x00",
    "type": by_hand(b"\x60" + text(b"k") + text(b"v")),
    "module type": by_hand(b"\x07" + text(b"k") + b"\x81" + bytes(8)),
    "pre-release functions": by_hand(b"\xf6" + text(b"k")),
    "length encoding": by_hand(b"\x00\x82" + text(b"k")),
    "encoded length": by_hand(b"\xfe\xc0\x01"),
    "database number": by_hand(b"\xfe\x81" + b"\xff" * 8),
    "idle time": by_hand(b"\xf8\x81" + b"\xff" * 8),
    "string encoding": by_hand(b"\x00" + text(b"k") + b"\xc4"),
    "string too long": by_hand(b"\x00" + text(b"k") + b"\x81\x10" + bytes(7)),
    "lzf ratio": by_hand(b"\x00" + text(b"k") + b"\xc3\x02\x80\x7f\xff\xff\xff\x00a"),
    "lzf": by_hand(b"\x00" + text(b"k") + b"\xc3\x02\x04\x20\x00"),
    "duplicate member": by_hand(b"\x02" + text(b"k") + b"\x02" + text(b"a") * 2),
    "duplicate field": by_hand(b"\x04" + text(b"k") + b"\x02" + text(b"a") * 4),
    "not a number": by_hand(b"\x05" + text(b"k") + b"\x01" + text(b"a") + struct.pack("<d", float("nan"))),
    "text score": by_hand(b"\x03" + text(b"k") + b"\x01" + text(b"a") + b"\x031_0"),
    "odd pack": by_hand(b"\x10" + text(b"k") + text(listpack.wrap([listpack.element(b"a")]))),
    "container": by_hand(b"\x12" + text(b"k") + b"\x01\x03" + text(b"a")),
    "module opcode": by_hand(b"\xf7\x01\x02\x01\x09"),
    "stream node name": by_hand(b"\x13" + text(b"k") + b"\x01" + text(b"a") + text(b"b")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_refused_with_its_place(name: str) -> None:
    """Each kind of damage raises RdbError with an offset inside the file."""
    for size in (0, 1):
        with pytest.raises(RdbError) as caught:
            decode(BROKEN[name], size)
        assert 0 <= caught.value.offset <= len(BROKEN[name])
        assert caught.value.reason


def test_every_truncation_is_refused() -> None:
    """A file that ends early never passes for whole."""
    data = snapshot_bytes(engine_of_all_types())
    rng = random.Random(4)
    for size in [*range(200), *rng.sample(range(len(data)), 60)]:
        decoder = Decoder()
        decoder.feed(data[:size])
        with pytest.raises(RdbError, match="Unexpected end"):
            decoder.finish()


def test_flipped_bits_are_noticed() -> None:
    """A flipped bit anywhere raises RdbError or is caught by the checksum; nothing hangs, nothing else is raised."""
    data = snapshot_bytes(engine_of_all_types())
    rng = random.Random(11)
    for _ in range(250):
        damaged = bytearray(data)
        bit = rng.randrange(8 * len(data))
        damaged[bit >> 3] ^= 1 << (bit & 7)
        if any(damaged[-8:]):
            with pytest.raises(RdbError):
                decode(bytes(damaged), rng.choice((0, 5000)))


def test_flipped_bits_without_a_checksum_harm_nobody() -> None:
    """With the checksum off, damage raises RdbError or decodes to something; nothing else happens."""
    data = snapshot_bytes(engine_of_all_types())[:-8] + bytes(8)
    rng = random.Random(12)
    for _ in range(250):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 3))):
            bit = rng.randrange(8 * (len(data) - 8))
            damaged[bit >> 3] ^= 1 << (bit & 7)
        try:
            decode(bytes(damaged), 0, EngineBuilders(Limits()))
        except RdbError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_behind_a_header_harm_nobody(garbage: bytes) -> None:
    """Whatever follows a valid header decodes or raises RdbError."""
    try:
        decode(b"REDIS0010" + garbage)
    except RdbError as error:
        assert error.offset >= 0  # noqa: PT017 - most inputs raise, some may not


def test_an_announced_count_allocates_nothing() -> None:
    """A collection of 2**63 elements and more of which none comes costs nothing until the input ends."""
    for number in (1, 2, 3, 4, 5, 14, 18, 15, 19, 21, 24):
        head = b"REDIS0012" + bytes([number]) + text(b"k") + (bytes(8) if number == 24 else b"")
        decoder = Decoder()
        decoder.feed(head + b"\x81\xff" + bytes(7))
        with pytest.raises(RdbError):
            decoder.finish()
