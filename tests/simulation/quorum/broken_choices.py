"""Sentinels that choose by a rule that lacks something: deployments for `broken`."""

from __future__ import annotations

from dataclasses import replace

from replication.quorum.choice import Answer, Choice, NoChoice, choose
from replication.quorum.core import Following
from replication.quorum.members import majority
from replication.quorum.tally import Level
from replication.quorum.words import Action
from simulation.quorum.deployment import Deployment
from simulation.quorum.shells import Member, id_of


class ChoosesAgain(Deployment):
    """A try may make another choice when it has heard more."""

    def a_choose(self, key: int) -> bool:
        attempt = self.tries.get(key)
        if attempt is None or not attempt.heard:
            return False
        before, attempt.choice = attempt.choice, None
        if not super().a_choose(key) or attempt.choice == before:
            attempt.choice = before
            return False
        return True


class ByOffset(Deployment):
    """The choice compares offsets, not the epoch of the last byte."""

    def choose(self, answers: list[Answer]) -> object:
        flat = choose([replace(answer, last_epoch=0) for answer in answers])
        return self._true(flat, answers)

    @staticmethod
    def _true(choice: object, answers: list[Answer]) -> object:
        """The choice with the epoch that the chosen one had answered."""
        if not isinstance(choice, Choice):
            return choice
        return replace(choice, last_epoch=next(a.last_epoch for a in answers if a.node_id == choice.node_id))


class ByLinkEpoch(ByOffset):
    """The choice compares the epoch last followed, not that of the last byte."""

    def a_promise(self, key: int, slot: int) -> bool:
        done = super().a_promise(key, slot)
        if done:
            self._followed.setdefault(key, {})[self.members[slot].node.node_id] = self._last.get(slot, 1)
        return done

    def __init__(self, n: int, level: Level) -> None:
        self._last: dict[int, int] = {}
        self._followed: dict[int, dict[str, int]] = {}
        super().__init__(n, level)

    def perform(self, member: Member, actions: list[Action]) -> Answer | None:
        found = super().perform(member, actions)
        follow: Following | None = member.node.following
        now = follow.epoch if follow is not None else member.node.leading.epoch if member.node.leading else 0
        self._last[member.slot] = max(now, self._last.get(member.slot, 0))
        return found

    def a_choose(self, key: int) -> bool:
        self._key = key
        return super().a_choose(key)

    def choose(self, answers: list[Answer]) -> object:
        followed = self._followed.get(self._key, {})
        return self._true(choose([replace(a, last_epoch=followed.get(a.node_id, 0)) for a in answers]), answers)


class ByOldMembers(Deployment):
    """The sentinel counts majorities by the members it knew at the founding."""

    def choose(self, answers: list[Answer]) -> object:
        founders = (frozenset(id_of(slot) for slot in range(self.n)),)
        chosen = choose([replace(answer, sets=founders) for answer in answers])
        there = frozenset(answer.node_id for answer in answers)
        return chosen if majority(founders, there) else NoChoice("")


class NoIntersection(Deployment):
    """The choice doesn't ask whether those who promised are a majority."""

    def choose(self, answers: list[Answer]) -> object:
        best = max(answers, key=lambda answer: answer.rank)
        return Choice(best.node_id, *best.rank)
