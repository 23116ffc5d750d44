# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False
"""The values of keys in RDB, each type in the encoding that Redis 7.0 itself writes and loads fastest.

Strings and what fits a packed encoding (listpack, intset) are short by definition and are encoded at once,
by `whole`. Everything else is encoded in `pieces`: an iterator of bytes, each of them a fraction of a
millisecond of work, empty when there was work but nothing to show for it yet. It reads the parts of the
value as they were when it was made, so a value that may change before the iterator is exhausted has to be
frozen, and then the iterator still is good: freezing makes later writes copy the parts which it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Any

import cython

from kvserver.engine.values.ordering import Chunk
from kvserver.engine.values.types import ExpiringHash, FrozenHash, ZSetValue
from kvserver.wire.numbers import format_double
from persistence.rdb import listpack, opcodes as op
from persistence.rdb.read.compact import encode_intset
from persistence.rdb.stream_values import plain_stream
from persistence.rdb.write.encoder import double, length, string
from persistence.rdb.write.stream_writer import stream_pieces

MAX_COMPRESSED = 1 << 17 if cython.compiled else 1 << 13
"""A snapshot leaves longer strings uncompressed: compressing them would take more than a slice of time."""
WORK_BYTES = 1 << 15 if cython.compiled else 1 << 12
"""Bytes encoded between two looks at the clock."""

_EXPIRY = Struct("<q")
_EXPIRING = (ExpiringHash, FrozenHash)
_BATCH = 64
_NODE_BYTES = 8192
"""A list node's size, as list-max-listpack-size -2 has it."""
_NODE_OVERHEAD = 8
"""What Redis takes an element to cost beside its length when it decides whether a node has room."""
_MAX_INTEGER_SCORE = float(2**62)
_EMPTY_LISTPACK = listpack.HEADER + 1

_NUMBERS = {
    (b"list", b"quicklist"): op.TYPE_LIST_QUICKLIST_2,
    (b"set", b"intset"): op.TYPE_SET_INTSET,
    (b"set", b"hashtable"): op.TYPE_SET,
    (b"hash", b"listpack"): op.TYPE_HASH_LISTPACK,
    (b"hash", b"listpackex"): op.TYPE_HASH_LISTPACK_EX,
    (b"hash", b"hashtable"): op.TYPE_HASH,
    (b"zset", b"listpack"): op.TYPE_ZSET_LISTPACK,
    (b"zset", b"skiplist"): op.TYPE_ZSET_2,
    (b"stream", b"stream"): op.TYPE_STREAM_LISTPACKS_2,
}


def type_number(value: Any) -> int:
    """The RDB type of an aggregate; Redis 7.4's own only for a hash of which a field expires."""
    number = _NUMBERS[value.kind(), value.encoding()]
    if number == op.TYPE_HASH and type(value) in _EXPIRING and value.ttls.used:
        return op.TYPE_HASH_METADATA
    if number == op.TYPE_HASH_LISTPACK_EX and not value.ttls.used:
        return op.TYPE_HASH_LISTPACK
    return number


def whole(number: int, value: Any, compress: bool) -> bytes | None:
    """An aggregate of a packed type, encoded at once; None when its type is another."""
    if number == op.TYPE_HASH_LISTPACK:
        return string(_packed_hash(value), compress)
    if number == op.TYPE_HASH_LISTPACK_EX:
        return _EXPIRY.pack(value.next_ms()) + string(_packed_expiring_hash(value), compress)
    if number == op.TYPE_ZSET_LISTPACK:
        return string(_packed_zset(value), compress)
    if number == op.TYPE_SET_INTSET:
        return string(encode_intset([int(member) for part in value.parts for member in part]), compress)
    return None


def _packed_hash(value: Any) -> bytes:
    out: list[bytes] = []
    element = listpack.element
    for part in value.parts:
        for field, content in part.items():
            out.append(element(field))
            out.append(element(content))
    return listpack.wrap(out)


def _packed_expiring_hash(value: Any) -> bytes:
    """Field, value and expiry in turn, in the order of the expiries; those without one come last, with 0."""
    out: list[bytes] = []
    element = listpack.element
    fields = dict(value.items())
    for when, field in value.ttls.order:
        out += (element(field), element(fields.pop(field)), listpack.integer(int(when)))
    for field, content in fields.items():
        out += (element(field), element(content), listpack.integer(0))
    return listpack.wrap(out)


def _packed_zset(value: Any) -> bytes:
    out: list[bytes] = []
    for chunk in value.order.chunks:
        for score, member in chunk:
            out.append(listpack.element(member))
            out.append(_score(score))
    return listpack.wrap(out)


def _score(score: float) -> bytes:
    """A score as an element: an integer where Redis makes it one, else text."""
    if -_MAX_INTEGER_SCORE <= score <= _MAX_INTEGER_SCORE and score.is_integer():
        return listpack.integer(int(score))
    return listpack.element(format_double(score))


def pieces(number: int, value: Any, longest: int) -> Iterator[bytes]:
    """An aggregate of a type that isn't packed, in pieces; strings up to `longest` bytes are compressed, 0 = none."""
    if number == op.TYPE_LIST_QUICKLIST_2:
        return _list_pieces(list(value.chunks), longest)
    if number == op.TYPE_ZSET_2:
        return _zset_pieces(list(value.order.chunks), len(value), longest)
    if number == op.TYPE_HASH_METADATA:
        return _expiring_pieces(list(value.parts), len(value), value.ttls.clone(), longest)
    if number in _TABLE_ENTRIES:
        return _table_pieces(list(value.parts), len(value), _TABLE_ENTRIES[number], longest)
    return stream_pieces(plain_stream(value), longest > 0)


def _bounded(raw: bytes, longest: int) -> bytes:
    return string(raw, len(raw) <= longest)


def _set_entry(member: bytes, _: Any, longest: int) -> bytes:
    return _bounded(member, longest)


def _hash_entry(field: bytes, content: bytes, longest: int) -> bytes:
    return _bounded(field, longest) + _bounded(content, longest)


_TABLE_ENTRIES = {op.TYPE_SET: _set_entry, op.TYPE_HASH: _hash_entry}


def _table_pieces(parts: list[dict[bytes, Any]], size: int, entry: Any, longest: int) -> Iterator[bytes]:
    yield length(size)
    parts.reverse()
    while parts:
        part = parts.pop()  # a part that only this list still holds is freed as soon as it is written
        yield from _batched(entry(name, content, longest) for name, content in part.items())


def _expiring_pieces(
    parts: list[dict[bytes, bytes]], size: int, ttls: ZSetValue, longest: int
) -> Iterator[bytes]:
    """The least expiry; before each field 0 if it lives for ever, else 1 and how much later it expires."""
    least = int(ttls.slice(0, 1)[0][0])
    yield _EXPIRY.pack(least) + length(size)
    parts.reverse()
    while parts:
        part = parts.pop()
        yield from _batched(
            length(int(ttls.get(field)) - least + 1 if ttls.has(field) else 0) + _hash_entry(field, content, longest)
            for field, content in part.items()
        )


def _zset_pieces(chunks: list[Chunk], size: int, longest: int) -> Iterator[bytes]:
    """From the highest score to the lowest: in that order a loader need not search for each member's place."""
    yield length(size)
    while chunks:
        chunk = chunks.pop()
        yield from _batched(_bounded(member, longest) + double(score) for score, member in reversed(chunk))


def _batched(records: Iterator[bytes]) -> Iterator[bytes]:
    """Some records at once, few if they are long."""
    out: list[bytes] = []
    size = 0
    for record in records:
        out.append(record)
        size += len(record)
        if len(out) >= _BATCH or size >= WORK_BYTES:
            yield b"".join(out)
            out = []
            size = 0
    if out:
        yield b"".join(out)


def _list_pieces(chunks: list[list[bytes]], longest: int) -> Iterator[bytes]:
    """The number of nodes stands before them, so nodes are counted first."""
    nodes = 0
    for node in _nodes(chunks):
        if node:
            nodes += 1
        yield b""
    yield length(nodes)
    chunks.reverse()
    for node in _nodes(_taken(chunks)):
        if node:
            blob = listpack.wrap(node)
            yield b"%c%b" % (op.NODE_PACKED, _bounded(blob, longest))


def _taken(chunks: list[list[bytes]]) -> Iterator[list[bytes]]:
    """The chunks from the last to the first, let go one by one."""
    while chunks:
        yield chunks.pop()


def _nodes(chunks: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """The encoded elements of each node: it takes elements while it has room, as Redis's do."""
    node: list[bytes] = []
    size = _EMPTY_LISTPACK
    for chunk in chunks:
        for raw in chunk:
            if node and size + len(raw) + _NODE_OVERHEAD > _NODE_BYTES:
                yield node
                node = []
                size = _EMPTY_LISTPACK
            encoded = listpack.element(raw)
            node.append(encoded)
            size += len(encoded)
    if node:
        yield node
