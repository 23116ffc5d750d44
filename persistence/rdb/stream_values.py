"""The engine's streams made of what the decoder reads, and laid out for the encoder.

Reading, each node becomes one of the engine's at once. Writing, a frozen view is walked as it is encoded, and
nothing is copied first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from kvserver.engine.values.id_map import IdMap
from kvserver.engine.values.stream_groups import Consumer, Group
from kvserver.engine.values.stream_value import FrozenStream, Node, StreamValue
from persistence.rdb import model
from persistence.rdb.model import StreamData, StreamId

Entry = tuple[StreamId, list[bytes]]


class NodeEntries:
    """Entries gathered by node; its first and its last can be looked at."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.length = 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int) -> Entry:
        node = self.nodes[place]
        return node.ids[place], node.values[place]

    def __iter__(self) -> Iterator[Entry]:
        for node in self.nodes:
            yield from zip(node.ids, node.values, strict=True)

    def add_node(self, entries: list[Entry], size: int) -> None:
        """Add a node of `size` bytes."""
        if entries:
            node = Node([e[0] for e in entries], [e[1] for e in entries], entries[0][1][::2])
            node.bytes = size
            self.nodes.append(node)
            self.length += len(entries)


def stream_value(data: StreamData) -> StreamValue:
    """A stream of the engine."""
    value = StreamValue()
    entries = cast(NodeEntries, data.entries)
    value.nodes, value.length = entries.nodes, entries.length
    value.last_id, value.first_id, value.max_deleted_id = data.last_id, data.first_id, data.max_deleted_id
    value.entries_added = data.entries_added
    value.groups = {group.name: _group(group) for group in data.groups}
    if not data.counted:
        for group in value.groups.values():
            group.entries_read = value.estimate_read(group.last_id)
    return value


def _group(data: model.Group) -> Group:
    group = Group(data.name, data.last_id, data.entries_read)
    owners: dict[StreamId, bytes] = {}
    for one in data.consumers:
        consumer = group.consumers[one.name] = Consumer(one.name, one.seen_ms)
        consumer.pending = IdMap.of([(entry, True) for entry in sorted(one.pending)])
        owners.update(dict.fromkeys(one.pending, one.name))
    ids = sorted(data.pending)
    nacks = [data.pending[entry] for entry in ids]
    group.pending = IdMap.of(
        [(e, (owners[e], n.delivered_ms, n.deliveries)) for e, n in zip(ids, nacks, strict=True)]
    )
    return group


class _Pending:
    """The pending entries of a group, made plain one by one."""

    def __init__(self, pending: IdMap) -> None:
        self.pending = pending

    def __len__(self) -> int:
        return len(self.pending)

    def items(self) -> Iterator[tuple[StreamId, model.Pending]]:
        for entry, (_, delivered_ms, deliveries) in self.pending.items():
            yield entry, model.Pending(delivered_ms, deliveries)


def plain_stream(value: Any) -> StreamData:
    """A stream of the engine as the encoder takes it; it is frozen, so it may change meanwhile."""
    if isinstance(value, StreamData):
        return value
    view: Any = value if isinstance(value, FrozenStream) else value.freeze()
    groups = [
        model.Group(
            group.name,
            group.last_id,
            group.entries_read,
            cast(Any, _Pending(group.pending)),
            [
                model.Consumer(consumer.name, consumer.seen_ms, -1, cast(Any, consumer.pending))
                for consumer in group.sorted_consumers()
            ],
        )
        for group in view.sorted_groups()
    ]
    return StreamData(view, view.last_id, view.first_id, view.max_deleted_id, view.entries_added, groups)
