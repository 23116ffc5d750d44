# cython: boundscheck=False, wraparound=False
"""A hash table that never stalls: linear hashing over many small dictionaries.

Theory of operation.  One Python dict of ten million entries takes hundreds of milliseconds to grow, to copy or
to free.  A `Table` is a list of dicts ("parts") of some hundred entries; when the average passes `LOAD`, one
part is split in two, when it falls far below, two are merged, so that no step ever touches more than a part.

Which part holds a key follows from the low bits of its hash (Litwin's linear hashing).  Read with its bits
reversed, the hash is a position on a line, each part covers one interval of it, and a split halves an interval.
A scan cursor is such a position, so it stays valid however the table grows or shrinks: an entry that is there
from the first call to the last is returned at least once, which is what SCAN promises.

`freeze` gives an unchanging view in O(parts): the dicts become shared, and the first write to a shared dict
replaces it by a copy.  That is how a snapshot sees a huge value as it was.

The table keeps `bytes` keys; what the values are is its user's business, except that None is no value.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from sys import getsizeof
from typing import Any

from kvserver.engine.keys.sampling import random_of

LOAD = 512
"""Average entries a part may hold before another part is added."""
SPARSE_BYTES = 100
"""Bytes an entry may take of a part's dict (without key and value) before `trim` rebuilds it; 27 to 54 are usual."""
FEW = 16
_load = LOAD  # C's copy, declared in the .pxd: a global of Python would be an object to multiply
GIANT_PARTS = 8
"""Parts of a table, or chunks of a list, that make thousands of elements."""
CURSOR_BITS = 48
"""Bits of the hash that make a cursor; few enough for clients that keep cursors in doubles."""
_CURSOR_MASK = (1 << CURSOR_BITS) - 1
_BYTE_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def reverse_bits(value: int) -> int:
    """Reverse the low CURSOR_BITS bits of `value`."""
    raw = (value & _CURSOR_MASK).to_bytes(6, "little")
    return int.from_bytes(raw.translate(_BYTE_REVERSED), "big")


class Table:
    """bytes -> object; see the module's theory of operation."""

    def __init__(self) -> None:
        self.parts: list[dict[bytes, Any]] = [{}]
        self.count = 1  # len(parts)
        self.low = 0  # mask of the level that is complete
        self.high = 1  # mask of the level being filled
        self.used = 0
        self.shared: set[int] | None = None  # ids of dicts that a frozen view holds too

    def __len__(self) -> int:
        return self.used

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            yield from part

    def __contains__(self, key: bytes) -> bool:
        return self.has(key)

    def has(self, key: bytes) -> bool:
        """Whether the key is there."""
        i = hash(key) & self.high
        if i >= self.count:
            i &= self.low
        d: dict[bytes, Any] = self.parts[i]
        return key in d

    def items(self) -> Iterator[tuple[bytes, Any]]:
        """Iterate over all entries; the table must not change meanwhile."""
        for part in self.parts:
            yield from part.items()

    def values(self) -> Iterator[Any]:
        """Iterate over all values; the table must not change meanwhile."""
        for part in self.parts:
            yield from part.values()

    def index(self, h: int) -> int:
        """Return the number of the part that holds keys of hash `h`."""
        i = h & self.high
        if i >= self.count:
            i &= self.low
        return i

    def get(self, key: bytes) -> Any:
        """Return the value, or None."""
        i = hash(key) & self.high
        if i >= self.count:
            i &= self.low
        d: dict[bytes, Any] = self.parts[i]
        return d.get(key)

    def set(self, key: bytes, value: Any) -> bool:
        """Store an entry; True when the key is new."""
        i = hash(key) & self.high
        if i >= self.count:
            i &= self.low
        d: dict[bytes, Any] = self.parts[i]
        if self.shared is not None:
            d = self.own(i)
        n = len(d)
        d[key] = value
        if len(d) == n:
            return False
        self.used += 1
        if self.used > self.count * _load:
            self.split()
        return True

    def pop(self, key: bytes) -> Any:
        """Remove an entry and return its value, or None when there was none."""
        i = hash(key) & self.high
        if i >= self.count:
            i &= self.low
        d: dict[bytes, Any] = self.parts[i]
        if self.shared is not None and key in d:
            d = self.own(i)
        value = d.pop(key, None)
        if value is None:
            return None
        self.used -= 1
        if self.count > 1 and self.used * 8 < self.count * _load:
            self.merge()
        return value

    def own(self, i: int) -> dict[bytes, Any]:
        """Return part `i`, copied first if a frozen view shares it."""
        d: dict[bytes, Any] = self.parts[i]
        if self.shared is not None and id(d) in self.shared:
            self.shared.discard(id(d))
            d = d.copy()
            self.parts[i] = d
        return d

    def trim(self, key: bytes) -> None:
        """Rebuild the part that held `key` if it is nearly empty: a dict never gives up room by itself."""
        i = self.index(hash(key))
        d: dict[bytes, Any] = self.parts[i]
        if getsizeof(d) > SPARSE_BYTES * (len(d) + FEW):
            if self.shared is not None:
                self.shared.discard(id(d))
            self.parts[i] = dict(d.items())

    def split(self) -> None:
        """Add a part: halve the next one of the level being filled."""
        i = self.count & self.low
        bit = self.low + 1
        stay: dict[bytes, Any] = {}
        move: dict[bytes, Any] = {}
        old: dict[bytes, Any] = self.parts[i]
        for key, value in old.items():
            if hash(key) & bit:
                move[key] = value
            else:
                stay[key] = value
        if self.shared is not None:
            self.shared.discard(id(old))
        self.parts[i] = stay
        self.parts.append(move)
        self.count += 1
        if self.count == GIANT_PARTS:
            self.grown()
        if self.count == self.high + 1:
            self.low = self.high
            self.high = self.high * 2 + 1

    def grown(self) -> None:
        """It has thousands of entries now; for a value that is worth a note."""

    def merge(self) -> None:
        """Drop the last part: give its entries back to the part it was split from."""
        last: dict[bytes, Any] = self.parts[self.count - 1]
        if self.count == self.low + 1:
            self.high = self.low
            self.low >>= 1
        self.count -= 1
        i = self.count & self.low
        target = self.own(i)
        target.update(last)
        self.parts.pop()
        if self.shared is not None:
            self.shared.discard(id(last))

    def freeze(self) -> FrozenTable:
        """Return a view of the table as it is now, in O(parts); later writes copy the parts they touch."""
        if self.shared is None:
            self.shared = set()
        self.shared.update(map(id, self.parts))
        return FrozenTable(list(self.parts), self.used, self.kind(), self.encoding())

    def share_with(self, twin: Table) -> None:
        """Give an empty table the same entries; both copy the parts they write to from now on."""
        twin.parts = list(self.parts)
        twin.count, twin.low, twin.high, twin.used = self.count, self.low, self.high, self.used
        twin.shared = set(map(id, self.parts))
        self.shared = set(twin.shared)

    def kind(self) -> bytes:
        """The type's name as TYPE replies it; a bare table is no value and has none."""
        return b"table"

    def encoding(self) -> bytes:
        """The representation's name as OBJECT ENCODING replies it."""
        return b"hashtable"

    def random_entry(self, rng: Random) -> tuple[bytes, Any] | None:
        """Return a random (key, value), or None when the table is empty."""
        key = self.random_key(rng)
        return None if key is None else (key, self.get(key))

    def random_key(self, rng: Random) -> bytes | None:
        """Return a random key, each with (nearly) the same chance; None when the table is empty."""
        return None if self.used == 0 else random_of(self.parts, rng)

    def interval(self, position: int) -> tuple[int, int, int]:
        """Return (part number, first position, position behind the last) of the part covering `position`."""
        i = self.index(reverse_bits(position))
        mask = self.level_mask(i)
        bits = mask.bit_length()
        first = reverse_bits(i & mask)
        return i, first, first + (1 << (CURSOR_BITS - bits))

    def level_mask(self, i: int) -> int:
        """Return the mask of hash bits that all keys of part `i` share with `i`."""
        return self.high if i > self.low or i + self.low + 1 < self.count else self.low

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, Any]]]:
        """Return (next cursor, `count` entries or a few less or more); 0 begins a scan, a next cursor of 0 ends it.

        The cursor is the position of the first entry that wasn't returned, so a scan stops anywhere within a part.
        """
        position = reverse_bits(cursor)
        found: list[tuple[bytes, Any]] = []
        end = 1 << CURSOR_BITS
        while position < end and len(found) < count:
            wanted = count - len(found)
            i, first, behind = self.interval(position)
            d: dict[bytes, Any] = self.parts[i]
            step = behind - first
            while step > 1 and len(d) * step > 2 * wanted * (behind - first):
                step >>= 1
            begin = position - position % step
            if begin == position and step == behind - first and len(d) <= wanted:
                found.extend(d.items())
                position = behind
            else:
                position = _take(d, found, wanted, position, begin, step)
        return (0 if position >= end else reverse_bits(position)), found

    def sizes(self) -> list[int]:
        """How many entries each part has."""
        return [len(part) for part in self.parts]

    def steal_part(self) -> dict[bytes, Any] | None:
        """Take the last part out, entries and all, for freeing in slices; None when nothing is left."""
        if self.count == 0:
            return None
        self.count -= 1
        part = self.parts.pop()
        self.used -= len(part)
        return part


def _take(
    part: dict[bytes, Any], found: list[tuple[bytes, Any]], wanted: int, position: int, begin: int, step: int
) -> int:
    """Append the first `wanted` of the entries that lie from `position` on within `step` from `begin`.

    Return where the scan goes on: at the next of them, or behind the step. Entries of one position stay together.
    """
    mask = _CURSOR_MASK ^ (reverse_bits(step - 1) if step > 1 else 0)
    want = reverse_bits(begin) & mask
    here: list[tuple[int, bytes, Any]] = []
    for key, value in part.items():
        h = hash(key)
        if h & mask == want:
            place = reverse_bits(h)
            if place >= position:
                here.append((place, key, value))
    here.sort(key=_place)
    taken = min(wanted, len(here))
    while 0 < taken < len(here) and here[taken][0] == here[taken - 1][0]:
        taken += 1
    for _, key, value in here[:taken]:
        found.append((key, value))
    return here[taken][0] if taken < len(here) else begin + step


def _place(entry: tuple[int, bytes, Any]) -> int:
    """Where an entry lies on the line."""
    return entry[0]


class FrozenTable:
    """What a table held when it was frozen: `parts` to walk one at a time, and their total length."""

    def __init__(self, parts: list[dict[bytes, Any]], used: int, kind: bytes, encoding: bytes) -> None:
        self.parts = parts
        self.used = used
        self._kind = kind
        self._encoding = encoding

    def kind(self) -> bytes:
        """The frozen value's type."""
        return self._kind

    def encoding(self) -> bytes:
        """The frozen value's representation."""
        return self._encoding

    def __len__(self) -> int:
        return self.used

    def items(self) -> Iterator[tuple[bytes, Any]]:
        """Iterate over all entries."""
        for part in self.parts:
            yield from part.items()
