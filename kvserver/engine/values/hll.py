"""HyperLogLog as Redis stores it: a string that begins with HYLL, byte for byte the same.

Theory of operation.  An element's hash chooses one of 16384 registers by its low 14 bits; the rest of the hash
gives a number, how many bits come up to and including its first set one; the register keeps the greatest number
seen.  From how many registers hold which number, the count of different elements is estimated (hll_estimate.py).

The string: "HYLL", the encoding, three zero bytes, the last estimate (8 bytes, little-endian, its highest bit
set when it is out of date), then the registers.

Dense: 6 bits a register, from the lowest bit of each byte up.  Reversed, that is what base64 makes symbols of,
so the registers are unpacked and packed by C code: `registers` has one byte each.

Sparse: a sequence of runs,

    00xxxxxx            x + 1 registers that are 0
    01xxxxxx yyyyyyyy   xy + 1 registers that are 0
    1vvvvvxx            x + 1 registers that are v + 1

An update splits one run and then joins equal neighbours, the same ones as in Redis.  A string longer than
hll-sparse-max-bytes, or a number above 32, makes it dense.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections import Counter

import cython

HEADER = 16
DENSE = 0
SPARSE = 1
BITS = 14
REGISTERS = 1 << BITS
LONGEST = 64 - BITS + 1
"""The greatest number a hash can give."""
DENSE_SIZE = HEADER + REGISTERS * 6 // 8
SPARSE_MAX_VALUE = 32
_VALUE_MAX_RUN = 4
_ZERO_MAX_RUN = 64
_FIRST = HEADER
_INDEX = REGISTERS - 1
_INDEX_BITS = BITS
_TOP = 1 << (LONGEST - 1)
"""These four, and those below, are C's numbers where this is compiled (hll.pxd); the public ones stay Python's."""
_SEED = 0xADC83B19
_MULTIPLIER = 0xC6A4A7935BD1E995
_MASK = (1 << 64) - 1
_SYMBOLS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FROM_SYMBOL = bytes.maketrans(_SYMBOLS, bytes(range(64)))
_TO_SYMBOL = bytes.maketrans(bytes(range(64)), _SYMBOLS)
_HIGHEST = int.from_bytes(b"\x80" * REGISTERS, "little")
_MARKED = 48
"""Bytes between two marks, about."""
_NEAR = _MARKED  # C's
_SCANNED = 5
"""Runs looked at for equal neighbours after an update, from the one before it."""

Raw = bytes | bytearray


_EXPANDED = {bytes((i,)): bytes(((i >> 2 & 31) + 1,)) * ((i & 3) + 1) for i in range(0x80, 0x100)}
"""The registers of each run that aren't 0."""
_SHORT_SPANS = bytes((i & 3) + 1 if i & 0x80 else 0 if i & 0x40 else i + 1 for i in range(256))
"""How many registers a run covers that begins with this byte; 0 when that takes a second one."""


class CorruptedError(Exception):
    """The runs don't cover the registers exactly."""


def murmur64a(data: bytes) -> int:
    """MurmurHash2, its 64-bit variant A, little-endian, with the seed that Redis takes."""
    size = len(data)
    h = _SEED ^ size * _MULTIPLIER & _MASK
    whole = size & ~7
    i = 0
    while i < whole:
        k = _word(data, i, i + 8) * _MULTIPLIER & _MASK
        k = (k ^ k >> 47) * _MULTIPLIER & _MASK
        h = (h ^ k) * _MULTIPLIER & _MASK
        i += 8
    if size & 7:
        h = (h ^ _word(data, whole, size)) * _MULTIPLIER & _MASK
    h = (h ^ h >> 47) * _MULTIPLIER & _MASK
    return h ^ h >> 47


def _word(data: bytes, start: int, stop: int) -> int:
    """Up to eight bytes as a number, little-endian."""
    if cython.compiled:
        value = 0
        while stop > start:
            stop -= 1
            value = value << 8 | data[stop]
        return value
    return int.from_bytes(data[start:stop], "little")


def _number_of(h: int) -> int:
    """The number that a hash gives."""
    rest = h >> _INDEX_BITS | _TOP
    number = 1
    while not rest & 1:
        rest >>= 1
        number += 1
    return number


def place_of(element: bytes) -> tuple[int, int]:
    """Return (register, number) of an element."""
    h = murmur64a(element)
    return h & _INDEX, _number_of(h)


def empty() -> bytearray:
    """The string of a HyperLogLog without elements."""
    return bytearray(b"HYLL\x01" + bytes(11) + b"\x7f\xff")


def is_valid(raw: Raw) -> bool:
    """Whether a string has the form of a HyperLogLog, as far as its header says."""
    size = len(raw)
    if size < HEADER or not raw.startswith(b"HYLL"):
        return False
    encoding = raw[4]
    return encoding == SPARSE or (encoding == DENSE and size == DENSE_SIZE)


def cached(raw: Raw) -> int | None:
    """The estimate made last, or None when it is out of date."""
    return None if raw[15] & 0x80 else int.from_bytes(raw[8:16], "little")


def invalidate(raw: bytearray) -> None:
    """Mark the estimate as out of date."""
    raw[15] |= 0x80


def run_at(raw: Raw, at: int) -> tuple[int, int, int]:
    """Return (bytes, registers, number) of the run that begins at byte `at`."""
    first = raw[at]
    if first & 0x80:
        return 1, (first & 3) + 1, (first >> 2 & 31) + 1
    if not first & 0x40:
        return 1, first + 1, 0
    if at + 1 >= len(raw):
        raise CorruptedError
    return 2, ((first & 63) << 8 | raw[at + 1]) + 1, 0


class _Spans(dict[bytes, int]):
    """How many registers each run covers; of two-byte runs those that have come up."""

    def __missing__(self, run: bytes) -> int:
        count = self[run] = run_at(run, 0)[1]
        return count


_SPANS = _Spans()
_RUN = re.compile(rb"[\x40-\x7f].|[^\x40-\x7f]", re.DOTALL)


def runs(raw: Raw) -> list[bytes]:
    """Return all runs of a sparse string.

    Raises:
        CorruptedError: they don't add up to all registers.
    """
    if len(raw) > HEADER + 2 * REGISTERS:
        raise CorruptedError
    found = _RUN.findall(raw, HEADER)
    if sum(map(len, found)) != len(raw) - HEADER or sum(map(_SPANS.__getitem__, found)) != REGISTERS:
        raise CorruptedError
    return found


def registers(raw: Raw) -> bytes:
    """All registers, a byte each.

    Raises:
        CorruptedError: a sparse string that isn't one.
    """
    if raw[4] == SPARSE:
        return b"".join([_EXPANDED.get(run) or bytes(_SPANS[run]) for run in runs(raw)])
    packed = binascii.b2a_base64(raw[:15:-1], newline=False)
    return packed.translate(_FROM_SYMBOL)[::-1]


def dense_of(numbers: bytes, header: Raw) -> bytearray:
    """The dense string of these registers, with the estimate that another string's header has."""
    packed = binascii.a2b_base64(numbers[::-1].translate(_TO_SYMBOL))[::-1]
    return bytearray(b"HYLL%c%b%b" % (DENSE, bytes(header[5:HEADER]), packed))


def make_dense(raw: bytearray) -> None:
    """Turn a sparse string into a dense one, in place.

    Raises:
        CorruptedError: it isn't a sparse string.
    """
    raw[:] = dense_of(registers(raw), raw)


class Marks:
    """Where in a sparse string some runs begin, for many updates in a row: a search needn't begin at the front."""

    def __init__(self) -> None:
        self.places = [HEADER]  # bytes
        self.firsts = [0]  # the first register of the run there

    def before(self, index: int) -> tuple[int, int]:
        """Return (place, first register) of a run before, but not next to, the one that covers a register."""
        i = max(bisect_right(self.firsts, index) - 2, 0)
        return self.places[i], self.firsts[i]

    def add(self, place: int, first: int) -> None:
        """Note where a run begins."""
        i = bisect_right(self.places, place)
        if self.places[i - 1] != place:
            self.places.insert(i, place)
            self.firsts.insert(i, first)

    def changed(self, after: int, up_to: int, grown: int) -> None:
        """The bytes behind `after` up to `up_to` were rewritten, and what follows moved."""
        low, high = bisect_right(self.places, after), bisect_right(self.places, up_to)
        if low < high:
            del self.places[low:high], self.firsts[low:high]
        if grown:
            self.places[low:] = [place + grown for place in self.places[low:]]


def add(raw: bytearray, element: bytes, sparse_max: int, marks: Marks | None = None) -> bool:
    """Add an element; True when a register changed.  `marks`, for this string, speed many additions up.

    Raises:
        CorruptedError: the string isn't a HyperLogLog.
    """
    h = murmur64a(element)
    return raise_register(raw, h & _INDEX, _number_of(h), sparse_max, marks)


def raise_register(
    raw: bytearray, index: int, number: int, sparse_max: int, marks: Marks | None = None
) -> bool:
    """Give a register a number unless it has a greater one already; True when it changed."""
    if raw[4] == SPARSE:
        if number <= SPARSE_MAX_VALUE:
            changed = _raise_sparse(raw, index, number, sparse_max, marks)
            if changed is not None:
                return changed
        make_dense(raw)
    return _raise_dense(raw, index, number)


def _raise_dense(raw: bytearray, index: int, number: int) -> bool:
    at = _FIRST + (index * 6 >> 3)
    shift = index * 6 & 7
    split = shift > 2  # the register ends in the next byte
    window = raw[at] | raw[at + 1] << 8 if split else raw[at]
    old = window >> shift & 63
    if number <= old:
        return False
    window += (number - old) << shift
    raw[at] = window & 0xFF
    if split:
        raw[at + 1] = window >> 8
    return True


def _find_run(raw: bytearray, index: int, marks: Marks | None) -> tuple[int, int, int]:
    """Return (place, first register, place of the run before) of the run that covers a register."""
    at, first = (_FIRST, 0) if marks is None else marks.before(index)
    previous, begin = at, at
    middle = middle_first = 0
    end = len(raw)
    text, spans = raw, _SHORT_SPANS  # pointers, where this is compiled
    while at < end:
        size = 1
        count = spans[text[at]]
        if not count:
            if at + 1 >= end:
                break
            size = 2
            count = ((text[at] & 63) << 8 | text[at + 1]) + 1
        if index < first + count:
            if marks is not None and at - begin > 3 * _MARKED:
                marks.add(middle, middle_first)
            return at, first, previous
        previous = at
        at += size
        first += count
        if not middle and at - begin >= _NEAR:
            middle, middle_first = at, first
    raise CorruptedError


def _raise_sparse(
    raw: bytearray, index: int, number: int, sparse_max: int, marks: Marks | None
) -> bool | None:
    """Update the run that covers a register; None when the string would become too long."""
    at, first, previous = _find_run(raw, index, marks)
    size, count, old = run_at(raw, at)
    if old >= number:
        return False
    end = len(raw)
    new = _zeros(index - first) if not old else _value(old, index - first)
    new += _value(number, 1)
    behind = first + count - 1 - index
    new += _zeros(behind) if not old else _value(old, behind)
    if len(new) > size and end + len(new) - size > sparse_max:
        return None
    raw[at : at + size] = new
    _join(raw, previous)
    if marks is not None:
        marks.changed(previous, at + size + 2 * _SCANNED, len(raw) - end)
    invalidate(raw)
    return True


def _zeros(count: int) -> bytes:
    """The run of so many registers that are 0; of none, nothing."""
    if count > _ZERO_MAX_RUN:
        return bytes((0x40 | count - 1 >> 8, count - 1 & 0xFF))
    return bytes((count - 1,)) if count else b""


def _value(number: int, count: int) -> bytes:
    """The run of up to 4 registers that hold a number; of none, nothing."""
    return bytes((0x80 | number - 1 << 2 | count - 1,)) if count else b""


def _join(raw: bytearray, at: int) -> None:
    """Join neighbouring runs of the same number, as far as a run may be long."""
    for _ in range(_SCANNED):
        if at >= len(raw):
            return
        first = raw[at]
        if not first & 0x80:
            at += 2 if first & 0x40 else 1
            continue
        if at + 1 < len(raw) and raw[at + 1] & 0x80 and raw[at + 1] >> 2 == first >> 2:
            count = (first & 3) + (raw[at + 1] & 3) + 2
            if count <= _VALUE_MAX_RUN:
                raw[at : at + 2] = bytes((first & 0xFC | count - 1,))
                continue
        at += 1


def histogram(raw: Raw) -> list[int]:
    """How many registers hold 0, 1, 2 … 63."""
    found = [0] * 64
    if raw[4] == SPARSE:
        for run, times in Counter(runs(raw)).items():
            _, count, number = run_at(run, 0)
            found[number] += count * times
        return found
    return histogram_of(registers(raw))


def histogram_of(numbers: bytes) -> list[int]:
    """How many of the registers hold 0, 1, 2 … 63."""
    found = [0] * 64
    left = REGISTERS
    for i in range(64):
        found[i] = numbers.count(i)
        left -= found[i]
        if not left:
            break
    return found


def merge(into: bytes, raw: Raw) -> bytes:
    """The greater number of each register.

    All registers are compared at once, as two long integers of 16384 bytes: with its highest bit set, a byte
    keeps that bit when another, not greater one is taken from it.

    Raises:
        CorruptedError: the string isn't a HyperLogLog.
    """
    a, b = int.from_bytes(into, "little"), int.from_bytes(registers(raw), "little")
    kept = ((a | _HIGHEST) - b) & _HIGHEST
    mask = (kept << 1) - (kept >> 7)
    return (b ^ (a ^ b) & mask).to_bytes(REGISTERS, "little")


def describe(raw: Raw) -> bytes:
    """The runs of a sparse string in words: z and Z are zeros by one byte and two, v a number and how often."""
    words: list[bytes] = []
    at = HEADER
    while at < len(raw):
        size, count, number = run_at(raw, at)
        words.append(b"v:%d,%d" % (number, count) if number else b"%c:%d" % (b"zZ"[size - 1], count))
        at += size
    return b" ".join(words)
