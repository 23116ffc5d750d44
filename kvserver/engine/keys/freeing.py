"""Freeing big values in slices: `State.trash` holds what commands have let go, a part at a time is dropped here.

Dropping the last reference to a table of a million entries would stall the loop for tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvserver.engine.keys.keyspace import BIG, State
from kvserver.engine.keys.table import Table
from kvserver.engine.store.key_table import KeyTable
from kvserver.engine.values.stream_value import StreamValue
from kvserver.engine.values.types import ExpiringHash, ListValue, ZSetValue, size_of


def free_some(state: State, more: Callable[[], bool]) -> None:
    """Free until nothing is left or `more()` says that the time is up."""
    while state.trash and more():
        value = state.trash[-1]
        if not _shrink(state, value):
            # What was found inside it may have come to stand behind it.
            state.trash.remove(value)
            state.freed_in_slices += 1


def _shrink(state: State, value: Any) -> bool:
    """Drop one part of a value; False when nothing is left of it."""
    if isinstance(value, ZSetValue) and value.order.shrink():
        return True
    if isinstance(value, ExpiringHash) and value.ttls.used:
        state.trash.append(value.ttls)
        value.ttls = ZSetValue(value.limits)
    if isinstance(value, KeyTable):
        values = value.steal_part()
        state.trash += [v for v in values or () if size_of(v) > BIG]
        return values is not None
    if isinstance(value, Table):
        return value.steal_part() is not None
    if isinstance(value, StreamValue):
        return value.shrink()
    if isinstance(value, ListValue):
        if value.chunks:
            value.chunks.pop()
        return bool(value.chunks)
    return False
