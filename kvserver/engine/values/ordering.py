"""The order of a sorted set: its (score, member) pairs, ascending, in chunks.

Theory of operation.  One Python list of a million pairs moves megabytes on every insertion and must be copied
or freed at once.  Here chunks of at most `CHUNK` pairs stand in order; a chunk too full is halved, an empty one
goes.  A chunk keeps scores and members apart: its scores are an array of C doubles, so that a search among them
touches a few cache lines, where pairs would cost a miss or two each.  The last score of each chunk stands in
one more array, `tops`, by which the chunk is found.  A place is the sum of the lengths of the chunks before (a few
thousand additions for a million pairs).  No step touches more than one chunk of pairs; a clone shares all chunks
until one side writes to them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

import cython

if cython.compiled:
    from cython.cimports.kvserver.engine.keys.untracked import PyObject_GC_UnTrack  # type: ignore

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


class Chunk:
    """Neighbouring pairs: `scores` and `names` at the same index belong together."""

    def __init__(self, scores: array[float], names: list[bytes]) -> None:
        self.scores = scores
        self.names = names
        if cython.compiled:
            # Bytes make no cycles. Thousands of chunks copied beside a snapshot would be a pause of the collector's.
            PyObject_GC_UnTrack(names)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Pair]:
        return zip(self.scores, self.names, strict=True)

    def __reversed__(self) -> Iterator[Pair]:
        return zip(reversed(self.scores), reversed(self.names), strict=True)

    def part(self, start: int, stop: int) -> Chunk:
        """Return a copy of the pairs from `start` to `stop` - 1."""
        return Chunk(self.scores[start:stop], self.names[start:stop])

    def cut(self, start: int, stop: int) -> None:
        """Remove the pairs from `start` to `stop` - 1."""
        del self.scores[start:stop]
        del self.names[start:stop]

    def place(self, score: float, name: Any) -> int:
        """Return how many pairs lie below (score, name)."""
        low = below(self.scores, score)
        high = up_to(self.scores, score, low)
        names = self.names
        while low < high:
            middle = (low + high) >> 1
            if names[middle] < name:
                low = middle + 1
            else:
                high = middle
        return low


def below(scores: array[float], score: float) -> int:
    """Return how many of ascending `scores` are less than `score`."""
    if cython.compiled:
        raw: cython.p_double = scores.data.as_doubles
        low = 0
        high = len(scores)
        while low < high:
            middle = (low + high) >> 1
            if raw[middle] < score:
                low = middle + 1
            else:
                high = middle
        return low
    return bisect_left(scores, score)


def up_to(scores: array[float], score: float, low: int) -> int:
    """Return how many of ascending `scores` are at most `score`; `low` are less."""
    if cython.compiled:
        raw: cython.p_double = scores.data.as_doubles
        high = len(scores)
        while low < high:
            middle = (low + high) >> 1
            if raw[middle] <= score:
                low = middle + 1
            else:
                high = middle
        return low
    return bisect_right(scores, score, low)


def chunk_of_pairs(pairs: list[Pair]) -> Chunk:
    """Make a chunk of pairs in ascending order."""
    if cython.compiled:
        scores = array("d", bytes(8 * len(pairs)))
        raw: cython.p_double = scores.data.as_doubles
        names = []
        for i in range(len(pairs)):
            pair = pairs[i]
            raw[i] = pair[0]
            names.append(pair[1])
        return Chunk(scores, names)
    return Chunk(array("d", [score for score, _ in pairs]), [name for _, name in pairs])


class Ordering:
    """Sorted (score, member) pairs; see the module's theory of operation.  There is always one chunk."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = [Chunk(array("d"), [])]
        self.tops = array("d", [0.0])  # the last score of each chunk; anything for an empty one
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
        twin.tops = self.tops[:]
        twin.size = self.size
        twin.shared = set(map(id, self.chunks))
        self.shared = set(twin.shared)
        return twin

    def fill(self, pairs: list[Pair]) -> None:
        """Take over pairs that are in ascending order; there are none yet."""
        self.adopt(pairs[i : i + CHUNK] for i in range(0, len(pairs), CHUNK))

    def adopt(self, runs: Iterable[list[Pair]]) -> None:
        """Take over runs of at most CHUNK pairs, each in ascending order, as all together; there are none yet."""
        chunks = [chunk_of_pairs(run) for run in runs if run]
        self.size = sum(map(len, chunks))
        if chunks:
            self.chunks = chunks
            self.tops = array("d", [chunk.scores[-1] for chunk in chunks])

    def own(self, i: int) -> Chunk:
        """Return chunk `i`, copied first if a clone shares it."""
        chunk: Chunk = self.chunks[i]
        if self.shared is not None and id(chunk) in self.shared:
            self.shared.discard(id(chunk))
            chunk = chunk.part(0, len(chunk.names))
            self.chunks[i] = chunk
        return chunk

    def chunk_of(self, score: float, name: Any) -> int:
        """Return the number of the first chunk whose last pair isn't below the bound, or the last chunk's."""
        low = below(self.tops, score)
        high = up_to(self.tops, score, low)
        while low < high:
            middle = (low + high) >> 1
            chunk: Chunk = self.chunks[middle]
            if chunk.names and chunk.names[-1] < name:
                low = middle + 1
            else:
                high = middle
        return min(low, len(self.chunks) - 1)

    def drop(self, i: int) -> None:
        """Take chunk `i` out if it has become empty, and note its last score if not."""
        chunk: Chunk = self.chunks[i]
        if chunk.names:
            self.tops[i] = chunk.scores[-1]
        elif len(self.chunks) > 1:
            del self.chunks[i]
            del self.tops[i]

    def add(self, score: float, member: bytes) -> None:
        """Insert a pair that isn't there."""
        i = self.chunk_of(score, member)
        chunk = self.own(i)
        place = chunk.place(score, member)
        chunk.scores.insert(place, score)
        chunk.names.insert(place, member)
        self.size += 1
        size = len(chunk.names)
        if size > CHUNK:
            # What arrives in ascending order leaves full chunks behind.
            half = CHUNK if i == len(self.chunks) - 1 and place == CHUNK else CHUNK // 2
            behind = chunk.part(half, size)
            chunk.cut(half, size)
            self.chunks.insert(i + 1, behind)
            self.tops.insert(i + 1, behind.scores[-1])
            place = half - 1
        if place == len(chunk.names) - 1:
            self.tops[i] = chunk.scores[place]

    def discard(self, score: float, member: bytes) -> None:
        """Remove a pair that is there."""
        i = self.chunk_of(score, member)
        chunk = self.own(i)
        place = chunk.place(score, member)
        del chunk.scores[place]
        del chunk.names[place]
        self.size -= 1
        self.drop(i)

    def pop_edge(self, lowest: bool) -> Pair:
        """Remove and return the first or the last pair; there is one."""
        i = 0 if lowest else len(self.chunks) - 1
        chunk = self.own(i)
        place = 0 if lowest else len(chunk.names) - 1
        pair = (chunk.scores.pop(place), chunk.names.pop(place))
        self.size -= 1
        self.drop(i)
        return pair

    def bisect(self, score: float, name: Any) -> int:
        """Return how many pairs lie below (score, name); BOTTOM and TOP are names below and above all others."""
        i = self.chunk_of(score, name)
        chunk: Chunk = self.chunks[i]
        n = chunk.place(score, name)
        for j in range(i):
            chunk = self.chunks[j]
            n += len(chunk.names)
        return n

    def locate(self, place: int) -> tuple[int, int]:
        """Return (chunk number, place in it) of pair number `place`, 0 <= place < size."""
        if place > self.size // 2:
            i = len(self.chunks)
            behind = self.size
            while behind > place:
                i -= 1
                chunk: Chunk = self.chunks[i]
                behind -= len(chunk.names)
            return i, place - behind
        i = 0
        chunk = self.chunks[0]
        while place >= len(chunk.names):
            place -= len(chunk.names)
            i += 1
            chunk = self.chunks[i]
        return i, place

    def parts(self, start: int, stop: int) -> list[Chunk]:
        """Return the pairs number start to stop - 1 in copies of the chunks, 0 <= start, stop <= size."""
        out: list[Chunk] = []
        if start >= stop:
            return out
        i, place = self.locate(start)
        want = stop - start
        while want > 0:
            chunk: Chunk = self.chunks[i]
            part = chunk.part(place, place + want)
            want -= len(part.names)
            out.append(part)
            place = 0
            i += 1
        return out

    def slice(self, start: int, stop: int) -> list[Pair]:
        """Return the pairs number start to stop - 1, 0 <= start, stop <= size."""
        out: list[Pair] = []
        for part in self.parts(start, stop):
            out += part
        return out

    def names(self, start: int, stop: int) -> list[bytes]:
        """Return the members number start to stop - 1, 0 <= start, stop <= size."""
        out: list[bytes] = []
        if start >= stop:
            return out
        i, place = self.locate(start)
        want = stop - start
        while True:
            chunk: Chunk = self.chunks[i]
            part = chunk.names[place : place + want]
            want -= len(part)
            if want == 0:
                return out + part if out else part
            out += part
            place = 0
            i += 1

    def cut(self, start: int, stop: int) -> None:
        """Remove the pairs number start to stop - 1, 0 <= start < stop <= size."""
        first, place = self.locate(start)
        last, end = self.locate(stop - 1)
        end += 1
        if first == last:
            self.own(first).cut(place, end)
            self.drop(first)
        else:
            ends = (self.chunks[first].part(0, place), self.chunks[last].part(end, CHUNK))
            middle = [chunk for chunk in ends if len(chunk)]
            self.chunks[first : last + 1] = middle
            self.tops[first : last + 1] = array("d", [chunk.scores[-1] for chunk in middle])
            if not self.chunks:
                self.chunks = [Chunk(array("d"), [])]
                self.tops = array("d", [0.0])
        self.size -= stop - start

    def shrink(self) -> bool:
        """Drop the last chunk, to free a big order in slices; False when there was nothing to drop."""
        if self.size == 0:
            return False
        self.size -= len(self.chunks.pop())
        return True
