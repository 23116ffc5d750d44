"""Reading ids, bounds and counts from the arguments of stream commands."""

from __future__ import annotations

import re

import cython

from kvserver.engine.values.id_map import LARGEST, MAX_ID, MIN_ID, Id, next_id, previous_id
from kvserver.errors import CommandError
from kvserver.wire.numbers import parse_int

if cython.compiled:
    from cython.cimports.kvserver.engine.commands.strings.strings import small_int  # type: ignore
else:
    from kvserver.engine.commands.strings.strings import small_int

BAD_ID = "ERR Invalid stream ID specified as stream command argument"
_NUMBER = re.compile(rb"[ \t-\r]*[+-]?\d{1,40}\Z")
_NOT_SMALL = -(1 << 62)


def count_of(raw: bytes) -> int:
    """Parse an integer, a short one fast."""
    number = small_int(raw)
    return parse_int(raw) if number <= _NOT_SMALL else number


def unsigned(raw: bytes) -> int:
    """Read an unsigned number as strtoull does: signs, blanks and leading zeros are taken."""
    number = small_int(raw)
    if number >= 0:
        return number
    if not _NUMBER.match(raw):
        raise CommandError(BAD_ID)
    value = int(raw)
    plain = not raw.startswith(b"-") or raw[1:2] == b"0"
    if not plain or not -LARGEST <= value <= LARGEST:
        raise CommandError(BAD_ID)
    return value & LARGEST


def parse_id(raw: bytes, missing: int = 0, strict: bool = True) -> Id:
    """Read an id, "ms" or "ms-seq"; `missing` is the sequence of the first form.

    Raises:
        CommandError: none; with `strict` "-" and "+", the smallest and the greatest, are none either.
    """
    if raw in (b"-", b"+") and not strict:
        return MIN_ID if raw == b"-" else MAX_ID
    ms, dash, sequence = raw.partition(b"-")
    if len(raw) > 127:
        raise CommandError(BAD_ID)
    return unsigned(ms), unsigned(sequence) if dash else missing


def parse_bound(raw: bytes, upper: bool) -> Id:
    """Read a bound of a range, exclusive behind a parenthesis; return the bound with that id included."""
    if raw[:1] != b"(" or len(raw) == 1:
        return parse_id(raw, LARGEST if upper else 0, strict=False)
    entry = parse_id(raw[1:], LARGEST if upper else 0)
    inner = previous_id(entry) if upper else next_id(entry)
    if inner is None:
        raise CommandError(f"ERR invalid {'end' if upper else 'start'} ID for the interval")
    return inner
