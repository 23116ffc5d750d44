"""Strings as arrays of bits, the first being the highest bit of the first byte (https://redis.io/commands/?group=bitmap)."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_, xor

from kvserver.engine.commands.args import string_arg
from kvserver.engine.commands.strings.strings import mutable
from kvserver.engine.commands.typed import stored
from kvserver.engine.keys.keyspace import EV_STRING, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.limits import Limits
from kvserver.errors import SYNTAX, WRONGTYPE, CommandError
from kvserver.wire.numbers import is_int, parse_int, signed64
from kvserver.wire.resp import MINUS_ONE, ONE, ZERO, integer

Raw = bytes | bytearray

_BAD_OFFSET = "ERR bit offset is not an integer or out of range"
_BAD_BIT = "ERR bit is not an integer or out of range"
_INVERTED = bytes(range(255, -1, -1))
_COUNTED = 1 << 20
"""Bytes whose bits are counted as one integer."""


def bit_offset(raw: bytes, limits: Limits, width: int = 0) -> int:
    """Read the place of a bit; with a `width`, "#n" stands for the n-th field of so many bits.

    Raises:
        CommandError: no such place in the longest string.
    """
    counted = bool(width) and raw[:1] == b"#"
    text = raw[1:] if counted else raw
    if not is_int(text):
        raise CommandError(_BAD_OFFSET)
    offset = signed64(int(text) * width) if counted else int(text)
    if offset < 0 or offset >> 3 >= limits.max_string:
        raise CommandError(_BAD_OFFSET)
    return offset


def as_string(value: object) -> Raw | None:
    """Return a looked-up value as a string, as it is held; None stays None.

    Raises:
        CommandError: WRONGTYPE.
    """
    if value is None or isinstance(value, bytes | bytearray):
        return value
    raise CommandError(WRONGTYPE)


def room_for(db: Db, key: bytes, last_bit: int) -> tuple[bytearray, bool]:
    """Return (a string to be modified in place, whether it is new or longer now) that has the bit `last_bit`."""
    value = as_string(db.lookup_write(key))
    size = (last_bit >> 3) + 1
    raw = bytearray() if value is None else mutable(value, 0, db.state.limits)
    grown = len(raw) < size
    if grown:
        raw.extend(bytes(size - len(raw)))
    if raw is not value:
        db.put(key, raw, True)
    return raw, grown


def setbit(c: Session, a: list[bytes]) -> bytes:
    """SETBIT key offset value."""
    offset = bit_offset(a[2], c.db.state.limits)
    on = parse_int(a[3], _BAD_BIT)
    if on not in (0, 1):
        raise CommandError(_BAD_BIT)
    raw, grown = room_for(c.db, a[1], offset)
    mask = 0x80 >> (offset & 7)
    byte = raw[offset >> 3]
    old = 1 if byte & mask else 0
    if grown or old != on:
        raw[offset >> 3] = byte | mask if on else byte & ~mask
        c.db.changed(a[1], EV_STRING, b"setbit")
    return ONE if old else ZERO


def getbit(c: Session, a: list[bytes]) -> bytes:
    """GETBIT key offset."""
    offset = bit_offset(a[2], c.db.state.limits)
    raw = as_string(c.db.lookup(a[1]))
    byte = offset >> 3
    if raw is None or byte >= len(raw):
        return ZERO
    return ONE if raw[byte] & (0x80 >> (offset & 7)) else ZERO


def _is_bit_unit(word: bytes) -> bool:
    """Whether a range is of bits; or of bytes.

    Raises:
        CommandError: it is neither.
    """
    unit = word.upper()
    if unit not in (b"BIT", b"BYTE"):
        raise CommandError(SYNTAX)
    return unit == b"BIT"


def _bit_range(start: int, end: int, size: int, by_bit: bool) -> tuple[int, int]:
    """Turn an inclusive range, negative from the end, of a string of `size` bytes into bits (first, behind)."""
    total = size * 8 if by_bit else size
    start = max(start + total, 0) if start < 0 else start
    end = max(end + total, 0) if end < 0 else end
    end = min(end, total - 1)
    return (start, end + 1) if by_bit else (start * 8, end * 8 + 8)


def bitcount(c: Session, a: list[bytes]) -> bytes:
    """BITCOUNT key [start end [BYTE|BIT]]."""
    raw = as_string(c.db.lookup(a[1]))
    if raw is None:
        return ZERO
    if len(a) == 2:
        return integer(count_bits(raw, 0, len(raw) * 8))
    if len(a) not in (4, 5):
        raise CommandError(SYNTAX)
    start, end = parse_int(a[2]), parse_int(a[3])
    if start < 0 and end < 0 and start > end:
        return ZERO
    return integer(count_bits(raw, *_bit_range(start, end, len(raw), len(a) == 5 and _is_bit_unit(a[4]))))


def count_bits(raw: Raw, first: int, behind: int) -> int:
    """Count the set bits among the bits [first, behind)."""
    if first >= behind:
        return 0
    low, high = first >> 3, (behind + 7) >> 3
    found = 0
    for i in range(low, high, _COUNTED):
        found += int.from_bytes(raw[i : min(i + _COUNTED, high)], "big").bit_count()
    found -= (raw[low] >> (8 - (first & 7))).bit_count() if first & 7 else 0
    found -= (raw[high - 1] & (0xFF >> (behind & 7))).bit_count() if behind & 7 else 0
    return found


def bitpos(c: Session, a: list[bytes]) -> bytes:
    """BITPOS key bit [start [end [BYTE|BIT]]]."""
    bit = parse_int(a[2])
    if bit not in (0, 1):
        raise CommandError("ERR The bit argument must be 1 or 0.")
    raw = as_string(c.db.lookup(a[1]))
    if raw is None:
        return MINUS_ONE if bit else ZERO
    if len(a) > 6:
        raise CommandError(SYNTAX)
    start = parse_int(a[3]) if len(a) > 3 else 0
    by_bit = len(a) == 6 and _is_bit_unit(a[5])
    end = parse_int(a[4]) if len(a) > 4 else -1
    first, behind = _bit_range(start, end, len(raw), by_bit)
    if first >= behind:
        return MINUS_ONE
    place = find_bit(raw, bit, first, behind)
    if place < 0 and not bit and len(a) < 5:
        place = behind  # what lies right of the string counts as zeros, unless an end was given
    return integer(place)


def find_bit(raw: Raw, bit: int, first: int, behind: int) -> int:
    """Return the place of the first bit of that value among the bits [first, behind), or -1; first < behind."""
    low, high = first >> 3, (behind + 7) >> 3
    boring = 0 if bit else 0xFF
    head = raw[low] | 0xFF >> (first & 7) ^ 0xFF if not bit else raw[low] & 0xFF >> (first & 7)
    if head == boring:
        low += 1
        rest = raw[low:high]
        low += len(rest) - len(rest.lstrip(bytes((boring,))))
        if low >= high:
            return -1
        head = raw[low]
    place = low * 8 + 8 - (head ^ boring).bit_length()
    return place if place < behind else -1


_OPERATIONS = {b"AND": and_, b"OR": or_, b"XOR": xor}


def bitop(c: Session, a: list[bytes]) -> bytes:
    """BITOP AND|OR|XOR|NOT destination key [key …]."""
    name = a[1].upper()
    if name not in _OPERATIONS and name != b"NOT":
        raise CommandError(SYNTAX)
    if name == b"NOT" and len(a) != 4:
        raise CommandError("ERR BITOP NOT must be called with a single source key.")
    sources = [string_arg(c.db.lookup(key)) or b"" for key in a[3:]]
    if name == b"NOT":
        result = sources[0].translate(_INVERTED)
    else:
        result = combine(name, sources)
    return integer(stored(c.db, a[2], bytearray(result), EV_STRING, b"set"))


def combine(name: bytes, sources: list[bytes]) -> bytes:
    """Combine strings bit by bit with AND, OR or XOR; the shorter ones end in zeros."""
    size = max(map(len, sources))
    numbers = [int.from_bytes(raw, "little") for raw in sources]
    return reduce(_OPERATIONS[name], numbers).to_bytes(size, "little")


HANDLERS = {
    "BITCOUNT": bitcount,
    "BITOP": bitop,
    "BITPOS": bitpos,
    "GETBIT": getbit,
    "SETBIT": setbit,
}
