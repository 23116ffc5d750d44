"""Reaching a key's value as the type a command works on, and what all aggregates do alike."""

from __future__ import annotations

from typing import Any

from kvserver.engine.keys.keyspace import BIG, EV_GENERIC, Db
from kvserver.engine.values.list_value import ListValue
from kvserver.engine.values.types import ExpiringHash, HashValue, SetValue, ZSetValue, size_of
from kvserver.errors import WRONGTYPE, CommandError

WRONG = b"-" + WRONGTYPE.encode() + b"\r\n"


def as_list(value: Any) -> ListValue | None:
    """Return a looked-up value as a list; None stays None.

    Raises:
        CommandError: WRONGTYPE; so do the next three.
    """
    if value is None or type(value) is ListValue:
        return value
    raise CommandError(WRONGTYPE)


def as_hash(value: Any) -> HashValue | None:
    """Return a looked-up value as a hash, which may be an `ExpiringHash`."""
    if value is None or type(value) is HashValue or type(value) is ExpiringHash:
        return value
    raise CommandError(WRONGTYPE)


def as_set(value: Any) -> SetValue | None:
    """Return a looked-up value as a set."""
    if value is None or type(value) is SetValue:
        return value
    raise CommandError(WRONGTYPE)


def as_zset(value: Any) -> ZSetValue | None:
    """Return a looked-up value as a sorted set."""
    if value is None or type(value) is ZSetValue:
        return value
    raise CommandError(WRONGTYPE)


def emptied(db: Db, key: bytes) -> None:
    """Remove a key whose last element has just been taken, and tell of it."""
    db.remove(key)
    db.notify(key, EV_GENERIC, b"del")


def removed(db: Db, key: bytes, value: Any, event_class: int, event: bytes, n: int) -> None:
    """Report that `n` > 0 elements have left an aggregate; an empty one goes."""
    db.changed(key, event_class, event)
    db.state.dirty += n - 1
    if len(value) == 0:
        emptied(db, key)


def removed_all(db: Db, key: bytes, value: Any, event_class: int, event: bytes) -> None:
    """Report that all elements have left an aggregate; it goes as it is, to be freed in slices if it is big."""
    db.changed(key, event_class, event)
    db.state.dirty += len(value) - 1
    emptied(db, key)


def stored(db: Db, target: bytes, value: Any, event_class: int, event: bytes) -> int:
    """Put a result in place of whatever the key held; an empty one removes the key.  Return its size."""
    if len(value):
        old = db.peek(target)  # held until it is replaced: what is big is freed in slices
        db.put(target, value)
        if old is not None and size_of(old) > BIG:
            db.state.trash.append(old)
        db.changed(target, event_class, event)
    elif db.remove(target):
        db.changed(target, EV_GENERIC, b"del")
    return len(value)


def clamp(start: int, end: int, size: int) -> tuple[int, int]:
    """Turn Redis's inclusive range of places, negative from the end, into (start, stop); empty: start >= stop."""
    if start < 0:
        start = max(start + size, 0)
    if end < 0:
        end += size
    return start, min(end, size - 1) + 1
