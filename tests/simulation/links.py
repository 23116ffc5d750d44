"""Both ends of replication between data nodes without processes: a replica's way to its primary, and a feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.primary.attached import Attached
from replication.role_messages import Continued, LinkLost, Rejected, SnapshotBegins, SnapshotComplete
from replication.role_states import State
from replication.sentinel.mind.messages import Cause, Reply
from simulation.network import Connection

if TYPE_CHECKING:
    from simulation.nodes import Node

RETRY_MS = 200
CONNECT_MS = 1_000
ACK_MS = 200
TIMEOUT_MS = 5_000


@dataclass
class Feed:
    """A replica's connection: `kept` is the stream kept back until its snapshot has gone out."""

    record: Attached
    kept: list[bytes] | None = None


class Link:
    """A replica's way to its primary. With some luck it outlives its end, as a task whose cancellation was lost."""

    def __init__(self, node: Node, host: str, term: int) -> None:
        self.node = node
        self.role = node.role
        self.host = host
        self.term = term
        self.connection: Connection | None = None
        self.full: tuple[bytes, int] | None = None
        self.acked_at_ms = self.heard_at_ms = 0
        self.attempt = 0

    def start(self) -> None:
        """Connect, and if nothing comes of it try again."""
        self.node.network.connect(self, self.node, self.host, None)
        self._start_again(CONNECT_MS)

    def _start_again(self, delay_ms: int) -> None:
        attempt = self.attempt = self.attempt + 1
        self.node.network.clock.after(delay_ms, lambda: self.node.take(lambda: self._due(attempt)))

    def _due(self, attempt: int) -> None:
        if attempt == self.attempt and self.connection is None and self.node.link is self:
            self.start()

    def stop(self) -> None:
        if self.node.rng.randrange(4):
            self.hang_up()

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _admitted(self) -> bool:
        if self.role is self.node.role and self.role.admits(self.term):
            return True
        self.hang_up()
        return False

    # As a client of the primary

    def opened(self, connection: Connection) -> None:
        if self.connection is not None:
            connection.close()
            return
        self.connection = connection
        self.heard_at_ms = self.node.network.clock.now_ms
        if not self._admitted():
            return
        role, offset = self.role, self.node.offset
        place = (role.history.replid, b"%d" % (offset + 1)) if role.shared else (b"?", b"-1")
        more = (b"FAILOVER",) if role.state is State.ASKING else ()
        connection.send((b"PSYNC", *place, *more), "psync")

    def ended(self, connection: Connection, cause: Cause) -> None:
        if self.connection not in (connection, None) or not self._admitted():
            return
        self._lost()

    def _lost(self) -> None:
        self.connection = self.full = None
        self.node.step(LinkLost(self.term))
        self._start_again(RETRY_MS)

    def received(self, connection: Connection, tag: object, reply: Reply) -> None:
        if self.connection is not connection or not self._admitted():
            return
        self.heard_at_ms = self.node.network.clock.now_ms
        node = self.node
        match reply if tag != "ack" else None:
            case [b"CONTINUE", bytes(replid), bytes(missing)]:
                node.step(Continued(self.term, replid, node.offset))
                node.apply(missing)
            case [b"FULLRESYNC", bytes(replid), int(offset)]:
                self.full = (replid, offset)
                node.step(SnapshotBegins(self.term))
            case [b"snapshot", int(data)] if self.full is not None:
                node.incoming = data
                node.step(SnapshotComplete(self.term, *self.full))
            case bytes(stream):
                node.apply(stream)
            case [b"-", str(reason)]:
                self.hang_up()
                node.step(Rejected(self.term, reason, node.offset, node.new_id()))
                self._start_again(RETRY_MS)

    def tick(self, now_ms: int) -> None:
        """Acknowledge now and then, and leave a primary that is silent."""
        if self.connection is None:
            return
        if now_ms - self.heard_at_ms > TIMEOUT_MS:
            self.hang_up()
            self._lost()
        elif self.role.link_up and now_ms - self.acked_at_ms >= ACK_MS:
            self.acked_at_ms = now_ms
            self.connection.send((b"REPLCONF", b"ACK", b"%d" % self.node.offset), "ack")
