"""What replication asks of a quorum, and tells it; and the answers where the node votes in none.

A *link* is the connection over which a node follows (its `Wire`), or over which a follower is fed (its `Session`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from kvserver.engine.run.session import Session

if TYPE_CHECKING:
    from replication.replica.stream import Applier
    from replication.replica.wire import Wire


class LinkVoting(Protocol):
    """Of a node that follows: its link to the leader."""

    def hello(self, wire: Wire) -> bytes:
        """What to announce over a new connection; from here on it is the one that is followed."""

    def joined(self, wire: Wire, understood: bool) -> None:
        """The announcement was taken, or not. Raises LinkError where the node can't follow then."""

    def refused(self, wire: Wire, reason: str) -> None:
        """The primary doesn't feed this node."""

    def may_adopt(self, wire: Wire, aux: Mapping[bytes, bytes]) -> bool:
        """Whether a data set whose fields these are may replace the node's."""

    def adopted(self, wire: Wire, aux: Mapping[bytes, bytes]) -> None:
        """It has."""

    def streams(self, wire: Wire, applier: Applier) -> None:
        """The stream begins: `applier` is told whether to wait for a welcome."""

    def applied(self, wire: Wire) -> None:
        """Some of the stream was applied, and is in the log."""

    def acknowledgement(self, wire: Wire) -> list[bytes] | None:
        """The request that says how far the node is; None: as a replica that votes in nothing."""

    def left(self, wire: Wire) -> None:
        """The connection is gone."""


class FollowersVoting(Protocol):
    """Of a node that leads: those who follow it."""

    def announced(self, c: Session, text: bytes) -> None:
        """A follower announces itself. Raises CommandError when it makes no sense."""

    def admit(self, c: Session, offset: int) -> bool | None:
        """Whether a replica that wants byte `offset` next may continue, by the epochs; None: by its id, as others do.

        Raises:
            CommandError: it can't be fed at all, now.
        """

    def welcome(self, c: Session) -> bytes:
        """What comes before the stream to a follower that continues."""

    def acknowledged(self, c: Session, memory: int, synced: int, round_: int) -> None:
        """A follower says how far it is."""

    def asked(self, c: Session, name: bytes) -> None:
        """A follower wants to know what a reader has to see."""

    def wanted(self, c: Session, offset: int) -> None:
        """A reader of a follower's waits until the log is on a majority's disks up to `offset`."""

    def gone(self, c: Session) -> None:
        """A connection has ended."""


class Voting(Protocol):
    """A node's part in a quorum, as replication sees it."""

    active: bool
    """Whether there is one."""

    @property
    def link(self) -> LinkVoting:
        """As it follows."""

    @property
    def followers(self) -> FollowersVoting:
        """As it leads."""

    def rests(self) -> bool:
        """Whether the node belongs to a group, so that it leads only when a sentinel says so."""

    def tick(self) -> None:
        """Ten times a second."""


class NoLink:
    """A node that votes in nothing follows as any replica."""

    def hello(self, wire: Wire) -> bytes:
        """Nothing is announced."""
        return b""

    def joined(self, wire: Wire, understood: bool) -> None:
        """Anybody may be followed."""

    def refused(self, wire: Wire, reason: str) -> None:
        """The link tries again."""

    def may_adopt(self, wire: Wire, aux: Mapping[bytes, bytes]) -> bool:
        """Any data set may."""
        return True

    def adopted(self, wire: Wire, aux: Mapping[bytes, bytes]) -> None:
        """Nothing follows from it."""

    def streams(self, wire: Wire, applier: Applier) -> None:
        """It may be applied at once."""

    def applied(self, wire: Wire) -> None:
        """Nobody waits for it."""

    def acknowledgement(self, wire: Wire) -> list[bytes] | None:
        """As any replica."""
        return None

    def left(self, wire: Wire) -> None:
        """Nothing follows from it."""


class NoFollowers:
    """A node that votes in nothing feeds whoever asks."""

    def announced(self, c: Session, text: bytes) -> None:
        """Nobody is told; who asks finds out that it was not understood."""

    def admit(self, c: Session, offset: int) -> bool | None:
        """By the replication id."""
        return None

    def welcome(self, c: Session) -> bytes:
        """Nothing."""
        return b""

    def acknowledged(self, c: Session, memory: int, synced: int, round_: int) -> None:
        """Nobody counts."""

    def asked(self, c: Session, name: bytes) -> None:
        """Nobody answers."""

    def wanted(self, c: Session, offset: int) -> None:
        """Nobody has disks sync."""

    def gone(self, c: Session) -> None:
        """Nothing follows from it."""


class NoVoting:
    """A node that votes in nothing."""

    active = False

    def __init__(self) -> None:
        self.link: LinkVoting = NoLink()
        self.followers: FollowersVoting = NoFollowers()

    def rests(self) -> bool:
        """It leads when it isn't told to follow."""
        return False

    def tick(self) -> None:
        """Nothing is due."""
