"""`kvops bench aof`: what writes cost when they are kept in an append-only file, beside a Redis that keeps one.

Synced before each reply, both servers wait for the disk: the ratio then says how many requests share one wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ops.bench import throughput
from ops.bench.machine import Cores
from ops.bench.report import Sheet, type_row
from ops.bench.results import Comparison, geometric_mean

POLICIES = ("everysec", "always", "no")
"""Values of appendfsync."""
COMPARED = POLICIES[:2]
TESTS = ("set", "incr", "lpush", "mset")

Found = Mapping[str, Sequence[Comparison]]


def run(plan: throughput.Plan, cores: Cores, progress: Callable[[str], None]) -> dict[str, list[Comparison]]:
    """Measure the plan under each policy. Raises BenchError."""
    found = {}
    for policy in COMPARED:
        say = partial(_say, progress, policy)
        found[policy] = throughput.run(replace(plan, aof=policy), cores, say)
    return found


def _say(progress: Callable[[str], None], policy: str, text: str) -> None:
    progress(f"appendfsync {policy}: {text}")


def sheet(found: Found, title: str) -> Sheet:
    """A row for each test, its ratios by policy and pipeline depth, by throughput and by processor time."""
    cells = {(c.test, policy, c.pipeline): c for policy, comparisons in found.items() for c in comparisons}
    tests = list(dict.fromkeys(test for test, _, _ in cells))
    places = list(dict.fromkeys((policy, depth) for _, policy, depth in cells))
    rows = [(test, *type_row([cells.get((test, *place)) for place in places])) for test in tests]
    means: list[str] = []
    for place in places:
        chosen = [cells[test, *place] for test in tests if (test, *place) in cells]
        both = geometric_mean(c.ratio for c in chosen), geometric_mean(c.cpu_ratio for c in chosen)
        means += (f"{mean:.2f}" for mean in both)
    heads = [head for policy, depth in places for head in (f"{policy}, pipeline {depth}", "by processor time")]
    return Sheet(title, ("test", *heads), (*rows, (f"geometric mean of {len(tests)}", *means)))


def as_data(found: Found) -> list[dict[str, object]]:
    """Everything that was measured, for --json."""
    return [
        {
            "appendfsync": policy,
            "test": c.test,
            "pipeline": c.pipeline,
            "ratio": round(c.ratio, 4),
            "cpu_ratio": round(c.cpu_ratio, 4),
            "ours_per_s": [m.requests_per_s for m in c.ours],
            "redis_per_s": [m.requests_per_s for m in c.theirs],
        }
        for policy, comparisons in found.items()
        for c in comparisons
    ]
