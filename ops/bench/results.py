"""The arithmetic of the benchmarks: what redis-benchmark printed, ratios, their spread, geometric means. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, log
from statistics import median

SUMMARY_TESTS = ("SET", "GET", "INCR", "LPUSH", "RPOP", "SADD", "HSET", "SPOP", "ZADD", "MSET")
"""The tests whose geometric mean sums a pipeline depth up."""


class OutputError(ValueError):
    """redis-benchmark printed something that isn't its CSV."""


@dataclass(frozen=True)
class Measured:
    """One run of one test."""

    test: str
    requests_per_s: float
    p99_ms: float
    cpu_us: float = 0.0
    """Processor time of the server per request; 0 = not known."""


def parse_csv(text: str) -> list[Measured]:
    """Read the output of `redis-benchmark --csv` (a heading, then one line per test). Raises OutputError."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    try:
        return [
            Measured(short_name(row["test"]), float(row["rps"]), float(row["p99_latency_ms"])) for row in rows
        ]
    except (KeyError, TypeError, ValueError):
        raise OutputError(f"unexpected output of redis-benchmark: {text[:200]!r}")


def short_name(title: str) -> str:
    """The name of a test without its explanation: "MSET (10 keys)" is MSET, "LRANGE_100 (...)" LRANGE_100."""
    return title.split(" (", 1)[0].strip()


@dataclass
class Comparison:
    """All runs of one test at one pipeline depth, on both servers."""

    test: str
    pipeline: int
    ours: list[Measured] = field(default_factory=list)
    theirs: list[Measured] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Ours to theirs, round by round: two runs next to each other in time share the machine's mood."""
        return [a.requests_per_s / b.requests_per_s for a, b in zip(self.ours, self.theirs, strict=False)
                if b.requests_per_s]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios; 0 when there is none."""
        return median(self.ratios) if self.ratios else 0.0

    @property
    def cpu_ratio(self) -> float:
        """Their processor time per request to ours, the median of the rounds; 0 when it isn't known.

        What the throughput ratio would be if the server never had to wait for a core or for its client: the better
        measure on a machine that has other work, or whose client is slower than the server.
        """
        pairs = zip(self.ours, self.theirs, strict=False)
        ratios = [b.cpu_us / a.cpu_us for a, b in pairs if a.cpu_us and b.cpu_us]
        return median(ratios) if ratios else 0.0

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of a round."""
        return (min(self.ratios), max(self.ratios)) if self.ratios else (0.0, 0.0)

    @property
    def rates(self) -> tuple[float, float]:
        """The median requests per second: ours, theirs."""
        sides = (self.ours, self.theirs)
        ours, theirs = (median(m.requests_per_s for m in side) if side else 0.0 for side in sides)
        return ours, theirs


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean; 0 for no values, or when one of them is 0."""
    numbers = list(values)
    if not numbers or min(numbers) <= 0:
        return 0.0
    return exp(sum(map(log, numbers)) / len(numbers))


def summary(
    comparisons: Sequence[Comparison], value: Callable[[Comparison], float] = lambda c: c.ratio
) -> dict[int, float]:
    """The geometric mean of the summary tests' ratios at each pipeline depth, of those that were measured."""
    means: dict[int, float] = {}
    for depth in sorted({c.pipeline for c in comparisons}):
        chosen = [value(c) for c in comparisons if c.pipeline == depth and c.test in SUMMARY_TESTS]
        if chosen:
            means[depth] = geometric_mean(chosen)
    return means


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values don't exceed (nearest rank); 0 for none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(ceil(len(ordered) * percent / 100), 1) - 1]


def as_data(comparisons: Sequence[Comparison], about: Mapping[str, object]) -> dict[str, object]:
    """Everything that was measured, for --json."""
    return {
        "about": dict(about),
        "geometric_means": {str(depth): round(mean, 4) for depth, mean in summary(comparisons).items()},
        "geometric_means_of_cpu": {
            str(depth): round(mean, 4) for depth, mean in summary(comparisons, lambda c: c.cpu_ratio).items()
        },
        "tests": [
            {
                "test": c.test,
                "pipeline": c.pipeline,
                "ratio": round(c.ratio, 4),
                "spread": [round(r, 4) for r in c.spread],
                "cpu_ratio": round(c.cpu_ratio, 4),
                "ours_per_s": [m.requests_per_s for m in c.ours],
                "redis_per_s": [m.requests_per_s for m in c.theirs],
                "ours_p99_ms": [m.p99_ms for m in c.ours],
                "redis_p99_ms": [m.p99_ms for m in c.theirs],
            }
            for c in comparisons
        ],
    }
