"""HyperLogLog: both encodings, the estimate, damage."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings, strategies as st

from kvserver.engine.values import hll, hll_estimate

WIDE = 3000


def filled(elements: list[bytes], sparse_max: int = WIDE) -> bytearray:
    raw = hll.empty()
    for element in elements:
        hll.add(raw, element, sparse_max)
    return raw


def test_the_hash_is_murmur_64a() -> None:
    """The hash gives what Redis's gives: a few values of its registers are known."""
    assert hll.murmur64a(b"") == 0xD8DFEA6585BC9732
    assert hll.place_of(b"foo") == hll.place_of(b"foo")
    assert {hll.place_of(b"%d" % i)[0] < hll.REGISTERS for i in range(1000)} == {True}
    assert max(hll.place_of(b"%d" % i)[1] for i in range(1000)) <= hll.LONGEST


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=120))
def test_sparse_and_dense_agree(elements: list[bytes]) -> None:
    """The same elements leave the same registers and the same estimate in either encoding."""
    sparse, dense = filled(elements), hll.empty()
    hll.make_dense(dense)
    for element in elements:
        hll.add(dense, element, WIDE)
    assert sparse[4] == hll.SPARSE
    assert hll.registers(sparse) == hll.registers(dense)
    assert hll.histogram(sparse) == hll.histogram(dense)
    hll.make_dense(sparse)
    assert sparse[16:] == dense[16:]


def test_registers_are_packed_and_unpacked() -> None:
    """What dense_of packs registers gives back, and each register changes alone."""
    numbers = bytes(random.Random(1).choices(range(52), k=hll.REGISTERS))
    raw = hll.dense_of(numbers, hll.empty())
    assert hll.registers(raw) == numbers
    for index in (0, 1, 2, 3, hll.REGISTERS - 1):
        hll.raise_register(raw, index, 60, WIDE)
    expected = bytes((60,)) * 4 + numbers[4:-1] + bytes((60,))
    assert hll.registers(raw) == expected


def test_adding_twice_changes_nothing() -> None:
    """An element that is there already leaves every byte alone."""
    raw = filled([b"%d" % i for i in range(300)])
    before = bytes(raw)
    assert not any(hll.add(raw, b"%d" % i, WIDE) for i in range(300))
    assert raw == before


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(100, 1500))
def test_marks_change_nothing(seed: int, count: int) -> None:
    """Many elements added with marks leave the same bytes as one after the other without."""
    rng = random.Random(seed)
    elements = [rng.randbytes(4) for _ in range(count)]
    raw, marks = hll.empty(), hll.Marks()
    for element in elements:
        hll.add(raw, element, WIDE, marks)
    assert raw == filled(elements)


def test_a_long_string_becomes_dense() -> None:
    """Beyond the limit of bytes, or for a number above 32, the encoding changes and nothing is lost."""
    elements = [b"%d" % i for i in range(500)]
    short, long = filled(elements, 100), filled(elements)
    assert (short[4], long[4]) == (hll.DENSE, hll.SPARSE)
    assert hll.registers(short) == hll.registers(long)
    hll.raise_register(long, 7, 33, WIDE)
    assert long[4] == hll.DENSE
    assert hll.registers(long)[7] == 33


@pytest.mark.parametrize("count", [0, 1, 10, 1000, 20000])
def test_the_estimate_is_close(count: int) -> None:
    """The estimate of so many different elements is off by a few per cent at most."""
    raw = filled([b"element:%d" % i for i in range(count)])
    assert abs(hll_estimate.estimate(hll.histogram(raw)) - count) <= max(1, count * 0.03)


@pytest.mark.parametrize("tail", [b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00", b"", b"\x80\x7f\xff"])
def test_damage_is_found(tail: bytes) -> None:
    """Runs that don't cover the registers exactly are refused, wherever they are read."""
    raw = hll.empty()[:16] + tail
    with pytest.raises(hll.CorruptedError):
        hll.registers(raw)
    with pytest.raises(hll.CorruptedError):
        hll.histogram(raw)


def test_union_takes_the_greater_numbers() -> None:
    """Merging two gives what adding all elements to one gives."""
    left, right = [b"l%d" % i for i in range(200)], [b"r%d" % i for i in range(3000)]
    merged = hll.merge(hll.registers(filled(left)), filled(right))
    assert merged == hll.registers(filled(left + right))
