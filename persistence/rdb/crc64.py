# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""CRC-64/REDIS, the checksum of RDB files and DUMP payloads.

Polynomial 0xad93d23594c935a9 ("Jones"), bits reflected, starting from 0, nothing xored at the end; the
check value of b"123456789" is 0xe9c6d914c4b8d9ca. No packaged library offers this polynomial, so here it
is.

Compiled, eight table look-ups handle eight bytes. Uncompiled, a look-up a byte would cost ten times as much
as the rest of a snapshot, so long input is folded first, by arithmetic on long integers. Over GF(2)
squaring only spreads the coefficients: P(x)^(2^k) = P(x^(2^k)), so the polynomial with its exponents
multiplied by s = 2^k is a multiple of P. Adding it, times anything, does not change the remainder. So the
first s bits of a message can be removed by xoring them into 33 later places, always a multiple of s bits
away; with s a thousand bytes that is 33 long xors. The message shrinks to 64 s bits; then s is divided by
two, and so on, until a kilobyte is left for the table.
"""

from __future__ import annotations

import cython

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # reflected: bit 63 is the coefficient of x^0
_FOLD_ABOVE = 4096
_BIGGEST_STEP = 1024
_table = [0] * 2048


def _fill() -> None:
    """Table k holds, at 256 k + b, the remainder of the byte b followed by k zero bytes."""
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        _table[byte] = crc
    for i in range(256, 2048):
        crc = _table[i - 256]
        _table[i] = crc >> 8 ^ _table[crc & 0xFF]


_fill()

# How many steps later than the removed piece each of the polynomial's other terms falls: exponents 63 .. 0.
_LATER = [i + 1 for i in range(64) if _POLYNOMIAL >> i & 1]


def crc64(data: bytes, crc: int = 0) -> int:
    """Continue the checksum `crc` over `data`."""
    if cython.compiled:
        return _sliced(data, crc)
    if len(data) > _FOLD_ABOVE:
        data = _fold(data, crc)
        crc = 0
    table = _table
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


class Checksum:
    """The checksum of a stream; uncompiled, it gathers small pieces, as folding pays on long ones only."""

    GATHER = 1 << 18

    def __init__(self) -> None:
        self._crc = 0
        self._pieces: list[bytes] = []
        self._gathered = 0

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        if cython.compiled:
            self._crc = crc64(data, self._crc)
            return
        self._pieces.append(data)
        self._gathered += len(data)
        if self._gathered >= self.GATHER:
            self.value()

    def value(self) -> int:
        """The checksum of all bytes so far."""
        if self._pieces:
            self._crc = crc64(b"".join(self._pieces), self._crc)
            self._pieces = []
            self._gathered = 0
        return self._crc


def _sliced(data: bytes, crc: int) -> int:
    size = len(data)
    pos = 0
    while pos + 8 <= size:
        crc = (
            _table[1792 + ((crc ^ data[pos]) & 0xFF)]
            ^ _table[1536 + ((crc >> 8 ^ data[pos + 1]) & 0xFF)]
            ^ _table[1280 + ((crc >> 16 ^ data[pos + 2]) & 0xFF)]
            ^ _table[1024 + ((crc >> 24 ^ data[pos + 3]) & 0xFF)]
            ^ _table[768 + ((crc >> 32 ^ data[pos + 4]) & 0xFF)]
            ^ _table[512 + ((crc >> 40 ^ data[pos + 5]) & 0xFF)]
            ^ _table[256 + ((crc >> 48 ^ data[pos + 6]) & 0xFF)]
            ^ _table[crc >> 56 ^ data[pos + 7]]
        )
        pos += 8
    while pos < size:
        crc = crc >> 8 ^ _table[(crc ^ data[pos]) & 0xFF]
        pos += 1
    return crc


def _fold(data: bytes, crc: int) -> bytes:
    """A shorter message of the same remainder, `crc` taken in."""
    head = int.from_bytes(data[:8], "little") ^ crc
    data = head.to_bytes(8, "little") + data[8:]
    step = _BIGGEST_STEP
    while step >= 16:
        if len(data) > 66 * step:
            data = _fold_by(data, step)
        step >>= 1
    return data


def _fold_by(data: bytes, step: int) -> bytes:
    """Remove all but the last 64 pieces of `step` bytes (and what does not fill a piece)."""
    rest = len(data) % step
    whole = len(data) - rest
    pieces = [int.from_bytes(data[i : i + step], "little") for i in range(0, whole, step)]
    count = len(pieces) - 64
    later = _LATER
    for i in range(count):
        piece = pieces[i]
        for j in later:
            pieces[i + j] ^= piece
    return b"".join([p.to_bytes(step, "little") for p in pieces[count:]]) + data[whole:]
