"""The records of an append-only file: commands as RESP arrays, annotations between them.

Theory of operation.  `RecordDecoder` is fed the file in pieces of any size and gives back the commands that are
whole, each with the offset behind it.  It reads stricter than a server reads its clients: there is nothing inline,
every length is plain digits, every line and every argument ends in CR LF.  So a damaged byte is noticed where it
stands and not where it leads.  An annotation, a line that begins with "#", may stand before any command; the one
known is ``#TS:<unix seconds>`` (https://redis.io/docs/management/persistence/, aof-timestamp-enabled).

Two things can be wrong, and they differ in what may be done about them.  A file that ends too early was being
written when the machine stopped: `truncation` says where its last whole command ends, and cutting it there loses
nothing that was promised.  Commands between MULTI and EXEC are one: if the EXEC is missing, the cut is before the
MULTI.  Bytes that can't be a command are damage, an `AofFormatError`: what follows it can't be known.

Held in memory are the arguments of one command that have really arrived, never what a length announces.
"""

from __future__ import annotations

from typing import NamedTuple

import cython

Record = tuple[list[bytes], int]
"""A command's arguments, and the offset in the file behind it."""

ANNOTATION_MAX = 1024
"""Longest annotation, bytes, its end included (Redis's AOF_ANNOTATION_LINE_MAX_LEN)."""
ARGS_MAX = 2**31 - 1
BULK_MAX = 512 * 1024 * 1024
"""Longest argument, bytes, unless proto-max-bulk-len says otherwise."""
HEADER_MAX = 24
"""Longest line that announces a length, bytes: a prefix, the digits of 64 bits, CR LF."""

TS = b"#TS:"
NO_EXEC = "Reached EOF before reading EXEC for MULTI"
NOT_A_COMMAND = "Expected a command, got: "


class AofFormatError(ValueError):
    """Bytes that aren't a command; `offset` is where the line or argument that is wrong begins."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} (at offset {offset})")
        self.reason = reason
        self.offset = offset


class Annotation(NamedTuple):
    """A line between commands: where it begins and ends, its text without the line's end."""

    start: int
    end: int
    text: bytes


class Truncation(NamedTuple):
    """The file ends too early: it is good up to `valid_up_to`, and `reason` is what is missing at `offset`."""

    valid_up_to: int
    offset: int
    reason: str
    in_transaction: bool


class RecordDecoder:
    """Incremental decoder; see the module's theory of operation.

    `base` is the offset in the file of the first byte fed: commands may follow a snapshot.
    """

    def __init__(self, base: int = 0, max_bulk: int = BULK_MAX) -> None:
        self.max_bulk = max_bulk
        self.valid_up_to = base  # behind the last whole command or annotation that isn't in an open transaction
        self.multi_at = -1  # where the open transaction's MULTI begins; -1 = none is open
        self.lines = 0  # line ends met in commands
        self.annotations: list[Annotation] = []  # of the last feed
        self.salvaged: list[Record] = []  # of the last feed, if it failed: the commands before the failure
        self._base = base  # offset in the file of buf[0]
        self._buf = b""
        self._pos = 0
        self._pieces: bytearray | None = None  # what has come of an argument not yet whole
        self._need = 0  # bytes that `_pieces` waits for
        self._args: list[bytes] = []
        self._left = 0  # arguments still missing from the command being read
        self._bulk_len = -1  # length of the argument being read; -1 = its header comes next
        self._start = base  # where the command being read begins

    @property
    def offset(self) -> int:
        """Offset of the first byte not yet understood."""
        return self._base + self._pos

    @property
    def truncation(self) -> Truncation | None:
        """What is wrong if the file ends here; None when it may."""
        rest = self._unread()
        if not (rest or self._left or self.multi_at >= 0):
            return None
        return Truncation(self.valid_up_to, self.offset, self._missing(rest), self.multi_at >= 0)

    def feed(self, data: bytes) -> list[Record]:
        """Take the next piece of the file; return the commands that are whole now.

        Raises:
            AofFormatError: this can't be a command. Those before it are in `salvaged`.
        """
        records: list[Record] = []
        self.annotations = []
        if not self._take(data):
            return records
        try:
            self._run(records)
        except AofFormatError:
            self.salvaged = records
            raise
        return records

    def _take(self, data: bytes) -> bool:
        """Append `data` to what is held; False when too little is there to go on."""
        if self._pieces is not None:
            self._pieces += data
            if len(self._pieces) < self._need:
                return False
            data = bytes(self._pieces)
            self._pieces = None
        elif self._pos < len(self._buf):
            rest = self._buf[self._pos :]
            missing = self._bulk_len + 2 - len(rest)
            if self._bulk_len >= 0 and len(data) < missing:
                self._base += self._pos
                self._buf, self._pos = b"", 0
                self._pieces, self._need = bytearray(rest), self._bulk_len + 2
                self._pieces += data
                return False
            data = rest + data
        self._base += self._pos
        self._buf, self._pos = data, 0
        return True

    def _run(self, records: list[Record]) -> None:
        """Decode what is whole in the buffer."""
        buf = self._buf
        s: cython.p_const_char = buf
        n: cython.Py_ssize_t = len(buf)
        p: cython.Py_ssize_t = self._pos
        v: cython.Py_ssize_t
        while True:
            if self._left == 0:
                self._pos = p
                if p >= n:
                    return
                if s[p] != 42:  # '*'
                    if not self._annotation(p):
                        return
                    p = self._pos
                    continue
                v = self._header(p, n, 42, ARGS_MAX)
                if v < 0:
                    return
                self._start = self._base + p
                p = self._pos
                self._left = v
                self._args = []
            while self._left > 0:
                v = self._bulk_len
                if v < 0:
                    v = self._header(p, n, 36, self.max_bulk)  # '$'
                    if v < 0:
                        return
                    p = self._pos
                    self._bulk_len = v
                if p + v + 2 > n:
                    return
                if s[p + v] != 13 or s[p + v + 1] != 10:
                    raise self._no_line_end(p, p + v)
                self._args.append(s[p : p + v])
                p += v + 2
                self._pos = p
                self._bulk_len = -1
                self._left -= 1
                self.lines += 1
            records.append((self._args, self._base + p))
            self._whole(self._args)

    def _header(self, p: int, n: int, prefix: int, most: int) -> int:
        """The number in the line at `p`, and step over it; -1 when it isn't whole."""
        s: cython.p_const_char = self._buf
        if p >= n:
            return -1
        if s[p] != prefix:
            raise AofFormatError("Expected prefix '%c', got: '%c'" % (prefix, self._buf[p]), self._base + p)
        q = p + 1
        v = 0
        c = 0
        while q < n:
            c = s[q] - 48
            if c < 0 or c > 9 or q - p > HEADER_MAX - 4:
                break
            v = v * 10 + c
            if v > most:
                raise AofFormatError(f"Expected a number up to {most}, got: {v}…", self._base + p)
            q += 1
        if q >= n or (s[q] == 13 and q + 1 >= n):
            return -1
        if q == p + 1 or s[q] != 13 or s[q + 1] != 10:
            raise self._no_line_end(p, q)
        if prefix == 42 and v == 0:
            raise AofFormatError("Expected a command, got an array of nothing", self._base + p)
        self._pos = q + 2
        self.lines += 1
        return v

    def _whole(self, args: list[bytes]) -> None:
        """A command is whole: remember how far the file is good."""
        name = args[0]
        if len(name) == 5 and name.upper() == b"MULTI":
            if self.multi_at < 0:
                self.multi_at = self._start
        elif self.multi_at >= 0 and len(name) == 4 and name.upper() == b"EXEC":
            self.multi_at = -1
        if self.multi_at < 0:
            self.valid_up_to = self._base + self._pos

    def _annotation(self, p: int) -> bool:
        """Step over the annotation at `p`; False when it isn't whole."""
        if self._buf[p] != 35:
            raise AofFormatError(NOT_A_COMMAND + _shown(self._buf[p : p + 1]), self._base + p)
        end = self._buf.find(b"\n", p, p + ANNOTATION_MAX)
        if end < 0:
            if len(self._buf) - p >= ANNOTATION_MAX:
                raise AofFormatError(f"Annotation longer than {ANNOTATION_MAX} bytes", self._base + p)
            return False
        text = self._buf[p:end].removesuffix(b"\r")
        self.annotations.append(Annotation(self._base + p, self._base + end + 1, text))
        self._pos = end + 1
        if self.multi_at < 0:
            self.valid_up_to = self._base + self._pos
        return True

    def _no_line_end(self, start: int, at: int) -> AofFormatError:
        return AofFormatError(_expected_line_end(self._buf[at : at + 2]), self._base + start)

    def _unread(self) -> bytes:
        """What has come of the line or argument being read."""
        return bytes(self._pieces) if self._pieces is not None else self._buf[self._pos :]

    def _missing(self, rest: bytes) -> str:
        if self._bulk_len >= 0:
            return f"Expected to read {self._bulk_len + 2} bytes, got {len(rest)} bytes"
        if rest[:1] == b"#":
            return "Annotation without an end"
        if rest:
            return _expected_line_end(rest[1:].lstrip(b"0123456789"))
        return NO_EXEC if self.multi_at >= 0 else "Reached EOF inside a command"


def timestamp(annotation: bytes) -> int | None:
    """The unix time, seconds, of a ``#TS:`` annotation; None for any other.

    Raises:
        ValueError: it is one, and holds no number.
    """
    if not annotation.startswith(TS):
        return None
    digits = annotation[len(TS) :]
    if not digits.isdigit() or len(digits) > 18:
        raise ValueError("Invalid timestamp annotation")
    return int(digits)


def _expected_line_end(got: bytes) -> str:
    return "Expected \\r\\n, got: " + got.ljust(2, b"\0")[:2].hex()


def _shown(raw: bytes) -> str:
    return repr(raw)[1:]
