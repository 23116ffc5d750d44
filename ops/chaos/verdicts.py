"""What the clients' rows and the last reads say: which judge hears which, and what is counted. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from ops.chaos.records import Failover, Period, Row
from ops.chaos.workloads import BY_NAME
from ops.histories.counters import judge_counter
from ops.histories.cycles import judge_order
from ops.histories.elements import judge_elements
from ops.histories.lists import Append, Transaction, judge_lists
from ops.histories.operation import Operation, Outcome, Violation
from ops.histories.registers import Undecided, judge_register

PLACES_MAX = 300_000
"""Places that the search for a register's order may visit."""
DUPLICATES = ("duplicate", "too-much")
WRITERS = "elements"
"""The workload whose silence is the writers' gap."""


@dataclass(frozen=True)
class Gap:
    """The longest silence that a writer saw in a failover, in seconds."""

    period: str
    writer: str
    seconds: float


@dataclass
class Verdict:
    """What is counted of one round."""

    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    failovers: int = 0
    violations: list[Violation] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    lost_by_period: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Lost writes by the fault during which they were acknowledged."""

    @property
    def lost(self) -> int:
        """Acknowledged elements that aren't there at the end."""
        return sum(map(_is_loss, self.violations))

    @property
    def duplicates(self) -> int:
        """What happened more often than it was asked for."""
        return sum(v.rule in DUPLICATES for v in self.violations)

    @property
    def not_linear(self) -> int:
        """Registers, lists and counters (and circles of transactions) that no order of the operations explains."""
        others = [v for v in self.violations if not _is_loss(v) and v.rule not in DUPLICATES]
        return len({v.key for v in others if v.key}) + sum(not v.key for v in others)


def judge(
    rows: Sequence[Row], sets: Mapping[str, Iterable[str]] | None, periods: Sequence[Period],
    failovers: Mapping[int, Failover],
) -> Verdict:  # fmt: skip
    """Judge one round; `sets` are the sets as they were read at the end, None if nobody could be asked."""
    verdict = Verdict(failovers=len(failovers))
    by_judge: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        verdict.acknowledged += row.is_acknowledged_write
        verdict.refused += row.outcome == Outcome.REFUSED.value
        verdict.unknown += row.outcome == Outcome.UNKNOWN.value
        by_judge[BY_NAME[row.workload].judge].append(row)
    if sets is None:
        verdict.unjudged.append("lost elements: nobody could be asked at the end")
    else:
        verdict.violations += judge_elements([row.operation() for row in by_judge["elements"]], sets).violations
    _registers(verdict, by_judge["registers"])
    _lists(verdict, by_judge["lists"])
    for key, of_key in _by_key(by_judge["counters"]).items():
        verdict.violations += judge_counter(key, of_key)
    for violation in verdict.violations:
        if _is_loss(violation):
            verdict.lost_by_period[_blamed(violation, periods)] += 1
    verdict.gaps = gaps(by_judge["elements"], periods, failovers)
    verdict.unjudged += [f"{p.name}: not well again in time ({p.complaint})" for p in periods if not p.settled]
    return verdict


def _is_loss(violation: Violation) -> bool:
    """Whether an acknowledged element is gone; a counter only shows that some increment is, again and again."""
    return violation.rule == "lost" and not violation.key.startswith("counter:")


def _by_key(rows: Iterable[Row]) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = defaultdict(list)
    for row in rows:
        found[row.key].append(row.operation())
    return found


def _registers(verdict: Verdict, rows: Iterable[Row]) -> None:
    for key, operations in _by_key(rows).items():
        try:
            verdict.violations += judge_register(key, operations, limit=PLACES_MAX)
        except Undecided as failure:
            verdict.unjudged.append(f"{key}: {failure}")


def _lists(verdict: Verdict, rows: Iterable[Row]) -> None:
    history = [row.transaction() for row in rows]
    found = judge_lists(history)
    verdict.violations += found.violations
    if not found.violations:
        verdict.violations += judge_order(history, found)


def _blamed(loss: Violation, periods: Sequence[Period]) -> str:
    """The fault after which an element that had been there was gone; else the last before it was acknowledged."""
    write = loss.evidence[0]
    is_list = isinstance(write, Transaction)
    words = {step.element for step in write.steps if isinstance(step, Append)} if is_list else {write.value}
    for period in periods:
        if words & period.vanished:
            return period.name
    return next((p.name for p in reversed(periods) if p.began <= write.returned), "")


def gaps(rows: Iterable[Row], periods: Sequence[Period], failovers: Mapping[int, Failover]) -> list[Gap]:
    """For each fault that led to a failover, the longest silence of each writer until the new primary served it.

    Writers that were cut off, and those that cling to where they were, don't count.
    """
    acks: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.workload == WRITERS and row.outcome == Outcome.OK.value:
            acks[row.client].append(row)
    found: list[Gap] = []
    for at, period in enumerate(periods):
        end = periods[at + 1].began if at + 1 < len(periods) else None
        within = [f for f in failovers.values() if f.when >= period.began and (end is None or f.when < end)]
        if not within:
            continue
        last = max(within, key=lambda f: f.epoch)
        for writer, written in acks.items():
            host = f"clients-{writer.split('-')[1]}"
            seconds = _silence(written, period.began, last)
            if host not in period.cut_off and seconds is not None:
                found.append(Gap(period.name, writer, seconds))
    return found


def _silence(written: Sequence[Row], began: int, last: Failover) -> float | None:
    """The longest time between two acknowledgements, from before the fault to the first by the new primary."""
    by_new = (n for n, row in enumerate(written) if row.returned >= last.when and row.address == last.address)
    first = next(by_new, None)
    if first is None:
        return None
    before = max((n for n, row in enumerate(written) if row.returned <= began), default=0)
    times = [row.returned for row in written[before : first + 1]]
    return max((b - a for a, b in pairwise(times)), default=0) / 1e9


def median_and_worst(found: Iterable[Gap]) -> tuple[float, float] | None:
    """In seconds; None if there are none."""
    seconds = [gap.seconds for gap in found]
    return (median(seconds), max(seconds)) if seconds else None
