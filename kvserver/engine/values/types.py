"""The value types a key can hold.

A string is plain `bytes`, or a `bytearray` once it has been modified in place (APPEND, SETRANGE, SETBIT), which
is what Redis calls "raw".  The aggregates stand here.  None is ever empty in the keyspace: the command that
removes the last member removes the key.

Every aggregate answers `len()`, `kind()` (its TYPE), `encoding()` (its OBJECT ENCODING: the representation that
Redis 7.0 would have chosen by its thresholds; like Redis, a value that outgrew the compact one stays out), and
`freeze()` (an unchanging view, cheap at any size).
"""

from __future__ import annotations

from typing import Any

from kvserver.engine.keys.table import FrozenTable, Table
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.list_value import FrozenList as FrozenList, ListValue as ListValue
from kvserver.engine.values.ordering import BOTTOM as BOTTOM, TOP as TOP, Ordering
from kvserver.engine.values.stream_value import StreamValue
from kvserver.wire.numbers import is_int

NODE_COST = 64
"""What a stream's node counts when it is freed, however few its entries are."""


class HashValue(Table):
    """field -> value."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self.big = False

    def grown(self) -> None:
        """It has thousands of elements now."""
        self.limits.giants = True

    def kind(self) -> bytes:
        """What TYPE answers."""
        return b"hash"

    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"hashtable" if self.big else b"listpack"

    def clone(self) -> HashValue:
        """Return an independent copy."""
        twin = HashValue(self.limits)
        self.share_with(twin)
        twin.big = self.big
        return twin

    def put(self, field: bytes, value: bytes) -> bool:
        """Store a field; True when it is new."""
        new = self.set(field, value)
        if not self.big:
            limits = self.limits
            longest = limits.hash_value
            self.big = self.used > limits.hash_entries or len(value) > longest or len(field) > longest
        return new


class SetValue(Table):
    """Members, each stored as member -> True."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self.big = False

    def grown(self) -> None:
        """It has thousands of elements now."""
        self.limits.giants = True

    def kind(self) -> bytes:
        """What TYPE answers."""
        return b"set"

    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"hashtable" if self.big else b"intset"

    def clone(self) -> SetValue:
        """Return an independent copy."""
        twin = SetValue(self.limits)
        self.share_with(twin)
        twin.big = self.big
        return twin

    def add(self, member: bytes) -> bool:
        """Add a member; True when it is new."""
        new = self.set(member, True)
        if new and not self.big and (self.used > self.limits.set_intset or not is_int(member)):
            self.big = True
        return new


SAME, MOVED, NEW = 0, 1, 2
"""What became of a member that was given a score."""
_same, _moved, _new = SAME, MOVED, NEW  # C's copies, declared in the .pxd


class ZSetValue(Table):
    """member -> score (float), and all (score, member) in order."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self.big = False
        self.order = Ordering()

    def grown(self) -> None:
        """It has thousands of elements now."""
        self.limits.giants = True

    def kind(self) -> bytes:
        """What TYPE answers."""
        return b"zset"

    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"skiplist" if self.big else b"listpack"

    def clone(self) -> ZSetValue:
        """Return an independent copy."""
        twin = ZSetValue(self.limits)
        self.share_with(twin)
        twin.big = self.big
        twin.order = self.order.clone()
        return twin

    @staticmethod
    def of(pairs: list[tuple[float, bytes]], limits: Limits) -> ZSetValue:
        """Make a sorted set of (score, member) that are in ascending order and all different."""
        return ZSetValue.made(pairs, limits)

    @staticmethod
    def made(pairs: list[tuple[float, bytes]], limits: Limits) -> ZSetValue:
        """What `of` makes, by C's types."""
        value = ZSetValue(limits)
        longest = 0
        for pair in pairs:
            member = pair[1]
            value.set(member, pair[0])
            size = len(member)
            if size > longest:
                longest = size
        value.order.fill(pairs)
        value.big = len(pairs) > limits.zset_entries or longest > limits.zset_value
        return value

    def put(self, member: bytes, score: float) -> bool:
        """Give a member a score; True when the member is new."""
        return self.place(member, score) == _new

    def place(self, member: bytes, score: float) -> int:
        """Give a member a score; whether it is NEW, has MOVED, or had that score already (SAME)."""
        old = self.get(member)
        if old is not None:
            if old == score:
                return _same
            self.order.discard(old, member)
        self.set(member, score)
        self.order.add(score, member)
        if not self.big and (self.used > self.limits.zset_entries or len(member) > self.limits.zset_value):
            self.big = True
        return _new if old is None else _moved

    def discard(self, member: bytes) -> bool:
        """Remove a member; True when it was there."""
        score = self.pop(member)
        if score is None:
            return False
        self.order.discard(score, member)
        return True

    def rank(self, member: bytes) -> int:
        """Return the member's place in ascending order (it must be there)."""
        return self.order.bisect(self.get(member), member)

    def bisect(self, score: float, name: Any) -> int:
        """Return how many (score, member) lie below; BOTTOM and TOP are names below and above all others."""
        return self.order.bisect(score, name)

    def pop_edge(self, lowest: bool) -> tuple[float, bytes]:
        """Remove and return the first or the last (score, member)."""
        pair = self.order.pop_edge(lowest)
        self.pop(pair[1])
        return pair

    def slice(self, start: int, stop: int) -> list[tuple[float, bytes]]:
        """Return the (score, member) at the places start to stop - 1, ascending."""
        return self.order.slice(start, stop)

    def cut(self, start: int, stop: int) -> list[tuple[float, bytes]]:
        """Remove the (score, member) at the places start to stop - 1 and return them, ascending."""
        gone = self.order.slice(start, stop)
        if gone:
            self.order.cut(start, stop)
            for pair in gone:
                self.pop(pair[1])
        return gone


class ExpiringHash(HashValue):
    """A hash some of whose fields have a time to live, or had one.

    A hash becomes one when the first of its fields gets a time; so a hash without such fields costs nothing for
    the possibility, neither a byte nor a test: wherever a command finds that its value isn't a `HashValue` it
    looks whether it is one of these (`kvserver.engine.keys.hash_expiry`).
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.ttls = ZSetValue(limits)  # field -> when it expires, Unix milliseconds; and those times in order

    @staticmethod
    def of(plain: HashValue) -> ExpiringHash:
        """Make one of a hash, whose parts it takes over: the other one isn't to be changed any more."""
        value = ExpiringHash(plain.limits)
        value.parts, value.shared = plain.parts, plain.shared
        value.count, value.low, value.high, value.used = plain.count, plain.low, plain.high, plain.used
        value.big = plain.big
        return value

    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers: Redis 7.4's names."""
        return b"hashtable" if self.big else b"listpackex"

    def clone(self) -> ExpiringHash:
        """Return an independent copy."""
        twin = ExpiringHash(self.limits)
        self.share_with(twin)
        twin.big = self.big
        twin.ttls = self.ttls.clone()
        return twin

    def freeze(self) -> FrozenHash:
        """Return a view of the hash as it is now."""
        return FrozenHash(super().freeze(), self.ttls.clone())

    def put(self, field: bytes, value: bytes) -> bool:
        """Store a field, which lives for ever from now on; True when it is new."""
        if self.ttls.used:
            self.ttls.discard(field)
        return HashValue.put(self, field, value)

    def keep(self, field: bytes, value: bytes) -> bool:
        """Store a field, which lives as long as before; True when it is new."""
        return HashValue.put(self, field, value)

    def pop(self, key: bytes) -> Any:
        """Remove a field and return its value, or None."""
        if self.ttls.used:
            self.ttls.discard(key)
        return HashValue.pop(self, key)

    def expire_at(self, field: bytes, when_ms: int) -> None:
        """Let a field that is there live until `when_ms`."""
        self.ttls.put(field, when_ms)

    def ttl_at(self, field: bytes) -> int:
        """When a field expires, Unix milliseconds, or -1 for never."""
        when = self.ttls.get(field)
        return -1 if when is None else int(when)

    def next_ms(self) -> int:
        """When the first field expires, or -1 for never."""
        return int(self.ttls.slice(0, 1)[0][0]) if self.ttls.used else -1

    def due(self, now_ms: int) -> int:
        """How many fields' time has come."""
        return self.ttls.bisect(now_ms, TOP) if self.ttls.used else 0


class FrozenHash(FrozenTable):
    """What an `ExpiringHash` held when it was frozen."""

    def __init__(self, fields: FrozenTable, ttls: ZSetValue) -> None:
        super().__init__(fields.parts, fields.used, fields.kind(), fields.encoding())
        self.ttls = ttls

    def next_ms(self) -> int:
        """When the first field expires, Unix milliseconds."""
        return int(self.ttls.slice(0, 1)[0][0])


def kind_of(value: Any) -> bytes:
    """Return the TYPE of a value as a key holds it."""
    return b"string" if isinstance(value, bytes | bytearray) else value.kind()


def size_of(value: Any) -> int:
    """Return how many elements freeing the value has to visit; a string is one, a stream's node `NODE_COST`."""
    if isinstance(value, bytes | bytearray):
        return 1
    size = len(value)
    return max(size, len(value.nodes) * NODE_COST) if isinstance(value, StreamValue) else size


def copy_value(value: Any) -> Any:
    """Return an independent copy; big tables share their parts until one side writes to them."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray):
        return bytearray(value)
    return value.clone()
