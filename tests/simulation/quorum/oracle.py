"""What must hold whoever implements the protocol. It is told what happened, and raises `Violation`.

It keeps the one true log: all that was ever committed, with the epoch in which each entry was. An epoch is opened
once; who opens it has all that was committed in older ones; committed logs are prefixes of one another; a read shows
nothing that is lost later; a linearizable read shows all that was acknowledged, or shown by another, before it came.
A refounding is declared: what it drops is lost, and stops counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Entry = tuple[int, str, object]
"""One entry of a log: the epoch it was written in, its kind, its value (unique together)."""


class Violation(Exception):
    """A promise was broken."""


@dataclass
class Counts:
    """How much was tried."""

    acked: int = 0
    reads: int = 0
    opened: int = 0
    refounded: int = 0
    changes: int = 0


class Oracle:
    """See the module's docstring. Logs are lists of entries; offsets here are numbers of entries."""

    def __init__(self, founding: Entry) -> None:
        self.truth: list[Entry] = [founding]
        self.since: list[int] = [1]
        self.openers = {1: 0}
        self.floor = 1
        self.lost: set[Entry] = set()
        self.shown: list[list[Entry]] = []
        self.counts = Counts()

    def opens(self, who: str, slot: int, epoch: int, log: Sequence[Entry], refounds: bool) -> int | None:
        """`who` begins to lead `epoch` with this log; where the truth was cut, if a refounding dropped some of it."""
        self.counts.opened += 1
        if epoch in self.openers:
            raise Violation(f"epoch {epoch} is opened twice")
        self.openers[epoch] = slot
        same = _common(self.truth, log)
        if refounds and all(by < epoch for by in self.since[same:]):
            self.counts.refounded += 1
            self.lost.update(self.truth[same:])
            del self.truth[same:], self.since[same:]
            self.floor = min(self.floor, same)
            return same
        if same < len(self.truth) and self.since[same] < epoch:
            raise Violation(f"{who} opens epoch {epoch} without an entry committed in epoch {self.since[same]}")
        return None

    def commits(self, who: str, epoch: int, log: Sequence[Entry], to: int) -> None:
        """A leader takes its log up to `to` for committed."""
        known = min(to, len(self.truth))
        if self.truth[:known] != list(log[:known]):
            raise Violation(f"{who} commits another entry than was committed before")
        if to > known:
            self.truth += log[known:to]
            self.since += [epoch] * (to - known)
            self.shown = [log for log in self.shown if self._may_vanish(log)]

    def follows(self, who: str, log: Sequence[Entry], committed: int) -> None:
        """A follower takes its log up to `committed` for committed."""
        known = min(committed, len(log))
        if list(log[:known]) != self.truth[:known] and not self.lost.intersection(log[:known]):
            raise Violation(f"{who} takes for committed what isn't")

    def acknowledges(self, offsets: Sequence[int]) -> None:
        """Writes that end at these offsets of the truth are acknowledged to their clients."""
        self.counts.acked += len(offsets)
        self.floor = max([self.floor, *offsets])

    def answers(self, log: list[Entry], linearizable: bool, need: int) -> None:
        """A read that showed `log` is answered; `need`: what had been acknowledged or shown when it came."""
        self.counts.reads += 1
        if self._may_vanish(log):
            self.shown.append(log)
        if linearizable and not self.lost.intersection(log):
            if len(log) < need:
                raise Violation("a linearizable read misses what was acknowledged, or shown, before it came")
            self.floor = max(self.floor, len(log))

    def _may_vanish(self, log: list[Entry]) -> bool:
        known = min(len(log), len(self.truth))
        if log[:known] != self.truth[:known] and not self.lost.intersection(log):
            raise Violation("a read showed a write that is lost")
        return len(log) > len(self.truth)


def _common(left: Sequence[Entry], right: Sequence[Entry]) -> int:
    """How many entries the logs have in common, from the beginning."""
    for place, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return place
    return min(len(left), len(right))
