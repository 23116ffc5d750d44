"""An ordered map from stream ids to anything, in chunks: what the entries of a stream and pending lists are kept in.

An id is (milliseconds, sequence), two unsigned 64-bit numbers.  No step touches more than one chunk; a clone or
a frozen view shares all chunks, and the first write to a shared chunk replaces it by a copy.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

import cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize  # type: ignore

Id = tuple[int, int]
LARGEST = (1 << 64) - 1
MIN_ID: Id = (0, 0)
MAX_ID: Id = (LARGEST, LARGEST)
CHUNK = 256
"""Ids that a chunk holds at most."""


def next_id(of: Id) -> Id | None:
    """The smallest greater id, or None behind the greatest."""
    if of[1] < LARGEST:
        return of[0], of[1] + 1
    return (of[0] + 1, 0) if of[0] < LARGEST else None


def previous_id(of: Id) -> Id | None:
    """The greatest smaller id, or None before the smallest."""
    if of[1] > 0:
        return of[0], of[1] - 1
    return (of[0] - 1, LARGEST) if of[0] > 0 else None


def format_id(entry: Id) -> bytes:
    """Write an id."""
    if cython.compiled:
        tmp = cython.declare(cython.char[48])
        m: cython.int = 48
        for part in range(2):
            q: cython.ulonglong = entry[1 - part]
            if part:
                m -= 1
                tmp[m] = 45
            while True:
                m -= 1
                tmp[m] = 48 + q % 10
                q = q // 10
                if q == 0:
                    break
        return PyBytes_FromStringAndSize(cython.address(tmp[m]), 48 - m)  # type: ignore[no-any-return]
    return b"%d-%d" % entry


class Chunk:
    """Neighbouring ids, ascending, and their values; `shared` when another map or a view holds it too."""

    __slots__ = ("ids", "shared", "values")

    def __init__(self, ids: list[Id], values: list[Any]) -> None:
        self.ids = ids
        self.values = values
        self.shared = False

    def copy(self) -> Chunk:
        """Return an independent copy."""
        return Chunk(self.ids[:], self.values[:])


def chunk_of(chunks: list[Any], wanted: Id) -> int:
    """Return the number of the first chunk whose last id isn't below `wanted`; behind the last if there is none."""
    low, high = 0, len(chunks)
    while low < high:
        middle = (low + high) >> 1
        chunk: Chunk = chunks[middle]
        if chunk.ids[-1] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def ascending(chunks: list[Any], start: Id, end: Id) -> Iterator[tuple[Id, Any]]:
    """Iterate over what lies within [start, end]; the chunks must not change meanwhile."""
    i = chunk_of(chunks, start)
    place = bisect_left(chunks[i].ids, start) if i < len(chunks) else 0
    while i < len(chunks):
        chunk = chunks[i]
        for j in range(place, len(chunk.ids)):
            if chunk.ids[j] > end:
                return
            yield chunk.ids[j], chunk.values[j]
        place = 0
        i += 1


def descending(chunks: list[Any], start: Id, end: Id) -> Iterator[tuple[Id, Any]]:
    """Iterate over what lies within [start, end], the greatest id first."""
    i = chunk_of(chunks, end)
    if i == len(chunks):
        i -= 1
    place = bisect_right(chunks[i].ids, end) if i >= 0 else 0
    while i >= 0:
        chunk = chunks[i]
        for j in range(place - 1, -1, -1):
            if chunk.ids[j] < start:
                return
            yield chunk.ids[j], chunk.values[j]
        i -= 1
        place = len(chunks[i].ids) if i >= 0 else 0


class IdMap:
    """id -> value, ordered by id; see the module's docstring."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.size = 0

    @staticmethod
    def of(pairs: list[tuple[Id, Any]]) -> IdMap:
        """Make a map of (id, value) in ascending order."""
        made = IdMap()
        for i in range(0, len(pairs), CHUNK):
            part = pairs[i : i + CHUNK]
            made.chunks.append(Chunk([pair[0] for pair in part], [pair[1] for pair in part]))
        made.size = len(pairs)
        return made

    def __len__(self) -> int:
        return self.size

    def get(self, wanted: Id) -> Any:
        """Return a value, or None."""
        i = chunk_of(self.chunks, wanted)
        if i == len(self.chunks):
            return None
        chunk = self.chunks[i]
        j = bisect_left(chunk.ids, wanted)
        return chunk.values[j] if chunk.ids[j] == wanted else None

    def own(self, i: int) -> Chunk:
        """Return chunk `i`, copied first if it is shared."""
        chunk = self.chunks[i]
        if chunk.shared:
            chunk = self.chunks[i] = chunk.copy()
        return chunk

    def set(self, wanted: Id, value: Any) -> bool:
        """Store a value; True when the id is new."""
        i = chunk_of(self.chunks, wanted)
        if i == len(self.chunks):
            if not self.chunks or len(self.chunks[-1].ids) >= CHUNK:
                self.chunks.append(Chunk([], []))
            i = len(self.chunks) - 1
        chunk = self.own(i)
        j = bisect_left(chunk.ids, wanted)
        if j < len(chunk.ids) and chunk.ids[j] == wanted:
            chunk.values[j] = value
            return False
        chunk.ids.insert(j, wanted)
        chunk.values.insert(j, value)
        self.size += 1
        if len(chunk.ids) > CHUNK:
            half = CHUNK // 2
            self.chunks[i : i + 1] = [
                Chunk(chunk.ids[:half], chunk.values[:half]),
                Chunk(chunk.ids[half:], chunk.values[half:]),
            ]
        return True

    def pop(self, wanted: Id) -> Any:
        """Remove an id; return its value, or None when it wasn't there."""
        i = chunk_of(self.chunks, wanted)
        if i == len(self.chunks):
            return None
        chunk: Chunk = self.chunks[i]
        j = bisect_left(chunk.ids, wanted)
        if chunk.ids[j] != wanted:
            return None
        chunk = self.own(i)
        del chunk.ids[j]
        value = chunk.values.pop(j)
        self.size -= 1
        if not chunk.ids:
            del self.chunks[i]
        return value

    def first(self) -> Id:
        """The smallest id; there is one."""
        return self.chunks[0].ids[0]

    def last(self) -> Id:
        """The greatest id; there is one."""
        return self.chunks[-1].ids[-1]

    def __iter__(self) -> Iterator[Id]:
        for chunk in self.chunks:
            yield from chunk.ids

    def items(self, start: Id = MIN_ID, end: Id = MAX_ID) -> Iterator[tuple[Id, Any]]:
        """Iterate over what lies within [start, end]; the map must not change meanwhile."""
        return ascending(self.chunks, start, end)

    def walk(self, start: Id) -> Iterator[tuple[Id, Any]]:
        """Iterate from an id on, a chunk at a time, so that what has been given out may change meanwhile."""
        position: Id | None = start
        while position is not None:
            i = chunk_of(self.chunks, position)
            if i == len(self.chunks):
                return
            chunk = self.chunks[i]
            place = bisect_left(chunk.ids, position)
            ids, values = chunk.ids[place:], chunk.values[place:]
            yield from zip(ids, values, strict=True)
            position = next_id(ids[-1])

    def clone(self) -> IdMap:
        """Return an independent copy, in O(chunks)."""
        twin = IdMap()
        for chunk in self.chunks:
            chunk.shared = True
        twin.chunks = list(self.chunks)
        twin.size = self.size
        return twin
