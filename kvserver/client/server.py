"""What the connections of one node share: the engine, the limits, the counters, who watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import cython

from kvserver.client.limits import UNSENT_MAX
from kvserver.client.reasons import Reason, none_yet
from kvserver.engine.fast.way import FastWay
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.holds import Holds, Safety
from kvserver.engine.run.session import Session

if cython.compiled:
    from cython.cimports.cpython.time import time
else:
    from time import time

if TYPE_CHECKING:
    from kvserver.client.connection import Connection
    from kvserver.config import BufferLimit


class Limits:
    """What the options allow a client, as plain numbers."""

    def __init__(self) -> None:
        self.maxclients = 10000
        self.query_buffer = 1 << 30  # bytes
        self.max_bulk = 512 << 20  # bytes
        self.output: dict[str, BufferLimit] = {}
        self.reply_bytes = 0  # the hard limit of `output` for normal clients, 0 = none
        self.unsent = UNSENT_MAX  # bytes that may wait for a slow client before its requests wait, too
        self.timeout_s = 0
        self.keepalive_s = 300
        self.protected_mode = False  # refuse peers that aren't on this machine


class Server:
    """What the connections of one node share: the engine, the limits, the counters."""

    def __init__(
        self, engine: Engine, needs_auth: Callable[[], bool], connection: Callable[[Server], Connection]
    ) -> None:
        self.engine = engine
        self.limits = Limits()
        self.holds = Holds()
        self.fast = FastWay(engine)
        self.needs_auth = needs_auth
        self._connection = connection
        self.system_time = engine.services.clock.system
        self.wall = engine.services.clock.wall
        self.connections: dict[int, Connection] = {}
        self.accepted = 0
        self.rejected = 0
        self.net_in = 0  # bytes, the primary's stream included
        self.net_out = 0  # bytes, what replicas are sent included
        self.net_repl_in = self.net_repl_out = 0  # bytes: of these, what came from the primary, went to replicas
        self.reads = self.writes = 0
        self.ended = none_yet()  # connections, by why they ended
        self.on_end: Callable[[Reason, str, Session | None, str], None] = _unheard
        self.watch: Watch | None = None  # sums up what all clients hold, while that is limited
        self.holds.on_switch = self._gate

    def _gate(self, on: bool) -> None:
        """Replies have to wait until they are safe from now on, or needn't any more."""
        for connection in self.connections.values():
            connection.regate()

    def ask_for(self, safety: Safety) -> None:
        """What clients' replies wait for that don't choose themselves, from now on."""
        self.holds.safety = safety
        for connection in self.connections.values():
            c = connection.session
            if c is not None and not c.chosen:
                c.ask_for(safety)

    def note_end(self, reason: Reason, detail: str, c: Session | None, peer: str) -> None:
        """A connection ends: count it, say it. Without a session it was never let in."""
        self.ended[reason] += 1
        self.on_end(reason, detail, c, peer)

    def received(self, size: int) -> None:
        """Count a read of so many bytes."""
        self.net_in += size
        self.reads += 1

    def replicated(self, size: int) -> None:
        """Count so many bytes of the primary's data set and stream, which come over the link to it."""
        self.net_in += size
        self.net_repl_in += size

    def sent(self, size: int) -> None:
        """Count a write of so many bytes."""
        self.net_out += size
        self.writes += 1

    def protocol(self) -> Any:
        """Create the `Connection` of a new client (asyncio's protocol factory, which wants another type)."""
        return self._connection(self)


def now_ms(server: Server) -> int:
    """Unix time in milliseconds: the machine's is read in C."""
    if server.system_time:
        return int(time() * 1000)  # a C double: nothing of Python is made of it
    return int(server.wall() * 1000)


class Watch(Protocol):
    """Keeps what all clients together hold below a limit."""

    def settle(self) -> None:
        """Before a client is served: end clients if the limit is exceeded."""

    def note(self, c: Session) -> None:
        """A client may hold more now, or less."""


def _unheard(reason: Reason, detail: str, c: Session | None, peer: str) -> None:
    """Nobody logs."""
