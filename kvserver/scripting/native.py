"""What the sandbox asks of Python: bits, packed numbers, hashes; plain values in, plain values out.

None of these may raise: an error would reach the script as a Python object.  The sandbox checks types before it
calls, and a result of None means "out of range" or "no memory".
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import sha1
from typing import Any

from kvserver.scripting.shebang import is_name
from kvserver.scripting.tailcalls import keep_frames

_WORD = 0xFFFFFFFF


def word(number: float) -> int:
    """Reduce a Lua number to 32 bits as the bit library does: modulo 2**32, halves to even, no number is 0."""
    if number != number or number in (float("inf"), float("-inf")):
        return 0
    return round(number) & _WORD


def signed(value: int) -> int:
    """Read 32 bits as a signed number."""
    value &= _WORD
    return value - 0x100000000 if value & 0x80000000 else value


def _band(a: float, b: float) -> int:
    return signed(word(a) & word(b))


def _bor(a: float, b: float) -> int:
    return signed(word(a) | word(b))


def _bxor(a: float, b: float) -> int:
    return signed(word(a) ^ word(b))


def _tobit(a: float) -> int:
    return signed(word(a))


def _bnot(a: float) -> int:
    return signed(~word(a))


def _bswap(a: float) -> int:
    return signed(int.from_bytes(word(a).to_bytes(4, "little"), "big"))


def _lshift(a: float, n: float) -> int:
    return signed(word(a) << (word(n) & 31))


def _rshift(a: float, n: float) -> int:
    return signed(word(a) >> (word(n) & 31))


def _arshift(a: float, n: float) -> int:
    return signed(signed(word(a)) >> (word(n) & 31))


def _rol(a: float, n: float) -> int:
    bits = word(n) & 31
    return signed(word(a) << bits | word(a) >> (32 - bits))


def _ror(a: float, n: float) -> int:
    return _rol(a, 32 - (word(n) & 31))


def _integer(number: float, size: int) -> int:
    """Truncate a number to `size` bytes as C's casts do."""
    if not size:
        return 0
    if number != number or abs(number) >= 2.0**64:
        return 1 << (8 * size - 1)
    return int(number) & ((1 << 8 * size) - 1)


def pack_integer(number: float, size: int, little: bool) -> bytes | None:
    """The two's complement of a number in `size` bytes."""
    return _integer(number, size).to_bytes(size, "little" if little else "big")


def unpack_integer(data: bytes, is_signed: bool, little: bool) -> int:
    """The number in some bytes."""
    return int.from_bytes(data, "little" if little else "big", signed=is_signed)


def pack_float(number: float, size: int, little: bool) -> bytes | None:
    """An IEEE 754 number in 4 or 8 bytes; one too great for 4 bytes becomes infinite."""
    form = ("<" if little else ">") + ("f" if size == 4 else "d")
    try:
        return struct.pack(form, number)
    except OverflowError:
        return struct.pack(form, float("inf") if number > 0 else float("-inf"))


def unpack_float(data: bytes, little: bool) -> float:
    """The IEEE 754 number in 4 or 8 bytes."""
    if len(data) not in (4, 8):
        return 0.0
    return float(struct.unpack(("<" if little else ">") + ("f" if len(data) == 4 else "d"), data)[0])


def _sha1hex(text: bytes) -> bytes:
    return sha1(text, usedforsecurity=False).hexdigest().encode()


def table(room: Callable[[int], bool]) -> dict[bytes, Any]:
    """Return name -> function; those that return strings return None when there is no room for them."""

    def roomy(fn: Callable[..., bytes | None]) -> Callable[..., bytes | None]:
        def guarded(*args: Any) -> bytes | None:
            size = sum(len(arg) for arg in args if isinstance(arg, bytes))
            return fn(*args) if room(2 * size + 1024) else None

        return guarded

    return {
        b"band": _band,
        b"bor": _bor,
        b"bxor": _bxor,
        b"tobit": _tobit,
        b"bnot": _bnot,
        b"bswap": _bswap,
        b"lshift": _lshift,
        b"rshift": _rshift,
        b"arshift": _arshift,
        b"rol": _rol,
        b"ror": _ror,
        b"pack_integer": roomy(pack_integer),
        b"unpack_integer": unpack_integer,
        b"pack_float": roomy(pack_float),
        b"unpack_float": unpack_float,
        b"sha1hex": roomy(_sha1hex),
        b"keep_frames": roomy(keep_frames),
        b"is_name": is_name,
    }
