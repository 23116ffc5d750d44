"""Streams in RDB: round trips, the older format, corruption."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from persistence.rdb import listpack
from persistence.rdb.errors import RdbError
from persistence.rdb.model import STREAM, Consumer, Group, Pending, StreamData
from persistence.rdb.opcodes import TYPE_STREAM_LISTPACKS, TYPE_STREAM_LISTPACKS_2
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.containers import read_value
from persistence.rdb.read.reader import Reader
from persistence.rdb.write.encoder import length
from persistence.rdb.write.stream_writer import stream_pieces

names = st.sampled_from([b"a", b"b", b"field", b"17"])
flats = st.lists(st.tuples(names, st.binary(max_size=30)), min_size=1, max_size=4).map(
    lambda pairs: [x for pair in pairs for x in pair]
)
ids = st.tuples(st.integers(0, 2**60), st.one_of(st.integers(0, 5), st.integers(0, 2**64 - 1)))


@st.composite
def streams(draw: st.DrawFn) -> StreamData:
    order = sorted(draw(st.sets(ids, max_size=110)))
    data = StreamData([(entry, draw(flats)) for entry in order])
    data.last_id = order[-1] if order else draw(ids)
    data.first_id = order[0] if order else (0, 0)
    data.max_deleted_id = draw(ids)
    data.entries_added = draw(st.integers(0, 2**62))
    for i in range(draw(st.integers(0, 3))):
        group = Group(b"group%d" % i, draw(ids), draw(st.sampled_from([-1, 0, 7])))
        group.consumers = [Consumer(b"c%d" % n, draw(st.integers(0, 2**50))) for n in range(draw(st.integers(0, 3)))]
        for consumer in group.consumers:
            consumer.active_ms = consumer.seen_ms
            for entry in sorted(draw(st.sets(ids, max_size=6))):
                if entry not in group.pending:
                    group.pending[entry] = Pending(draw(st.integers(0, 2**50)), draw(st.integers(0, 9)))
                    consumer.pending.append(entry)
        data.groups.append(group)
    return data


def decode(blob: bytes, number: int = TYPE_STREAM_LISTPACKS_2) -> StreamData:
    r = Reader(blob)
    kind, value, _ = read_value(r, Builders(), number)
    assert kind == STREAM
    assert r.pos == r.end
    assert isinstance(value, StreamData)
    return value


@settings(max_examples=50, deadline=None)
@given(streams(), st.booleans())
def test_streams_come_back(data: StreamData, compress: bool) -> None:
    """Entries, ids, counters, groups, pending entries and consumers are what they were."""
    assert decode(b"".join(stream_pieces(data, compress))) == data


def sample() -> StreamData:
    data = StreamData([((5, i), [b"f", b"%d" % i, b"g", b"x"]) for i in range(150)], (9, 9), (5, 0), (4, 0), 200)
    data.entries[3] = ((5, 3), [b"other", b"fields"])
    group = Group(b"g", (5, 2), 3, {(5, 1): Pending(1000, 2), (5, 2): Pending(1001, 1)})
    group.consumers = [Consumer(b"c", 1001, 1001, [(5, 1), (5, 2)])]
    data.groups = [group]
    return data


def test_the_first_format_has_fewer_facts() -> None:
    """A stream of Redis 5 or 6 gets its first id from its entries and doesn't know what a group has read."""
    ints, letter = listpack.integer, listpack.element
    master = [ints(1), ints(0), ints(1), letter(b"f"), ints(0)]
    entries = listpack.wrap([*master, ints(2), ints(0), ints(0), letter(b"v"), ints(4)])
    name = (7).to_bytes(8, "big") + (1).to_bytes(8, "big")
    blob = b"\x01\x10" + name + length(len(entries)) + entries + b"\x01\x07\x01" + b"\x01\x01g\x07\x01\x00\x00"
    data = decode(blob, TYPE_STREAM_LISTPACKS)
    assert data.entries == [((7, 1), [b"f", b"v"])]
    assert (data.first_id, data.last_id, data.entries_added) == ((7, 1), (7, 1), 1)
    assert data.groups == [Group(b"g", (7, 1), -1)]


def test_deleted_entries_are_left_out() -> None:
    """An entry marked as deleted is counted as such and not reported."""
    ints, text = listpack.integer, listpack.element
    head = [ints(1), ints(1), ints(1), text(b"f"), ints(0)]
    gone = [ints(3), ints(0), ints(0), text(b"v"), ints(4)]
    kept = [ints(2), ints(0), ints(1), text(b"w"), ints(4)]
    entries = listpack.wrap(head + gone + kept)
    totals = b"\x01\x00\x01" + b"\x00\x01\x00\x00\x02" + b"\x00"
    blob = b"\x01\x10" + bytes(16) + length(len(entries)) + entries + totals
    assert decode(blob).entries == [((0, 1), [b"f", b"w"])]


def test_damage_is_noticed_or_harmless() -> None:
    """Truncated and bit-flipped streams raise RdbError or decode to some stream, and never anything else."""
    blob = b"".join(stream_pieces(sample(), False))
    for size in range(0, len(blob), 7):
        with pytest.raises(RdbError):
            decode(blob[:size])
    rng = random.Random(2)
    for _ in range(1500):
        damaged = bytearray(blob)
        bit = rng.randrange(8 * len(blob))
        damaged[bit >> 3] ^= 1 << (bit & 7)
        with suppress(RdbError, AssertionError):
            decode(bytes(damaged))


@pytest.mark.parametrize("change", ["order", "owner", "twice", "count", "last id"])
def test_streams_that_contradict_themselves_are_refused(change: str) -> None:
    """What no stream can be is not taken for one."""
    data = sample()
    group = data.groups[0]
    if change == "order":
        data.entries[1], data.entries[2] = data.entries[2], data.entries[1]
    elif change == "owner":
        group.consumers[0].pending.pop()
    elif change == "twice":
        data.groups.append(group)
    elif change == "last id":
        data.last_id = (1, 1)
    blob = b"".join(stream_pieces(data, False))
    if change == "count":
        blob = blob.replace(length(150) + length(9), length(151) + length(9))
    with pytest.raises(RdbError):
        decode(blob)
