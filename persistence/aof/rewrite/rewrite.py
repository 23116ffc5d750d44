"""Values as commands that make them: what a base file without a snapshot holds. Pure.

The commands are those that Redis 7.0's `rewriteAppendOnlyFileRio` writes: aggregates in batches of 64 elements, an
expiry as PEXPIREAT, a stream entry by entry with its counters set behind it, each pending entry of a group as an
XCLAIM.  They come in pieces of a fraction of a millisecond, for a loop that has other things to do.  A value may
change meanwhile if it was frozen after its pieces were asked for: they read the parts that it had then, and
freezing makes later writes copy the parts they touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from kvserver.engine.values.id_map import MAX_ID, MIN_ID, ascending
from kvserver.engine.values.stream_groups import UNKNOWN, Group
from kvserver.engine.values.stream_value import Node, StreamView
from kvserver.wire.numbers import INT64_MAX, format_double
from kvserver.wire.resp import encode_request

ITEMS = 64
"""Elements per command (Redis's AOF_REWRITE_ITEMS_PER_CMD)."""


def select_db(db: int) -> bytes:
    """The command behind which keys belong to a database."""
    return encode_request([b"SELECT", b"%d" % db])


def function(code: bytes) -> bytes:
    """A library of functions."""
    return encode_request([b"FUNCTION", b"LOAD", code])


def string(key: bytes, value: bytes) -> bytes:
    """A string."""
    return encode_request([b"SET", key, value])


def expiry(key: bytes, when_ms: int) -> bytes:
    """The time at which a key expires, Unix milliseconds."""
    return encode_request([b"PEXPIREAT", key, b"%d" % when_ms])


def pieces(key: bytes, value: Any, expire_ms: int) -> Iterator[bytes]:
    """The commands that make an aggregate, live or frozen, and give it its expiry time (-1 is none)."""
    body: Iterator[bytes] = _KINDS[value.kind()](key, value)
    return chain(body, (expiry(key, expire_ms),)) if expire_ms >= 0 else body


def _list(key: bytes, value: Any) -> Iterator[bytes]:
    return _batches([b"RPUSH", key], _each(list(value.chunks)), 1)


def _set(key: bytes, value: Any) -> Iterator[bytes]:
    return _batches([b"SADD", key], _each(list(value.parts)), 1)


def _hash(key: bytes, value: Any) -> Iterator[bytes]:
    pairs = (x for part in list(value.parts) for pair in part.items() for x in pair)
    fields = _batches([b"HMSET", key], pairs, 2)
    times = getattr(value, "ttls", None)  # of fields that expire
    if not times:
        return fields
    when = times.clone().order
    return chain(fields, (encode_request([b"HPEXPIREAT", key, b"%d" % ms, b"FIELDS", b"1", name]) for ms, name in when))


def _zset(key: bytes, value: Any) -> Iterator[bytes]:
    pairs = (x for chunk in list(value.order.chunks) for score, name in chunk for x in (format_double(score), name))
    return _batches([b"ZADD", key], pairs, 2)


def _each(parts: list[Any]) -> Iterator[bytes]:
    for part in parts:
        yield from part


def _batches(head: list[bytes], elements: Iterable[bytes], per_item: int) -> Iterator[bytes]:
    args = list(head)
    full = len(head) + ITEMS * per_item
    for element in elements:
        args.append(element)
        if len(args) == full:
            yield encode_request(args)
            args = list(head)
    if len(args) > len(head):
        yield encode_request(args)


def _stream(key: bytes, value: StreamView) -> Iterator[bytes]:
    counters = encode_request(
        [b"XSETID", key, _id(value.last_id), b"ENTRIESADDED", b"%d" % min(value.entries_added, INT64_MAX),
         b"MAXDELETEDID", _id(value.max_deleted_id)]
    )  # fmt: skip
    groups = [group.clone() for group in value.sorted_groups()]
    # Only XADD makes a stream that has no group.
    empty = () if len(value) else (encode_request([b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]),)
    return chain(
        _entries(key, list(value.nodes)),
        empty,
        (counters,),
        chain.from_iterable(_group(key, group) for group in groups),
    )


def _entries(key: bytes, nodes: list[Node]) -> Iterator[bytes]:
    for entry, flat in ascending(nodes, MIN_ID, MAX_ID):
        if flat is not None:
            yield encode_request([b"XADD", key, _id(entry), *flat])


def _group(key: bytes, group: Group) -> Iterator[bytes]:
    read = max(group.entries_read, UNKNOWN)  # the command takes no other negative number, though a payload may
    yield encode_request(
        [b"XGROUP", b"CREATE", key, group.name, _id(group.last_id), b"ENTRIESREAD", b"%d" % read]
    )
    for consumer in group.sorted_consumers():
        if not len(consumer.pending):
            yield encode_request([b"XGROUP", b"CREATECONSUMER", key, group.name, consumer.name])
        for entry in consumer.pending:
            _, delivered_ms, deliveries = group.pending.get(entry)
            yield encode_request(
                [b"XCLAIM", key, group.name, consumer.name, b"0", _id(entry), b"TIME", b"%d" % max(delivered_ms, 0),
                 b"RETRYCOUNT", b"%d" % min(deliveries, INT64_MAX), b"JUSTID", b"FORCE"]
            )  # fmt: skip


def _id(entry: tuple[int, int]) -> bytes:
    return b"%d-%d" % entry


_KINDS = {b"list": _list, b"set": _set, b"hash": _hash, b"zset": _zset, b"stream": _stream}
