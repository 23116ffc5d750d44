"""Reading arguments: what several command groups share."""

from __future__ import annotations

from kvserver.errors import INVALID_EXPIRE, WRONGTYPE, CommandError
from kvserver.wire.numbers import INT64_MAX, parse_int, parse_range, read_double


def string_arg(value: object) -> bytes | None:
    """Return a string value's bytes, or None for no value.

    Raises:
        CommandError: WRONGTYPE.
    """
    if value is None or type(value) is bytes:
        return value
    if type(value) is bytearray:
        return bytes(value)
    raise CommandError(WRONGTYPE)


def expire_time(raw: bytes, unit: bytes, now_ms: int, command: str) -> int:
    """Turn a time of SET, GETEX … into Unix milliseconds; `unit` is EX, PX, EXAT or PXAT.

    Raises:
        CommandError: no integer, not positive, or beyond 64 bits.
    """
    value = parse_int(raw)
    if value <= 0:
        raise CommandError(INVALID_EXPIRE % command)
    if unit in (b"EX", b"EXAT"):
        if value > INT64_MAX // 1000:
            raise CommandError(INVALID_EXPIRE % command)
        value *= 1000
    if unit in (b"EX", b"PX"):
        if value > INT64_MAX - now_ms:
            raise CommandError(INVALID_EXPIRE % command)
        value += now_ms
    return value


def timeout_ms(raw: bytes, now_ms: int) -> int:
    """Read the timeout of a blocking command, seconds with fractions, as milliseconds (0 = for ever)."""
    text = "ERR timeout is not a float or out of range"
    value = read_double(raw, text)
    if value < 0 or value * 1000 > INT64_MAX - now_ms:  # too large a sum wraps in Redis and is negative then
        raise CommandError("ERR timeout is negative")
    ms = value * 1000
    whole = int(ms)
    return whole + 1 if ms > whole else whole


def positive_count(raw: bytes) -> int:
    """Read the optional count of LPOP, SPOP …: not negative.

    Raises:
        CommandError: it is.
    """
    return parse_range(raw, 0, INT64_MAX, "ERR value is out of range, must be positive")


def numkeys(raw: bytes, text: str = "ERR numkeys should be greater than 0") -> int:
    """Read a number of keys that follow, at least 1."""
    return parse_range(raw, 1, INT64_MAX, text)
