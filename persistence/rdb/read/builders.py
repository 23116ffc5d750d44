"""What the decoder makes of values.

It calls for a `list`, `set`, `hash` or `zset` object and fills that element by element, so that a
collection of millions never has to be converted at once; for compact collections it hands over all elements
together. The builders here make plain Python values; `persistence.rdb.read.values` makes those of the engine.
"""

from __future__ import annotations

from typing import Any

from persistence.rdb.model import StreamData


class PlainList(list[bytes]):
    """A list that is filled like the engine's."""

    def push_tail(self, element: bytes) -> None:
        """Append."""
        self.append(element)


class PlainEntries(list[tuple[tuple[int, int], list[bytes]]]):
    """The entries of a stream."""

    def add_node(self, entries: list[tuple[tuple[int, int], list[bytes]]], size: int) -> None:
        """Add those of a node of `size` bytes."""
        self += entries


class PlainSet(dict[bytes, None]):
    """A set in the order read."""

    def add(self, member: bytes) -> bool:
        """Add; True when the member is new."""
        size = len(self)
        self[member] = None
        return len(self) > size


class PlainMap(dict[bytes, Any]):
    """A hash (field to value) or sorted set (member to score) in the order read."""

    def put(self, name: bytes, value: Any) -> bool:
        """Store; True when the name is new."""
        size = len(self)
        self[name] = value
        return len(self) > size


class PlainExpiringMap(PlainMap):
    """A hash, and when which of its fields expire (ms since the epoch)."""

    def __init__(self) -> None:
        super().__init__()
        self.ttls: dict[bytes, int] = {}

    def expire_at(self, field: bytes, when_ms: int) -> None:
        """Note when a field expires."""
        self.ttls[field] = when_ms


class Builders:
    """Plain values; a subclass makes others."""

    def list(self) -> Any:
        """An empty list: `push_tail(element)`, `len`."""
        return PlainList()

    def set(self) -> Any:
        """An empty set: `add(member) -> is new`, `len`."""
        return PlainSet()

    def hash(self) -> Any:
        """An empty hash: `put(field, value) -> is new`, `len`."""
        return PlainMap()

    def expiring_hash(self) -> Any:
        """An empty hash whose fields may expire: also `expire_at(field, when_ms)`."""
        return PlainExpiringMap()

    def field_ttls(self, value: Any) -> dict[bytes, int] | None:
        """The times of a hash whose fields may expire, unless it keeps them itself."""
        return value.ttls or None if type(value) is PlainExpiringMap else None

    def zset(self) -> Any:
        """An empty sorted set: `put(member, score) -> is new`, `len`."""
        return PlainMap()

    def finished(self, value: Any) -> Any:
        """What becomes of one of the above when all its elements are there."""
        return value

    def small_set(self, members: dict[bytes, None]) -> Any:
        """A set of these members."""
        return PlainSet(members)

    def small_hash(self, fields: dict[bytes, bytes]) -> Any:
        """A hash of these fields."""
        return PlainMap(fields)

    def small_zset(self, scores: dict[bytes, float]) -> Any:
        """A sorted set of these members."""
        return PlainMap(scores)

    def string(self, raw: bytes) -> Any:
        """A string."""
        return raw

    def stream_entries(self) -> Any:
        """No entries: `add_node(entries, bytes)`, `len`, the first is [0] and the last is [-1]."""
        return PlainEntries()

    def stream(self, data: StreamData) -> Any:
        """A stream."""
        return data
