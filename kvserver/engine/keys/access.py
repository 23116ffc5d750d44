"""When and how often keys are used: what the LRU and LFU policies of eviction go by.

Theory of operation.  While such a policy is chosen each database has an `Access`, a side table from key to one
number; under any other policy there is none, and a look-up costs a test of one attribute.

- LRU: the number is the second of the last use.  All keys used in a second share one object.
- LFU: the number is `minute << 8 | counter`, Redis's logarithmic counter (Morris): the more a key has been
  used, the less likely another use is to raise it, and it falls by one every lfu-decay-time minutes.

A key without an entry hasn't been used since the policy was chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from kvserver.engine.keys.table import Table

LFU_NEW = 5
"""Counter of a new key: it must not be the first to go before it could be used."""
LFU_MAX = 255


class Clock:
    """The time as the side tables know it, and how LFU counts; one for all databases."""

    def __init__(self, lfu: bool, log_factor: int, decay_minutes: int, rng: Random, now_ms: int) -> None:
        self.lfu = lfu
        self.log_factor = log_factor
        self.decay_minutes = decay_minutes
        self.rng = rng
        self.spared: Callable[[], bool] | None = None  # whether the use that is made just now doesn't count
        self.tick(now_ms)

    def tick(self, now_ms: int) -> None:
        """Note the time; to be called several times a second."""
        self.now_s = now_ms // 1000
        self.now_minutes = self.now_s // 60

    def decayed(self, entry: int) -> int:
        """The counter of an entry after the minutes that have passed since."""
        counter = entry & LFU_MAX
        if not self.decay_minutes:
            return counter
        return max(0, counter - (self.now_minutes - (entry >> 8)) // self.decay_minutes)

    def raised(self, counter: int) -> int:
        """The counter after one more use."""
        if counter >= LFU_MAX:
            return counter
        base = max(0, counter - LFU_NEW)
        return counter + (self.rng.random() < 1.0 / (base * self.log_factor + 1))

    def entry(self, counter: int) -> int:
        """The number to keep for a counter."""
        return self.now_minutes << 8 | counter


class Access:
    """The side table of one database."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.table = Table()
        self.since_s = clock.now_s

    def touch(self, key: bytes) -> None:
        """A key is used, or is new."""
        clock = self.clock
        if clock.spared is not None and clock.spared() and self.table.has(key):
            return
        if not clock.lfu:
            self.table.set(key, clock.now_s)
            return
        old = self.table.get(key)
        counter = LFU_NEW if old is None else clock.raised(clock.decayed(old))
        self.table.set(key, clock.entry(counter))

    def forget(self, key: bytes) -> None:
        """A key is gone."""
        self.table.pop(key)

    def clear(self) -> Table:
        """All keys are gone, or other ones have come; returns the old table, for whoever frees it."""
        old = self.table
        self.table = Table()
        self.since_s = self.clock.now_s
        return old

    def swap(self, other: Access) -> None:
        """The keys of two databases change places."""
        self.table, other.table = other.table, self.table

    def idle_s(self, key: bytes) -> int:
        """Seconds since the last use."""
        used: Any = self.table.get(key)
        return max(0, self.clock.now_s - (self.since_s if used is None else used))

    def frequency(self, key: bytes) -> int:
        """The logarithmic counter, 0 to 255."""
        entry: Any = self.table.get(key)
        return LFU_NEW if entry is None else self.clock.decayed(entry)

    def set_idle(self, key: bytes, seconds: int) -> None:
        """Take a key as last used so long ago (RESTORE IDLETIME)."""
        if not self.clock.lfu:
            self.table.set(key, max(0, self.clock.now_s - seconds))

    def set_frequency(self, key: bytes, counter: int) -> None:
        """Give a key a counter (RESTORE FREQ)."""
        if self.clock.lfu:
            self.table.set(key, self.clock.entry(counter))

    def score(self, key: bytes) -> int:
        """How fit a key is to be evicted: the greater the sooner."""
        return LFU_MAX - self.frequency(key) if self.clock.lfu else self.idle_s(key)
