"""Who shall lead an epoch: what the sentinel that holds the epoch decides from the nodes' answers. Pure.

Theory of operation. A node may lead if those who promised hold a majority of the members *in that node's own log*
(of both sets, while a change is open there), and none of these voters is ahead of it. Ahead means: the last byte
is of a newer epoch, or of the same epoch at a higher offset. Then the log of the chosen node holds all that was
committed in older epochs, since any majority that committed shares a node with any majority that promised.

Members come first. But a node that was just removed may be the only one that holds the record which removes it:
it leads, uncounted, commits its marker by the members' majority, and hands over.

If the place of *every* member, old and new, has promised, and still nobody may lead, then too many lost their
data for a majority to exist. The most advanced then refounds the group with whoever is there now; what it doesn't
hold is lost, and the event says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from replication.quorum.members import MemberSet, Sets, majority


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said as it promised.

    `last_epoch` is the epoch of its last byte, `offset` where its log ends, `sets` the members by its log. `places`
    are the ids that are known to have lived where it lives (its own among them): a node that lost its data has a new
    id, but stands in its predecessor's place.
    """

    node_id: str
    last_epoch: int
    offset: int
    sets: Sets
    places: MemberSet = frozenset()

    @property
    def rank(self) -> tuple[int, int]:
        """How advanced the log is: epoch first."""
        return self.last_epoch, self.offset

    @property
    def is_member(self) -> bool:
        """Whether its own log counts it among the members."""
        return any(self.node_id in members for members in self.sets)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who shall lead, if its log is still exactly this. `refound`: the members of a group to be founded anew."""

    node_id: str
    last_epoch: int
    offset: int
    refound: MemberSet = frozenset()


@dataclass(frozen=True, slots=True)
class NoChoice:
    """Nobody may lead; `reason` tells an operator what is missing."""

    reason: str


def choose(answers: Iterable[Answer], prefer: Sequence[str] = ()) -> Choice | NoChoice:
    """Decide who leads, from the answers of those who promised this very try.

    `prefer` is a wish, the ids of those who should lead rather, best first: it decides only among members whose logs
    are equally advanced (else, as without a wish, the first in the order of `answers`).
    """
    wish = {node_id: place for place, node_id in reversed(list(enumerate(prefer)))}
    wished = sorted(answers, key=lambda answer: wish.get(answer.node_id, len(prefer)))
    there = sorted(wished, key=lambda answer: (answer.rank, answer.is_member), reverse=True)
    ids = frozenset(answer.node_id for answer in there)
    for candidate in there:
        if _may_lead(candidate, there, ids):
            return Choice(candidate.node_id, candidate.last_epoch, candidate.offset)
    return _refound(there)


def _may_lead(candidate: Answer, there: list[Answer], ids: frozenset[str]) -> bool:
    voters = frozenset().union(*candidate.sets) & ids
    ahead = any(answer.rank > candidate.rank for answer in there if answer.node_id in voters)
    return majority(candidate.sets, voters) and not ahead


def _refound(there: list[Answer]) -> Choice | NoChoice:
    if not there:
        return NoChoice("nobody has promised")
    best = there[0]
    if not best.sets:
        return NoChoice("nobody who promised belongs to a group")
    wanted = frozenset().union(*best.sets)
    taken = frozenset().union(*(answer.places | {answer.node_id} for answer in there))
    missing = wanted - taken
    if missing:
        named = ", ".join(sorted(member[:8] for member in missing))
        return NoChoice(f"no majority has promised: {len(wanted - missing)} of {len(wanted)} places; missing {named}")
    last = best.sets[-1]
    members = frozenset(answer.node_id for answer in there if (answer.places | {answer.node_id}) & last)
    return Choice(best.node_id, best.last_epoch, best.offset, refound=members)
