"""A database's keys: key -> value, and when a key expires. The form of it that dictionaries make.

This is what a build without compiled modules has, and what the compiled one (`key_table.pyx`, C memory) is measured
by: the same tests run over both. Keys are `bytes`; values are `bytes`, `bytearray` or an aggregate, never None, and
times are Unix milliseconds. A caller may not rely on the identity of a `bytes` value: the other form makes a new one
each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random
from sys import getsizeof
from typing import Any

from kvserver.engine.keys.table import Table

PLACE_BYTES = 100
"""What a place in a dictionary takes beside key and value, about."""


class KeyTable:
    """key -> (value, time); see the module's docstring."""

    def __init__(self) -> None:
        self.when = -1  # the time of what `get` found, -1 for none
        self._keys = Table()
        self._times = Table()

    @property
    def used(self) -> int:
        """How many keys there are."""
        return self._keys.used

    @property
    def expiring(self) -> int:
        """How many of them have a time."""
        return self._times.used

    def __len__(self) -> int:
        return self._keys.used

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._keys)

    def items(self) -> Iterator[tuple[bytes, Any]]:
        """All (key, value); the table must not change meanwhile."""
        return self._keys.items()

    def has(self, key: bytes) -> bool:
        """Whether the key is there."""
        return self._keys.has(key)

    def get(self, key: bytes) -> Any:
        """The value, or None; `when` says its time then."""
        value = self._keys.get(key)
        self.when = -1 if value is None else self.expiry(key)
        return value

    def set(self, key: bytes, value: Any) -> bool:
        """Store a value; a key that is there keeps its time. True when it is new."""
        return self._keys.set(key, value)

    def put(self, key: bytes, value: Any) -> bool:
        """Store a value without a time. True when the key is new."""
        if self._times.used:
            self._times.pop(key)
        return self._keys.set(key, value)

    def pop(self, key: bytes) -> Any:
        """Remove a key and its time; the value that it had, or None."""
        if self._times.used:
            self._times.pop(key)
        return self._keys.pop(key)

    def expiry(self, key: bytes) -> int:
        """When a key expires, -1 for never, or for a key that isn't there."""
        when = self._times.get(key) if self._times.used else None
        return -1 if when is None else when

    def expire_at(self, key: bytes, when_ms: int) -> bool:
        """Give a key a time; False when it isn't there. What is before 1970 is 1970."""
        if not self._keys.has(key):
            return False
        self._times.set(key, max(0, when_ms))
        return True

    def persist(self, key: bytes) -> bool:
        """Take a key's time away; True when it had one."""
        return self._times.used > 0 and self._times.pop(key) is not None

    def random_key(self, rng: Random) -> bytes | None:
        """A random key, each with (nearly) the same chance; None when there is none."""
        return self._keys.random_key(rng)

    def random_expiring(self, rng: Random) -> bytes | None:
        """A random key of those with a time; None when there is none."""
        return self._times.random_key(rng)

    def due(self, part: int, now_ms: int) -> tuple[int, int, list[bytes]]:
        """Of the next part, from number `part` on, with keys that have a time: how many they are, and which are due.

        Returns (number of the part behind, 0 if there was none; how many; which).
        """
        for i in range(part, self._times.count):
            times = self._times.parts[i]
            if times:
                return i + 1, len(times), [key for key, when in times.items() if when <= now_ms]
        return 0, 0, []

    def some_times(self, most: int) -> list[int]:
        """The times of up to `most` keys, which come as if by chance."""
        return list(islice(self._times.values(), most))

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Return (next cursor, `count` keys or a few less or more); see `Table.scan`."""
        cursor, found = self._keys.scan(cursor, count)
        return cursor, [key for key, _ in found]

    def interval(self, position: int) -> tuple[int, int, int]:
        """Return (part, first position, position behind the last) of the part covering `position`; see `Table`."""
        return self._keys.interval(position)

    def part(self, number: int) -> dict[bytes, Any]:
        """The keys of a part and their values, in a dictionary of its own."""
        return dict(self._keys.parts[number])

    def sizes(self) -> list[int]:
        """How many keys each part has."""
        return self._keys.sizes()

    def cost(self, key: bytes) -> int:
        """Bytes that a key takes, with what is kept of it; an aggregate's own aren't counted. 0: it isn't there."""
        value = self._keys.get(key)
        if value is None:
            return 0
        own = getsizeof(value) if isinstance(value, bytes | bytearray) else 0
        return getsizeof(key) + own + PLACE_BYTES * (1 + (self.expiry(key) >= 0))

    def overhead(self) -> tuple[int, int]:
        """Bytes that the table takes beside keys and values; and for times."""
        return self._keys.used * PLACE_BYTES, self._times.used * PLACE_BYTES

    def trim(self, key: bytes) -> None:
        """Give back what places around a key that was removed take, if most of them are empty."""
        self._keys.trim(key)
        self._times.trim(key)

    def steal_part(self) -> list[Any] | None:
        """Free the last part, for freeing in slices; the aggregates it had, or None when nothing is left."""
        if self._times.steal_part() is not None:
            return []
        part = self._keys.steal_part()
        return None if part is None else [value for value in part.values() if not isinstance(value, bytes | bytearray)]
