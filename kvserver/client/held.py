"""Output of a connection that waits until what it promises is safe: functions on a `Connection` of the server.

A replica's stream isn't held: it is part of what makes the log safe. But behind held output everything waits, so
that a connection's bytes keep their order.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kvserver.client import outbox

if TYPE_CHECKING:
    from kvserver.client.server import Connection

HELD_MAX = 1 << 20
"""Bytes held back for a connection before its requests are read no more."""


def send_when_safe(connection: Connection, data: bytes) -> None:
    """Send, or hold back until the log is safe up to where it stands."""
    holds = connection.server.holds
    offset = connection.engine.log.offset
    exempt = connection.session is None or connection.session.kind == "replica"
    if not connection.held and (exempt or not holds.on or offset <= holds.safe):
        outbox.send(connection, data)
        return
    connection.held += 1
    connection.held_bytes += len(data)
    if connection.held_bytes > HELD_MAX and not exempt and not connection.paused:
        connection.paused = True
        connection.read(False)
    holds.wait(offset, partial(_send, connection), data)


def end(connection: Connection) -> None:
    """Close the connection, behind what waits."""
    outbox.hand_over(connection)
    connection.closing = True
    if connection.held:
        connection.ending = True
    else:
        connection.transport.close()


def _send(connection: Connection, data: bytes) -> None:
    """What was held back is safe now."""
    connection.held -= 1
    connection.held_bytes -= len(data)
    if connection.transport.is_closing():
        return
    outbox.send(connection, data)
    if connection.held:
        return
    if connection.ending:
        outbox.hand_over(connection)
        connection.transport.close()
    elif connection.paused and not connection.slow:
        connection.paused = False
        connection.resume()
