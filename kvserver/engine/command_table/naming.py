"""From a request to its row: the one place that knows spellings, subcommands and numbers of arguments.

`find` answers everybody who is about to run a request: clients, transactions, scripts, the primary's stream, the
append-only file. When it finds nothing, `resolve` tells a wrong number of arguments from an unknown name, and
`refusal` has the words for a client.
"""

from __future__ import annotations

from kvserver.engine.command_table.row import Row
from kvserver.errors import wrong_arity
from kvserver.wire.resp import error

SHOWN_MAX = 128
"""Bytes of a client's words that an error repeats."""


def find(rows: dict[bytes, Row], args: list[bytes]) -> Row | None:
    """Find the row of a request that has a right number of arguments; None when there is none."""
    row = rows.get(args[0])
    if row is None or row.subs is not None:
        row = resolve(rows, args)
        if row is None:
            return None
    n = len(args)
    return row if row.least <= n <= row.most else None


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


def refusal(rows: dict[bytes, Row], args: list[bytes]) -> bytes:
    """The reply to a request for which `find` found nothing."""
    row = resolve(rows, args)
    return unknown(rows, args) if row is None else error(wrong_arity(row.name).text)
