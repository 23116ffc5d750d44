"""The product with one rule switched off at a time: each has to be caught, or the search proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kvserver.engine.run.holds import COPIED, EVERYTHING, SYNCED
from replication import commands
from replication.backlog import Backlog
from replication.history import History
from replication.psync import Continue, Decision, FullResync, Request, decide
from replication.quorum.choice import Answer, Choice, NoChoice, choose
from replication.quorum.identity import Awake, awake
from replication.quorum.node import QuorumNode
from replication.quorum.shell import start
from replication.quorum.shell.clients import Clients
from replication.replica.link import Link
from replication.sentinel.mind import convene
from replication.sentinel.world import invariants
from simulation.quorum.broken import NoFence, ResyncByOffset
from simulation.whole.disk import SimDisk


def _keep_id() -> None:
    """A replica that is promoted goes on under the id that it followed."""
    History.promoted = lambda self, new_id, offset: replace(self)  # type: ignore[method-assign]


def _continue_blindly() -> None:
    """A primary lets a replica continue that followed the second id beyond the place where the two part."""

    def careless(request: Request, history: History, backlog: Backlog | None) -> Decision:
        decision = decide(request, history, backlog)
        parted = isinstance(decision, FullResync) and "second id" in decision.reason
        if parted and backlog is not None and backlog.holds(request.offset):
            return Continue(history.replid, request.offset)
        return decision

    commands.decide = careless  # type: ignore[attr-defined]


def _sync_nothing_private() -> None:
    """A sentinel doesn't wait for the disk when it has voted."""
    whole = SimDisk.replace

    def careless(self: SimDisk, path: Path, content: bytes, private: bool = False) -> None:
        if private:
            with path.open("wb") as file:
                file.write(content)
        else:
            whole(self, path, content)

    SimDisk.replace = careless  # type: ignore[method-assign]


def _give_up() -> None:
    """A replica's link that has failed five times isn't tried again."""
    attempt = Link._attempt

    async def lazy(self: Link) -> None:
        tries = self.__dict__["tries"] = self.__dict__.get("tries", 0) + 1
        if tries > 5:
            self._ended = True
            return
        await attempt(self)

    Link._attempt = lazy  # type: ignore[method-assign]


def _node(kind: type[QuorumNode]) -> Callable[[], None]:
    """Members of a quorum are of this kind."""

    def switch() -> None:
        start.QuorumNode = kind  # type: ignore[misc, attr-defined]

    return switch


def _answer_at_once() -> None:
    """Replies leave whatever the majority has."""

    def publish(self: Clients) -> None:
        for level in (COPIED, SYNCED):
            self.holds.reach(level, EVERYTHING)

    Clients.publish = publish  # type: ignore[method-assign]


def _ignore_amnesia() -> None:
    """Who lost its memory, or its folder, keeps the id by which others count it."""
    known: dict[str, str] = {}

    def careless(text: str | None, new_id: str, place: str, boot: str, kept: bool, last_epoch: int) -> Awake:
        found = awake(text, new_id, place, boot, kept, last_epoch)
        node_id = known.setdefault(place.partition(":")[0], found.identity.node_id)
        return Awake(replace(found.identity, node_id=node_id), "")

    start.awake = careless  # type: ignore[attr-defined]


def _choose_by_offset() -> None:
    """The longest log leads, whatever the epoch of its last byte."""

    def careless(answers: Iterable[Answer], prefer: Sequence[str] = ()) -> Choice | NoChoice:
        there = list(answers)
        found = choose([replace(answer, last_epoch=0) for answer in there], prefer)
        if not isinstance(found, Choice):
            return found
        return replace(found, last_epoch=next(a.last_epoch for a in there if a.node_id == found.node_id))

    convene.choose = invariants.choose = careless  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Switch:
    """A rule that can be switched off. `quorum`: it is one of quorums. `story`: of the kind that may show it."""

    off: Callable[[], None]
    quorum: bool | None = None
    story: str = "faults"


SWITCHES: dict[str, Switch] = {
    "keeps its id": Switch(_keep_id, False),
    "continues blindly": Switch(_continue_blindly, False),
    "votes unsynced": Switch(_sync_nothing_private),
    "gives up": Switch(_give_up),
    "resynchronizes by offset": Switch(_node(ResyncByOffset), True),
    "answers at once": Switch(_answer_at_once, True, "plots"),
    "no fence": Switch(_node(NoFence), True, "plots"),
    "amnesia ignored": Switch(_ignore_amnesia, True, "plots"),
    "chooses by offset": Switch(_choose_by_offset, True, "plots"),
}
"""What may be switched off, by its name."""
