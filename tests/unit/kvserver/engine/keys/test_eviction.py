"""Eviction as a pure mechanism: which keys go, how many, and when requests are refused."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from kvserver.engine.command_table.row import DENYOOM, Row
from kvserver.engine.keys.eviction import GATED, NAME, OOM, Evictor, time_limit_s
from kvserver.engine.keys.keyspace import OBSERVE_NOTIFY, Db
from kvserver.engine.run.executor import PASS, Engine
from kvserver.engine.run.session import NoPort

KEY_BYTES = 1000
SET = Row("set", lambda c, a: b"+OK\r\n", -3, DENYOOM, None)


def options(policy: str, **more: Any) -> Any:
    chosen = {
        "maxmemory": 50 * KEY_BYTES,
        "maxmemory_policy": policy,
        "maxmemory_samples": 5,
        "maxmemory_eviction_tenacity": 100,
        "lfu_log_factor": 10,
        "lfu_decay_time": 1,
        "replica_ignore_maxmemory": True,
        "replicaof": None,
    }
    return SimpleNamespace(**{**chosen, **more})


class House:
    """An engine whose memory in use is a thousand bytes a key."""

    def __init__(self, policy: str, **more: Any) -> None:
        self.engine = Engine(2, {})
        self.db: Db = self.engine.dbs[0]
        self.engine.state.rng.seed(1)
        self.engine.state.now_ms = 1_000_000
        ticking = itertools.count()
        self.evictor = Evictor(self.engine, options(policy, **more), self.measure, lambda: next(ticking) / 1e6)
        self.evictor.configure()

    def measure(self) -> int:
        return sum(len(db.keys) for db in self.engine.dbs) * KEY_BYTES

    def fill(self, count: int) -> None:
        for i in range(count):
            self.db.put(b"%d" % i, bytes(KEY_BYTES - 100))

    def settle(self) -> None:
        """Evict until all is well."""
        for _ in range(100):
            self.evictor.tick()

    def left(self) -> set[int]:
        return {int(key) for key in self.db.keys}


@pytest.mark.parametrize("policy", ["allkeys-random", "allkeys-lru", "allkeys-lfu"])
def test_allkeys_policies_come_below_the_limit_and_go_no_further(policy: str) -> None:
    """With twice as many keys as fit, about as many stay as fit, and the evictions are counted."""
    house = House(policy)
    house.fill(100)
    house.settle()
    assert 40 <= len(house.db.keys) <= 50
    assert house.engine.state.evicted_keys == 100 - len(house.db.keys)
    assert not house.evictor.failed


@pytest.mark.parametrize("policy", ["volatile-random", "volatile-lru", "volatile-lfu", "volatile-ttl"])
def test_volatile_policies_spare_keys_without_expiry(policy: str) -> None:
    """Only keys with an expiry time go; when none is left, requests that need memory are refused."""
    house = House(policy)
    house.fill(100)
    for i in range(0, 100, 5):
        house.db.expire_at(b"%d" % i, 2_000_000 + i)
    house.settle()
    assert house.left() == {i for i in range(100) if i % 5}
    assert house.evictor.failed
    session = house.engine.open_session(NoPort())
    assert house.evictor.gate(house.engine, session, SET, [b"set", b"k", b"v"]) == OOM
    reader = Row("get", lambda c, a: b"$-1\r\n", 2, 0, None)
    assert house.evictor.gate(house.engine, session, reader, [b"get", b"k"]) == PASS


def test_lru_prefers_keys_not_used_for_long() -> None:
    """Nearly all keys used lately stay."""
    house = House("allkeys-lru", maxmemory_samples=10)
    house.fill(100)
    house.engine.state.now_ms += 60_000
    assert house.evictor.clock is not None
    house.evictor.clock.tick(house.engine.state.now_ms)
    for i in range(30):
        house.db.lookup(b"%d" % i)
    house.settle()
    assert len(house.left() & set(range(30))) >= 28


def test_lfu_prefers_keys_seldom_used() -> None:
    """Nearly all keys used often stay."""
    house = House("allkeys-lfu", maxmemory_samples=10)
    house.fill(100)
    for i in range(30):
        for _ in range(100):
            house.db.lookup(b"%d" % i)
    house.settle()
    assert len(house.left() & set(range(30))) >= 28


def test_ttl_prefers_keys_that_expire_soon() -> None:
    """Of keys that expire, those with the shortest time go first."""
    house = House("volatile-ttl", maxmemory_samples=10)
    house.fill(100)
    for i in range(100):
        house.db.expire_at(b"%d" % i, 2_000_000 + i)
    house.settle()
    assert len(house.left() & set(range(60, 100))) >= 38


def test_noeviction_refuses_until_there_is_room() -> None:
    """Nothing is deleted; what needs memory is refused, until a delete has made room."""
    house = House("noeviction")
    house.fill(60)
    session = house.engine.open_session(NoPort())
    house.settle()
    assert house.evictor.gate(house.engine, session, SET, [b"set", b"k", b"v"]) == OOM
    assert len(house.db.keys) == 60
    for i in range(20):
        house.db.remove(b"%d" % i)
    house.settle()
    assert house.evictor.gate(house.engine, session, SET, [b"set", b"k", b"v"]) == PASS


def test_evictions_are_logged_and_told() -> None:
    """Each evicted key is one DEL in the log, outside of any transaction, and one event."""
    house = House("allkeys-random")
    house.fill(60)
    logged: list[bytes] = []
    house.engine.log.attach(logged.append)
    events: list[bytes] = []
    house.db.observers |= OBSERVE_NOTIFY
    house.engine.state.notify_flags = -1
    house.engine.state.on_event = lambda db, key, event_class, event: events.append(event)
    house.settle()
    house.engine.log.flush()
    gone = 60 - len(house.db.keys)
    assert gone >= 10
    assert b"".join(logged).count(b"DEL") == gone
    assert b"MULTI" not in b"".join(logged)
    assert events == [b"evicted"] * gone


def test_a_replica_leaves_the_limit_to_its_primary() -> None:
    """With replica-ignore-maxmemory nothing is evicted nor refused; without it the limit holds."""
    house = House("allkeys-random")
    house.engine.state.follow(True)
    house.fill(100)
    house.settle()
    assert len(house.db.keys) == 100
    assert house.engine.deny_masks.get(NAME, 0) == 0
    house.evictor.options.replica_ignore_maxmemory = False
    house.settle()
    assert house.engine.deny_masks[NAME] == GATED
    assert len(house.db.keys) <= 50


def test_eviction_stops_when_its_time_is_up() -> None:
    """A slice evicts a few keys and asks to go on; meanwhile requests pass."""
    house = House("allkeys-random", maxmemory_eviction_tenacity=0)
    asked: list[int] = []
    house.evictor.on_more = lambda: asked.append(1)
    house.fill(200)
    house.evictor.more = False
    house.evictor.go_on()
    assert 180 < len(house.db.keys) < 200
    assert asked
    assert not house.evictor.failed


def test_tenacity_is_redis_s_scale() -> None:
    """Up to ten it is linear, then it grows by 15 % a step, and a hundred is without end."""
    assert time_limit_s(0) == 0
    assert time_limit_s(10) == pytest.approx(500e-6)
    assert time_limit_s(99) == pytest.approx(500e-6 * 1.15**89)
    assert time_limit_s(100) == float("inf")
