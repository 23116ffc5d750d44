"""The list type: elements in order, in chunks, so that no operation moves more than a chunk of them."""

from __future__ import annotations

from collections.abc import Iterator

import cython

if cython.compiled:
    from cython.cimports.kvserver.engine.keys.untracked import PyObject_GC_UnTrack  # type: ignore

from kvserver.engine.keys.table import GIANT_PARTS
from kvserver.engine.values.limits import Limits

CHUNK = 512
"""Elements a list chunk holds at most."""
HEAD_CHUNK = 128
"""Elements up to which a chunk grows at its head: each of them is moved by the next."""
_chunk = CHUNK  # C's copies, declared in the .pxd
_head_chunk = HEAD_CHUNK


class ListValue:
    """A list as a list of chunks: both ends are cheap, and no operation moves more than a chunk of elements."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.chunks: list[list[bytes]] = [[]]
        self.size = 0
        self.shared: set[int] | None = None  # ids of chunks that a frozen view holds too

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            yield from chunk

    def kind(self) -> bytes:
        """What TYPE answers."""
        return b"list"

    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"quicklist"

    def push_head(self, element: bytes) -> None:
        """Insert at the head."""
        chunk = self.own(0)
        if len(chunk) >= _head_chunk:
            chunk = []
            self.chunks.insert(0, chunk)
            if len(self.chunks) == GIANT_PARTS:
                self.limits.giants = True
        chunk.insert(0, element)
        self.size += 1

    def push_tail(self, element: bytes) -> None:
        """Append at the tail."""
        chunk = self.own(len(self.chunks) - 1)
        if len(chunk) >= _chunk:
            chunk = []
            self.chunks.append(chunk)
            if len(self.chunks) == GIANT_PARTS:
                self.limits.giants = True
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
            if cython.compiled:
                PyObject_GC_UnTrack(chunk)  # bytes make no cycles, and a snapshot may have thousands copied
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

    def trim(self, start: int, stop: int) -> list[list[bytes]]:
        """Keep only the elements start to stop - 1, 0 <= start < stop <= size; return the chunks that went whole."""
        whole = self._drop_head(start)
        return whole + self._drop_tail(self.size - (stop - start))

    def _drop_head(self, n: int) -> list[list[bytes]]:
        gone = 0
        while n and len(self.chunks[gone]) <= n and gone + 1 < len(self.chunks):
            n -= len(self.chunks[gone])
            self.size -= len(self.chunks[gone])
            gone += 1
        whole = self.chunks[:gone]
        del self.chunks[:gone]
        if n:
            del self.own(0)[:n]
            self.size -= n
        return whole

    def _drop_tail(self, n: int) -> list[list[bytes]]:
        whole: list[list[bytes]] = []
        while n and len(self.chunks[-1]) <= n and len(self.chunks) > 1:
            n -= len(self.chunks[-1])
            self.size -= len(self.chunks[-1])
            whole.append(self.chunks.pop())
        if n:
            chunk = self.own(len(self.chunks) - 1)
            del chunk[len(chunk) - n :]
            self.size -= n
        return whole

    def clear(self) -> None:
        """Drop all elements."""
        self.chunks = [[]]
        self.size = 0

    def find(self, element: bytes) -> int:
        """Return the place of the first such element, or -1."""
        before = 0
        for chunk in self.chunks:
            if element in chunk:
                return before + chunk.index(element)
            before += len(chunk)
        return -1

    def places(self, element: bytes, forward: bool, most: int) -> Iterator[int]:
        """Iterate over the places of such elements among the first (or last) `most`, from that end on."""
        passed = 0
        for chunk in self.chunks if forward else reversed(self.chunks):
            if passed >= most:
                return
            if element in chunk:
                for i, other in enumerate(chunk if forward else reversed(chunk), passed):
                    if other == element:
                        if i >= most:
                            return
                        yield i if forward else self.size - 1 - i
            passed += len(chunk)

    def remove(self, element: bytes, limit: int, forward: bool) -> int:
        """Remove the first (or last) `limit` such elements, all for 0; return how many went."""
        gone = 0
        kept: list[list[bytes]] = []
        for chunk in self.chunks if forward else reversed(self.chunks):
            n = chunk.count(element) if gone < limit or not limit else 0
            if n:
                if limit:
                    n = min(n, limit - gone)
                chunk = without(chunk, element, n, forward)
                gone += n
            if kept and len(kept[-1]) + len(chunk) <= CHUNK // 2:
                kept[-1] = kept[-1] + chunk if forward else chunk + kept[-1]
            else:
                kept.append(chunk)
        if gone:
            self.chunks = kept if forward else kept[::-1]
            self.size -= gone
        return gone

    def clone(self) -> ListValue:
        """Return an independent copy; the chunks are shared until either side writes to them."""
        twin = ListValue(self.limits)
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


def without(chunk: list[bytes], element: bytes, n: int, forward: bool) -> list[bytes]:
    """Return a copy of `chunk` without its first (or last) `n` such elements."""
    rest = chunk[:] if forward else chunk[::-1]
    if n == chunk.count(element):
        rest = [other for other in rest if other != element]
    else:
        for _ in range(n):
            rest.remove(element)
    return rest if forward else rest[::-1]


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
