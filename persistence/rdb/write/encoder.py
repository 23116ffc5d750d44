# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False
"""The RDB encoder: single records as bytes; `persistence.rdb.write.writer` adds the values of keys.

Strings are written as Redis writes them: short ones that are the canonical decimal of a 32 bit integer as
that integer, those above 20 bytes with LZF if that saves at least four bytes and compression is on.
"""

from __future__ import annotations

from struct import Struct

from persistence.rdb import lzf, opcodes as op

_U32 = Struct(">BI")
_U64 = Struct(">BQ")
_DOUBLE = Struct("<d")
_EXPIRE = Struct("<Bq")


def length(n: int) -> bytes:
    """A length."""
    if n < 64:
        return b"%c" % n
    if n < 16384:
        return b"%c%c" % (0x40 | n >> 8, n & 0xFF)
    if n <= 0xFFFFFFFF:
        return _U32.pack(0x80, n)
    return _U64.pack(0x81, n)


def string(raw: bytes, compress: bool = True) -> bytes:
    """A string in its shortest encoding."""
    size = len(raw)
    if size <= 11:
        if size and raw[0] <= 57:
            number = integer_string(raw)
            if number is not None:
                return number
    elif compress and size > 20:
        packed = lzf.compress(raw, size - 4)
        if packed is not None:
            return b"\xc3%b%b%b" % (length(len(packed)), length(size), packed)
    if size < 64:
        return b"%c%b" % (size, raw)
    return length(size) + raw


def plain_string(raw: bytes) -> bytes:
    """A string as it is."""
    return length(len(raw)) + raw


def integer_string(raw: bytes) -> bytes | None:
    """The encoding of a string which is the canonical decimal of a 32 bit integer, else None."""
    body = raw[1:] if raw[0] == 45 else raw
    if not body.isdigit() or (body[0] == 48 and len(raw) > 1):
        return None
    number = int(raw)
    if -128 <= number <= 127:
        return b"\xc0%c" % (number & 0xFF)
    if -32768 <= number <= 32767:
        return b"\xc1%c%c" % (number & 0xFF, number >> 8 & 0xFF)
    if -2147483648 <= number <= 2147483647:
        return b"\xc2" + (number & 0xFFFFFFFF).to_bytes(4, "little")
    return None


def double(value: float) -> bytes:
    """Eight bytes."""
    return _DOUBLE.pack(value)


def header(aux: list[tuple[bytes, bytes]], version: int = op.WRITE_VERSION) -> bytes:
    """The beginning of a file: signature, version and facts about it."""
    out = [b"REDIS%04d" % version]
    for name, value in aux:
        out.append(b"%c%b%b" % (op.OP_AUX, string(name), string(value)))
    return b"".join(out)


def select_db(db: int, keys: int, expires: int) -> bytes:
    """The beginning of a database, with the hint how much follows."""
    return b"%c%b%c%b%b" % (op.OP_SELECTDB, length(db), op.OP_RESIZEDB, length(keys), length(expires))


def function(code: bytes, compress: bool = True) -> bytes:
    """A library of functions."""
    return b"%c%b" % (op.OP_FUNCTION2, string(code, compress))


def key_prefix(expire_ms: int, idle_s: int = -1, freq: int = -1) -> bytes:
    """What stands before a key's type: expiry, idle time, access frequency; -1 leaves one out."""
    out = _EXPIRE.pack(op.OP_EXPIRETIME_MS, expire_ms) if expire_ms >= 0 else b""
    if idle_s >= 0:
        out += b"%c%b" % (op.OP_IDLE, length(idle_s))
    if freq >= 0:
        out += b"%c%c" % (op.OP_FREQ, freq)
    return out


def string_key(key: bytes, value: bytes, compress: bool) -> bytes:
    """The record of a string key: by far the commonest, hence in one piece."""
    return b"\x00%b%b" % (string(key, compress), string(value, compress))


def footer(checksum: int) -> bytes:
    """What follows OP_EOF; 0 means that no checksum was made."""
    return checksum.to_bytes(8, "little")
