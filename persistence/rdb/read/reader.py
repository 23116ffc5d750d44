# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False
"""The primitives of the format, read from a buffer that may end anywhere.

A length is one byte 00llllll, two 01llllll llllllll, or 0x80 and 4 or 0x81 and 8 bytes, big-endian. Where a
string is due, 11eeeeee announces a special encoding: an integer of 8, 16 or 32 bits, or LZF.

Whatever reaches beyond the buffer raises `Short`; the caller goes back to `start`, the last position from
which it can repeat, and waits. Nothing is allocated for bytes which are announced but not there.
"""

from __future__ import annotations

from struct import Struct

from persistence.rdb import lzf
from persistence.rdb.errors import RdbError, Short
from persistence.rdb.opcodes import ENC_INT8, ENC_INT16, ENC_INT32, ENC_LZF

MAX_STRING = 1 << 32
"""No string of Redis is longer, nor any listpack."""

_unpack_double = Struct("<d").unpack_from
_NAN, _INFINITY, _MINUS_INFINITY = 253, 254, 255


class Reader:
    """A cursor over `buf`, whose first byte stands at `base` in the whole input."""

    def __init__(self, buf: bytes = b"", base: int = 0) -> None:
        self.buf = buf
        self.pos = 0
        self.start = 0
        self.end = len(buf)
        self.base = base

    def error(self, reason: str) -> RdbError:
        """An error at the current position."""
        return RdbError(reason, self.base + self.pos)

    def byte(self) -> int:
        """The next byte."""
        if self.pos >= self.end:
            raise Short(self.pos + 1)
        value = self.buf[self.pos]
        self.pos += 1
        return value

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        stop = self.pos + size
        if stop > self.end:
            raise Short(stop)
        value = self.buf[self.pos : stop]
        self.pos = stop
        return value

    def length(self) -> int:
        """A plain length."""
        first = self.byte()
        if first >= 0xC0:
            raise self.error("A length is due, not an encoded string")
        return self.plain_length(first)

    def plain_length(self, first: int) -> int:
        """A length whose first byte has been read and is below 0xC0."""
        if first < 0x40:
            return first
        if first < 0x80:
            return (first & 0x3F) << 8 | self.byte()
        if first == 0x80:
            return int.from_bytes(self.take(4), "big")
        if first == 0x81:
            return int.from_bytes(self.take(8), "big")
        raise self.error(f"Unknown length encoding {first}")

    def string(self) -> bytes:
        """A string in any of its encodings."""
        if self.pos >= self.end:
            raise Short(self.pos + 1)
        size = self.buf[self.pos]
        self.pos += 1
        if size >= 0x40:
            if size >= 0xC0:
                return self.encoded_string(size & 0x3F)
            size = self.size(size)
        stop = self.pos + size
        if stop > self.end:
            raise Short(stop)
        value = self.buf[self.pos : stop]
        self.pos = stop
        return value

    def size(self, first: int) -> int:
        """The size of a string, checked; `first` has been read."""
        size = self.plain_length(first)
        if size > MAX_STRING:
            raise self.error(f"String of {size} bytes is too long")
        return size

    def encoded_string(self, encoding: int) -> bytes:
        """A string in a special encoding; its first byte has been read."""
        if encoding == ENC_INT8:
            return b"%d" % int.from_bytes(self.take(1), "little", signed=True)
        if encoding == ENC_INT16:
            return b"%d" % int.from_bytes(self.take(2), "little", signed=True)
        if encoding == ENC_INT32:
            return b"%d" % int.from_bytes(self.take(4), "little", signed=True)
        if encoding != ENC_LZF:
            raise self.error(f"Unknown string encoding {encoding}")
        packed = self.length()
        size = self.length()
        if packed > MAX_STRING or size > MAX_STRING or size > packed * lzf.MAX_RATIO:
            raise self.error(f"LZF string of {packed} bytes cannot make {size}")
        data = self.take(packed)
        try:
            return lzf.decompress(data, size)
        except lzf.LzfError as e:
            raise self.error(str(e))

    def binary_double(self) -> float:
        """Eight bytes, little-endian."""
        start = self.pos
        if start + 8 > self.end:
            raise Short(start + 8)
        self.pos = start + 8
        return _unpack_double(self.buf, start)[0]  # type: ignore[no-any-return]

    def text_double(self) -> float:
        """A double of the first sorted set format: a length byte and text, or a special byte."""
        size = self.byte()
        if size == _NAN:
            return float("nan")
        if size == _INFINITY:
            return float("inf")
        if size == _MINUS_INFINITY:
            return float("-inf")
        return self.score(self.take(size))

    def score(self, text: bytes) -> float:
        """A finite or infinite score from text."""
        try:
            if b"_" in text or text != text.strip():
                raise ValueError
            value = float(text)
        except ValueError:
            raise self.error("Score is not a number")
        if value != value:
            raise self.error("Score is not a number")
        return value

    def milliseconds(self) -> int:
        """A time, eight bytes, little-endian."""
        return int.from_bytes(self.take(8), "little", signed=True)
