"""What clients may cost: functions that judge a `Connection` of the server by its limits, and end it."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from kvserver.engine.session import ATT_UNAUTHENTICATED, Session
from kvserver.sockets import hung_up, is_local

if TYPE_CHECKING:
    from kvserver.server import Connection, Server

ARGUMENT_COST = 48
"""Counted on top of each argument's bytes while a request is unfinished: what the object itself takes."""

UNAUTHENTICATED_BYTES = 1024
"""Unsent replies that a client may have which hasn't authenticated."""


def refusal(server: Server, peer: Any) -> str:
    """Why a new client isn't let in, "" = it is."""
    if len(server.connections) >= server.limits.maxclients:
        return "ERR max number of clients reached"
    if server.limits.protected_mode and isinstance(peer, tuple) and not is_local(peer[0]):
        return (
            "DENIED Redis is running in protected mode because protected mode is enabled and no password is "
            "set for the default user. In this mode connections are only accepted from the loopback "
            "interface. To connect from elsewhere set a password, bind explicitly, or disable protected-mode."
        )
    return ""


def _output_class(c: Session) -> str:
    """The class of client-output-buffer-limit that a session belongs to."""
    if c.kind == "replica":
        return "replica"
    return "pubsub" if c.channels or c.patterns or c.shard_channels else "normal"


def count_arguments(connection: Connection) -> int:
    """Return what the arguments of the unfinished request take, looking at the new ones only."""
    args = connection.parser.args
    if args is not connection.unfinished:
        connection.unfinished = args
        connection.counted = connection.counted_bytes = 0
    new = args[connection.counted :]
    connection.counted += len(new)
    connection.counted_bytes += sum(map(len, new)) + ARGUMENT_COST * len(new)
    return connection.counted_bytes


def check_output(connection: Connection) -> None:
    """Disconnect a client whose unsent messages exceed its class's limit."""
    c = connection.session
    if c is None or connection.closing:
        return
    server = connection.server
    limit = server.limits.output.get(_output_class(c))
    if limit is None:
        return
    held = connection.pending_bytes()
    over = bool(limit.hard_bytes) and held > limit.hard_bytes
    if limit.soft_bytes and held > limit.soft_bytes:
        now = time()
        connection.soft_since = connection.soft_since or now
        over = over or now - connection.soft_since > limit.soft_seconds
    else:
        connection.soft_since = 0.0
    if over:
        # Whoever sends may be walking over sessions, so this one is forgotten when the loop comes round.
        server.output_limit_kills += 1
        connection.abort()


def overflows(connection: Connection, c: Session, more: int) -> bool:
    """Whether `more` bytes of replies are more than may wait for the client; it is disconnected without them."""
    server = connection.server
    pending = connection.pending_bytes()
    over = bool(c.attention & ATT_UNAUTHENTICATED) and pending > UNAUTHENTICATED_BYTES
    if server.limits.reply_bytes and _output_class(c) == "normal":
        over = over or pending + more > server.limits.reply_bytes
    if over:
        server.output_limit_kills += 1
        connection.abort()
    return over


def sweep(server: Server) -> None:
    """Once a second: end idle clients and gone ones, and apply the limits that need time."""
    connections = list(server.connections.values())
    gone = hung_up([connection.fileno() for connection in connections if not connection.reading])
    for connection in connections:
        c = connection.session
        if c is not None:
            _sweep_one(connection, c, not connection.reading and connection.fileno() in gone)


def _sweep_one(connection: Connection, c: Session, gone: bool) -> None:
    server = connection.server
    idle_s = (server.engine.state.now_ms - c.last_ms) / 1000
    if _may_idle_out(c) and 0 < server.limits.timeout_s < idle_s:
        connection.close("idle")
        return
    if c.queue is not None and c.bytes_in - c.multi_from > server.limits.query_buffer:
        server.query_limit_kills += 1
        connection.close("query buffer limit")
        return
    pending = connection.pending_bytes()
    if (gone or connection.closing) and pending in (0, connection.last_pending):
        connection.abort()  # it has taken nothing for a second, and will hardly take more
        return
    connection.last_pending = pending
    if connection.paused:
        check_output(connection)


def _may_idle_out(c: Session) -> bool:
    """`timeout` is for clients that could ask: not for those that wait for messages or for a key."""
    return c.kind == "normal" and c.blocked is None and not c.subscriptions() and not c.shard_channels
