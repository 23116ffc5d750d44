"""Looking for a schedule that breaks something, and making it short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from replication.quorum.tally import Level
from simulation.quorum.agreement import Pair
from simulation.quorum.deployment import Deployment
from simulation.quorum.oracle import Violation
from simulation.quorum.schedules import Schedule, Step

Make = Callable[[int, Level], Deployment]


@dataclass
class Found:
    """A schedule that broke a promise."""

    seed: int
    n: int
    level: Level
    why: str
    steps: list[Step]


@dataclass
class Result:
    """What a search saw."""

    kind: type[Schedule] = Schedule
    schedules: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    found: Found | None = None


def search(
    seeds: Iterable[int], make: Make = Deployment, compare: bool = False, kind: type[Schedule] = Schedule
) -> Result:
    """Run schedules until one breaks something. With `compare` the specification runs beside the machines.

    Raises:
        Disagreement: the machines and the specification part.
    """
    result = Result(kind)
    for seed in seeds:
        schedule = kind(seed, make)
        result.schedules += 1
        try:
            schedule.run(Pair(schedule.deployment).do if compare else None)
        except Violation as violation:
            result.found = Found(seed, schedule.n, schedule.level, str(violation), schedule.taken)
        result.counts.update(vars(schedule.deployment.oracle.counts))
        result.counts["actions"] += len(schedule.taken)
        if result.found is not None:
            break
    return result


def replay(steps: Iterable[Step], n: int, level: Level, make: Make = Deployment) -> tuple[str, list[Step]]:
    """What a list of actions leads to ("" for nothing wrong), and the actions that were possible."""
    deployment, done = make(n, level), []
    for step in steps:
        done.append(step)
        try:
            if not deployment.do(step):
                done.pop()
        except Violation as violation:
            return str(violation), done
    return "", done


def shorten(found: Found, make: Make) -> Found:
    """The same, without whatever can be left out: halves first, then smaller parts, then single actions."""
    steps, size = found.steps, max(1, len(found.steps) // 2)
    why = found.why
    while size:
        at, shorter = 0, False
        while at < len(steps):
            broken, done = replay(steps[:at] + steps[at + size :], found.n, found.level, make)
            if broken:
                steps, why, shorter = done, broken, True
            else:
                at += size
        if not shorter:
            size //= 2
    return Found(found.seed, found.n, found.level, why, steps)
