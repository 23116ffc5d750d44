"""The snapshot is of one instant, whatever is written while it is taken."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kvserver.engine.commands.keys import databases
from kvserver.engine.keys.access import Access, Clock
from kvserver.engine.run.executor import Engine
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import HashValue, ListValue, SetValue, ZSetValue
from persistence.rdb.model import Key
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.snapshot.restore import Restorer
from persistence.snapshot.snapshot import Snapshot


class Ticking:
    """A clock that advances at every look, so that slices end after few steps."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def plain(value: Any) -> Any:
    """A value as plain Python compares it."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, ListValue):
        return list(value)
    return dict(value.items())


def content(engine: Engine) -> dict[tuple[int, bytes], tuple[Any, int]]:
    return {(db.index, key): (plain(value), db.ttl_at(key)) for db in engine.dbs for key, value in db.keys.items()}


def decoded(stream: bytes) -> dict[tuple[int, bytes], tuple[Any, int]]:
    decoder = Decoder(Builders())
    events = decoder.feed(stream)
    decoder.finish()
    found: dict[tuple[int, bytes], tuple[Any, int]] = {}
    for event in events:
        if isinstance(event, Key):
            assert (event.db, event.key) not in found, "written twice"
            value = dict.fromkeys(event.value, True) if event.kind == 2 else event.value
            found[event.db, event.key] = value, event.expire_ms
    return found


def filled(rng: random.Random, keys: int) -> Engine:
    engine = Engine(3, {})
    for _ in range(keys):
        change(engine, rng)
    return engine


def change(engine: Engine, rng: random.Random) -> None:
    """One random write through the doors of the keyspace."""
    db = engine.dbs[rng.randrange(2)]
    key = b"k%d" % rng.randrange(2500)
    what = rng.random()
    if what < 0.4:
        db.put(key, b"v%d" % rng.randrange(10**9))
    elif what < 0.5:
        db.remove(key)
    elif what < 0.6 and db.keys.has(key):
        db.expire_at(key, rng.randrange(10**12, 10**13))
    else:
        aggregate(db, b"%c%b" % (rng.choice(b"hlsz"), key[:2]), rng)


def aggregate(db: Any, key: bytes, rng: random.Random) -> None:
    value: Any = db.lookup_write(key)
    if value is None:
        value = {b"h": HashValue, b"l": ListValue, b"s": SetValue, b"z": ZSetValue}[key[:1]](db.state.limits)
        db.put(key, value)
    for _ in range(rng.choice((1, 3, 40))):
        item = b"%d" % rng.randrange(10**6)
        if isinstance(value, ListValue):
            value.push_tail(item)
        elif isinstance(value, SetValue):
            value.add(item)
        elif isinstance(value, HashValue):
            value.put(item, item * 3)
        else:
            value.put(item, rng.random())


def finish(snapshot: Snapshot, out: list[bytes]) -> bytes:
    while (chunk := snapshot.next_chunk()) is not None:
        out.append(chunk)
    return b"".join(out)


@pytest.mark.parametrize("seed", range(4))
def test_snapshot_holds_what_was_there_when_it_was_opened(seed: int) -> None:
    """Writes of every kind between the slices don't show, and every old state is there exactly once."""
    rng = random.Random(seed)
    engine = filled(rng, 5000)
    expected = content(engine)
    snapshot = Snapshot(engine, Ticking(0.0004), [])
    out: list[bytes] = []
    while (chunk := snapshot.next_chunk(max_bytes=4000)) is not None:
        out.append(chunk)
        for _ in range(rng.choice((0, 2, 20))):
            change(engine, rng)
    assert decoded(b"".join(out)) == expected
    assert not any(db.hooks for db in engine.dbs)


def test_two_snapshots_at_once_each_hold_their_own_instant() -> None:
    """A second snapshot that begins halfway through the first disturbs neither."""
    rng = random.Random(5)
    engine = filled(rng, 4000)
    first_expected = content(engine)
    first = Snapshot(engine, Ticking(0.0004), [])
    first_out = [first.next_chunk(max_bytes=4000) or b"" for _ in range(20)]
    for _ in range(500):
        change(engine, rng)
    second_expected = content(engine)
    second = Snapshot(engine, Ticking(0.0004), [])
    second_out = [second.next_chunk(max_bytes=4000) or b"" for _ in range(20)]
    for _ in range(500):
        change(engine, rng)
    assert decoded(finish(first, first_out)) == first_expected
    assert decoded(finish(second, second_out)) == second_expected


def test_flushed_and_swapped_databases_stay_in_the_snapshot() -> None:
    """FLUSHALL and SWAPDB in the middle change nothing of what is written, and nothing is freed under it."""
    rng = random.Random(9)
    engine = filled(rng, 4000)
    expected = content(engine)
    snapshot = Snapshot(engine, Ticking(0.0004), [])
    out = [snapshot.next_chunk(max_bytes=4000) or b"" for _ in range(10)]
    one, two = engine.dbs[0], engine.dbs[1]
    one.keys, two.keys = two.keys, one.keys
    for _ in range(300):
        change(engine, rng)
    for db in engine.dbs:
        databases.empty(engine, db)
    assert not any(table in engine.state.trash for table in (one.keys, two.keys))
    for _ in range(300):
        change(engine, rng)
    for value in engine.state.trash:
        while hasattr(value, "steal_part") and value.steal_part():
            pass
    assert decoded(finish(snapshot, out)) == expected
    assert len(engine.state.trash) >= 2, "what was held back is freed now"


def test_growing_and_shrinking_tables_lose_and_repeat_nothing() -> None:
    """The walk survives parts being split and merged around its position."""
    engine = Engine(1, {})
    db = engine.dbs[0]
    for i in range(8000):
        db.put(b"%d" % i, b"x")
    expected = content(engine)
    snapshot = Snapshot(engine, Ticking(0.0004), [])
    out: list[bytes] = []
    step = 0
    while (chunk := snapshot.next_chunk(max_bytes=2000)) is not None:
        out.append(chunk)
        step += 1
        for i in range(100):
            if step % 400 < 200:
                db.remove(b"%d" % (step * 100 + i))
            else:
                db.put(b"new%d" % (step * 100 + i), b"y")
    assert decoded(b"".join(out)) == expected


def test_a_closed_snapshot_leaves_no_trace() -> None:
    """Closing halfway takes the hooks away and ends the stream."""
    engine = filled(random.Random(1), 2000)
    snapshot = Snapshot(engine, Ticking(0.0004), [])
    snapshot.next_chunk()
    snapshot.close()
    snapshot.close()
    assert not any(db.hooks for db in engine.dbs)
    assert len(engine.services.signals.db_emptied) == 0


@pytest.mark.parametrize("lfu", [False, True])
def test_how_keys_are_used_is_written_and_restored(lfu: bool) -> None:
    """Under an LRU or LFU policy each key carries its idle time or its counter; under others none does."""
    rng = random.Random(5)
    engine = filled(rng, 300)
    clock = Clock(lfu, 10, 1, rng, 10_000_000)
    numbers = {}
    for db in engine.dbs:
        db.access = Access(clock)
        for key in db.keys:
            numbers[db.index, key] = rng.randrange(256)
            (db.access.set_frequency if lfu else db.access.set_idle)(key, numbers[db.index, key])
    decoder = Decoder(EngineBuilders(Limits()))
    events = decoder.feed(finish(Snapshot(engine, Ticking(0.0), []), []))
    keys = [event for event in events if isinstance(event, Key)]
    assert {(key.db, key.key): key.freq if lfu else key.idle_s for key in keys} == numbers
    assert all((key.idle_s if lfu else key.freq) == -1 for key in keys)
    dbs = Engine(3, {}).dbs
    for db in dbs:
        db.access = Access(clock)
    Restorer(dbs, 0).apply(events)
    for (index, key), number in numbers.items():
        access = dbs[index].access
        assert (access.frequency(key) if lfu else access.idle_s(key)) == number
