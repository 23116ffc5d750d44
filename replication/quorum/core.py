"""What a quorum node knows, whatever it does; and how it stops to lead or to follow. Pure; see `node`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from replication.quorum.choice import Answer
from replication.quorum.epochs import Epochs
from replication.quorum.identity import Identity
from replication.quorum.members import MemberLog
from replication.quorum.reads import Reads
from replication.quorum.tally import Level, Tally
from replication.quorum.words import Action, Link, Lost, News, State, StepDown, Unlink


class Log(Protocol):
    """The node's command log, as far as a quorum has to know it; offsets in bytes."""

    @property
    def end(self) -> int:
        """The offset of its last byte."""

    @property
    def kept(self) -> int:
        """Up to where it outlives the process."""

    @property
    def synced(self) -> int:
        """Up to where the disk has it."""


@dataclass(slots=True)
class Leading:
    """What a leader knows in one term. `told`: what each link was last told. `wanted`: as in `News`."""

    epoch: int
    tally: Tally
    links: dict[Link, str] = field(default_factory=dict)  # link -> the follower's id
    told: dict[Link, News] = field(default_factory=dict)
    wanted: int = 0


@dataclass(slots=True)
class Following:
    """The link that is followed. `epoch` 0 until the leader has answered; `on` once the log is the leader's."""

    link: Link
    epoch: int = 0
    on: bool = False
    wanted: int = 0  # what its leader was asked for


class Core:
    """The state that both sides of a node share. `level`: the one by which markers and changes of members count."""

    def __init__(self, identity: Identity, log: Log, level: Level = Level.MEMORY, state: State | None = None) -> None:
        self.identity = identity
        self.log = log
        self.level = level
        self.epochs = Epochs(state.epochs if state else ())
        self.members = MemberLog(state.members if state else ())
        self.commit = [0, 0]
        self.term = 1
        self.opening = 0
        self.leading: Leading | None = None
        self.following: Following | None = None
        self.reads = Reads()
        self.founding: dict[Link, str] = {}

    @property
    def node_id(self) -> str:
        """The node's id."""
        return self.identity.node_id

    def answer(self) -> Answer:
        """Where this node stands, as it answers a promise."""
        return Answer(self.node_id, self.epochs.of(self.log.end), self.log.end, self.members.now)

    def state(self) -> State:
        """What a full synchronization carries beside the data of this instant."""
        return State(self.epochs.rows(), self.members.rows(), (self.commit[0], self.commit[1]))

    def _unlink(self, close: bool = True) -> list[Action]:
        """Stop to follow; what is held for readers was that link's to vouch for."""
        follow = self.following
        if follow is None:
            return []
        self.following = None
        self.term += 1
        lost = self.reads.drop_all()
        gone: list[Action] = [Unlink(follow.link)] if close else []
        return [*gone, *([Lost(tuple(lost))] if lost else [])]

    def _rest(self, reason: str) -> list[Action]:
        """Neither lead nor follow."""
        actions: list[Action] = []
        if self.leading is not None:
            links = list(self.leading.links)
            self.leading = None
            lost = self.reads.drop_all()
            actions = [StepDown(reason), *([Lost(tuple(lost))] if lost else []), *map(Unlink, links)]
        else:
            actions = self._unlink()
        self.opening = 0
        self.term += 1
        return actions
