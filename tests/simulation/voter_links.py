"""Both ends of the links between voters: a follower's way to its leader, and what a leader keeps of a follower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.sentinel.mind.messages import Cause, Reply
from simulation.network import Connection

if TYPE_CHECKING:
    from simulation.voters import VoterShell

RETRY_MS = 200
TIMEOUT_MS = 2_000


@dataclass
class Feed:
    """What a leader keeps of one follower: the offset it named, and how many entries it was sent (None: no stream)."""

    offered: int
    heard_at_ms: int
    sent: int | None = None


class Following:
    """A voter's way to the node that it was told to follow; tried again until it is told otherwise."""

    def __init__(self, voter: VoterShell, target: tuple[str, int]) -> None:
        self.voter = voter
        self.target = target
        self.connection: Connection | None = None
        self.heard_at_ms = self.tried_at_ms = 0

    def tick(self, now_ms: int) -> None:
        """Connect when that is due, and leave a leader that is silent."""
        if self.connection is None and now_ms - self.tried_at_ms >= RETRY_MS:
            self.tried_at_ms = now_ms
            self.voter.network.connect(self, self.voter, self.target[0], None)
        elif self.connection is not None and now_ms - self.heard_at_ms > TIMEOUT_MS:
            self.lost()

    def hang_up(self) -> None:
        """End the connection; nothing that is on its way over it counts any more."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def opened(self, connection: Connection) -> None:
        if self.voter.way is not self or self.connection is not None:
            connection.close()
            return
        self.connection = connection
        self.heard_at_ms = self.voter.network.clock.now_ms
        self.voter.perform(self.voter.node.connect(connection))

    def ended(self, connection: Connection, cause: Cause) -> None:
        if self.connection is connection:
            self.lost()

    def lost(self) -> None:
        """The connection is gone: the machine is told, and it is tried again."""
        connection = self.connection
        self.hang_up()
        if connection is not None:
            self.voter.perform(self.voter.node.unlinked(connection))

    def received(self, connection: Connection, tag: object, reply: Reply) -> None:
        if self.connection is connection and self.voter.way is self and isinstance(reply, list):
            self.heard_at_ms = self.voter.network.clock.now_ms
            self.voter.follow(connection, reply)
