"""Replies as scripts receive them: from the wire's form to what `redis.call` returns.

The conversions are those of https://redis.io/docs/latest/develop/interact/programmability/lua-api/, section "Data
type conversion": with RESP2 "nothing" is false, with RESP3 nil; RESP3's other types are tables with one field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TableMaker = Callable[[Any], Any]


def decode(data: bytes, make: TableMaker) -> Any:
    """Return the Lua value of an encoded reply; `make` turns a list or a dict into a Lua table."""
    value, _ = _value(data, 0, make)
    return value


def _value(data: bytes, pos: int, make: TableMaker) -> tuple[Any, int]:
    """Return the value that begins at `pos`, and the index behind it."""
    end = data.index(b"\r\n", pos)
    kind = data[pos]
    text = data[pos + 1 : end]
    pos = end + 2
    if kind == 36:  # '$'
        n = int(text)
        if n < 0:
            return False, pos
        return data[pos : pos + n], pos + n + 2
    if kind == 58:  # ':'
        return int(text), pos
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(data, pos, text, make)
    field = _FIELDS[kind]
    return make({field: text}), pos


def _array(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    n = int(text)
    if n < 0:
        return False, pos
    items = []
    for _ in range(n):
        item, pos = _value(data, pos, make)
        items.append(item)
    return make(items), pos


def _map(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    pairs = {}
    for _ in range(int(text)):
        key, pos = _value(data, pos, make)
        value, pos = _value(data, pos, make)
        if key is not None:
            pairs[key] = value
    return make({b"map": make(pairs)}), pos


def _set(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    members = {}
    for _ in range(int(text)):
        member, pos = _value(data, pos, make)
        if member is not None:
            members[member] = True
    return make({b"set": make(members)}), pos


def _null(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    return None, pos


def _boolean(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    return text == b"t", pos


def _double(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    return make({b"double": float(text)}), pos


def _verbatim(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    end = pos + int(text)
    body = make({b"format": data[pos : pos + 3], b"string": data[pos + 4 : end]})
    return make({b"verbatim_string": body}), end + 2


def _attribute(data: bytes, pos: int, text: bytes, make: TableMaker) -> tuple[Any, int]:
    """What describes the reply behind it isn't shown to scripts."""
    for _ in range(2 * int(text)):
        _, pos = _value(data, pos, make)
    return _value(data, pos, make)


_READERS = {
    ord("*"): _array,
    ord("%"): _map,
    ord("~"): _set,
    ord("_"): _null,
    ord("#"): _boolean,
    ord(","): _double,
    ord("="): _verbatim,
    ord("|"): _attribute,
}
_FIELDS = {ord("+"): b"ok", ord("-"): b"err", ord("("): b"big_number"}
