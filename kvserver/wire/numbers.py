"""Numbers as Redis reads and writes them; Python's own readers are too generous (int(b" 1_0") is 10)."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import cython

from kvserver.errors import NOT_FLOAT, NOT_INT, CommandError

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

_FLOAT = re.compile(
    rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|0[xX][0-9a-fA-F]+|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)\Z"
)

_MOST_EXPONENT = 4932  # of a long double of 80 bits
_MOST_DIGITS = 5119
_NOT_ZERO = re.compile(rb"[1-9]")
_INFINITE = {b"inf": math.inf, b"+inf": math.inf, b"-inf": -math.inf}


def plain(raw: bytes) -> int:
    """Read up to 18 digits, which may begin with zeros, fast; -1 for anything else."""
    n = len(raw)
    if n == 0 or n > 18:
        return -1
    if not cython.compiled:
        return int(raw) if raw.isdigit() else -1
    value = 0
    for i in range(n):
        digit = raw[i] - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


def is_int(raw: bytes) -> bool:
    """Whether `raw` is the canonical form of a signed 64-bit integer (Redis's string2ll)."""
    n = len(raw)
    if n == 0 or n > 20:
        return False
    body = raw[1:] if raw[0] == 45 else raw
    if not body.isdigit():
        return False
    if body[0] == 48:
        return n == 1
    return n < 19 or INT64_MIN <= int(raw) <= INT64_MAX


def signed64(number: int) -> int:
    """The low 64 bits of `number` as C's signed type reads them: Redis lets counters, times and distances wrap."""
    return (number + 2**63) % 2**64 - 2**63


def parse_int(raw: bytes, text: str = NOT_INT) -> int:
    """Parse a signed 64-bit integer.

    Raises:
        CommandError: `text`, when it isn't one.
    """
    number = plain(raw)
    if number >= 0 and (raw[0] != 48 or len(raw) == 1):
        return number
    if not is_int(raw):
        raise CommandError(text)
    return int(raw)


def parse_range(raw: bytes, low: int, high: int, text: str) -> int:
    """Parse an integer between `low` and `high`; `text` is the error either way."""
    value = parse_int(raw, text)
    if not low <= value <= high:
        raise CommandError(text)
    return value


def parse_float(raw: bytes, text: str = NOT_FLOAT) -> float:
    """Parse a double as `read_double` does, and refuse what no double comes near (1e400, 1e-400).

    Raises:
        CommandError: `text`, when it isn't one.
    """
    number = plain(raw)
    if number >= 0:
        return float(number)
    value = read_double(raw, text)
    if (value == 0 and _NOT_ZERO.search(raw.lower().partition(b"e")[0])) or (
        math.isinf(value) and b"n" not in raw and b"N" not in raw
    ):
        raise CommandError(text)
    return value


def read_double(raw: bytes, text: str = NOT_FLOAT) -> float:
    """Parse a double as strtod does, without spaces and without NaN; what is too large becomes infinite.

    Raises:
        CommandError: `text`, when it isn't one.
    """
    number = plain(raw)
    if number >= 0:
        return float(number)
    infinite = _INFINITE.get(raw)
    if infinite is not None:
        return infinite
    if not _FLOAT.match(raw):
        raise CommandError(text)
    if b"x" in raw or b"X" in raw:
        return float(int(raw, 16))
    return float(raw)


def format_double(value: float) -> bytes:
    """Write a double as Redis 7.0 replies it: an integer without a point, else %.17g, inf, -inf, nan."""
    if value != value:
        return b"nan"
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    if value == 0:
        return b"-0" if math.copysign(1.0, value) < 0 else b"0"
    if value.is_integer() and abs(value) < 1e17:
        return b"%d" % int(value)
    return b"%.17g" % value


def human(size: int) -> str:
    """A size as INFO's fields for people show it: 512B, 1.50M."""
    if size < 1024:
        return f"{size}B"
    value = float(size)
    for unit in "KMGTPE":
        value /= 1024
        if value < 1024:
            return f"{value:.2f}{unit}"
    return f"{size}B"


def add_decimal(old: bytes, step: bytes) -> bytes:
    """Return old + step as INCRBYFLOAT stores it: fixed notation, at most 17 decimals, no trailing zeros.

    Redis adds 80-bit long doubles, of 64 significant bits: 0.1 + 0.2 is 0.3 there.

    Raises:
        CommandError: either isn't a number, or the sum is infinite.
    """
    for raw in (old, step):
        read_double(raw)
        if b"n" in raw or b"N" in raw:
            raise CommandError("ERR increment would produce NaN or Infinity")
        exponent = b"" if b"x" in raw.lower() else raw.lower().partition(b"e")[2]
        if len(raw) > _MOST_DIGITS or len(exponent) > 6 or abs(int(exponent or b"0")) > _MOST_EXPONENT:
            raise CommandError(NOT_FLOAT)
    total = _to_64_bits(_to_64_bits(_exact(old)) + _to_64_bits(_exact(step)))
    places = round(abs(total) * 10**17)
    whole, decimals = divmod(places, 10**17)
    text = f"{whole}.{decimals:017d}".rstrip("0").rstrip(".")
    return (f"-{text}" if total < 0 and places else text).encode()


def _exact(raw: bytes) -> Fraction:
    text = raw.decode()
    return Fraction(int(text, 16)) if "x" in text.lower() else Fraction(text)


def _to_64_bits(value: Fraction) -> Fraction:
    """Round to 64 significant bits, ties to even."""
    if not value:
        return value
    exponent = abs(value.numerator).bit_length() - value.denominator.bit_length() - 64
    unit = Fraction(2) ** exponent
    if abs(value) / unit >= 1 << 64:
        unit *= 2
    return round(value / unit) * unit
