"""Streams in RDB: nodes of packed entries, then what the groups know.

A node is a string of 16 bytes (the id of its first entry, milliseconds and sequence, big-endian) and a
listpack:

    master entry:  count, deleted, number of fields, the fields, 0
    each entry:    flags, ms and sequence less those of the node's id (both wrap at 64 bits),
                   if its fields are the master's: the values
                   else: number of fields, field, value, field, value ...;
                   how many elements the entry took (without this one)

Version 2 (Redis 7.0) added first id, greatest deleted id, entries ever added, and each group's entries read;
version 3 (7.2) the time a consumer was last active.
"""

from __future__ import annotations

from persistence.rdb import listpack
from persistence.rdb.errors import RdbError
from persistence.rdb.model import Consumer, Group, Pending, StreamData, StreamId
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.partial import Part, placed
from persistence.rdb.read.reader import Reader

DELETED = 1
SAME_FIELDS = 2
"""Flags of an entry."""

_INT64 = 1 << 63


class StreamPart(Part):
    """Reads a stream in units: node, totals, a group's head, pending entry, consumer, one of its ids."""

    def __init__(self, nodes: int, version: int, builders: Builders) -> None:
        super().__init__(1, StreamData(builders.stream_entries(), counted=version >= 2))
        self.version = version
        self.nodes = nodes
        self.groups = -1  # not yet known
        self.pending = 0  # entries still to come in the group's list
        self.consumers = 0  # -1: the number comes next
        self.owned = 0  # ids still to come of the current consumer
        self.taken: set[StreamId] = set()  # pending entries of the current group that have a consumer

    def step(self, r: Reader) -> None:
        """Read one node, one total or one consumer, whatever comes next."""
        if self.nodes:
            self._node(r)
        elif self.groups < 0:
            self._totals(r)
        elif self.pending:
            self._pending(r)
        elif self.consumers < 0:
            self.consumers = r.length()
        elif self.owned:
            self._owned(r)
        elif self.consumers:
            self._consumer(r)
        elif self.groups:
            self._group(r)
        if self.nodes == 0 and self.groups == 0 and not (self.pending or self.owned or self.consumers):
            self._close(r)
            self.left = 0

    def finish(self, builders: Builders) -> object:
        """The stream as the builders make it."""
        stream: object = builders.stream(self.value)
        return stream

    def _node(self, r: Reader) -> None:
        name = r.string()
        if len(name) != 16:
            raise r.error("Stream node's name is not an id")
        blob = r.string()
        entries = decode_node(r, _raw_id(name), placed(r, listpack.decode, blob, "Stream listpack"))
        known = self.value.entries
        if known and entries and entries[0][0] <= known[-1][0]:
            raise r.error("Stream's nodes are not in order")
        known.add_node(entries, len(blob))
        self.nodes -= 1

    def _totals(self, r: Reader) -> None:
        count = r.length()
        last = _read_id(r)
        data = self.value
        if self.version >= 2:
            first, deleted, added = _read_id(r), _read_id(r), r.length()
        else:
            first, deleted, added = (data.entries[0][0] if data.entries else (0, 0)), (0, 0), count
        groups = r.length()
        if count != len(data.entries):
            raise r.error("Stream's length disagrees with its entries")
        if data.entries and data.entries[-1][0] > last:
            raise r.error("Stream's last id lies before its last entry")
        data.last_id, data.first_id, data.max_deleted_id, data.entries_added = last, first, deleted, added
        self.groups = groups

    def _group(self, r: Reader) -> None:
        name = r.string()
        last = _read_id(r)
        read = r.length() if self.version >= 2 else -1
        pending = r.length()
        if any(g.name == name for g in self.value.groups):
            raise r.error("Duplicate consumer group")
        # "Unknown" is -1, written as an unsigned number.
        self.value.groups.append(Group(name, last, read - 2 * _INT64 if read >= _INT64 else read))
        self.pending = pending
        self.taken = set()
        self.consumers = -1
        self.groups -= 1

    def _pending(self, r: Reader) -> None:
        entry = _raw_id(r.take(16))
        delivered = r.milliseconds()
        deliveries = r.length()
        known = self.value.groups[-1].pending
        if entry in known:
            raise r.error("Duplicate pending entry")
        known[entry] = Pending(delivered, deliveries)
        self.pending -= 1

    def _consumer(self, r: Reader) -> None:
        name = r.string()
        seen = r.milliseconds()
        active = r.milliseconds() if self.version >= 3 else seen
        owned = r.length()
        consumers = self.value.groups[-1].consumers
        if any(c.name == name for c in consumers):
            raise r.error("Duplicate stream consumer detected")
        consumers.append(Consumer(name, seen, active))
        self.owned = owned
        self.consumers -= 1

    def _owned(self, r: Reader) -> None:
        entry = _raw_id(r.take(16))
        group = self.value.groups[-1]
        if entry not in group.pending:
            raise r.error("Consumer entry not found in group global PEL")
        if entry in self.taken:
            raise r.error("Stream consumer PEL entry already has a consumer assigned")
        self.taken.add(entry)
        group.consumers[-1].pending.append(entry)
        self.owned -= 1

    def _close(self, r: Reader) -> None:
        for group in self.value.groups:
            owned = sum(len(c.pending) for c in group.consumers)
            if owned != len(group.pending):
                raise r.error("NACK entry without consumer")


def _read_id(r: Reader) -> StreamId:
    ms = r.length()
    return ms, r.length()


def _raw_id(raw: bytes) -> StreamId:
    return int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big")


def decode_node(r: Reader, master: StreamId, flat: list[bytes]) -> list[tuple[StreamId, list[bytes]]]:
    """The live entries of a node from its listpack's elements."""
    cursor = _Cursor(flat)
    try:
        return _entries(cursor, master)
    except (IndexError, ValueError):
        raise r.error(f"Stream listpack integrity check failed at its element {cursor.pos}")
    except RdbError as e:
        raise r.error(f"Stream listpack integrity check failed: {e.reason}")


class _Cursor:
    """Reads a node's elements in turn; IndexError behind the last, ValueError for a non-number."""

    def __init__(self, flat: list[bytes]) -> None:
        self.flat = flat
        self.pos = 0

    def number(self) -> int:
        raw = self.flat[self.pos]
        self.pos += 1
        if not (raw.removeprefix(b"-").isdigit() and len(raw) <= 20):
            raise ValueError
        return int(raw)

    def many(self, count: int) -> list[bytes]:
        stop = self.pos + count
        if count < 0 or stop > len(self.flat):
            raise IndexError
        found = self.flat[self.pos : stop]
        self.pos = stop
        return found


def _entries(cursor: _Cursor, master: StreamId) -> list[tuple[StreamId, list[bytes]]]:
    live, deleted = cursor.number(), cursor.number()
    fields = cursor.many(cursor.number())
    if cursor.number() != 0 or live < 0 or deleted < 0:
        raise ValueError
    out: list[tuple[StreamId, list[bytes]]] = []
    gone = 0
    previous: StreamId = (-1, -1)
    while cursor.pos < len(cursor.flat):
        begin = cursor.pos
        flags = cursor.number()
        entry = (master[0] + cursor.number()) % (1 << 64), (master[1] + cursor.number()) % (1 << 64)
        if flags & SAME_FIELDS:
            values = cursor.many(len(fields))
            flat = [x for pair in zip(fields, values, strict=True) for x in pair]
        else:
            flat = cursor.many(2 * cursor.number())
        took = cursor.pos - begin
        if cursor.number() != took:
            raise RdbError("Stream entry's size disagrees with its elements")
        if entry <= previous:
            raise RdbError("Stream's entries are not in order")
        previous = entry
        if flags & DELETED:
            gone += 1
        else:
            out.append((entry, flat))
    if (live, deleted) != (len(out), gone):
        raise RdbError("Stream node's counts disagree with its entries")
    return out
