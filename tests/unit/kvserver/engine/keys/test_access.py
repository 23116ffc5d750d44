"""Access times and frequencies: Redis's clocks, side by side with the keys."""

from __future__ import annotations

from random import Random

from kvserver.engine.keys.access import LFU_NEW, Access, Clock
from kvserver.engine.keys.keyspace import Db, State


def clock(lfu: bool = False, decay: int = 1, factor: int = 10) -> Clock:
    return Clock(lfu, factor, decay, Random(1), 1_000_000)


def test_idle_time_counts_from_the_last_use() -> None:
    """A use sets the idle time to zero, and it grows with the clock; a key never used counts from the beginning."""
    time = clock()
    access = Access(time)
    access.touch(b"k")
    time.tick(1_007_900)
    assert access.idle_s(b"k") == 7
    assert access.idle_s(b"unknown") == 7
    access.touch(b"k")
    assert access.idle_s(b"k") == 0
    access.set_idle(b"k", 100)
    assert access.idle_s(b"k") == 100


def test_the_frequency_counter_is_logarithmic() -> None:
    """A thousand uses raise the counter to a few tens, as lfu-log-factor 10 promises, never above 255."""
    access = Access(clock(lfu=True))
    access.touch(b"k")
    assert access.frequency(b"k") == LFU_NEW
    for _ in range(1000):
        access.touch(b"k")
    assert 10 < access.frequency(b"k") < 40
    access.set_frequency(b"k", 255)
    access.touch(b"k")
    assert access.frequency(b"k") == 255


def test_the_frequency_counter_decays() -> None:
    """The counter falls by one each lfu-decay-time minutes, down to nothing; 0 keeps it."""
    time = clock(lfu=True, decay=2)
    access = Access(time)
    access.set_frequency(b"k", 20)
    time.tick(1_000_000 + 10 * 60_000)
    assert access.frequency(b"k") == 15
    time.tick(1_000_000 + 1000 * 60_000)
    assert access.frequency(b"k") == 0
    time.decay_minutes = 0
    assert access.frequency(b"k") == 20


def test_a_use_that_does_not_count() -> None:
    """A use that is spared leaves an entry as it is; a key that has none is new, and gets one."""
    time = clock()
    access = Access(time)
    access.touch(b"k")
    time.spared = lambda: True
    time.tick(1_005_000)
    access.touch(b"k")
    access.touch(b"new")
    assert access.idle_s(b"k") == 5
    assert access.idle_s(b"new") == 0


def test_the_side_table_follows_the_keyspace() -> None:
    """Keys that are written or read have an entry, keys that are gone have none."""
    db = Db(0, State())
    db.access = access = Access(clock())
    db.put(b"a", b"1")
    db.put(b"b", b"1")
    assert access.table.used == 2
    db.remove(b"a")
    assert not access.table.has(b"a")
    db.evict(b"b")
    assert access.table.used == 0
    assert db.state.evicted_keys == 1
    db.put(b"c", b"1")
    access.clock.tick(2_000_000)
    assert access.idle_s(b"c") == 1000
    assert db.lookup(b"c") == b"1"
    assert access.idle_s(b"c") == 0
    db.detach()
    assert access.table.used == 0
