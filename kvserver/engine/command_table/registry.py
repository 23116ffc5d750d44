"""The command table: the catalogue's facts joined with the functions that run them.

Registration is explicit: a group exports HANDLERS, whoever composes a server hands the groups it wants to
`build_rows`.  What has no handler isn't in the table, so it is an unknown command.
"""

from __future__ import annotations

from kvserver.engine.command_table.catalog import LATER_ARITY, MAY_REPLICATE, CommandFacts, load
from kvserver.engine.command_table.row import TELLS_DISK, Handler, Row, flag_bits
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError


def build_rows(handlers: dict[str, Handler]) -> dict[bytes, Row]:
    """Return upper-case name -> row for all handlers; subcommands hang below their container's row."""
    facts = load()
    rows: dict[bytes, Row] = {}
    for name, handler in handlers.items():
        if "|" not in name:
            rows[name.encode()] = _row(name, handler, facts[name])
    for name, handler in handlers.items():
        container, _, sub = name.partition("|")
        if sub:
            parent = rows.get(container.encode())
            if parent is None:
                parent = rows[container.encode()] = _row(container, _no_subcommand, facts[container])
            if parent.subs is None:
                parent.subs = {}
            parent.subs[sub.encode()] = _row(name, handler, facts[name])
    return rows


def _row(name: str, handler: Handler, facts: CommandFacts) -> Row:
    flags = facts.flags | {"may_replicate"} if name in MAY_REPLICATE else facts.flags
    bits = flag_bits(flags) | (TELLS_DISK if name == "PING" else 0)
    return Row(name.lower(), handler, LATER_ARITY.get(name, facts.arity), bits, facts)


def _no_subcommand(c: Session, a: list[bytes]) -> bytes:
    """A container without its subcommand; its arity lets this happen to none but COMMAND."""
    raise CommandError("ERR syntax error")
