"""A table of keys beside a dictionary: in a compiled build the one in C memory, else that of dictionaries."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from kvserver.engine.keys.table import reverse_bits
from kvserver.engine.store.key_table import KeyTable

STRINGS = [b"", b"v", b"x" * 4095, b"x" * 4096, b"x" * 4097, b"\0" * 9, bytes(range(256))]
KEYS = [b"", b"k" * 255, b"k" * 256, b"k" * 70000, b"\0", b"a\0b"]


@pytest.mark.parametrize("value", [*STRINGS, bytearray(100_000), bytes(100_000)])
def test_what_a_key_costs_holds_its_string(value: bytes | bytearray) -> None:
    """Long strings and growing ones, which aren't part of an entry, are counted too: MEMORY USAGE and eviction ask."""
    table = KeyTable()
    table.put(b"key", value)
    assert len(value) < table.cost(b"key") < len(value) + 250
    table.put(b"key", [b"x" * 1000])
    assert 0 < table.cost(b"key") < 250


class Model:
    """What the table has to hold, in two dictionaries; each step is done to both, and the answers compared."""

    def __init__(self, rng: random.Random, keys: int) -> None:
        self.rng = rng
        self.table = KeyTable()
        self.values: dict[bytes, Any] = {}
        self.times: dict[bytes, int] = {}
        self.keys = keys

    def step(self, growing: bool) -> None:
        """Do something to a random key."""
        rng = self.rng
        key = rng.choice(KEYS) if rng.random() < 0.02 else b"k%d" % rng.randrange(self.keys)
        lot = rng.random()
        if lot < (0.5 if growing else 0.1):
            self.store(key, lot < 0.3)
        elif lot < 0.6:
            when = rng.randrange(-5, 1000)
            assert self.table.expire_at(key, when) == (key in self.values)
            if key in self.values:
                self.times[key] = max(0, when)
        elif lot < 0.65:
            assert self.table.persist(key) == (self.times.pop(key, None) is not None)
        elif lot < (0.75 if growing else 0.95):
            assert self.table.pop(key) == self.values.pop(key, None)
            self.times.pop(key, None)
        else:
            assert self.table.get(key) == self.values.get(key)
            assert self.table.when == self.times.get(key, -1) == self.table.expiry(key)
            assert self.table.has(key) == (key in self.values) == (self.table.cost(key) > 0)
        assert (self.table.used, self.table.expiring) == (len(self.values), len(self.times))

    def store(self, key: bytes, keeps: bool) -> None:
        """Store a random value."""
        value = self.rng.choice([*STRINGS, b"%d" % self.rng.randrange(10**6), bytearray(b"raw"), [key]])
        new = self.table.set(key, value) if keeps else self.table.put(key, value)
        assert new == (key not in self.values)
        self.values[key] = value
        if not keeps:
            self.times.pop(key, None)

    def compare(self) -> None:
        """The whole content, by each way of asking for it."""
        assert dict(self.table.items()) == self.values
        assert sorted(self.table) == sorted(self.values)
        assert {key: self.table.expiry(key) for key in self.times} == self.times
        assert sum(self.table.sizes()) == len(self.values)
        assert scanned(self.table, self.rng.choice((1, 10, 5000))) == sorted(self.values)
        due: list[bytes] = []
        part = seen = 0
        while True:
            part, count, late = self.table.due(part, 500)
            if not part:
                break
            seen += count
            due += late
        assert seen == len(self.times)
        assert sorted(due) == sorted(key for key, when in self.times.items() if when <= 500)
        assert set(self.table.some_times(20)) <= set(self.times.values())
        for _ in range(20):
            key, timed = self.table.random_key(self.rng), self.table.random_expiring(self.rng)
            assert key in self.values if self.values else key is None
            assert timed in self.times if self.times else timed is None


def scanned(table: KeyTable, count: int) -> list[bytes]:
    """All keys that a scan finds; no more than a handful beyond COUNT at a time."""
    found: list[bytes] = []
    cursor = 0
    while True:
        cursor, keys = table.scan(cursor, count)
        assert len(keys) <= count + 5
        found += keys
        if cursor == 0:
            return sorted(found)


@pytest.mark.parametrize(("seed", "keys"), [(1, 3), (2, 100), (3, 3000), (4, 30000)])
def test_a_table_is_what_a_dictionary_would_be(seed: int, keys: int) -> None:
    """Whatever is done to a table that grows and shrinks, it holds what was stored, with its times."""
    model = Model(random.Random(seed), keys)
    steps = min(40000, keys * 12)
    for i in range(steps):
        model.step(growing=i * 2 < steps)
        if i % (steps // 6 + 1) == 0:
            model.compare()
    model.compare()
    while model.table.steal_part() is not None:
        pass
    assert (model.table.used, model.table.expiring) == (0, 0)


def test_a_page_may_be_larger_than_any_table() -> None:
    """A page of a million keys, or of as many as a number can say, is all there are, at once."""
    table = KeyTable()
    for i in range(13):
        table.set(b"k%d" % i, b"")
    for count in (1 << 20, 1 << 40, (1 << 63) - 1):
        cursor, keys = table.scan(0, count)
        assert (cursor, sorted(keys)) == (0, sorted(b"k%d" % i for i in range(13)))


def test_what_is_there_all_the_time_a_scan_returns() -> None:
    """A key that is there from the first call of a scan to the last is returned, whatever comes and goes."""
    rng = random.Random(5)
    table = KeyTable()
    staying = {b"s%d" % i for i in range(500)}
    for key in staying:
        table.set(key, b"")
    for top in (8000, 20):
        found: set[bytes] = set()
        cursor = 0
        while True:
            cursor, keys = table.scan(cursor, 7)
            found.update(keys)
            if cursor == 0:
                break
            for _ in range(200 if top > 20 else 400):
                key = b"n%d" % rng.randrange(top)
                if top > 20:
                    table.set(key, b"")
                else:
                    table.pop(b"n%d" % rng.randrange(8000))
        assert staying <= found


def test_parts_are_intervals_of_the_reversed_hash() -> None:
    """Part after part, by their intervals, all keys come once, and each lies in its part's interval."""
    table = KeyTable()
    for i in range(5000):
        table.set(b"k%d" % i, b"v")
    position, found = 0, []
    while position < 1 << 48:
        number, first, position_behind = table.interval(position)
        assert first == position
        for key in table.part(number):
            assert first <= reverse_bits(hash(key)) < position_behind
            found.append(key)
        position = position_behind
    assert sorted(found) == sorted(table)


def test_random_keys_have_the_same_chance() -> None:
    """No key is drawn much more often than the others, of all and of those with a time."""
    rng = random.Random(6)
    table = KeyTable()
    for i in range(1000):
        table.set(b"k%d" % i, b"v")
        if i % 10 == 0:
            table.expire_at(b"k%d" % i, 5)
    drawn: dict[bytes | None, int] = {}
    timed: dict[bytes | None, int] = {}
    for _ in range(20000):
        key, other = table.random_key(rng), table.random_expiring(rng)
        drawn[key] = drawn.get(key, 0) + 1
        timed[other] = timed.get(other, 0) + 1
    assert len(drawn) > 990
    assert max(drawn.values()) < 60
    assert len(timed) == 100
    assert max(timed.values()) < 400


def test_an_object_is_let_go_with_its_key() -> None:
    """A table has one reference to an aggregate, until that is replaced, removed, or freed with the table."""
    table = KeyTable()
    values: list[list[bytes]] = [[b"%d" % i] for i in range(4)]
    before = [sys.getrefcount(value) for value in values]
    for i, value in enumerate(values):
        table.set(b"k%d" % i, value)
        table.expire_at(b"k%d" % i, 5)
        table.persist(b"k%d" % i)
        assert table.get(b"k%d" % i) is value
    del value
    assert [sys.getrefcount(value) for value in values] == [count + 1 for count in before]
    table.set(b"k0", b"string")
    table.put(b"k1", values[0])
    table.pop(b"k2")
    assert table.steal_part() is not None
    del table
    assert [sys.getrefcount(value) for value in values] == before
