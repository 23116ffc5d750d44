"""Parsing the replies of nodes and peers (RESP2), within bounds.

A sentinel talks to processes it doesn't trust to be sane: whatever they announce, memory grows only with what
has arrived, and not beyond `MAX_BYTES` for one reply.
"""

from __future__ import annotations

from replication.sentinel.mind.messages import Reply, ReplyError

MAX_BYTES = 16 * 1024 * 1024
"""One reply: INFO of a primary with thousands of replicas is some hundred kilobytes."""
MAX_ELEMENTS = 4_096
MAX_DEPTH = 4
MAX_LINE = 64 * 1024


class BadReply(ValueError):
    """The other side doesn't speak RESP, or says more than it should; the connection is of no use."""


class _Incomplete(Exception):
    """More bytes are needed."""


class ReplyParser:
    """`feed` bytes as they come; `next` gives one reply at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = 1
        """No reply can be whole with fewer bytes: spares parsing a large one again and again."""

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        self._buffer += data

    def next(self) -> tuple[Reply] | None:
        """The next whole reply, wrapped so that a null reply differs from none. Raises BadReply."""
        buffer = self._buffer
        if len(buffer) < self._wanted:
            return None
        try:
            reply, end = self._parse(0, 0)
        except _Incomplete:
            if len(buffer) > MAX_BYTES:
                raise BadReply("reply too large") from None
            return None
        del buffer[:end]
        self._wanted = 1
        return (reply,)

    def _parse(self, start: int, depth: int) -> tuple[Reply, int]:
        line, end = self._line(start)
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest, end
        if kind == b"-":
            return ReplyError(rest.decode("utf-8", "replace")), end
        if kind == b":":
            return _number(rest), end
        if kind == b"$":
            return self._bulk(_number(rest), end)
        if kind == b"*":
            return self._array(_number(rest), end, depth)
        raise BadReply(f"unknown type byte {kind!r}")

    def _line(self, start: int) -> tuple[bytes, int]:
        end = self._buffer.find(b"\r\n", start, start + MAX_LINE)
        if end < 0:
            if len(self._buffer) - start >= MAX_LINE:
                raise BadReply("line too long")
            raise _Incomplete
        return bytes(self._buffer[start:end]), end + 2

    def _bulk(self, size: int, start: int) -> tuple[Reply, int]:
        if size == -1:
            return None, start
        if not 0 <= size <= MAX_BYTES:
            raise BadReply("bad length of a bulk reply")
        end = start + size
        if len(self._buffer) < end + 2:
            self._wanted = end + 2
            raise _Incomplete
        if self._buffer[end:end + 2] != b"\r\n":
            raise BadReply("a bulk reply does not end where it should")
        return bytes(self._buffer[start:end]), end + 2

    def _array(self, count: int, start: int, depth: int) -> tuple[Reply, int]:
        if count == -1:
            return None, start
        if not 0 <= count <= MAX_ELEMENTS or depth >= MAX_DEPTH:
            raise BadReply("an array reply too large or too deep")
        items: list[object] = []
        for _ in range(count):
            item, start = self._parse(start, depth + 1)
            items.append(item)
        return items, start


def _number(digits: bytes) -> int:
    bare = digits.removeprefix(b"-")
    if not bare.isdigit() or len(bare) > 19:
        raise BadReply(f"not a number: {digits[:40]!r}")
    return int(digits)
