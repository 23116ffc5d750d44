"""Whether the commands of an append-only file are whole, and up to where.

The verdicts and their texts are redis-check-aof's.  Where it looks less closely than a server that loads the file,
this is stricter: an empty command, a length that isn't plain digits, an annotation without an end are errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from persistence.aof.records import NO_EXEC, NOT_A_COMMAND, Annotation, AofFormatError, Record, RecordDecoder, timestamp

RDB_MAGIC = b"REDIS"
RDB_HEADER_BYTES = 8
MAX_BULK = 2**32
"""Longest argument believed, bytes: eight times what a server takes unless it is told otherwise."""
HEAD_BYTES = 64 * 1024
"""So much of a file tells what it is."""


@dataclass(slots=True)
class Verdict:
    """What was found in one file."""

    valid_up_to: int
    """Offset behind the last command that may be kept."""
    lines: int
    """Lines of commands read."""
    error: str = ""
    error_offset: int = -1
    foreign: bool = False
    """What stands at the error doesn't even begin as a command does."""
    late_at: int = -1
    """Offset of the first annotation later than the time asked for; -1 = there is none."""


class _Stop(Exception):
    """Nothing behind this matters."""


class _Check:
    """The check of one file; see `check_commands`."""

    def __init__(self, base: int, until_s: int, name: str) -> None:
        self.decoder = RecordDecoder(base, MAX_BULK)
        self.until_s = until_s
        self.name = name
        self.verdict = Verdict(base, 0)
        self.multi = False
        self.end = base  # behind the last command or annotation
        self.read_at = base  # where the last argument or annotation begins

    def run(self, pieces: Iterable[bytes]) -> Verdict:
        try:
            for piece in pieces:
                self.feed(piece)
        except _Stop:
            return self.verdict
        except AofFormatError as failure:
            self.failed(failure.reason, failure.offset)
            self.verdict.foreign = failure.reason.startswith(NOT_A_COMMAND)
        else:
            if (cut := self.decoder.truncation) is not None:
                at_end = cut.offset == self.end and cut.reason == NO_EXEC
                self.failed(cut.reason, self.read_at if at_end else cut.offset)
        self.verdict.lines = self.decoder.lines
        return self.verdict

    def feed(self, piece: bytes) -> None:
        try:
            records = self.decoder.feed(piece)
        except AofFormatError:
            self.see(self.decoder.salvaged, self.decoder.annotations)
            raise
        self.see(records, self.decoder.annotations)

    def see(self, records: list[Record], annotations: list[Annotation]) -> None:
        """Look at what came, in the order of the file."""
        noted = 0
        for args, end in records:
            while noted < len(annotations) and annotations[noted].start < end:
                self.annotation(annotations[noted])
                noted += 1
            self.command(args, end)
        for annotation in annotations[noted:]:
            self.annotation(annotation)

    def annotation(self, annotation: Annotation) -> None:
        if self.until_s:
            seconds = timestamp(annotation.text)
            if seconds is not None and seconds > self.until_s:
                self.verdict.late_at = self.verdict.valid_up_to
                raise _Stop
        self.read_at = annotation.start
        self.end = annotation.end
        if not self.multi:
            self.verdict.valid_up_to = self.end

    def command(self, args: list[bytes], end: int) -> None:
        name = args[0].upper()
        if name in (b"MULTI", b"EXEC"):
            if self.multi == (name == b"MULTI"):
                at = self.end + len(b"*%d\r\n$%d\r\n" % (len(args), len(name)))
                self.failed(f"Unexpected {name.decode()} in AOF {self.name}", at)
                self.verdict.lines += 3
                raise _Stop
            self.multi = not self.multi
        self.verdict.lines += 1 + 2 * len(args)
        self.end = end
        self.read_at = end - 2 - len(args[-1])
        if not self.multi:
            self.verdict.valid_up_to = end

    def failed(self, reason: str, offset: int) -> None:
        self.verdict.error, self.verdict.error_offset = reason, offset


def check_commands(pieces: Iterable[bytes], base: int = 0, until_s: int = 0, name: str = "") -> Verdict:
    """Check the commands in `pieces`, which begin at offset `base` of the file called `name`.

    With `until_s`, a unix time, looking ends at the first annotation that is later.

    Raises:
        ValueError: an annotation that ought to hold a time doesn't, and times matter.
    """
    return _Check(base, until_s, name).run(pieces)


def is_rdb(head: bytes) -> bool:
    """Whether a file that begins with `head` begins with a snapshot."""
    return len(head) >= RDB_HEADER_BYTES and head.startswith(RDB_MAGIC)


def is_manifest(head: bytes) -> bool:
    """Whether a file that begins with `head` is meant to be a manifest: valid or not, a line of it names a file."""
    lines = [line for line in head.split(b"\n") if line and not line.startswith(b"#")]
    return bool(lines) and not lines[0].startswith((b"*", RDB_MAGIC)) and any(x.startswith(b"file") for x in lines)
