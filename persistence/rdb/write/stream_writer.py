"""Streams into RDB; the layout is described where they are read, in `persistence.rdb.read.streams`."""

from __future__ import annotations

from collections.abc import Iterator

from kvserver.wire.numbers import signed64
from persistence.rdb import listpack
from persistence.rdb.model import Consumer, Group, StreamData, StreamId
from persistence.rdb.read.streams import SAME_FIELDS
from persistence.rdb.write.encoder import length, plain_string, string

_NODE_ENTRIES = 100
_NODE_BYTES = 4096
"""How much a node holds: stream-node-max-entries and stream-node-max-bytes by default."""
_BATCH = 256

Entry = tuple[StreamId, list[bytes]]


def stream_pieces(data: StreamData, compress: bool) -> Iterator[bytes]:
    """A stream in pieces of a fraction of a millisecond."""
    nodes = 0
    for _ in _nodes(data.entries):
        nodes += 1
        yield b""
    yield length(nodes)
    for node in _nodes(data.entries):
        yield plain_string(_raw_id(node[0][0])) + string(_node(node), compress)
    yield b"%b%b%b%b%b%b" % (
        length(len(data.entries)),
        _id(data.last_id),
        _id(data.first_id),
        _id(data.max_deleted_id),
        length(data.entries_added % 2**64),
        length(len(data.groups)),
    )
    for group in data.groups:
        yield from _group(group)


def _raw_id(entry: StreamId) -> bytes:
    return entry[0].to_bytes(8, "big") + entry[1].to_bytes(8, "big")


def _id(entry: StreamId) -> bytes:
    return length(entry[0]) + length(entry[1])


def _nodes(entries: list[Entry]) -> Iterator[list[Entry]]:
    node: list[Entry] = []
    size = 0
    for entry in entries:
        added = 8 + sum(map(len, entry[1]))
        if node and (len(node) >= _NODE_ENTRIES or size + added > _NODE_BYTES):
            yield node
            node = []
            size = 0
        node.append(entry)
        size += added
    if node:
        yield node


def _node(entries: list[Entry]) -> bytes:
    (base_ms, base_seq), first = entries[0]
    fields = first[::2]
    integer = listpack.integer
    out = [integer(len(entries)), integer(0), integer(len(fields))]
    out += [listpack.element(field) for field in fields]
    out.append(integer(0))
    for (ms, seq), flat in entries:
        same = flat[::2] == fields
        begin = len(out)
        out += [integer(SAME_FIELDS if same else 0), integer(signed64(ms - base_ms)), integer(signed64(seq - base_seq))]
        if not same:
            out.append(integer(len(flat) // 2))
        out += [listpack.element(x) for x in (flat[1::2] if same else flat)]
        out.append(integer(len(out) - begin))
    return listpack.wrap(out)


def _raw_ms(when: int) -> bytes:
    """A time in milliseconds as eight bytes, signed: a payload of RESTORE may have told any."""
    return signed64(when).to_bytes(8, "little", signed=True)


def _group(group: Group) -> Iterator[bytes]:
    out = [
        string(group.name),
        _id(group.last_id),
        length(group.entries_read % 2**64),
        length(len(group.pending)),
    ]
    for entry, pending in group.pending.items():
        out.append(_raw_id(entry) + _raw_ms(pending.delivered_ms) + length(pending.deliveries % 2**64))
        if len(out) >= _BATCH:
            yield b"".join(out)
            out = []
    out.append(length(len(group.consumers)))
    yield b"".join(out)
    for consumer in group.consumers:
        yield from _consumer(consumer)


def _consumer(consumer: Consumer) -> Iterator[bytes]:
    yield string(consumer.name) + _raw_ms(consumer.seen_ms) + length(len(consumer.pending))
    out: list[bytes] = []
    for entry in consumer.pending:
        out.append(_raw_id(entry))
        if len(out) >= _BATCH:
            yield b"".join(out)
            out = []
    yield b"".join(out)
