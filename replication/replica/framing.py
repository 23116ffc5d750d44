"""Finding the end of a snapshot on the wire. Pure and incremental; feed it chunks of any size.

Two framings exist. `$<length>\\r\\n` announces the size of what follows. `$EOF:<mark>\\r\\n` announces 40
random bytes that follow the snapshot, whose length isn't known beforehand. Unlike a bulk string,
neither ends with a line end. Empty lines may come first: they keep the connection alive meanwhile.
"""

from __future__ import annotations

MARK_LENGTH = 40
# `$EOF:` and the mark; also more than any decimal length.
MAX_HEADER = 64
MAX_PAYLOAD = 1 << 46


class PayloadError(Exception):
    """The primary sent something that isn't a snapshot."""


class Payload:
    """Splits the incoming bytes into header, snapshot and what follows it.

    `feed(data)` gives the snapshot's bytes found in `data`. Once `done`, `rest` holds what came after it.
    `length` is the announced size, or -1 for a marked payload.
    """

    __slots__ = ("_head", "_tail", "_left", "_mark", "done", "length", "received", "rest", "started")

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = b""
        self._left = 0
        self._mark = b""
        self.length = -1
        self.started = False
        self.done = False
        self.received = 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes from the connection; raises PayloadError on a malformed or refusing header."""
        assert not self.done
        if not self.started:
            data = self._feed_header(data)
            if not self.started:
                return b""
        found = self._marked(data) if self._mark else self._sized(data)
        self.received += len(found)
        return found

    def _feed_header(self, data: bytes) -> bytes:
        head = self._head
        head += data
        while head and head[0] in b"\r\n":
            del head[:1]
        end = head.find(b"\n")
        if end < 0:
            if len(head) > MAX_HEADER and not head.startswith(b"-"):
                raise PayloadError("endless line where a snapshot was expected")
            if len(head) > MAX_HEADER * 64:
                raise PayloadError("endless error where a snapshot was expected")
            return b""
        line = bytes(head[:end]).rstrip(b"\r")
        rest = bytes(head[end + 1 :])
        head.clear()
        self._read_header(line)
        self.started = True
        return rest

    def _read_header(self, line: bytes) -> None:
        if line[:1] == b"-":
            raise PayloadError("primary aborted the resynchronization: " + _shown(line[1:]))
        if line.startswith(b"$EOF:") and len(line) == 5 + MARK_LENGTH:
            self._mark = line[5:]
            return
        digits = line[1:]
        if line[:1] != b"$" or not digits.isdigit() or len(digits) > 19 or int(digits) > MAX_PAYLOAD:
            raise PayloadError("bad snapshot header: " + _shown(line))
        self.length = self._left = int(digits)

    def _sized(self, data: bytes) -> bytes:
        found = data[: self._left]
        self._left -= len(found)
        if not self._left:
            self.done = True
            self.rest = data[len(found) :]
        return found

    def _marked(self, data: bytes) -> bytes:
        """The mark may be split over chunks: as many bytes as it is long, less one, wait."""
        joined = self._tail + data
        at = joined.find(self._mark)
        if at >= 0:
            self.done = True
            self._tail = b""
            self.rest = joined[at + MARK_LENGTH :]
            return joined[:at]
        keep = max(0, len(joined) - (MARK_LENGTH - 1))
        self._tail = joined[keep:]
        return joined[:keep]


def _shown(line: bytes) -> str:
    return line[:200].decode("utf-8", "backslashreplace")
