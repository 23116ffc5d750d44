"""The sentinel's command table: what it shares with every server, and SENTINEL, which the catalogue lacks."""

from __future__ import annotations

from kvserver.engine.command_table import catalog
from kvserver.engine.command_table.catalog import CommandFacts
from kvserver.engine.command_table.row import Handler, Row, flag_bits
from kvserver.engine.commands.connection import connection, pubsub
from kvserver.engine.commands.server import command
from replication.sentinel.commands import process, steer, watch

SHARED = frozenset(("ACL", "AUTH", "CLIENT", "COMMAND", "HELLO", "PING", "PSUBSCRIBE", "PUNSUBSCRIBE",
                    "SUBSCRIBE", "UNSUBSCRIBE"))
"""Commands (with their subcommands) that are the same as those of a data node."""

OWN: dict[str, Handler] = {**watch.HANDLERS, **steer.HANDLERS}
SERVED: dict[str, Handler] = {**process.HANDLERS}

# Arity of each subcommand as COMMAND INFO tells it; negative: at least.
_ARITY = {
    "CKQUORUM": 3, "CONFIG": -3, "DEBUG": -2, "FAILOVER": -3, "FLUSHCONFIG": 2, "GET-MASTER-ADDR-BY-NAME": 3,
    "HELP": 2, "INFO-CACHE": -3, "IS-MASTER-DOWN-BY-ADDR": 6, "MASTER": 3, "MASTERS": 2, "MONITOR": 6,
    "MYID": 2, "PENDING-SCRIPTS": 2, "REMOVE": 3, "REPLICAS": 3, "RESET": 3, "SENTINELS": 3, "SET": -5,
    "SIMULATE-FAILURE": -3, "SLAVES": 3,
}


def _facts(name: str, arity: int, subcommands: tuple[str, ...] = ()) -> CommandFacts:
    admin = name == "SENTINEL" or not name.endswith("|HELP")
    flags = frozenset(("admin",)) if admin else frozenset(("loading", "stale"))
    categories = frozenset(("admin", "slow", "dangerous") if admin else ("slow",))
    return CommandFacts(name, arity, flags, categories, 0, 0, 0, (), (), subcommands)


def shared_handlers() -> dict[str, Handler]:
    """The commands about connections, subscriptions and commands, which a sentinel has from a data node."""
    return {**connection.HANDLERS, **pubsub.HANDLERS, **command.HANDLERS}


def keep_shared(handlers: dict[str, Handler]) -> None:
    """Take out of a data node's handlers what Redis 7.0's sentinel lacks; put in its own of the same names."""
    for name in list(handlers):
        if name.partition("|")[0] not in SHARED or name in catalog.later():
            del handlers[name]
    handlers.update(SERVED)


def served_facts() -> list[CommandFacts]:
    """All that a sentinel serves, for rules that speak of commands."""
    row = sentinel_rows()[b"SENTINEL"]
    shared = [facts for name, facts in catalog.load().items()
              if name.partition("|")[0] in SHARED | SERVED.keys() and name not in catalog.later()]
    return [*shared, *(each.facts for each in (row, *(row.subs or {}).values()))]


def sentinel_rows() -> dict[bytes, Row]:
    """The row of SENTINEL, its subcommands below it."""
    container = _facts("SENTINEL", -2, tuple(sorted(OWN)))
    row = Row("sentinel", _bare, container.arity, flag_bits(container.flags), container)
    row.subs = {}
    for name, handler in OWN.items():
        sub = name.partition("|")[2]
        facts = _facts(name, _ARITY[sub])
        row.subs[sub.encode()] = Row(name.lower(), handler, facts.arity, flag_bits(facts.flags), facts)
    return {b"SENTINEL": row, b"sentinel": row}


def _bare(c: object, a: list[bytes]) -> bytes:
    raise AssertionError("the arity of SENTINEL asks for a subcommand")
