"""The doors of the keyspace: who is told before and after a change, and what expiry does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvserver.engine.keys.freeing import free_some
from kvserver.engine.keys.keyspace import (
    BIG,
    EV_EXPIRED,
    EV_MISS,
    EV_NEW,
    EV_STRING,
    EXPIRE_HIDE,
    EXPIRE_IGNORE,
    OBSERVE_NOTIFY,
    Db,
    State,
)
from kvserver.engine.store.key_table import KeyTable
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import ListValue, SetValue


@pytest.fixture
def db() -> Db:
    state = State()
    state.now_ms = 1_000
    return Db(0, state)


def big_set(members: int, limits: Limits) -> SetValue:
    value = SetValue(limits)
    for i in range(members):
        value.set(b"%d" % i, None)
    return value


def test_hooks_hear_before_a_change(db: Db) -> None:
    """Every door announces the key while its old value is still there."""
    seen: list[tuple[bytes, object]] = []
    db.put(b"k", b"old")
    db.hooks.append(lambda where, key: seen.append((key, where.keys.get(key))))
    db.put(b"k", b"new")
    db.lookup_write(b"k")
    db.expire_at(b"k", 5_000)
    db.persist(b"k")
    db.remove(b"k")
    assert seen == [(b"k", b"old"), (b"k", b"new"), (b"k", b"new"), (b"k", b"new"), (b"k", b"new")]


def test_reading_is_counted_and_writing_is_not(db: Db) -> None:
    """Only `lookup` counts hits and misses."""
    db.put(b"k", b"v")
    db.lookup(b"k")
    db.lookup(b"none")
    db.peek(b"k")
    db.lookup_write(b"none")
    assert (db.state.hits, db.state.misses) == (1, 1)


def test_expiry_deletes_and_logs(db: Db) -> None:
    """A key is there until its millisecond comes; then it is deleted once, counted and logged."""
    db.state.logging = True
    db.put(b"k", b"v")
    db.expire_at(b"k", 1_001)
    assert db.lookup(b"k") == b"v"
    db.state.now_ms = 1_001
    assert db.lookup(b"k") is None
    assert not db.remove(b"k")
    assert db.state.effects == [(0, [b"DEL", b"k"])]
    assert db.state.expired_keys == 1
    assert db.keys.expiring == 0


@pytest.mark.parametrize(("mode", "seen"), [(EXPIRE_HIDE, None), (EXPIRE_IGNORE, b"v")])
def test_expiry_of_others(db: Db, mode: int, seen: bytes | None) -> None:
    """Who may not delete hides an expired key or sees it, and keeps it."""
    db.put(b"k", b"v")
    db.expire_at(b"k", 1)
    db.state.expire_mode = mode
    assert db.lookup(b"k") == seen
    assert db.keys.has(b"k")
    assert db.state.expired_keys == 0


def test_a_new_value_has_no_time_to_live(db: Db) -> None:
    """Storing a value forgets the time to live, unless told to keep it."""
    db.put(b"k", b"v")
    db.expire_at(b"k", 9_000)
    db.put(b"k", b"w", True)
    assert db.ttl_at(b"k") == 9_000
    db.put(b"k", b"x")
    assert db.ttl_at(b"k") == -1


def test_observers_are_told_afterwards(db: Db) -> None:
    """Changes count as dirty always, and are told when somebody observes the database."""
    told: list[tuple[bytes, int, bytes]] = []
    db.state.on_changed = lambda where, key, event_class, event: told.append((key, event_class, event))
    db.changed(b"k", EV_STRING, b"set")
    assert told == []
    db.observers |= OBSERVE_NOTIFY
    db.changed(b"k", EV_STRING, b"set")
    db.put(b"e", b"v")
    db.expire_at(b"e", 1)
    db.lookup(b"e")
    assert told == [(b"k", EV_STRING, b"set"), (b"e", EV_EXPIRED, b"expired")]
    assert db.state.dirty == 2


def test_misses_and_new_keys_are_events(db: Db) -> None:
    """Who asked for them hears of misses and of new keys."""
    told: list[bytes] = []
    db.state.on_event = lambda where, key, event_class, event: told.append(event)
    db.state.notify_flags = EV_MISS | EV_NEW
    db.observers |= OBSERVE_NOTIFY
    db.lookup(b"k")
    db.put(b"k", b"v")
    db.put(b"k", b"w")
    assert told == [b"keymiss", b"new"]


def test_big_values_are_freed_in_slices(db: Db) -> None:
    """A big value that is deleted, or in a database that is emptied, waits in the trash and is freed part by part."""
    db.put(b"small", big_set(10, db.state.limits))
    db.put(b"big", big_set(BIG * 4, db.state.limits))
    db.remove(b"small")
    assert db.state.trash == []
    db.remove(b"big")
    assert len(db.state.trash) == 1
    slices = 0
    while db.state.trash:
        turns = iter((True, False))
        free_some(db.state, lambda turns=turns: next(turns))  # type: ignore[misc]
        slices += 1
    assert slices > 8


def big_list(members: int, limits: Limits) -> ListValue:
    value = ListValue(limits)
    for i in range(members):
        value.push_tail(b"%d" % i)
    return value


@pytest.mark.parametrize("make", [big_set, big_list])
@pytest.mark.parametrize("grown", [True, False])
def test_what_a_string_replaces_is_freed_in_slices(
    db: Db, make: Callable[[int, Limits], SetValue | ListValue], grown: bool
) -> None:
    """SET over a big aggregate leaves it to the trash, whether it grew where it stands or was put there as it is."""
    big = make(BIG * 2, db.state.limits if grown else Limits())
    db.put(b"k", big)
    db.put(b"small", make(10, db.state.limits))
    assert db.state.limits.giants
    db.put(b"k", b"string")
    db.put(b"small", b"string")
    assert db.state.trash == [big]
    while db.state.trash:
        free_some(db.state, lambda: True)
    assert (db.peek(b"k"), db.peek(b"small")) == (b"string", b"string")


def test_freeing_finds_big_values_inside(db: Db) -> None:
    """Freeing a detached keyspace frees the big values in it in slices too, and ends."""
    for i in range(2000):
        db.put(b"k%d" % i, b"v")
    db.put(b"big", big_set(BIG * 4, db.state.limits))
    keys = db.detach()
    assert isinstance(db.keys, KeyTable)
    assert len(db.keys) == 0
    db.state.trash.append(keys)
    turns = 0
    while db.state.trash:
        free_some(db.state, iter([True, False]).__next__)
        turns += 1
    assert turns > 10
