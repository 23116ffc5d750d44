"""The checksum of RDB files."""

from __future__ import annotations

import random

import pytest

from persistence.rdb.crc64 import Checksum, crc64

POLYNOMIAL = 0x95AC9329AC4BC9B5


def bit_by_bit(data: bytes, crc: int = 0) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def test_check_value() -> None:
    """The catalogue's check value of CRC-64/REDIS comes out."""
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 64, 4096, 4097, 30_000, 70_001])
def test_every_way_of_computing_agrees(size: int) -> None:
    """Table, slices and folding give what the definition gives, from any start."""
    data = random.Random(size).randbytes(size)
    start = 0x0123456789ABCDEF
    assert crc64(data, start) == bit_by_bit(data, start)


def test_a_stream_in_pieces_has_the_checksum_of_the_whole() -> None:
    """However a stream is cut, the checksum is the same."""
    rng = random.Random(3)
    data = rng.randbytes(600_000)
    checksum = Checksum()
    pos = 0
    while pos < len(data):
        size = rng.choice((1, 10, 1000, 100_000))
        checksum.update(data[pos : pos + size])
        pos += size
    assert checksum.value() == crc64(data) == checksum.value()
