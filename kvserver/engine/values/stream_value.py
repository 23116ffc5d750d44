"""The stream type: entries in order of their ids, and consumer groups (stream_groups.py).

Theory of operation.  Entries are appended at the end and stand in nodes of as many entries as one listpack of
Redis would hold (stream-node-max-entries, stream-node-max-bytes): "about" in MAXLEN ~ means whole nodes, so the
nodes decide what a trim removes, and their sizes in bytes are counted as Redis would encode them.  A deleted
entry leaves its id behind as a tombstone until its node has no live entry left.

Nodes and chunks are shared with clones and frozen views until one side writes to them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import cython

from kvserver.engine.values.id_map import MAX_ID, MIN_ID, Chunk, Id, ascending, chunk_of, descending
from kvserver.engine.values.stream_groups import UNKNOWN, Group
from kvserver.wire.numbers import signed64

if cython.compiled:
    from cython.cimports.kvserver.engine.values.stream_sizes import (  # type: ignore
        distance_bytes,
        element_bytes,
        elements_bytes,
        has_fields,
        number_bytes,
        text_bytes,
    )
else:
    from kvserver.engine.values.stream_sizes import (
        distance_bytes,
        element_bytes,
        elements_bytes,
        has_fields,
        number_bytes,
        text_bytes,
    )

_WRAP = 1 << 64
NODE_BYTES_MAX = 1 << 30
_FRAME = 6 + 1 + 2 + 2
"""Bytes of a listpack's header and end, of the number of deleted entries and of the zero behind the fields."""

_NODE_MOST = NODE_BYTES_MAX
"""A C number where this is compiled, as `_FRAME`."""

Entry = tuple[Id, list[bytes]]
"""An id and field, value, field, value …"""


class Node(Chunk):
    """Some entries, None where one was deleted; `fields` are those of the first, which Redis stores once."""

    __slots__ = ("bytes", "fields", "live")

    def __init__(self, ids: list[Id], values: list[Any], fields: list[bytes]) -> None:
        super().__init__(ids, values)
        self.fields = fields
        self.live = len(ids)
        self.bytes = 0

    def copy(self) -> Node:
        """Return an independent copy."""
        twin = Node(self.ids[:], self.values[:], self.fields)
        twin.live, twin.bytes = self.live, self.bytes
        return twin


class StreamView:
    """Reading a stream: what a live one and a frozen view have in common."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.length = 0
        self.last_id = MIN_ID
        self.first_id = MIN_ID
        self.max_deleted_id = MIN_ID
        self.entries_added = 0
        self.groups: dict[bytes, Group] = {}

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Entry]:
        return self.entries()

    def kind(self) -> bytes:
        """The type's name as TYPE replies it."""
        return b"stream"

    def encoding(self) -> bytes:
        """The representation's name as OBJECT ENCODING replies it."""
        return b"stream"

    def entries(self, start: Id = MIN_ID, end: Id = MAX_ID, reverse: bool = False) -> Iterator[Entry]:
        """Iterate over the entries within [start, end], in either direction."""
        for entry, flat in (descending if reverse else ascending)(self.nodes, start, end):
            if flat is not None:
                yield entry, flat

    def first(self, count: int, start: Id = MIN_ID, end: Id = MAX_ID, reverse: bool = False) -> list[Entry]:
        """Return the first `count` entries within [start, end], in either direction; all for 0."""
        found: list[Entry] = []
        if reverse:
            for one in self.entries(start, end, True):
                found.append(one)
                if len(found) == count:
                    break
            return found
        i = chunk_of(self.nodes, start)
        place = bisect_left(self.nodes[i].ids, start) if i < len(self.nodes) else 0
        for n in range(i, len(self.nodes)):
            node: Node = self.nodes[n]
            ids, values = node.ids, node.values
            whole = end >= ids[-1]
            for j in range(place, len(ids)):
                if not whole and ids[j] > end:
                    return found
                if values[j] is not None:
                    found.append((ids[j], values[j]))
                    if len(found) == count:
                        return found
            place = 0
        return found

    def get(self, entry: Id) -> list[bytes] | None:
        """Return an entry's fields and values, or None when there is no such entry."""
        i = chunk_of(self.nodes, entry)
        if i == len(self.nodes):
            return None
        j = bisect_left(self.nodes[i].ids, entry)
        found: list[bytes] | None = self.nodes[i].values[j] if self.nodes[i].ids[j] == entry else None
        return found

    def sorted_groups(self) -> list[Group]:
        """The groups by name."""
        return [self.groups[name] for name in sorted(self.groups)]

    def digest_parts(self) -> Iterator[bytes]:
        """What DEBUG DIGEST mixes: each entry's id, fields and values."""
        for entry, flat in self.entries():
            yield b"%d.%d" % entry
            yield from flat

    def copy_to(self, twin: StreamView) -> None:
        """Make an empty stream the same as this one, in O(nodes, consumers and chunks of pending entries)."""
        for node in self.nodes:
            node.shared = True
        twin.nodes = list(self.nodes)
        twin.length = self.length
        twin.last_id, twin.first_id, twin.max_deleted_id = self.last_id, self.first_id, self.max_deleted_id
        twin.entries_added = self.entries_added
        twin.groups = {name: group.clone() for name, group in self.groups.items()}


class FrozenStream(StreamView):
    """What a stream held when it was frozen."""


class StreamValue(StreamView):
    """A stream; see the module's theory of operation."""

    def __init__(self) -> None:
        super().__init__()
        self.waste: list[Node] = []  # nodes that a trim has dropped, until `take_waste`

    def take_waste(self) -> StreamValue:
        """Hand over what trims have dropped, to be freed in slices."""
        heap = StreamValue()
        heap.nodes, self.waste = self.waste, []
        return heap

    def append(self, entry: Id, flat: list[bytes], node_entries: int, node_bytes: int) -> None:
        """Add an entry with an id greater than the last; the limits of nodes are 0 for none."""
        count = len(flat)
        text = text_bytes(flat)
        node: Node | None = self.nodes[-1] if self.nodes else None
        most = node_bytes if 0 < node_bytes < _NODE_MOST else _NODE_MOST
        if node is None or node.bytes + text >= most or (node_entries and len(node.ids) >= node_entries):
            fields = flat[::2]
            node = Node([], [], fields)
            node.bytes = _FRAME + 2 + number_bytes(count >> 1) + elements_bytes(fields)
            self.nodes.append(node)
        elif node.shared:
            node = self.nodes[-1] = node.copy()
        base = node.ids[0] if node.ids else entry
        node.bytes += 4 + distance_bytes(entry[0], base[0]) + distance_bytes(entry[1], base[1])
        if has_fields(flat, node.fields):
            for i in range(1, count, 2):
                node.bytes += element_bytes(flat[i])
        else:
            node.bytes += elements_bytes(flat) + number_bytes(count >> 1)
        node.ids.append(entry)
        node.values.append(flat)
        node.live += 1
        self.length += 1
        self.entries_added += 1  # it wraps, which a payload that says 2^64-1 shows
        if not cython.compiled:
            self.entries_added %= _WRAP
        self.last_id = entry
        if self.length == 1:
            self.first_id = entry

    def own(self, i: int) -> Node:
        """Return node `i`, copied first if it is shared."""
        node = self.nodes[i]
        if node.shared:
            node = self.nodes[i] = node.copy()
        return node

    def last_valid_id(self) -> Id:
        """The id of the last entry; 0-0 when there is none."""
        for entry, _ in self.entries(reverse=True):
            return entry
        return MIN_ID

    def first_kept_id(self) -> Id:
        """The first id that a node holds, be it a tombstone's; the greatest possible one when there is none."""
        return self.nodes[0].ids[0] if self.nodes else MAX_ID

    def delete(self, entry: Id) -> bool:
        """Delete an entry; True when it was there."""
        if self.get(entry) is None:
            return False
        i = chunk_of(self.nodes, entry)
        if self.nodes[i].live == 1:
            del self.nodes[i]
        else:
            node = self.own(i)
            node.values[bisect_left(node.ids, entry)] = None
            node.live -= 1
        self.length -= 1
        return True

    def find_first(self) -> None:
        """Bring `first_id` up to date after entries went."""
        for each in self.nodes:
            node: Node = each
            values = node.values
            for j in range(len(values)):
                if values[j] is not None:
                    self.first_id = node.ids[j]
                    return
        self.first_id = MIN_ID

    def trim_to_length(self, most: int, whole_nodes: bool, limit: int) -> int:
        """Remove the first entries until `most` are left; return how many went.

        With `whole_nodes` only whole nodes go; a `limit` above 0 bounds how many entries.
        """
        if 0 < self.length <= most:
            return 0
        return self._trim(most, None, whole_nodes, limit)

    def trim_below(self, lowest: Id, whole_nodes: bool, limit: int) -> int:
        """Remove the entries with ids below `lowest`, as `trim_to_length` does."""
        return self._trim(0, lowest, whole_nodes, limit)

    def _trim(self, most: int, lowest: Id | None, whole_nodes: bool, limit: int) -> int:
        """Remove the first entries: those below `lowest`, or, where that is None, all but `most`."""
        gone = self._drop_nodes(most, lowest, limit)
        if not whole_nodes and self.nodes and not limit:
            gone += self._bury(most, lowest)
        if gone or not self.length:
            self.find_first()
        return gone

    def _drop_nodes(self, most: int, lowest: Id | None, limit: int) -> int:
        """Drop the first nodes, as far as they are to go whole."""
        gone = dropped = 0
        for each in self.nodes:
            node: Node = each
            if limit and gone + node.live > limit:
                break
            if node.ids[-1] >= lowest if lowest is not None else self.length - max(node.live, 1) < most:
                break
            self.length -= node.live
            gone += node.live
            dropped += 1
        if dropped:
            self.waste += self.nodes[:dropped]
            del self.nodes[:dropped]
        return gone

    def _bury(self, most: int, lowest: Id | None) -> int:
        """Delete the first entries of the first node, as far as they are to go."""
        if lowest is None and self.length <= most:
            return 0
        node = self.own(0)
        values = node.values
        gone = 0
        for j in range(len(values)):
            if node.ids[j] >= lowest if lowest is not None else self.length <= most:
                break
            if values[j] is not None:
                values[j] = None
                node.live -= 1
                self.length -= 1
                gone += 1
        return gone

    # -- what groups have read --------------------------------------------------------------------------------

    def has_tombstones_from(self, start: Id) -> bool:
        """Whether an entry at or behind `start`, and not before the first one, may have been deleted by XDEL."""
        if not self.length or self.max_deleted_id == MIN_ID or self.first_id > self.max_deleted_id:
            return False
        return start <= self.max_deleted_id

    def estimate_read(self, entry: Id) -> int:
        """How many entries were ever added up to this id, or UNKNOWN."""
        if not self.entries_added:
            return 0
        if entry == self.last_id or (not self.length and entry < self.last_id):
            return signed64(self.entries_added)
        if entry > self.last_id:
            return UNKNOWN
        if self.max_deleted_id == MIN_ID or self.max_deleted_id < self.first_id:
            if entry < self.first_id:
                return signed64(self.entries_added - self.length)
            if entry == self.first_id:
                return signed64(self.entries_added - self.length + 1)
        return UNKNOWN

    def lag(self, group: Group) -> int | None:
        """How many entries a group has yet to read, or None when that can't be known."""
        if not self.entries_added:
            return 0
        read = group.entries_read
        if read == UNKNOWN or self.has_tombstones_from(group.last_id):
            read = self.estimate_read(group.last_id)
        return None if read == UNKNOWN else signed64(self.entries_added - read)

    def advance(self, group: Group, entry: Id) -> None:
        """Count an entry as read by a group, if it lies behind its last one."""
        if entry <= group.last_id:
            return
        if group.entries_read != UNKNOWN and not self.has_tombstones_from(entry):
            group.entries_read = signed64(group.entries_read + 1)
        elif self.entries_added:
            group.entries_read = self.estimate_read(entry)
        group.last_id = entry

    # -- copies -----------------------------------------------------------------------------------------------

    def clone(self) -> StreamValue:
        """Return an independent copy."""
        twin = StreamValue()
        self.copy_to(twin)
        return twin

    def freeze(self) -> FrozenStream:
        """Return a view of the stream as it is now; later writes copy the nodes and chunks they touch."""
        view = FrozenStream()
        self.copy_to(view)
        return view

    def shrink(self) -> bool:
        """Drop a node or some pending entries, to free a big stream in slices; False when nothing is left."""
        if self.nodes:
            self.nodes.pop()
            return True
        for name, group in self.groups.items():
            if not group.shrink():
                del self.groups[name]
            return True
        return False
