"""The manifest of a multi-part append-only file: which files hold the data, in which order.

Since Redis 7.0 the append-only file is a folder.  A BASE file holds the data set as it was when the last rewrite
began, INCR files hold the commands since, HISTORY files are those that a rewrite has replaced and that wait to be
deleted.  The manifest names them, one a line, ``file <name> seq <number> type <b|h|i>``, and replacing it, by a
rename, is what makes a rewrite count.  Format and rules: Redis 7.0's `aof.c`, "AOF Manifest file implementation".

A `Manifest` is a value: its operations return a new one, to be written before it is acted upon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kvserver.config.quoting import decode, encode, quote_bytes
from kvserver.wire.quoting import split_args

LINE_MAX = 1024
"""Longest line, bytes, its end included (Redis's MANIFEST_MAX_LINE)."""

BASE, HISTORY, INCR = "b", "h", "i"

EMPTY_FILE = "Found an empty AOF manifest"
TOO_LONG = "The AOF manifest file contains too long line"
BAD_FORMAT = "Invalid AOF manifest file format"
NOT_A_NAME = "File can't be a path, just a filename"
SECOND_BASE = "Found duplicate base file information"
NOT_MONOTONIC = "Found a non-monotonic sequence number"
BAD_TYPE = "Unknown AOF file type"

_SEQ_MAX = 2**63 - 1
_NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_NEEDS_QUOTES = re.compile(rb"[^!-~]|[\"'\\]")


class ManifestError(ValueError):
    """A manifest that isn't valid; `reason` is Redis's text, `number` and `line` say where when that is known."""

    def __init__(self, reason: str, number: int = 0, line: str | None = None) -> None:
        super().__init__(reason if line is None else f"{reason} (line {number}: '{line}')")
        self.reason = reason
        self.number = number
        self.line = line

    def report(self) -> list[str]:
        """The lines that Redis writes to its log."""
        where = [f"Reading the manifest file, at line {self.number}", f">>> '{self.line}'"]
        return ["*** FATAL AOF MANIFEST FILE ERROR ***", *(where if self.line is not None else []), self.reason]


@dataclass(frozen=True, slots=True)
class AofFile:
    """One file: its name in the folder (text as in `kvserver.config.quoting`), its number, b, h or i."""

    name: str
    seq: int
    kind: str

    def encode(self) -> bytes:
        """The line of this file, with its end."""
        name = encode(self.name)
        # Redis leaves a single quote bare, and can't read its own line then.
        shown = quote_bytes(name) if _NEEDS_QUOTES.search(name) else name
        return b"file %b seq %d type %b\n" % (shown, self.seq, self.kind.encode())


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one append-only file. Base and increments, in this order, are the data.

    `base_seq` and `incr_seq` are the highest numbers given so far. Names are never given twice while a file of
    that name is listed, whatever the numbers say.
    """

    base: AofFile | None = None
    history: tuple[AofFile, ...] = ()
    incr: tuple[AofFile, ...] = ()
    base_seq: int = 0
    incr_seq: int = 0

    @property
    def files(self) -> tuple[AofFile, ...]:
        """The files that hold the data, in the order of loading."""
        return (*(() if self.base is None else (self.base,)), *self.incr)

    @property
    def names(self) -> frozenset[str]:
        """The names of all files, history too."""
        return frozenset(file.name for file in (*self.files, *self.history))

    def encode(self) -> bytes:
        """The content of the manifest file."""
        base = () if self.base is None else (self.base,)
        return b"".join(file.encode() for file in (*base, *self.history, *self.incr))

    def with_new_base(self, appendfilename: str, rdb_preamble: bool) -> Manifest:
        """A new base file; the one before it becomes history."""
        seq = self.base_seq + 1
        while (name := base_name(appendfilename, seq, rdb_preamble)) in self.names:
            seq += 1
        before = () if self.base is None else (replace(self.base, kind=HISTORY),)
        return replace(self, base=AofFile(name, seq, BASE), base_seq=seq, history=(*before, *self.history))

    def with_new_incr(self, appendfilename: str) -> Manifest:
        """A new increment behind the others."""
        seq = self.incr_seq + 1
        while (name := incr_name(appendfilename, seq)) in self.names:
            seq += 1
        return replace(self, incr=(*self.incr, AofFile(name, seq, INCR)), incr_seq=seq)

    def with_incr_as_history(self, keep_last: bool) -> Manifest:
        """The increments become history, all but the last when it is `keep_last`: it is being written to."""
        kept = self.incr[-1:] if keep_last else ()
        gone = self.incr[: len(self.incr) - len(kept)]
        return replace(self, incr=kept, history=(*(replace(file, kind=HISTORY) for file in gone), *self.history))

    def without_last(self, count: int) -> Manifest:
        """Without so many of the last increments."""
        return replace(self, incr=self.incr[: len(self.incr) - count])

    def without_history(self) -> Manifest:
        """What is left when the files of history are deleted."""
        return replace(self, history=())


def upgraded(appendfilename: str) -> Manifest:
    """The manifest that takes in the single file of a Redis before 7.0, as base under its own name."""
    return Manifest(base=AofFile(appendfilename, 1, BASE), base_seq=1)


def base_name(appendfilename: str, seq: int, rdb_preamble: bool) -> str:
    """Name of a base file: a snapshot (`rdb_preamble`), or commands."""
    return f"{appendfilename}.{seq}.base.{'rdb' if rdb_preamble else 'aof'}"


def incr_name(appendfilename: str, seq: int) -> str:
    """Name of an increment."""
    return f"{appendfilename}.{seq}.incr.aof"


def manifest_name(appendfilename: str) -> str:
    """Name of the manifest."""
    return f"{appendfilename}.manifest"


def temp_manifest_name(appendfilename: str) -> str:
    """Name under which a new manifest is written, before it is renamed."""
    return f"temp-{appendfilename}.manifest"


def temp_incr_name(appendfilename: str) -> str:
    """Name of the increment written while the first rewrite, after the log was switched on, isn't done."""
    return f"temp-{appendfilename}.incr"


def temp_rewrite_name(pid: int) -> str:
    """Name, in the server's folder, of the base file that a rewrite writes."""
    return f"temp-rewriteaof-bg-{pid}.aof"


def parse(data: bytes) -> Manifest:
    """Read a manifest file.

    Comments begin with "#"; keys other than file, seq and type are passed over, for the sake of later versions.

    Raises:
        ManifestError: with Redis's text for what is wrong.
    """
    reading = _Reading()
    number = 0
    start = 0
    while start < len(data):
        end = min(data.find(b"\n", start) + 1 or len(data), start + LINE_MAX)
        raw = data[start:end]
        start = end
        number += 1
        if raw[:1] == b"#":
            continue
        if not raw.endswith(b"\n") or b"\0" in raw:
            raise ManifestError(TOO_LONG, number)
        line = raw.strip(b" \t\r\n")
        try:
            reading.add(_parse_line(line))
        except ManifestError as error:
            raise ManifestError(error.reason, number, decode(line)) from None
    if not number:
        raise ManifestError(EMPTY_FILE)
    return reading.manifest()


def _parse_line(line: bytes) -> AofFile:
    """One line, without blanks at its ends; of a key that comes twice the last counts."""
    words = split_args(line)
    if words is None or len(words) < 6 or len(words) % 2:
        raise ManifestError(BAD_FORMAT)
    name = kind = b""
    seq = 0
    for key, value in zip(words[::2], words[1::2], strict=True):
        match key.lower():
            case b"file":
                name = value.partition(b"\0")[0]
                if b"/" in name or b"\\" in name:
                    raise ManifestError(NOT_A_NAME)
            case b"seq":
                found = _NUMBER.match(value)
                seq = max(-_SEQ_MAX, min(_SEQ_MAX, int(found[1]))) if found else 0
            case b"type":
                kind = value[:1].rstrip(b"\0")
    if not (name and seq and kind):
        raise ManifestError(BAD_FORMAT)
    return AofFile(decode(name), seq, decode(kind))


class _Reading:
    """A manifest as its lines come."""

    def __init__(self) -> None:
        self.base: AofFile | None = None
        self.history: list[AofFile] = []
        self.incr: list[AofFile] = []
        self.incr_seq = 0

    def add(self, file: AofFile) -> None:
        """Take one file in, if it may stand where it does."""
        if file.kind == BASE:
            if self.base is not None:
                raise ManifestError(SECOND_BASE)
            self.base = file
        elif file.kind == HISTORY:
            self.history.append(file)
        elif file.kind == INCR:
            if file.seq <= self.incr_seq:
                raise ManifestError(NOT_MONOTONIC)
            self.incr.append(file)
            self.incr_seq = file.seq
        else:
            raise ManifestError(BAD_TYPE)

    def manifest(self) -> Manifest:
        """What was read."""
        seq = self.base.seq if self.base is not None else 0
        return Manifest(self.base, tuple(self.history), tuple(self.incr), seq, self.incr_seq)
