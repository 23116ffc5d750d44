"""Who reaches whom, and how fast: directions that are cut, and delays that the seed draws."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation.whole.world import World

QUICK_NS, SELF_NS = 50_000, 10_000
"""The least delay between two hosts, and that of a host to itself."""
SPREAD_NS = 1_500_000


class Network:
    """Who reaches whom, and how fast."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.cut: set[tuple[str, str]] = set()
        """Directions in which nothing passes: from, to."""
        self.slow: dict[tuple[str, str], int] = {}
        """Nanoseconds that a direction may take beside what all take."""
        self.spread_ns = SPREAD_NS
        self.split = 0.02
        """How often a segment comes in two parts."""
        self.segments = 0

    def delay_ns(self, source: str, target: str) -> int:
        """How long the next thing sent takes."""
        if source == target:
            return SELF_NS
        spread = self.spread_ns + (self.slow.get((source, target), 0) if self.slow else 0)
        return QUICK_NS + int(self._world.rng.random() * spread)

    def separate(self, one: Iterable[str], other: Iterable[str], both_ways: bool = True) -> None:
        """Nothing passes from one side to the other."""
        others = list(other)
        for a in one:
            for b in others:
                self.cut.add((a, b))
                if both_ways:
                    self.cut.add((b, a))

    def mend(self) -> None:
        """Everything passes again, as fast as ever."""
        self.cut.clear()
        self.slow.clear()
        self.spread_ns = SPREAD_NS
