"""FUNCTION DUMP and RESTORE: the libraries as an RDB file holds them, with a footer as DUMP's."""

from __future__ import annotations

from collections.abc import Sequence

from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.wire.resp import OK, bulk
from persistence.rdb import opcodes as op
from persistence.rdb.crc64 import crc64
from persistence.rdb.errors import RdbError
from persistence.rdb.payload import verified
from persistence.rdb.read.reader import Reader
from persistence.rdb.write import encoder

_POLICIES = (b"FLUSH", b"APPEND", b"REPLACE")
_FOOTER = 10


def dump_libraries(codes: Sequence[bytes], compress: bool = True) -> bytes:
    """The payload of libraries, given by their sources."""
    body = b"".join(encoder.function(code, compress) for code in codes)
    body += op.WRITE_VERSION.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def read_libraries(payload: bytes) -> list[bytes]:
    """The sources in a payload that is `verified`.

    Raises:
        RdbError: it holds something else.
    """
    r = Reader(payload[:-_FOOTER])
    codes = []
    while r.pos < r.end:
        if r.byte() != op.OP_FUNCTION2:
            raise r.error("given type is not a function")
        codes.append(r.string())
    return codes


def function_dump(c: Session, a: list[bytes]) -> bytes:
    """Answer all libraries as one payload."""
    return bulk(dump_libraries(c.engine.services.scripting.sources()))


def function_restore(c: Session, a: list[bytes]) -> bytes:
    """Load the libraries of a payload."""
    if len(a) > 4:
        raise CommandError(
            b"ERR unknown subcommand or wrong number of arguments for '%b'. Try FUNCTION HELP." % a[1][:128]
        )
    policy = a[3].upper() if len(a) == 4 else b"APPEND"
    if policy not in _POLICIES:
        raise CommandError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    if not verified(a[2]):
        raise CommandError("ERR DUMP payload version or checksum are wrong")
    try:
        codes = read_libraries(a[2])
    except RdbError as failure:
        text = "given type is not a function" if "not a function" in str(failure) else "failed loading functions"
        raise CommandError(f"ERR {text}")
    c.engine.services.scripting.restore(codes, policy)
    c.engine.state.dirty += 1
    return OK


HANDLERS = {"FUNCTION|DUMP": function_dump, "FUNCTION|RESTORE": function_restore}
