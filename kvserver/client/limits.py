"""What clients may cost: functions that judge a `Connection` of the server by its limits, and end it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from kvserver.client.output import STOP
from kvserver.client.reasons import Reason
from kvserver.client.sockets import address, hung_up, is_local
from kvserver.engine.run.session import ATT_MONITOR, ATT_UNAUTHENTICATED, Session
from kvserver.wire.resp import error

if TYPE_CHECKING:
    from kvserver.client.connection import Connection
    from kvserver.client.sending import Sending
    from kvserver.client.server import Server

ARGUMENT_COST = 48
"""Counted on top of each argument's bytes while a request is unfinished: what the object itself takes."""

UNAUTHENTICATED_BYTES = 1024
"""Unsent replies that a client may have which hasn't authenticated."""

BLOCKED_BUFFER = 1 << 20
"""Bytes of requests taken from a client that is blocked before its socket is read no more."""
UNSENT_MAX = 64 << 20
"""Bytes of replies that may wait for a client before its requests have to wait, too."""
LINGER_SWEEPS = 10
"""Seconds for which a connection that is closing may stand still: its peer may be busy with what it has got."""
UNSENT_TOTAL = 512 << 20
"""Bytes that may wait for all clients: while it is more, the requests of slow ones wait at once."""
REQUEST_KEPT_MS = 2000
"""How long the last request of a client that sends no more is kept."""
_NO_ARGS: list[bytes] = []


_REFUSALS = {
    Reason.MAX_CLIENTS: "ERR max number of clients reached",
    Reason.PROTECTED_MODE: (
        "DENIED Redis is running in protected mode because protected mode is enabled and no password is "
        "set for the default user. In this mode connections are only accepted from the loopback "
        "interface. To connect from elsewhere set a password, bind explicitly, or disable protected-mode."
    ),
}


def refusal(server: Server, peer: Any) -> Reason | None:
    """Why a new client isn't let in, None = it is."""
    if len(server.connections) >= server.limits.maxclients:
        return Reason.MAX_CLIENTS
    if server.limits.protected_mode and isinstance(peer, tuple) and not is_local(peer[0]):
        return Reason.PROTECTED_MODE
    return None


def refuse(connection: Connection, peer: Any) -> bool:
    """Send a new client away that isn't let in; True when that was done."""
    reason = refusal(connection.server, peer)
    if reason is None:
        return False
    connection.server.rejected += 1
    connection.transport.write(error(_REFUSALS[reason]))
    connection.end(reason)
    return True


def peer_of(transport: Any) -> str:
    """The other side's address, for people."""
    return address(transport.get_extra_info("peername"), transport)


def loss(exc: Exception | None) -> Reason:
    """Why a connection is over that the transport has lost, `exc` being what it says."""
    if exc is None:
        return Reason.PEER_CLOSED
    return Reason.TLS_ERROR if isinstance(exc, ssl.SSLError) else Reason.PEER_RESET


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


def bound_input(connection: Connection, c: Session) -> None:
    """Judge what a client has sent and isn't served yet."""
    parser, server = connection.parser, connection.server
    waiting = parser.buffered()
    if parser.left:
        waiting += count_arguments(connection)
    if waiting > server.limits.query_buffer:
        connection.end(Reason.QUERY_BUFFER)
    elif waiting > BLOCKED_BUFFER and c.blocked is not None:
        connection.read(False)


def bound_output(connection: Sending) -> None:
    """Serve a slow peer no more, until it has caught up, when too much waits for it.

    A replica is always heard: it is slow whenever it takes a snapshot, and has to acknowledge meanwhile.
    """
    c = connection.session
    if c is not None and c.kind == "replica":
        return
    if connection.pending_bytes() > connection.server.limits.unsent and connection.output.stall() == STOP:
        connection.read(False)


def check_output(connection: Sending) -> None:
    """Disconnect a client whose unsent messages exceed its class's limit."""
    c = connection.session
    if c is None or connection.output.ended:
        return
    limit = connection.server.limits.output.get(_output_class(c))
    if limit is None:
        return
    waiting = connection.pending_bytes()
    reason = connection.output.over(limit, waiting, connection.engine.services.clock.wall())
    if reason is not None:
        connection.end(reason, _waiting(waiting), later=True)  # whoever sends may be walking over sessions


def _waiting(size: int) -> str:
    return f"{size} bytes wait"


def overflows(connection: Connection, c: Session, more: int) -> bool:
    """Whether `more` bytes of replies are more than may wait for the client; it is disconnected without them."""
    server = connection.server
    pending = connection.pending_bytes()
    over = bool(c.attention & ATT_UNAUTHENTICATED) and pending > UNAUTHENTICATED_BYTES
    if server.limits.reply_bytes and _output_class(c) == "normal":
        over = over or pending + more > server.limits.reply_bytes
    if over:
        connection.end(Reason.OUTPUT_HARD, _waiting(pending + more))
    return over


def sweep(server: Server) -> None:
    """Once a second: end idle clients and gone ones, and apply the limits that need time."""
    connections = list(server.connections.values())
    gone = hung_up([fd for connection in connections if not connection.reading and (fd := connection.fileno()) >= 0])
    for connection in connections:
        c = connection.session
        if c is not None:
            _sweep_one(connection, c, not connection.reading and connection.fileno() in gone)
    unsent = sum(connection.pending_bytes() for connection in connections if connection.output.full)
    server.limits.unsent = UNSENT_MAX if unsent <= UNSENT_TOTAL else 0


def _sweep_one(connection: Connection, c: Session, gone: bool) -> None:
    server, output = connection.server, connection.output
    idle_s = (server.engine.state.now_ms - c.last_ms) / 1000
    if _may_idle_out(c) and 0 < server.limits.timeout_s < idle_s:
        connection.end(Reason.IDLE)
        return
    if c.queue is not None and c.bytes_in - c.multi_from > server.limits.query_buffer:
        connection.end(Reason.QUERY_BUFFER, "in MULTI")
        return
    if idle_s * 1000 > REQUEST_KEPT_MS and c.args and c.blocked is None:
        c.args = _NO_ARGS
        if not connection.parser.left:
            connection.parser.args = _NO_ARGS
    pending = connection.pending_bytes()
    connection.still_sweeps = connection.still_sweeps + 1 if pending == connection.last_pending else 0
    patience = 1 if gone or not pending else LINGER_SWEEPS
    if (gone or output.ended) and (not pending or connection.still_sweeps >= patience):
        connection.end(Reason.PEER_RESET, later=True)  # it takes nothing, and will hardly take more
        return
    connection.last_pending = pending
    if output.full or output.stalled:
        check_output(connection)


def _may_idle_out(c: Session) -> bool:
    """`timeout` is for clients that could ask: not for those that watch, or wait for messages or for a key."""
    listens = c.attention & ATT_MONITOR or c.subscriptions() or c.shard_channels
    return c.kind == "normal" and c.blocked is None and not listens
