"""Which keys to evict when there must be fewer.

Theory of operation (https://redis.io/docs/reference/eviction/).  Of all keys or of those with an expiry time,
by a random choice, or the best of a pool of candidates that is fed a few random keys (maxmemory-samples) each
time, scored by the time since they were used, by how seldom they are, or by how soon they expire. So no order is
kept.
"""

from __future__ import annotations

from bisect import insort
from random import Random

from kvserver.config import Config
from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run.executor import Engine

POOL_SIZE = 16


class Chooser:
    """Chooses keys of one engine by maxmemory-policy; see the module's theory of operation."""

    def __init__(self, engine: Engine, options: Config) -> None:
        self.engine = engine
        self.options = options
        self.pool: list[tuple[int, int, bytes]] = []  # (score, database, key), ascending
        self.next_db = 0

    def choose(self) -> tuple[Db, bytes] | None:
        """The next key to evict, or None when the policy allows none."""
        policy = self.options.maxmemory_policy
        if policy == "noeviction":
            return None
        volatile = policy.startswith("volatile")
        if policy.endswith("random"):
            return self._at_random(volatile)
        while True:
            if not self._feed_pool(volatile, policy.endswith("ttl")):
                return None
            while self.pool:
                _, index, key = self.pool.pop()
                db = self.engine.dbs[index]
                if db.keys.expiry(key) >= 0 if volatile else db.keys.has(key):
                    return db, key

    def _at_random(self, volatile: bool) -> tuple[Db, bytes] | None:
        """A random key of the next database that has any."""
        dbs = self.engine.dbs
        for _ in range(len(dbs)):
            self.next_db = (self.next_db + 1) % len(dbs)
            db = dbs[self.next_db]
            key = _random_key(db, volatile, self.engine.state.rng)
            if key is not None:
                return db, key
        return None

    def _feed_pool(self, volatile: bool, by_ttl: bool) -> bool:
        """Put a few random keys of each database into the pool if they are fitter; False when there are no keys."""
        pool, rng = self.pool, self.engine.state.rng
        any_keys = False
        for db in self.engine.dbs:
            count = db.keys.expiring if volatile else db.keys.used
            if not count:
                continue
            any_keys = True
            for _ in range(min(self.options.maxmemory_samples, count)):
                key = _random_key(db, volatile, rng)
                if key is None:
                    break
                score = -db.keys.expiry(key) if by_ttl else _score(db, key)
                if len(pool) >= POOL_SIZE and score <= pool[0][0]:
                    continue
                if any(entry[2] == key and entry[1] == db.index for entry in pool):
                    continue
                insort(pool, (score, db.index, key))
                if len(pool) > POOL_SIZE:
                    del pool[0]
        return any_keys


def _random_key(db: Db, volatile: bool, rng: Random) -> bytes | None:
    """A random key of all, or of those that expire."""
    return db.keys.random_expiring(rng) if volatile else db.keys.random_key(rng)


def _score(db: Db, key: bytes) -> int:
    return 0 if db.access is None else int(db.access.score(key))
