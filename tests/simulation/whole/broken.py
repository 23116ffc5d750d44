"""The product with one rule switched off at a time: each has to be caught, or the search proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from replication import commands
from replication.backlog import Backlog
from replication.history import History
from replication.psync import Continue, Decision, FullResync, Request, decide
from replication.quorum.node import QuorumNode
from replication.quorum.shell import start
from replication.replica.link import Link
from simulation.quorum.broken import ResyncByOffset
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


@dataclass(frozen=True)
class Switch:
    """A rule that can be switched off. `quorum`: it is one of quorums."""

    off: Callable[[], None]
    quorum: bool | None = None


SWITCHES: dict[str, Switch] = {
    "keeps its id": Switch(_keep_id, False),
    "continues blindly": Switch(_continue_blindly, False),
    "votes unsynced": Switch(_sync_nothing_private),
    "gives up": Switch(_give_up),
    "resynchronizes by offset": Switch(_node(ResyncByOffset), True),
}
"""What may be switched off, by its name."""
