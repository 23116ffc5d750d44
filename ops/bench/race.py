"""Ours and any number of other servers in one run: what was measured, and the tables of it. Pure.

A ratio is taken within a round, in which the servers had their turns one after the other: the ratio to the best is the
median of the rounds' ratios to whoever was the best of that round, so no peer is the best by luck of the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from ops.bench.report import Sheet
from ops.bench.results import Comparison, Measured, geometric_mean


@dataclass
class Race:
    """All runs of one test at one pipeline depth, on our server and on each peer."""

    test: str
    pipeline: int
    ours: list[Measured] = field(default_factory=list)
    peers: dict[str, list[Measured]] = field(default_factory=dict)

    def add(self, name: str, measured: Measured, ours: bool) -> None:
        """Note one run."""
        (self.ours if ours else self.peers.setdefault(name, [])).append(measured)

    def against(self, name: str) -> Comparison:
        """Ours and one peer."""
        return Comparison(self.test, self.pipeline, self.ours, self.peers[name])

    @property
    def best(self) -> Comparison:
        """Ours and, round by round, the highest rate and the lowest processor time that a peer had."""
        rounds = zip(*self.peers.values(), strict=False)
        return Comparison(self.test, self.pipeline, self.ours, [_best(runs) for runs in rounds])


def _best(runs: Sequence[Measured]) -> Measured:
    first = max(runs, key=lambda run: run.requests_per_s)
    cpu_us = min((run.cpu_us for run in runs if run.cpu_us), default=0.0)
    return Measured(first.test, first.requests_per_s, min(run.p99_ms for run in runs), cpu_us)


def cpu_us(runs: Sequence[Measured]) -> float:
    """The median processor time per request, in microseconds."""
    return median(run.cpu_us for run in runs) if runs else 0.0


def compared_sheet(races: Sequence[Race], names: Sequence[str], title: str, only: Sequence[str] = ()) -> Sheet:
    """A row for each test and depth: ratios by rate, processor time per request, ratio by processor time.

    The means below are of the tests named by `only`, of all when it is empty.
    """
    columns = (
        "test", "pipeline", "to the best", "lowest–highest", *(f"to {name}" for name in names),
        "µs ours", *(f"µs {name}" for name in names), "by processor time",
    )  # fmt: skip
    rows = [_row(race, names) for race in races]
    for depth in sorted({race.pipeline for race in races}):
        chosen = [r for r in races if r.pipeline == depth and (not only or r.test in only)]
        if chosen:
            rows.append(_means(chosen, depth, names))
    return Sheet(title, columns, tuple(rows))


def _row(race: Race, names: Sequence[str]) -> tuple[str, ...]:
    best = race.best
    low, high = best.spread
    return (
        race.test, str(race.pipeline), f"{best.ratio:.2f}", f"{low:.2f}–{high:.2f}",
        *(f"{race.against(name).ratio:.2f}" for name in names),
        f"{cpu_us(race.ours):.2f}", *(f"{cpu_us(race.peers[name]):.2f}" for name in names), f"{best.cpu_ratio:.2f}",
    )  # fmt: skip


def _means(races: Sequence[Race], depth: int, names: Sequence[str]) -> tuple[str, ...]:
    means = [f"{geometric_mean(race.against(name).ratio for race in races):.2f}" for name in names]
    return (
        f"geometric mean of {len(races)}", str(depth), f"{geometric_mean(race.best.ratio for race in races):.2f}", "",
        *means, *("" for _ in range(len(names) + 1)), f"{geometric_mean(race.best.cpu_ratio for race in races):.2f}",
    )  # fmt: skip


def as_data(races: Sequence[Race], about: Mapping[str, object]) -> dict[str, object]:
    """Everything that was measured, for --json."""
    return {
        "about": dict(about),
        "tests": [
            {
                "test": race.test,
                "pipeline": race.pipeline,
                "to_best": round(race.best.ratio, 4),
                "spread": [round(ratio, 4) for ratio in race.best.spread],
                "cpu_to_best": round(race.best.cpu_ratio, 4),
                "to": {name: round(race.against(name).ratio, 4) for name in race.peers},
                "per_s": {name: [run.requests_per_s for run in runs] for name, runs in _sides(race)},
                "cpu_us": {name: [round(run.cpu_us, 3) for run in runs] for name, runs in _sides(race)},
                "p99_ms": {name: [run.p99_ms for run in runs] for name, runs in _sides(race)},
            }
            for race in races
        ],
    }


def _sides(race: Race) -> list[tuple[str, list[Measured]]]:
    return [("ours", race.ours), *race.peers.items()]
