"""SLOWLOG: the requests that took longer than slowlog-log-slower-than."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from kvserver.admin.context import admin_of
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_range
from kvserver.wire.resp import OK, array, array_header, bulk, bulks, integer, simple

MAX_ARGUMENTS = 32
MAX_ARGUMENT_BYTES = 128
DEFAULT_COUNT = 10

HELP = (
    "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET [<count>]",
    "    Reply the latest entries, 10 unless <count> says otherwise; -1 is all of them. An entry is",
    "    its number, Unix time, duration in microseconds, arguments, client address and client name.",
    "LEN",
    "    Reply the number of entries.",
    "RESET",
    "    Empty the log.",
    "HELP",
    "    Print this help.",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One slow request; long argument lists and arguments are cut, with a note of what is missing."""

    number: int
    time_s: int
    duration_us: int
    args: list[bytes]
    address: str
    client_name: bytes


class SlowLog:
    """The entries, newest first, at most `max_len`."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._next_number = 0

    def add(
        self, args: Sequence[bytes], duration_us: int, now_s: int, address: str, client_name: bytes, max_len: int
    ) -> None:
        """Log a request, whose secrets the caller has taken out already."""
        entry = Entry(self._next_number, now_s, duration_us, shorten(args), address, client_name)
        self._next_number += 1
        self._entries.appendleft(entry)
        self.trim(max_len)

    def trim(self, max_len: int) -> None:
        """Drop the oldest entries beyond `max_len`."""
        while len(self._entries) > max_len:
            self._entries.pop()

    def latest(self, count: int) -> list[Entry]:
        """The newest entries; -1 is all."""
        return list(self._entries if count < 0 else islice(self._entries, count))

    def clear(self) -> None:
        """Forget the entries; numbers go on."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def shorten(args: Sequence[bytes]) -> list[bytes]:
    """At most 32 arguments of at most 128 bytes."""
    kept = [
        arg
        if len(arg) <= MAX_ARGUMENT_BYTES
        else arg[:MAX_ARGUMENT_BYTES] + b"... (%d more bytes)" % (len(arg) - MAX_ARGUMENT_BYTES)
        for arg in args[:MAX_ARGUMENTS]
    ]
    if len(args) > MAX_ARGUMENTS:
        kept[-1] = b"... (%d more arguments)" % (len(args) - MAX_ARGUMENTS + 1)
    return kept


def get(c: Session, a: list[bytes]) -> bytes:
    """SLOWLOG GET [count]."""
    if len(a) > 3:
        raise CommandError(SYNTAX)
    text = "ERR count should be greater than or equal to -1"
    count = parse_range(a[2], -1, 2**63 - 1, text) if len(a) == 3 else DEFAULT_COUNT
    return array([_encode(entry) for entry in admin_of(c).slowlog.latest(count)])


def _encode(entry: Entry) -> bytes:
    columns = [integer(entry.number), integer(entry.time_s), integer(entry.duration_us), bulks(entry.args)]
    return array_header(6) + b"".join(
        [*columns, bulk(entry.address.encode("utf-8", "surrogateescape")), bulk(entry.client_name)]
    )


def length(c: Session, a: list[bytes]) -> bytes:
    """SLOWLOG LEN."""
    return integer(len(admin_of(c).slowlog))


def reset(c: Session, a: list[bytes]) -> bytes:
    """SLOWLOG RESET."""
    admin_of(c).slowlog.clear()
    return OK


def help_(c: Session, a: list[bytes]) -> bytes:
    """SLOWLOG HELP."""
    return array([simple(line) for line in HELP])


HANDLERS = {
    "SLOWLOG|GET": get,
    "SLOWLOG|LEN": length,
    "SLOWLOG|RESET": reset,
    "SLOWLOG|HELP": help_,
}
