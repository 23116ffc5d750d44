"""The compact forms listpacks replaced, which old files and old servers still bring: ziplist, zipmap; and
intset.

Everything is checked: a length or offset that leads outside, a count that disagrees, an entry that is not
where its successor says, raise RdbError with the offset within the blob.
"""

from __future__ import annotations

from struct import iter_unpack, pack

from persistence.rdb.errors import RdbError

_ZIPLIST_HEADER = 10
_BIG_PREVLEN = 254
_UNKNOWN_COUNT = 65535
_ZIPLIST_INTS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
_INTSET_FORMATS = {2: "<h", 4: "<i", 8: "<q"}


def decode_ziplist(blob: bytes) -> list[bytes]:
    """Every element, integers in decimal.

    Header: total bytes (4), offset of the last entry (4), count (2), all little-endian; at the end 0xFF. An
    entry is the length of the previous one (1 byte, or 0xFE and 4), an encoding byte, the data.
    """
    size = len(blob)
    if size < _ZIPLIST_HEADER + 1:
        raise RdbError("Ziplist is shorter than its header", 0)
    if int.from_bytes(blob[:4], "little") != size:
        raise RdbError("Ziplist's size field disagrees with its size", 0)
    if blob[-1] != 0xFF:
        raise RdbError("Ziplist does not end with its end mark", size - 1)
    out: list[bytes] = []
    pos = last = _ZIPLIST_HEADER
    previous = 0
    while pos < size - 1:
        start = last = pos
        announced, pos = _previous_length(blob, pos, size - 1)
        if announced != previous:
            raise RdbError("Ziplist entry's previous length disagrees", start)
        pos = _ziplist_entry(blob, pos, size - 1, out)
        previous = pos - start
    if int.from_bytes(blob[4:8], "little") != last:
        raise RdbError("Ziplist's tail offset is not its last entry", 4)
    count = int.from_bytes(blob[8:10], "little")
    if count not in (_UNKNOWN_COUNT, len(out)):
        raise RdbError("Ziplist's count disagrees with its elements", 8)
    return out


def _previous_length(blob: bytes, pos: int, end: int) -> tuple[int, int]:
    if blob[pos] < _BIG_PREVLEN:
        return blob[pos], pos + 1
    if blob[pos] != _BIG_PREVLEN or pos + 5 > end:
        raise RdbError("Ziplist entry's previous length is cut short", pos)
    return int.from_bytes(blob[pos + 1 : pos + 5], "little"), pos + 5


def _ziplist_entry(blob: bytes, pos: int, end: int, out: list[bytes]) -> int:
    if pos >= end:
        raise RdbError("Ziplist entry is cut short", pos)
    start = pos
    first = blob[pos]
    if first < 0xC0:
        width = (1, 2, 5)[first >> 6]
        if pos + width > end:
            raise RdbError("Ziplist entry is cut short", start)
        if first < 0x40:
            length = first
        elif first < 0x80:
            length = (first & 0x3F) << 8 | blob[pos + 1]
        else:
            length = int.from_bytes(blob[pos + 1 : pos + 5], "big")
        pos += width
        if pos + length > end:
            raise RdbError("Ziplist entry reaches beyond the end", start)
        out.append(blob[pos : pos + length])
        return pos + length
    if 0xF1 <= first <= 0xFD:
        out.append(b"%d" % (first - 0xF1))
        return pos + 1
    integer_width = _ZIPLIST_INTS.get(first)
    if integer_width is None:
        raise RdbError("Ziplist entry of no known encoding", start)
    if pos + 1 + integer_width > end:
        raise RdbError("Ziplist entry reaches beyond the end", start)
    out.append(b"%d" % int.from_bytes(blob[pos + 1 : pos + 1 + integer_width], "little", signed=True))
    return pos + 1 + integer_width


def decode_zipmap(blob: bytes) -> list[bytes]:
    """Keys and values in turn.

    A count byte, then for each: length, key, length, number of free bytes, value, free bytes; at the end
    0xFF.
    """
    size = len(blob)
    if size < 2:
        raise RdbError("Zipmap is shorter than its header", 0)
    if blob[-1] != 0xFF:
        raise RdbError("Zipmap does not end with its end mark", size - 1)
    out: list[bytes] = []
    pos = 1
    while pos < size - 1:
        for free_bytes in (0, 1):
            start = pos
            length, pos = _zipmap_length(blob, pos, size - 1)
            free = 0
            if free_bytes:
                if pos >= size - 1:
                    raise RdbError("Zipmap entry is cut short", start)
                free = blob[pos]
                pos += 1
            if pos + length + free > size - 1:
                raise RdbError("Zipmap entry reaches beyond the end", start)
            out.append(blob[pos : pos + length])
            pos += length + free
    if blob[0] < _BIG_PREVLEN and blob[0] * 2 != len(out):
        raise RdbError("Zipmap's count disagrees with its elements", 0)
    return out


def _zipmap_length(blob: bytes, pos: int, end: int) -> tuple[int, int]:
    if pos < end and blob[pos] < _BIG_PREVLEN:
        return blob[pos], pos + 1
    if pos + 5 > end or blob[pos] != _BIG_PREVLEN:
        raise RdbError("Zipmap entry's length is cut short", pos)
    length = int.from_bytes(blob[pos + 1 : pos + 5], "little")
    if length < _BIG_PREVLEN:
        raise RdbError("Zipmap entry's length is longer than it needs to be", pos)
    return length, pos + 5


def decode_intset(blob: bytes) -> list[bytes]:
    """The members in decimal: width (4), count (4), the integers ascending, all little-endian."""
    if len(blob) < 8:
        raise RdbError("Intset is shorter than its header", 0)
    width = int.from_bytes(blob[:4], "little")
    count = int.from_bytes(blob[4:8], "little")
    if width not in _INTSET_FORMATS:
        raise RdbError("Intset of no known width", 0)
    if len(blob) - 8 != width * count:
        raise RdbError("Intset's count disagrees with its size", 4)
    numbers = [n for (n,) in iter_unpack(_INTSET_FORMATS[width], blob[8:])]
    for i in range(1, count):
        if numbers[i] <= numbers[i - 1]:
            raise RdbError("Intset is not in ascending order", 8 + width * i)
    return [b"%d" % n for n in numbers]


def encode_intset(members: list[int]) -> bytes:
    """The intset of these integers, each of which fits 64 bits, in the narrowest width."""
    ordered = sorted(members)
    low, high = ordered[0], ordered[-1]
    width = 2 if low >= -(2**15) and high < 2**15 else 4 if low >= -(2**31) and high < 2**31 else 8
    return pack(f"<II{len(ordered)}{_INTSET_FORMATS[width][1]}", width, len(ordered), *ordered)
