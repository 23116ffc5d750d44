"""At which offset of the log an append-only file stands: counted while a log that is kept whole is loaded. Pure.

Theory of operation.  A file that keeps the log whole (`CommandLog.whole`) says where it stands, in an annotation
``#OFFSET:<offset>`` whenever it is opened, which other servers pass over; the snapshot that it continues says it too
(`repl-offset`).  From there on each byte of a command is a byte of the log, and no byte of an annotation is.

When the power goes, a file may lose its end though the next one has been begun: that one then begins beyond the place
where the log ends, and nothing in it follows on what was loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from persistence.aof.records import Annotation, Record

MARK = b"#OFFSET:"
DIGITS_MAX = 19


class Gap(ValueError):
    """A file begins beyond the end of the one before it."""


def encode_position(offset: int) -> bytes:
    """The annotation that says that the log stands at `offset` here."""
    return MARK + b"%d\r\n" % offset


class Position:
    """Counts through one file after another. `offset` is None until something has said where the log stands.

    `whole`: the log is kept whole, since a file has said where it stands.

    `notes` are the PINGs with a text that were met: arguments, the offsets of the first and the last byte.
    """

    def __init__(self) -> None:
        self.offset: int | None = None
        self.whole = False
        self.notes: list[tuple[list[bytes], int, int]] = []
        self._at = 0  # where in the file `offset` is
        self._last = 0  # up to where the file was read
        self._records = 0  # so many commands of it were read
        self._head = 0  # bytes of the SELECT with which it begins, which isn't of the log; 0 behind other commands

    def begin(self, at: int = 0, offset: int | None = None) -> None:
        """A file's commands begin at byte `at` of it; `offset`: a snapshot before them says so."""
        self._at = self._last = at
        self._records = self._head = 0
        if offset is not None:
            self.offset = offset

    def read(self, records: Sequence[Record], annotations: Sequence[Annotation]) -> None:
        """Take what was read of the file, in the order in which it stands there.

        Raises:
            Gap: nothing of this file follows on what was read before it.
        """
        left = list(annotations)
        for args, end in records:
            while left and left[0].end <= end:
                self._pass(left.pop(0))
            self._head = end - self._last if not self._records and args[0].upper() == b"SELECT" else 0
            self._records += 1
            if len(args) == 2 and self.offset is not None and args[0].upper() == b"PING":
                self.notes.append((args, self._behind(self._last) + 1, self._behind(end)))
            self._last = end
        for annotation in left:
            self._pass(annotation)

    def _pass(self, annotation: Annotation) -> None:
        text = annotation.text
        if text.startswith(MARK) and text[len(MARK) :].isdigit() and len(text) <= len(MARK) + DIGITS_MAX:
            said = int(text[len(MARK) :])
            if self._records < 2 and self.offset is not None and said > self._behind(annotation.start) - self._head:
                raise Gap
            self.offset, self._at = said, annotation.end
            self.whole = True
        else:
            self._at += annotation.end - annotation.start
        self._last = annotation.end

    def end(self, at: int) -> None:
        """The file is good up to byte `at`: the log stands behind that."""
        if self.offset is not None:
            self.offset = self._behind(at)
        self._at = 0

    def _behind(self, at: int) -> int:
        assert self.offset is not None
        return self.offset + at - self._at
