"""OBJECT, and the sizes of values as MEMORY USAGE estimates them: how a value is held.

Sizes are those of the Python objects, containers and contents, in bytes. Of a large aggregate only some elements
are measured and the rest is assumed to be like them, so that the estimate takes no longer for a larger one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from kvserver.engine.keys.access import Access
from kvserver.engine.keys.table import Table
from kvserver.engine.run.session import Session
from kvserver.engine.values.stream_value import StreamValue
from kvserver.engine.values.types import ListValue, ZSetValue
from kvserver.errors import CommandError
from kvserver.wire.numbers import is_int
from kvserver.wire.resp import ONE, array, bulk, integer, null, simple

EMBEDDED_MAX = 44
"""Longest string that Redis stores in one piece with its object header (embstr)."""
SHARED_INTEGERS = 10_000
SHARED_REFERENCES = 2**31 - 1
"""What OBJECT REFCOUNT tells of an integer below SHARED_INTEGERS, which Redis keeps one object of."""
DEFAULT_SAMPLES = 5
POINTER = 8
ID_BYTES = sys.getsizeof((0, 0)) + 2 * sys.getsizeof(1 << 40)
"""An entry's id in a stream."""
_ADJUST = "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
_NO_FREQUENCY = f"ERR An LFU maxmemory policy is not selected, access frequency not tracked. {_ADJUST}"
_NO_IDLE_TIME = f"ERR An LFU maxmemory policy is selected, idle time not tracked. {_ADJUST}"
_NOT_TRACKED = f"ERR An LRU maxmemory policy is not selected, idle time not tracked. {_ADJUST}"
"""Redis has room for it in each value's header; here it takes an entry of another table for each key, and a store
at each look-up: for a diagnostic command alone nobody should pay that."""
HELP = (
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Reply how the value of a key is represented.",
    "FREQ <key>",
    "    Reply how often a key is used, on a logarithmic scale (LFU policies).",
    "IDLETIME <key>",
    "    Reply for how many seconds a key has not been used (LRU policies).",
    "REFCOUNT <key>",
    "    Reply how many references there are to the value of a key.",
    "HELP",
    "    Print this help.",
)


def encoding_of(value: Any) -> bytes:
    """The representation that OBJECT ENCODING names."""
    if isinstance(value, bytearray):
        return b"raw"
    if isinstance(value, bytes):
        if is_int(value):
            return b"int"
        return b"embstr" if len(value) <= EMBEDDED_MAX else b"raw"
    encoding: bytes = value.encoding()
    return encoding


def memory_of(value: Any, samples: int = DEFAULT_SAMPLES) -> int:
    """Bytes a value takes, estimated from `samples` of its elements (0: from all)."""
    if isinstance(value, bytes | bytearray):
        return sys.getsizeof(value)
    size = sys.getsizeof(value) + _frame(value)
    count = len(value)
    if not count:
        return size
    measured = list(islice(_elements(value), samples or None))
    return size + sum(measured) * count // len(measured)


def _frame(value: Any) -> int:
    """Bytes of the containers: estimated from the first of many, they are alike."""
    parts = value.chunks if isinstance(value, ListValue) else getattr(value, "parts", ())
    size = sys.getsizeof(parts) + _scaled(parts)
    if isinstance(value, ZSetValue):
        size += len(value) * POINTER
    return size


def _scaled(parts: Any) -> int:
    some = list(islice(parts, 16))
    return sum(map(sys.getsizeof, some)) * len(parts) // len(some) if some else 0


def _elements(value: Any) -> Iterator[int]:
    """Bytes of each element."""
    if isinstance(value, ZSetValue):
        pair = sys.getsizeof((0.0, b"")) + sys.getsizeof(0.0)
        yield from (sys.getsizeof(member) + pair for member in value)
    elif isinstance(value, Table):
        yield from (_size_of_entry(field, content) for field, content in value.items())
    elif isinstance(value, StreamValue):
        yield from (sys.getsizeof(flat) + sum(_sizes(flat)) + ID_BYTES for _, flat in value.entries())
    else:
        yield from _sizes(value)


def _size_of_entry(field: bytes, content: Any) -> int:
    return sys.getsizeof(field) + (sys.getsizeof(content) if isinstance(content, bytes | bytearray) else 0)


def _sizes(elements: Iterable[Any]) -> Iterator[int]:
    return map(sys.getsizeof, elements)


def encoding(c: Session, a: list[bytes]) -> bytes:
    """OBJECT ENCODING key."""
    value = c.db.peek(a[2])
    return null(c.resp) if value is None else bulk(encoding_of(value))


def refcount(c: Session, a: list[bytes]) -> bytes:
    """OBJECT REFCOUNT key."""
    value = c.db.peek(a[2])
    if value is None:
        return null(c.resp)
    # Redis shares no objects whose use it has to tell apart.
    shared = c.db.access is None and isinstance(value, bytes) and is_int(value) and 0 <= int(value) < SHARED_INTEGERS
    return integer(SHARED_REFERENCES) if shared else ONE


def idletime(c: Session, a: list[bytes]) -> bytes:
    """OBJECT IDLETIME key."""
    if c.db.peek(a[2]) is None:
        return null(c.resp)
    access: Access | None = c.db.access
    if access is None:
        raise CommandError(_NOT_TRACKED)
    if access.clock.lfu:
        raise CommandError(_NO_IDLE_TIME)
    return integer(access.idle_s(a[2]))


def freq(c: Session, a: list[bytes]) -> bytes:
    """OBJECT FREQ key."""
    if c.db.peek(a[2]) is None:
        return null(c.resp)
    access: Access | None = c.db.access
    if access is None or not access.clock.lfu:
        raise CommandError(_NO_FREQUENCY)
    return integer(access.frequency(a[2]))


def help_(c: Session, a: list[bytes]) -> bytes:
    """OBJECT HELP."""
    return array([simple(line) for line in HELP])


HANDLERS = {
    "OBJECT|ENCODING": encoding,
    "OBJECT|FREQ": freq,
    "OBJECT|HELP": help_,
    "OBJECT|IDLETIME": idletime,
    "OBJECT|REFCOUNT": refcount,
}
