"""The commands of Redis Cluster, which answer as on a server that is no node of one.

CLUSTER's subcommands, ASKING, READONLY and READWRITE are known, with their rows and arities, and refuse.
"""

from __future__ import annotations

from kvserver.engine.command_table.catalog import load
from kvserver.engine.command_table.row import Handler
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError

DISABLED = "ERR This instance has cluster support disabled"


def disabled(c: Session, a: list[bytes]) -> bytes:
    """Refuse."""
    raise CommandError(DISABLED)


HANDLERS: dict[str, Handler] = dict.fromkeys(
    ["ASKING", "READONLY", "READWRITE", *(name for name in load() if name.startswith("CLUSTER|"))], disabled
)
