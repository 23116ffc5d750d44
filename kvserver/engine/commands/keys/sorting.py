"""SORT and SORT_RO (https://redis.io/commands/sort/)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from kvserver.engine.commands.args import string_arg
from kvserver.engine.commands.typed import stored
from kvserver.engine.keys.hash_expiry import named
from kvserver.engine.keys.keyspace import EV_LIST, Db
from kvserver.engine.run.session import ATT_RESTRICTED, Session
from kvserver.engine.values.types import ExpiringHash, HashValue, ListValue, SetValue, ZSetValue
from kvserver.errors import SYNTAX, WRONGTYPE, CommandError
from kvserver.wire.numbers import parse_float, parse_int
from kvserver.wire.resp import array_header, bulk, integer, null

_NOT_NUMBERS = "ERR One or more scores can't be converted into double"


class Options:
    """What a SORT asks for."""

    def __init__(self, a: list[bytes], may_store: bool) -> None:
        self.descending = False
        self.alpha = False
        self.offset = 0
        self.count = -1
        self.by: bytes | None = None
        self.gets: list[bytes] = []
        self.target: bytes | None = None
        i = 2
        while i < len(a):
            i = self._read(a, i, may_store)

    def _read(self, a: list[bytes], i: int, may_store: bool) -> int:
        """Read the option at argument `i`; return where the next one begins."""
        word = a[i].upper()
        rest = len(a) - i - 1
        if word in (b"ASC", b"DESC"):
            self.descending = word == b"DESC"
        elif word == b"ALPHA":
            self.alpha = True
        elif word == b"LIMIT" and rest >= 2:
            self.offset = parse_int(a[i + 1])
            self.count = parse_int(a[i + 2])
            return i + 3
        elif word == b"BY" and rest:
            self.by = a[i + 1]
            return i + 2
        elif word == b"GET" and rest:
            self.gets.append(a[i + 1])
            return i + 2
        elif word == b"STORE" and rest and may_store:
            self.target = a[i + 1]
            return i + 2
        else:
            raise CommandError(SYNTAX)
        return i + 1

    def window(self, size: int) -> slice:
        """Return the slice of `size` elements that LIMIT asks for."""
        start = min(max(self.offset, 0), size)
        stop = size if self.count < 0 else min(start + self.count, size)
        return slice(start, stop)


def fetch(db: Db, pattern: bytes, element: bytes) -> bytes | None:
    """Return what a BY or GET pattern stands for: the string at the key, or the hash's field behind "->"."""
    if pattern == b"#":
        return element
    head, star, tail = pattern.partition(b"*")
    if not star:
        return None
    rest, arrow, field = tail.partition(b"->")
    if not arrow or not field:
        rest, field = tail, b""
    value = db.lookup(head + element + rest)
    if field:
        if type(value) is ExpiringHash:
            value = named(db, head + element + rest, value, [field])
        return value.get(field) if isinstance(value, HashValue) else None
    return string_arg(value) if isinstance(value, bytes | bytearray) else None


def _elements(value: Any) -> list[bytes]:
    """Return a value's elements in its own order."""
    if value is None:
        return []
    if type(value) is ListValue:
        return value.slice(0, len(value))
    if type(value) is SetValue:
        return list(value)
    if type(value) is ZSetValue:
        value.big = True  # Redis converts it in order to sort it
        return [member for _, member in value.slice(0, len(value))]
    raise CommandError(WRONGTYPE)


def _ordered(c: Session, options: Options, elements: list[bytes], is_set: bool) -> list[bytes]:
    """Return the elements in the order asked for, the window cut out."""
    by = options.by
    alpha = options.alpha
    if by is not None and b"*" not in by:
        if not is_set or (options.target is None and c.kind != "script"):
            if options.descending and not is_set:
                elements.reverse()
            return elements[options.window(len(elements))]
        # An unsorted set has no order that a replica would share.
        by = None
        alpha = True
    weight = partial(_alpha_weight if alpha else _number_weight, c.db, by)
    weighed = [(weight(element), element) for element in elements]
    # Redis compares equal numbers as texts; equal texts behind BY keep the order they had.
    weighed.sort(key=_first if alpha and by is not None else None, reverse=options.descending)
    return [element for _, element in weighed[options.window(len(weighed))]]


def _first(pair: tuple[Any, bytes]) -> Any:
    return pair[0]


def _alpha_weight(db: Db, by: bytes | None, element: bytes) -> bytes:
    return element if by is None else (fetch(db, by, element) or b"")


def _number_weight(db: Db, by: bytes | None, element: bytes) -> float:
    raw = element if by is None else fetch(db, by, element)
    if not raw:
        return 0.0
    score = parse_float(raw.lstrip(), _NOT_NUMBERS)
    if math.isinf(score) and b"n" not in raw.lower():
        raise CommandError(_NOT_NUMBERS)
    return score


def sort(c: Session, a: list[bytes]) -> bytes:
    """SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC|DESC] [ALPHA] [STORE destination]."""
    options = Options(a, True)
    _check_rights(c, a, options)
    result = _sort(c, a[1], options)
    if options.target is None:
        return _reply(c, result)
    return _store(c.db, options.target, result)


def sort_ro(c: Session, a: list[bytes]) -> bytes:
    """SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC|DESC] [ALPHA]."""
    options = Options(a, False)
    _check_rights(c, a, options)
    return _reply(c, _sort(c, a[1], options))


def _check_rights(c: Session, a: list[bytes], options: Options) -> None:
    """Refuse patterns, which may name any key, to who may not read every key."""
    by = options.by is not None and b"*" in options.by
    if not c.attention & ATT_RESTRICTED or not (by or options.gets):
        return
    assert c.row is not None
    if not c.engine.services.access.may_read_everything(c, c.row, a):
        option = "BY" if by else "GET"
        raise CommandError(f"ERR {option} option of SORT denied due to insufficient ACL permissions.")


def _sort(c: Session, key: bytes, options: Options) -> list[bytes | None]:
    value = c.db.lookup(key)
    elements = _elements(value)
    ordered = _ordered(c, options, elements, type(value) is SetValue)
    if not options.gets:
        return list(ordered)
    return [fetch(c.db, pattern, element) for element in ordered for pattern in options.gets]


def _reply(c: Session, result: list[bytes | None]) -> bytes:
    nothing = null(c.resp)
    return array_header(len(result)) + b"".join([nothing if x is None else bulk(x) for x in result])


def _store(db: Db, target: bytes, result: list[bytes | None]) -> bytes:
    value = ListValue(db.state.limits)
    for element in result:
        value.push_tail(element or b"")
    stored(db, target, value, EV_LIST, b"sortstore")
    db.state.dirty += max(len(value) - 1, 0)
    return integer(len(value))


HANDLERS = {"SORT": sort, "SORT_RO": sort_ro}
