"""Listpacks and the forms before them: round trips, hand-made examples, corruption."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from persistence.rdb import listpack
from persistence.rdb.errors import RdbError
from persistence.rdb.read.compact import decode_intset, decode_ziplist, decode_zipmap, encode_intset

elements = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n),
        st.sampled_from([b"", b"-0", b"+1", b"007", b"1_0", b" 5", b"9223372036854775808", b"-1", b"4095", b"4096"]),
    ),
    max_size=40,
)

ZIPLIST_ENTRIES = [
    (b"\x03abc", b"abc"),
    (b"\x40\x46" + b"x" * 70, b"x" * 70),
    (b"\x80\x00\x00\x01\x2c" + b"y" * 300, b"y" * 300),
    (b"\xf1", b"0"),
    (b"\xfd", b"12"),
    (b"\xfe\x80", b"-128"),
    (b"\xc0\x00\x80", b"-32768"),
    (b"\xf0\xff\xff\x7f", b"8388607"),
    (b"\xd0\x00\x00\x00\x80", b"-2147483648"),
    (b"\xe0" + struct.pack("<q", 2**62), b"%d" % 2**62),
]


def ziplist(entries: list[bytes]) -> bytes:
    body = b""
    previous = 0
    tail = 10
    for entry in entries:
        tail = 10 + len(body)
        prefix = bytes([previous]) if previous < 254 else b"\xfe" + struct.pack("<I", previous)
        body += prefix + entry
        previous = len(prefix) + len(entry)
    return struct.pack("<IIH", 11 + len(body), tail, len(entries)) + body + b"\xff"


def zipmap(pairs: list[tuple[bytes, bytes]]) -> bytes:
    out = bytes([len(pairs)])
    for key, value in pairs:
        for text, free in ((key, b""), (value, b"\x02")):
            out += bytes([len(text)]) if len(text) < 254 else b"\xfe" + struct.pack("<I", len(text))
            out += free + text + (b"??" if free else b"")
    return out + b"\xff"


@given(elements)
def test_listpack_round_trip(items: list[bytes]) -> None:
    """Every string comes back, and only canonical integers are stored as integers."""
    assert listpack.decode(listpack.wrap([listpack.element(item) for item in items])) == items


@pytest.mark.parametrize("size", [63, 64, 126, 127, 128, 4095, 4096, 16381, 16382, 16383, 70_000, 2_097_160])
def test_listpack_lengths_at_the_limits(size: int) -> None:
    """Sizes at which encodings and back lengths change their width come back."""
    items = [b"a" * size, b"z"]
    assert listpack.decode(listpack.wrap([listpack.element(item) for item in items])) == items


def test_listpack_of_more_elements_than_its_count_can_tell() -> None:
    """From 65535 elements on the count says "unknown", and all elements are there."""
    items = [b"%d" % (i % 7) for i in range(65_600)]
    assert listpack.decode(listpack.wrap([listpack.element(item) for item in items])) == items


def test_ziplist_of_all_encodings() -> None:
    """Each of the encodings a ziplist knows is read."""
    blob = ziplist([entry for entry, _ in ZIPLIST_ENTRIES])
    assert decode_ziplist(blob) == [value for _, value in ZIPLIST_ENTRIES]
    assert decode_ziplist(ziplist([])) == []


def test_zipmap_with_free_bytes_and_long_values() -> None:
    """Free bytes behind values are skipped; lengths of one and of five bytes are read."""
    blob = zipmap([(b"a", b"1"), (b"long", b"v" * 300)])
    assert decode_zipmap(blob) == [b"a", b"1", b"long", b"v" * 300]


@given(st.sets(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30))
def test_intset_round_trip(numbers: set[int]) -> None:
    """The members come back in ascending order."""
    assert decode_intset(encode_intset(list(numbers))) == [b"%d" % n for n in sorted(numbers)]


SAMPLES: list[tuple[Callable[[bytes], list[bytes]], bytes]] = [
    (listpack.decode, listpack.wrap([listpack.element(e) for e in (b"abc", b"12345", b"x" * 70, b"-9", b"q" * 200)])),
    (decode_ziplist, ziplist([entry for entry, _ in ZIPLIST_ENTRIES])),
    (decode_zipmap, zipmap([(b"a", b"1"), (b"b", b"v" * 260)])),
    (decode_intset, encode_intset([1, 2, 70_000])),
]


@pytest.mark.parametrize(("decode", "blob"), SAMPLES)
def test_damage_is_noticed_or_harmless(decode: Callable[[bytes], list[bytes]], blob: bytes) -> None:
    """Every truncation is refused; a flipped bit is refused or makes another list, and never anything else."""
    for size in range(len(blob)):
        with pytest.raises(RdbError):
            decode(blob[:size])
    for bit in range(8 * len(blob)):
        damaged = bytearray(blob)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        try:
            found = decode(bytes(damaged))
        except RdbError:
            continue
        assert sum(map(len, found)) <= len(blob) * 21


@pytest.mark.parametrize("decode", [decode for decode, _ in SAMPLES])
@given(st.binary(max_size=60))
def test_garbage_is_refused(decode: Callable[[bytes], list[bytes]], blob: bytes) -> None:
    """Arbitrary bytes raise RdbError or decode."""
    with suppress(RdbError):
        decode(blob)
