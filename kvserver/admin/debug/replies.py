"""DEBUG PROTOCOL: one reply of each type of the protocol, for tests of clients."""

from __future__ import annotations

from collections.abc import Callable

from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.wire.resp import (
    array,
    array_header,
    boolean,
    bulk,
    double,
    integer,
    map_header,
    null,
    push_header,
    set_header,
    verbatim,
)

_BIG = b"1234567999999999999999999999999999999"
_THREE = [integer(number) for number in range(3)]


def _attribute(proto: int) -> bytes:
    note = b"|1\r\n" + bulk(b"key-popularity") + array([bulk(b"key:123"), integer(90)])
    return (note if proto == 3 else b"") + bulk(b"Some real reply following the attribute")


def _push(proto: int) -> bytes:
    if proto < 3:
        raise CommandError("ERR RESP2 is not supported by this command")
    message = push_header(2, proto) + bulk(b"server-cpu-usage") + integer(42)
    return message + bulk(b"Some real reply following the push reply")


def _map(proto: int) -> bytes:
    pairs = (integer(number) + boolean(number == 1, proto) for number in range(3))
    return map_header(3, proto) + b"".join(pairs)


SAMPLES: dict[bytes, Callable[[int], bytes]] = {
    b"STRING": lambda proto: bulk(b"Hello World"),
    b"INTEGER": lambda proto: integer(12345),
    b"DOUBLE": lambda proto: double(3.141, proto),
    b"BIGNUM": lambda proto: b"(%b\r\n" % _BIG if proto == 3 else bulk(_BIG),
    b"NULL": null,
    b"ARRAY": lambda proto: array_header(3) + b"".join(_THREE),
    b"SET": lambda proto: set_header(3, proto) + b"".join(_THREE),
    b"MAP": _map,
    b"ATTRIB": _attribute,
    b"PUSH": _push,
    b"VERBATIM": lambda proto: verbatim(b"This is a verbatim\nstring", proto),
    b"TRUE": lambda proto: boolean(True, proto),
    b"FALSE": lambda proto: boolean(False, proto),
}


def protocol(c: Session, a: list[bytes]) -> bytes:
    """DEBUG PROTOCOL type."""
    sample = SAMPLES.get(a[2].upper())
    if sample is None:
        raise CommandError(
            "ERR Wrong protocol type name. Please use one of the following: "
            + "|".join(name.decode().lower() for name in SAMPLES)
        )
    return sample(c.resp)
