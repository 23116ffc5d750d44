"""Schedules that begin as one of the told stories does, and leave it here and there: what is near the nasty orders."""

from __future__ import annotations

from collections.abc import Callable

from replication.quorum.tally import Level
from simulation.quorum.deployment import Deployment
from simulation.quorum.schedules import Schedule, Step
from simulation.quorum.stories import STORIES

OMITTED, INSERTED = 0.01, 0.03
"""How often a step of the story is left out, and how often another one comes before it."""


class Retold(Schedule):
    """One schedule, chosen by a seed: a story with deviations, then whatever chance brings."""

    def __init__(self, seed: int, make: Callable[[int, Level], Deployment] = Deployment) -> None:
        super().__init__(seed, make)
        name = self.rng.choice(sorted(STORIES))
        self.n, level, self._story = STORIES[name]
        self.level = level if self.maybe(0.8) else self.level
        self.deployment = make(self.n, self.level)
        self.slots = list(range(self.n + 1))
        self.steps = len(self._story) + self.rng.choice((0, 10, 40))
        self._key = 1_000  # stories name their tries and links by small numbers

    def run(self, do: Callable[[Step], bool] | None = None) -> None:
        """Tell the story, then go on as any schedule. Raises Violation."""
        do = do or self.deployment.do
        for step in self._story:
            if self.maybe(INSERTED):
                self._take(next(self._next(), None), do)
            if not self.maybe(OMITTED):
                self._take(step, do)
        super().run(do)

    def _take(self, step: Step | None, do: Callable[[Step], bool]) -> None:
        if step is not None:
            self.taken.append(step)
            if not do(step):
                self.taken.pop()
