"""The order of a sorted set: its (score, member) pairs, ascending, in chunks.

Theory of operation.  One Python list of a million pairs moves megabytes on every insertion and must be copied
or freed at once.  Here chunks of at most `CHUNK` pairs stand in order; a chunk too full is halved, an empty one
goes.  A pair is found by binary search among the chunks' last pairs and then inside one chunk; its place is the
sum of the lengths of the chunks before (a few thousand additions for a million pairs).  No step touches more
than one chunk of pairs; a clone shares all chunks until one side writes to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CHUNK = 512
"""Pairs a chunk holds at most."""

Pair = tuple[float, bytes]


class _Edge:
    """A name less (or greater) than any member: with a score it lies before (or behind) all pairs of that score."""

    def __init__(self, top: bool) -> None:
        self.top = top

    def __lt__(self, other: object) -> bool:
        return not self.top

    def __gt__(self, other: object) -> bool:
        return self.top


BOTTOM: Any = _Edge(False)
TOP: Any = _Edge(True)


def below(pair: Pair, score: float, name: Any) -> bool:
    """Whether a pair lies below (score, name)."""
    other = pair[0]
    if other == score:
        return bool(pair[1] < name)
    return other < score


def place_in(chunk: list[Pair], score: float, name: Any) -> int:
    """Return how many pairs of a chunk lie below (score, name)."""
    low = 0
    high = len(chunk)
    while low < high:
        middle = (low + high) >> 1
        if below(chunk[middle], score, name):
            low = middle + 1
        else:
            high = middle
    return low


class Ordering:
    """Sorted (score, member) pairs; see the module's theory of operation.  There is always one chunk."""

    def __init__(self) -> None:
        self.chunks: list[list[Pair]] = [[]]
        self.size = 0
        self.shared: set[int] | None = None  # ids of chunks that a clone holds too

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Pair]:
        for chunk in self.chunks:
            yield from chunk

    def clone(self) -> Ordering:
        """Return an independent copy, in O(chunks)."""
        twin = Ordering()
        twin.chunks = list(self.chunks)
        twin.size = self.size
        twin.shared = set(map(id, self.chunks))
        self.shared = set(twin.shared)
        return twin

    def fill(self, pairs: list[Pair]) -> None:
        """Take over pairs that are in ascending order; there are none yet."""
        self.size = len(pairs)
        self.chunks = [pairs[i : i + CHUNK] for i in range(0, len(pairs), CHUNK)] or [[]]

    def own(self, i: int) -> list[Pair]:
        """Return chunk `i`, copied first if a clone shares it."""
        chunk = self.chunks[i]
        if self.shared is not None and id(chunk) in self.shared:
            self.shared.discard(id(chunk))
            chunk = chunk[:]
            self.chunks[i] = chunk
        return chunk

    def chunk_of(self, score: float, name: Any) -> int:
        """Return the number of the first chunk whose last pair isn't below the bound, or the last chunk's."""
        low = 0
        high = len(self.chunks) - 1
        while low < high:
            middle = (low + high) >> 1
            chunk = self.chunks[middle]
            if below(chunk[len(chunk) - 1], score, name):
                low = middle + 1
            else:
                high = middle
        return low

    def add(self, score: float, member: bytes) -> None:
        """Insert a pair that isn't there."""
        pair = (score, member)
        i = self.chunk_of(score, member)
        chunk = self.own(i)
        chunk.insert(place_in(chunk, score, member), pair)
        self.size += 1
        if len(chunk) > CHUNK:
            # What arrives in ascending order leaves full chunks behind.
            half = CHUNK if i == len(self.chunks) - 1 and chunk[CHUNK] == pair else CHUNK // 2
            self.chunks[i] = chunk[:half]
            self.chunks.insert(i + 1, chunk[half:])

    def discard(self, score: float, member: bytes) -> None:
        """Remove a pair that is there."""
        i = self.chunk_of(score, member)
        chunk = self.own(i)
        del chunk[place_in(chunk, score, member)]
        self.size -= 1
        if len(chunk) == 0 and len(self.chunks) > 1:
            del self.chunks[i]

    def pop_edge(self, lowest: bool) -> Pair:
        """Remove and return the first or the last pair; there is one."""
        i = 0 if lowest else len(self.chunks) - 1
        chunk = self.own(i)
        pair = chunk.pop(0) if lowest else chunk.pop()
        self.size -= 1
        if len(chunk) == 0 and len(self.chunks) > 1:
            del self.chunks[i]
        return pair

    def bisect(self, score: float, name: Any) -> int:
        """Return how many pairs lie below (score, name); BOTTOM and TOP are names below and above all others."""
        i = self.chunk_of(score, name)
        n = place_in(self.chunks[i], score, name)
        for j in range(i):
            n += len(self.chunks[j])
        return n

    def locate(self, place: int) -> tuple[int, int]:
        """Return (chunk number, place in it) of pair number `place`, 0 <= place < size."""
        if place > self.size // 2:
            i = len(self.chunks)
            behind = self.size
            while behind > place:
                i -= 1
                behind -= len(self.chunks[i])
            return i, place - behind
        i = 0
        while place >= len(self.chunks[i]):
            place -= len(self.chunks[i])
            i += 1
        return i, place

    def slice(self, start: int, stop: int) -> list[Pair]:
        """Return the pairs number start to stop - 1, 0 <= start, stop <= size."""
        if start >= stop:
            return []
        i, place = self.locate(start)
        want = stop - start
        out = self.chunks[i][place : place + want]
        while len(out) < want:
            i += 1
            out += self.chunks[i][: want - len(out)]
        return out

    def cut(self, start: int, stop: int) -> None:
        """Remove the pairs number start to stop - 1, 0 <= start < stop <= size."""
        first, place = self.locate(start)
        last, end = self.locate(stop - 1)
        end += 1
        if first == last:
            del self.own(first)[place:end]
            if not self.chunks[first] and len(self.chunks) > 1:
                del self.chunks[first]
        else:
            middle = [part for part in (self.chunks[first][:place], self.chunks[last][end:]) if part]
            self.chunks[first : last + 1] = middle
            if not self.chunks:
                self.chunks.append([])
        self.size -= stop - start

    def shrink(self) -> bool:
        """Drop the last chunk, to free a big order in slices; False when there was nothing to drop."""
        if self.size == 0:
            return False
        self.size -= len(self.chunks.pop())
        return True
