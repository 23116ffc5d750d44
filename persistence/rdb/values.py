# cython: language_level=3, annotation_typing=False
"""Builders of the engine's values."""

from __future__ import annotations

from kvserver.engine.table import LOAD
from kvserver.engine.values import LIMITS, HashValue, ListValue, SetValue, ZSetValue
from kvserver.numbers import is_int
from persistence.rdb.builders import Builders


class EngineBuilders(Builders):
    """Makes what a `Db` holds. Compact collections become one part at once, without a call per element."""

    def list(self) -> ListValue:
        return ListValue()

    def set(self) -> SetValue:
        return SetValue()

    def hash(self) -> HashValue:
        return HashValue()

    def zset(self) -> ZSetValue:
        return ZSetValue()

    def small_set(self, members: dict[bytes, None]) -> SetValue:
        value = SetValue()
        size = len(members)
        if size > LOAD:
            for member in members:
                value.add(member)
            return value
        value.parts = [dict.fromkeys(members, True)]
        value.used = size
        value.big = size > LIMITS.set_intset or not all(map(is_int, members))
        return value

    def small_hash(self, fields: dict[bytes, bytes]) -> HashValue:
        value = HashValue()
        size = len(fields)
        if size > LOAD:
            for field, content in fields.items():
                value.put(field, content)
            return value
        value.parts = [fields]
        value.used = size
        longest = max(max(map(len, fields)), max(map(len, fields.values())))
        value.big = size > LIMITS.hash_entries or longest > LIMITS.hash_value
        return value

    def small_zset(self, scores: dict[bytes, float]) -> ZSetValue:
        value = ZSetValue()
        size = len(scores)
        if size > LOAD:
            for member, score in scores.items():
                value.put(member, score)
            return value
        value.parts = [scores]
        value.used = size
        value.order.fill(sorted([(score, member) for member, score in scores.items()]))
        value.big = size > LIMITS.zset_entries or max(map(len, scores)) > LIMITS.zset_value
        return value
