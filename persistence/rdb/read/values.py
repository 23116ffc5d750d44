# cython: language_level=3, annotation_typing=False
"""Builders of the engine's values."""

from __future__ import annotations

from typing import Any

from kvserver.engine.keys.table import LOAD
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.ordering import CHUNK
from kvserver.engine.values.types import ExpiringHash, HashValue, ListValue, SetValue, ZSetValue
from kvserver.wire.numbers import is_int
from persistence.rdb.model import StreamData
from persistence.rdb.read.builders import Builders
from persistence.rdb.stream_values import NodeEntries, stream_value


class ZSetFiller:
    """Builds a sorted set from members that mostly come from the highest score to the lowest, as they are written.

    As long as they do, the order grows by appending to runs, which are turned round at the end; the first member
    out of order ends that, and it and all later ones are inserted where they belong.
    """

    def __init__(self, limits: Limits) -> None:
        self.value = ZSetValue(limits)
        self.runs: list[list[tuple[float, bytes]]] = [[]]
        self.last: tuple[float, bytes] | None = None
        self.descending = True

    def __len__(self) -> int:
        return len(self.value)

    def put(self, member: bytes, score: float) -> bool:
        """Give a member its score; False when it has one already."""
        value = self.value
        if not value.set(member, score):
            return False
        if len(member) > value.limits.zset_value:
            value.big = True
        if self.descending:
            pair = (score, member)
            if self.last is None or pair < self.last:
                run = self.runs[-1]
                if len(run) >= CHUNK:
                    run.reverse()
                    run = []
                    self.runs.append(run)
                run.append(pair)
                self.last = pair
                return True
            self._settle()
        value.order.add(score, member)
        return True

    def _settle(self) -> None:
        """Give the value its order so far."""
        self.descending = False
        self.runs[-1].reverse()
        self.runs.reverse()
        self.value.order.adopt(self.runs)
        self.runs = []

    def finish(self) -> ZSetValue:
        """The sorted set."""
        if self.descending:
            self._settle()
        if len(self.value) > self.value.limits.zset_entries:
            self.value.big = True
        return self.value


class EngineBuilders(Builders):
    """Makes what a `Db` holds, by the limits of its node.

    Compact collections become one part at once, without a call per element.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def list(self) -> ListValue:
        """An empty list."""
        return ListValue(self.limits)

    def set(self) -> SetValue:
        """An empty set."""
        return SetValue(self.limits)

    def hash(self) -> HashValue:
        """An empty hash."""
        return HashValue(self.limits)

    def expiring_hash(self) -> ExpiringHash:
        """An empty hash whose fields may expire."""
        return ExpiringHash(self.limits)

    def zset(self) -> ZSetFiller:
        """What gathers a sorted set: its order is made once, at the end."""
        return ZSetFiller(self.limits)

    def finished(self, value: Any) -> Any:
        """The value that was filled."""
        return value.finish() if type(value) is ZSetFiller else value

    def stream(self, data: StreamData) -> Any:
        """A stream of what was read."""
        return stream_value(data)

    def stream_entries(self) -> NodeEntries:
        """An empty run of a stream's entries."""
        return NodeEntries()

    def small_set(self, members: dict[bytes, None]) -> SetValue:
        """A set of these members; a small one keeps the dictionary as it is."""
        value = SetValue(self.limits)
        size = len(members)
        if size > LOAD:
            for member in members:
                value.add(member)
            return value
        value.parts = [dict.fromkeys(members, True)]
        value.used = size
        value.big = size > self.limits.set_intset or not all(map(is_int, members))
        return value

    def small_hash(self, fields: dict[bytes, bytes]) -> HashValue:
        """A hash of these fields; a small one keeps the dictionary as it is."""
        value = HashValue(self.limits)
        size = len(fields)
        if size > LOAD:
            for field, content in fields.items():
                value.put(field, content)
            return value
        value.parts = [fields]
        value.used = size
        longest = max(max(map(len, fields)), max(map(len, fields.values())))
        value.big = size > self.limits.hash_entries or longest > self.limits.hash_value
        return value

    def small_zset(self, scores: dict[bytes, float]) -> ZSetValue:
        """A sorted set of these members; a small one keeps the dictionary as it is."""
        value = ZSetValue(self.limits)
        size = len(scores)
        if size > LOAD:
            for member, score in scores.items():
                value.put(member, score)
            return value
        value.parts = [scores]
        value.used = size
        value.order.fill(sorted([(score, member) for member, score in scores.items()]))
        value.big = size > self.limits.zset_entries or max(map(len, scores)) > self.limits.zset_value
        return value
