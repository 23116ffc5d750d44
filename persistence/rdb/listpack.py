# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False
"""Listpacks: the packed form of small hashes, sorted sets, list nodes and stream nodes.

Layout (Redis's `listpack.md`): total bytes, 4, little-endian; number of elements, 2 (65535: not known);
elements; 0xFF. An element is an encoding byte (with a length or an integer in it or after it), its data,
and its own length so far as "backlen", seven bits a byte, most significant first, all but the first byte
with the high bit set, for walking backwards.

    0xxxxxxx  7 bit integer          1110xxxx +1  string, 12 bit length    0xF3  32 bit integer
    10xxxxxx  string, 6 bit length   0xF0 +4      string, 32 bit length    0xF4  64 bit integer
    110xxxxx +1  13 bit integer      0xF1  16 bit, 0xF2  24 bit integer    0xFF  the end
"""

from __future__ import annotations

from persistence.rdb.errors import RdbError

HEADER = 6
_END = 0xFF
_UNKNOWN_COUNT = 65535
_INT64_MIN = -(2**63)
_INT64_MAX = 2**63 - 1


def decode(blob: bytes) -> list[bytes]:
    """Every element, integers in decimal.

    Raises:
        RdbError: anything in the blob is not as it must be; the offset counts from its start.
    """
    size = len(blob)
    if size < HEADER + 1:
        raise RdbError("Listpack is shorter than its header", 0)
    if int.from_bytes(blob[:4], "little") != size:
        raise RdbError("Listpack's size field disagrees with its size", 0)
    if blob[size - 1] != _END:
        raise RdbError("Listpack does not end with its end mark", size - 1)
    out: list[bytes] = []
    pos = HEADER
    end = size - 1
    while pos < end:
        pos = _element(blob, pos, end, out)
    count = blob[4] | blob[5] << 8
    if count != _UNKNOWN_COUNT and count != len(out):
        raise RdbError("Listpack's count disagrees with its elements", 4)
    return out


def _element(blob: bytes, pos: int, end: int, out: list[bytes]) -> int:
    """Append the element at `pos`; return where the next begins. The byte at `end` exists."""
    first = blob[pos]
    start = pos
    length = -1
    if first < 0x80:
        out.append(b"%d" % first)
        pos += 1
    elif first < 0xC0:
        length = first & 0x3F
        pos += 1
    elif first < 0xE0:
        number = (first & 0x1F) << 8 | blob[pos + 1]
        out.append(b"%d" % (number - 8192 if number >= 4096 else number))
        pos += 2
    elif first < 0xF0:
        length = (first & 0x0F) << 8 | blob[pos + 1]
        pos += 2
    elif first == 0xF0:
        length = int.from_bytes(blob[pos + 1 : pos + 5], "little")
        pos += 5
    elif first <= 0xF4:
        width = 8 if first == 0xF4 else first - 0xEF
        out.append(b"%d" % int.from_bytes(blob[pos + 1 : pos + 1 + width], "little", signed=True))
        pos += 1 + width
    else:
        raise RdbError("Listpack element of no known encoding", pos)
    if length >= 0:
        if length > end - pos:
            raise RdbError("Listpack element reaches beyond the end", start)
        out.append(blob[pos : pos + length])
        pos += length
    return _check_backlen(blob, start, pos, end)


def _check_backlen(blob: bytes, start: int, pos: int, end: int) -> int:
    """The element began at `start`, its data ended at `pos`: return the byte behind its backlen."""
    size = pos - start
    if size < 128:
        if pos >= end or blob[pos] != size:
            raise RdbError("Listpack element's length and back length disagree", start)
        return pos + 1
    back = backlen(size)
    if pos + len(back) > end or blob[pos : pos + len(back)] != back:
        raise RdbError("Listpack element's length and back length disagree", start)
    return pos + len(back)


def backlen(size: int) -> bytes:
    """The trailing length of an element of `size` bytes; the odd limits are Redis's own."""
    if size < 128:
        return bytes((size,))
    if size < 16383:
        return bytes((size >> 7, size & 127 | 128))
    if size < 2097151:
        return bytes((size >> 14, size >> 7 & 127 | 128, size & 127 | 128))
    if size < 268435455:
        return bytes((size >> 21, size >> 14 & 127 | 128, size >> 7 & 127 | 128, size & 127 | 128))
    return bytes(
        (size >> 28, size >> 21 & 127 | 128, size >> 14 & 127 | 128, size >> 7 & 127 | 128, size & 127 | 128)
    )


def element(raw: bytes) -> bytes:
    """One element encoded: as an integer when it is the canonical decimal of one, as Redis does."""
    size = len(raw)
    if 0 < size <= 20:
        first = raw[0]
        if first <= 57 and (first >= 48 or first == 45):
            body = raw[1:] if first == 45 else raw
            if body.isdigit() and (size == 1 or body[0] != 48):
                number = int(raw)
                if _INT64_MIN <= number <= _INT64_MAX:
                    return integer(number)
    if size < 64:
        return b"%c%b%c" % (0x80 | size, raw, size + 1)
    if size < 4096:
        return b"%c%c%b%b" % (0xE0 | size >> 8, size & 0xFF, raw, backlen(size + 2))
    return b"\xf0%b%b%b" % (size.to_bytes(4, "little"), raw, backlen(size + 5))


def integer(number: int) -> bytes:
    """One integer element encoded, in the shortest form."""
    if 0 <= number < 128:
        return b"%c\x01" % number
    if -4096 <= number < 4096:
        number &= 0x1FFF
        return b"%c%c\x02" % (0xC0 | number >> 8, number & 0xFF)
    if -32768 <= number < 32768:
        return b"\xf1%b\x03" % number.to_bytes(2, "little", signed=True)
    if -8388608 <= number < 8388608:
        return b"\xf2%b\x04" % number.to_bytes(3, "little", signed=True)
    if -2147483648 <= number < 2147483648:
        return b"\xf3%b\x05" % number.to_bytes(4, "little", signed=True)
    return b"\xf4%b\x09" % number.to_bytes(8, "little", signed=True)


def wrap(elements: list[bytes]) -> bytes:
    """The listpack of elements already encoded."""
    body = b"".join(elements)
    size = len(body) + HEADER + 1
    count = min(len(elements), _UNKNOWN_COUNT)
    return b"%b%b%b\xff" % (size.to_bytes(4, "little"), count.to_bytes(2, "little"), body)
