"""Finding a command by the name a client spelled, and saying that there is none."""

from __future__ import annotations

from kvserver.engine.command_table.row import Row
from kvserver.wire.resp import error

SHOWN_MAX = 128
"""Bytes of a client's words that an error repeats."""


def resolve(rows: dict[bytes, Row], args: list[bytes]) -> Row | None:
    """Find the row of a command in any spelling, or of a subcommand."""
    row = rows.get(args[0])
    if row is None:
        row = rows.get(args[0].upper())
    if row is not None and row.subs is not None and len(args) > 1:
        return row.subs.get(args[1].upper())
    return row


def is_http(name: bytes) -> bool:
    """Whether a "command" is part of an HTTP request: its body could hold commands of a malicious web page."""
    return name.upper() in (b"POST", b"HOST:")


def unknown(rows: dict[bytes, Row], args: list[bytes]) -> bytes:
    """The reply to a name that is no command."""
    row = rows.get(args[0].upper())
    if row is not None and len(args) > 1:
        name = row.name.upper()
        sub = args[1][:SHOWN_MAX].decode("latin-1")
        return error(f"ERR unknown subcommand '{sub}'. Try {name} HELP.".encode("latin-1"))
    shown = b""
    for arg in args[1:]:
        if len(shown) >= SHOWN_MAX:
            break
        shown += b"'%b' " % arg[: SHOWN_MAX - len(shown)]
    return error(b"ERR unknown command '%b', with args beginning with: %b" % (args[0][:SHOWN_MAX], shown))
