"""What becomes of a request that doesn't run: counted, said in Redis's words, and what it means for a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvserver.client.reasons import Reason
from kvserver.engine.command_table import naming
from kvserver.engine.command_table.row import Row
from kvserver.engine.run import watching
from kvserver.engine.run.session import Session

if TYPE_CHECKING:
    from kvserver.engine.run.executor import Engine


def unfound(engine: Engine, c: Session, args: list[bytes]) -> bytes | None:
    """Refuse an unknown command or a wrong number of arguments; None when the connection is ended without a word."""
    row = naming.resolve(engine.rows, args)
    if row is None and naming.is_http(args[0]):
        # A web page tries to reach us over its visitor's browser; Redis ends such a connection, too.
        c.end(Reason.HTTP_ATTACK)
        return None
    reply = naming.refusal(engine.rows, args)
    if row is not None:
        row.rejected += 1
        if row.name == "exec":
            reply = watching.abort(c, b"-" + reply.removeprefix(b"-ERR "))
    engine.count_error(reply)
    if c.queue is not None:
        c.queue_broken = True
    return reply


def answered(engine: Engine, c: Session, row: Row, reply: bytes) -> bytes:
    """A gate has answered in the request's place: count it if it refuses, which breaks a transaction."""
    if reply[0] == 45:
        row.rejected += 1
        if row.name == "exec" and c.queue is not None:
            reply = watching.abort(c, reply)
        c.queue_broken = True
        engine.count_error(reply)
    return reply
