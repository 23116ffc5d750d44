"""The value types a key can hold.

A string is plain `bytes`, or a `bytearray` once it has been modified in place (APPEND, SETRANGE, SETBIT), which
is what Redis calls "raw".  The aggregates stand here.  None is ever empty in the keyspace: the command that
removes the last member removes the key.

Every aggregate answers `len()`, `kind()` (its TYPE), `encoding()` (its OBJECT ENCODING: the representation that
Redis 7.0 would have chosen by its thresholds; like Redis, a value that outgrew the compact one stays out), and
`freeze()` (an unchanging view, cheap at any size).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice
from typing import Any

from sortedcontainers import SortedList

from kvserver.engine.table import Table
from kvserver.numbers import is_int


class Limits:
    """Thresholds of the compact representations, as the options set them (entries, bytes)."""

    def __init__(self) -> None:
        self.hash_entries = 128
        self.hash_value = 64
        self.set_intset = 512
        self.zset_entries = 128
        self.zset_value = 64
        self.list_size = -2


LIMITS = Limits()


class HashValue(Table):
    """field -> value."""

    def __init__(self) -> None:
        super().__init__()
        self.big = False

    def kind(self) -> bytes:
        return b"hash"

    def encoding(self) -> bytes:
        return b"hashtable" if self.big else b"listpack"

    def clone(self) -> HashValue:
        """Return an independent copy."""
        twin = HashValue()
        self.share_with(twin)
        twin.big = self.big
        return twin

    def put(self, field: bytes, value: bytes) -> bool:
        """Store a field; True when it is new."""
        new = self.set(field, value)
        if not self.big and (
            self.used > LIMITS.hash_entries or len(value) > LIMITS.hash_value or len(field) > LIMITS.hash_value
        ):
            self.big = True
        return new


class SetValue(Table):
    """Members, each stored as member -> True."""

    def __init__(self) -> None:
        super().__init__()
        self.big = False

    def kind(self) -> bytes:
        return b"set"

    def encoding(self) -> bytes:
        return b"hashtable" if self.big else b"intset"

    def clone(self) -> SetValue:
        """Return an independent copy."""
        twin = SetValue()
        self.share_with(twin)
        twin.big = self.big
        return twin

    def add(self, member: bytes) -> bool:
        """Add a member; True when it is new."""
        new = self.set(member, True)
        if new and not self.big and (self.used > LIMITS.set_intset or not is_int(member)):
            self.big = True
        return new


class ZSetValue(Table):
    """member -> score (float), and all (score, member) in order.

    The order is a plain sorted list while that is small, a `SortedList` (list of lists) beyond.
    """

    SMALL = 1024

    def __init__(self) -> None:
        super().__init__()
        self.big = False
        self.order: Any = []

    def kind(self) -> bytes:
        return b"zset"

    def encoding(self) -> bytes:
        return b"skiplist" if self.big else b"listpack"

    def clone(self) -> ZSetValue:
        """Return an independent copy."""
        twin = ZSetValue()
        self.share_with(twin)
        twin.big = self.big
        twin.order = self.order[:] if type(self.order) is list else SortedList(self.order)
        return twin

    def put(self, member: bytes, score: float) -> bool:
        """Give a member a score; True when the member is new."""
        old = self.get(member)
        if old is not None:
            if old == score:
                return False
            self._forget(old, member)
        self.set(member, score)
        if type(self.order) is list:
            insort(self.order, (score, member))
            if len(self.order) > self.SMALL:
                self.order = SortedList(self.order)
        else:
            self.order.add((score, member))
        if not self.big and (self.used > LIMITS.zset_entries or len(member) > LIMITS.zset_value):
            self.big = True
        return old is None

    def discard(self, member: bytes) -> bool:
        """Remove a member; True when it was there."""
        score = self.pop(member)
        if score is None:
            return False
        self._forget(score, member)
        return True

    def _forget(self, score: float, member: bytes) -> None:
        if type(self.order) is list:
            del self.order[bisect_left(self.order, (score, member))]
        else:
            self.order.remove((score, member))

    def rank(self, member: bytes) -> int:
        """Return the member's place in ascending order (it must be there)."""
        return self.bisect((self.get(member), member))

    def bisect(self, bound: tuple[Any, ...]) -> int:
        """Return how many (score, member) lie below `bound`; a bound may be (score,), below all of that score."""
        if type(self.order) is list:
            return bisect_left(self.order, bound)
        return int(self.order.bisect_left(bound))

    def slice(self, start: int, stop: int) -> list[tuple[float, bytes]]:
        """Return the (score, member) at the places start to stop - 1, ascending."""
        if type(self.order) is list:
            return self.order[start:stop]
        return list(self.order.islice(start, stop))


CHUNK = 512
"""Elements a list chunk holds at most."""


class ListValue:
    """A list as a list of chunks: both ends are cheap, and no operation moves more than a chunk of elements."""

    def __init__(self) -> None:
        self.chunks: list[list[bytes]] = [[]]
        self.size = 0
        self.shared: set[int] | None = None  # ids of chunks that a frozen view holds too

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            yield from chunk

    def kind(self) -> bytes:
        return b"list"

    def encoding(self) -> bytes:
        return b"quicklist"

    def push_head(self, element: bytes) -> None:
        """Insert at the head."""
        chunk = self.own(0)
        if len(chunk) >= CHUNK:
            chunk = []
            self.chunks.insert(0, chunk)
        chunk.insert(0, element)
        self.size += 1

    def push_tail(self, element: bytes) -> None:
        """Append at the tail."""
        chunk = self.own(len(self.chunks) - 1)
        if len(chunk) >= CHUNK:
            chunk = []
            self.chunks.append(chunk)
        chunk.append(element)
        self.size += 1

    def pop_head(self) -> bytes:
        """Remove and return the first element; the list isn't empty."""
        chunk = self.own(0)
        element = chunk.pop(0)
        self.size -= 1
        if not chunk and len(self.chunks) > 1:
            del self.chunks[0]
        return element

    def pop_tail(self) -> bytes:
        """Remove and return the last element; the list isn't empty."""
        i = len(self.chunks) - 1
        chunk = self.own(i)
        element = chunk.pop()
        self.size -= 1
        if not chunk and i:
            del self.chunks[i]
        return element

    def own(self, i: int) -> list[bytes]:
        """Return chunk `i`, copied first if a frozen view shares it."""
        chunk = self.chunks[i]
        if self.shared is not None and id(chunk) in self.shared:
            self.shared.discard(id(chunk))
            chunk = chunk[:]
            self.chunks[i] = chunk
        return chunk

    def locate(self, index: int) -> tuple[int, int]:
        """Return (chunk number, place in it) of element `index`, 0 <= index < size."""
        if index > self.size // 2:
            i = len(self.chunks)
            behind = self.size
            while behind > index:
                i -= 1
                behind -= len(self.chunks[i])
            return i, index - behind
        i = 0
        while index >= len(self.chunks[i]):
            index -= len(self.chunks[i])
            i += 1
        return i, index

    def at(self, index: int) -> bytes:
        """Return element `index`, 0 <= index < size."""
        i, place = self.locate(index)
        return self.chunks[i][place]

    def put(self, index: int, element: bytes) -> None:
        """Replace element `index`."""
        i, place = self.locate(index)
        self.own(i)[place] = element

    def insert(self, index: int, element: bytes) -> None:
        """Insert before element `index`, 0 <= index <= size."""
        if index >= self.size:
            self.push_tail(element)
            return
        i, place = self.locate(index)
        chunk = self.own(i)
        chunk.insert(place, element)
        self.size += 1
        if len(chunk) > CHUNK:
            half = len(chunk) // 2
            self.chunks[i : i + 1] = [chunk[:half], chunk[half:]]

    def delete(self, index: int) -> None:
        """Remove element `index`."""
        i, place = self.locate(index)
        chunk = self.own(i)
        del chunk[place]
        self.size -= 1
        if not chunk and len(self.chunks) > 1:
            del self.chunks[i]

    def slice(self, start: int, stop: int) -> list[bytes]:
        """Return the elements start to stop - 1, 0 <= start <= stop <= size."""
        if start >= stop:
            return []
        i, place = self.locate(start)
        want = stop - start
        out = self.chunks[i][place : place + want]
        while len(out) < want:
            i += 1
            out += self.chunks[i][: want - len(out)]
        return out

    def trim(self, start: int, stop: int) -> None:
        """Keep only the elements start to stop - 1, 0 <= start < stop <= size."""
        self._drop_head(start)
        self._drop_tail(self.size - (stop - start))

    def _drop_head(self, n: int) -> None:
        gone = 0
        while n and len(self.chunks[gone]) <= n and gone + 1 < len(self.chunks):
            n -= len(self.chunks[gone])
            self.size -= len(self.chunks[gone])
            gone += 1
        del self.chunks[:gone]
        if n:
            del self.own(0)[:n]
            self.size -= n

    def _drop_tail(self, n: int) -> None:
        while n and len(self.chunks[-1]) <= n and len(self.chunks) > 1:
            n -= len(self.chunks[-1])
            self.size -= len(self.chunks.pop())
        if n:
            chunk = self.own(len(self.chunks) - 1)
            del chunk[len(chunk) - n :]
            self.size -= n

    def iterate(self, start: int, forward: bool) -> Iterator[bytes]:
        """Iterate from element `start` to the tail, or backwards to the head."""
        if forward:
            i, place = self.locate(start)
            yield from islice(self.chunks[i], place, None)
            for chunk in islice(self.chunks, i + 1, None):
                yield from chunk
        else:
            i, place = self.locate(start)
            yield from reversed(self.chunks[i][: place + 1])
            for j in range(i - 1, -1, -1):
                yield from reversed(self.chunks[j])

    def clone(self) -> ListValue:
        """Return an independent copy; the chunks are shared until either side writes to them."""
        twin = ListValue()
        twin.chunks = list(self.chunks)
        twin.size = self.size
        twin.shared = set(map(id, self.chunks))
        self.shared = set(twin.shared)
        return twin

    def freeze(self) -> FrozenList:
        """Return a view of the list as it is now, in O(chunks)."""
        if self.shared is None:
            self.shared = set()
        self.shared.update(map(id, self.chunks))
        return FrozenList(list(self.chunks), self.size, self.encoding())


class FrozenList:
    """What a list held when it was frozen: `chunks` to walk one at a time, and their total length."""

    def __init__(self, chunks: list[list[bytes]], size: int, encoding: bytes) -> None:
        self.chunks = chunks
        self.size = size
        self._encoding = encoding

    def __len__(self) -> int:
        return self.size

    def kind(self) -> bytes:
        """The frozen value's type."""
        return b"list"

    def encoding(self) -> bytes:
        """The frozen value's representation."""
        return self._encoding


def kind_of(value: Any) -> bytes:
    """Return the TYPE of a value as a key holds it."""
    return b"string" if isinstance(value, bytes | bytearray) else value.kind()


def size_of(value: Any) -> int:
    """Return how many elements freeing the value has to visit; a string is one."""
    return 1 if isinstance(value, bytes | bytearray) else len(value)


def copy_value(value: Any) -> Any:
    """Return an independent copy; big tables share their parts until one side writes to them."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray):
        return bytearray(value)
    return value.clone()
