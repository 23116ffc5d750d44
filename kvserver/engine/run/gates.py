"""The gates of the data node itself, in the order in which Redis asks them (processCommand).

A gate gets (engine, session, row, args) and returns `PASS`, an error reply, another reply that ends the request
(QUEUED), or None when the reply comes later.  Other packages plug theirs in between, by order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvserver.engine.command_table.row import LOADING, NO_AUTH, NO_MULTI, NOT_LOADING, Row
from kvserver.engine.run.session import (
    ATT_INTERNAL,
    ATT_MULTI,
    ATT_SUBSCRIBED,
    ATT_UNAUTHENTICATED,
    Session,
)
from kvserver.wire.resp import QUEUED, error

if TYPE_CHECKING:
    from kvserver.engine.run.executor import Engine

PASS = b""

ORDER_MONITOR = 5
ORDER_AUTH = 10
ORDER_NO_MULTI = 15
ORDER_ACL = 20
ORDER_EXEC = 25
ORDER_MEMORY = 30
ORDER_TRACKING = 35
ORDER_DISK = 40
ORDER_REPLICAS = 50
ORDER_READONLY = 60
ORDER_PUBSUB = 70
ORDER_STALE = 80
ORDER_LOADING = 90
ORDER_BUSY = 100
ORDER_MULTI = 110
ORDER_PAUSE = 120

NOAUTH = error("NOAUTH Authentication required.")
LOADING_REPLY = error("LOADING Redis is loading the dataset in memory")
_PASS_MULTI = frozenset(("exec", "discard", "multi", "watch", "quit", "reset"))
_ASKED_BY_EXEC = frozenset((ORDER_MEMORY, ORDER_DISK, ORDER_REPLICAS, ORDER_READONLY, ORDER_STALE, ORDER_LOADING))
"""The gates that look at the server's state, which may have changed since a request was queued."""
_WHILE_SUBSCRIBED = frozenset(
    ("ping", "subscribe", "ssubscribe", "psubscribe", "unsubscribe", "sunsubscribe", "punsubscribe", "quit", "reset")
)


def auth(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """A client that must authenticate may do nothing else."""
    if c.attention & ATT_UNAUTHENTICATED and not row.flags & NO_AUTH:
        return NOAUTH
    return PASS


def no_multi(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """Some commands make no sense inside a transaction."""
    if c.attention & ATT_MULTI and row.flags & NO_MULTI:
        return error("ERR Command not allowed inside a transaction")
    return PASS


def queued(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """EXEC is refused for what one of the queued requests would be refused for by now."""
    if row.name != "exec" or not c.queue:
        return PASS
    suspects = [entry for entry in c.queue if entry[0].flags & engine.deny]
    for order, _, gate in engine.gates if suspects else ():
        if order in _ASKED_BY_EXEC:
            for queued_row, queued_args in suspects:
                reply = gate(engine, c, queued_row, queued_args)
                if reply:
                    return reply
    return PASS


def pubsub(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """With RESP2 a subscriber's replies could not be told from messages, so it may send little else."""
    if c.attention & ATT_SUBSCRIBED and c.resp == 2 and row.name not in _WHILE_SUBSCRIBED:
        return error(
            f"ERR Can't execute '{row.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
            "are allowed in this context"
        )
    return PASS


def loading(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """While the data set is being loaded only commands that don't need it are served."""
    if is_loading(engine) and not row.flags & LOADING and not c.attention & ATT_INTERNAL:
        return LOADING_REPLY
    return PASS


def multi(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """Inside MULTI requests are queued, not run."""
    if c.queue is None or row.name in _PASS_MULTI:
        return PASS
    c.queue.append((row, args))
    return QUEUED


def install(engine: Engine) -> None:
    """Plug these gates into an engine."""
    engine.add_gate(ORDER_AUTH, "auth", auth)
    engine.add_gate(ORDER_NO_MULTI, "no-multi", no_multi)
    engine.add_gate(ORDER_EXEC, "exec", queued)
    engine.add_gate(ORDER_PUBSUB, "pubsub", pubsub)
    engine.add_gate(ORDER_LOADING, "loading", loading)
    engine.add_gate(ORDER_MULTI, "multi", multi)


def set_loading(engine: Engine, on: bool) -> None:
    """Begin or end the time in which the data set is being loaded."""
    engine.forbid("loading", NOT_LOADING if on else 0)


def set_starting(engine: Engine, on: bool) -> None:
    """Begin or end the time from listening to the moment at which all that a node starts with is there."""
    engine.forbid("starting", NOT_LOADING if on else 0)


def is_loading(engine: Engine) -> bool:
    """Whether the data set isn't there yet, or is being replaced."""
    return bool(engine.deny_masks.get("loading") or engine.deny_masks.get("starting"))
