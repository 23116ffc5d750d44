"""One value as DUMP answers it and RESTORE takes it.

The value's type, the value, the RDB version (2 bytes) and the CRC64 of all that (8 bytes), little-endian.
"""

from __future__ import annotations

from typing import Any

from persistence.rdb import opcodes as op
from persistence.rdb.crc64 import crc64
from persistence.rdb.errors import RdbError
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.containers import read_value
from persistence.rdb.read.reader import MAX_STRING, Reader
from persistence.rdb.write.encoder import string
from persistence.rdb.write.writer import pieces, type_number, whole

_FOOTER = 10


def dump_payload(value: Any, compress: bool = True) -> bytes:
    """The payload of a value in the engine's form."""
    body = _string_body(value, compress) if isinstance(value, bytes | bytearray) else _body(value, compress)
    version = op.WRITE_VERSION_EXPIRING_FIELDS if body[0] in op.TYPES_EXPIRING_FIELDS else op.WRITE_VERSION
    body += version.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def body_length(value: Any, compress: bool = True) -> int:
    """How many bytes a value takes in a snapshot, the byte of its type not counted."""
    body = _string_body(value, compress) if isinstance(value, bytes | bytearray) else _body(value, compress)
    return len(body) - 1


def _string_body(value: bytes | bytearray, compress: bool) -> bytes:
    return b"%c%b" % (op.TYPE_STRING, string(bytes(value), compress))


def _body(value: Any, compress: bool) -> bytes:
    number = type_number(value)
    packed = whole(number, value, compress)
    if packed is None:
        packed = b"".join(pieces(number, value, MAX_STRING if compress else 0))
    return b"%c%b" % (number, packed)


def verified(payload: bytes, checksum: bool = True) -> bool:
    """Whether version and checksum of a payload are right: what RESTORE tests before it looks inside."""
    if len(payload) < _FOOTER:
        return False
    version = int.from_bytes(payload[-10:-8], "little")
    if version > op.READ_VERSION:
        return False
    return not checksum or crc64(payload[:-8]) == int.from_bytes(payload[-8:], "little")


def restore_payload(payload: bytes, builders: Builders) -> tuple[int, Any, dict[bytes, int] | None]:
    """The value of a payload: (kind, what the builders made of it, fields that expire).

    Raises:
        RdbError: the payload is corrupt, holds an empty collection, or a type that cannot be read. Checksum
        and
            version are `verified`'s business, so that callers can answer one and the other as Redis does.
    """
    r = Reader(payload[:-_FOOTER])
    if r.end == 0:
        raise RdbError("Payload is empty", 0)
    kind, value, ttls = read_value(r, builders, r.byte())
    if value is None:
        raise r.error("Collection is empty")
    if r.pos != r.end:
        raise r.error("Payload goes on behind its value")
    return kind, value, ttls
