"""The tables of `kvops bench chaos`. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.bench.report import Sheet
from ops.chaos.records import Failover, Period
from ops.chaos.verdicts import Gap, Verdict, median_and_worst


@dataclass
class Round:
    """One deployment, from its start to the verdict."""

    servers: str
    seed: int
    periods: Sequence[Period]
    failovers: Mapping[int, Failover]
    verdict: Verdict
    kept: str = ""
    """The folder with its histories and logs, where it was kept."""


def totals(rounds: Sequence[Round], title: str) -> Sheet:
    """A row for each kind of servers."""
    columns = ("servers", "faults", "failovers", "acknowledged", "unknown", "lost", "not linearizable", "duplicate",
               "writers' gap: median", "worst", "not judged")  # fmt: skip
    rows = []
    for name in dict.fromkeys(each.servers for each in rounds):
        of_kind = [each for each in rounds if each.servers == name]
        verdicts = [each.verdict for each in of_kind]
        sums = [sum(getattr(v, what) for v in verdicts)
                for what in ("failovers", "acknowledged", "unknown", "lost", "not_linear", "duplicates")]  # fmt: skip
        unjudged = sum(len(v.unjudged) for v in verdicts)
        rows.append((name, str(sum(len(each.periods) for each in of_kind)), *(f"{number:,}" for number in sums),
                     *_seconds([gap for v in verdicts for gap in v.gaps]), str(unjudged)))  # fmt: skip
    return Sheet(title, columns, tuple(rows))


def by_fault(rounds: Sequence[Round]) -> Sheet:
    """A row for each fault: how often it led to a failover, what was lost, and the gap, for each kind of servers."""
    names = list(dict.fromkeys(each.servers for each in rounds))
    heads = [f"{name}: {what}" for name in names for what in ("failovers", "lost", "gap median", "worst")]
    faults = list(dict.fromkeys(period.name for each in rounds for period in each.periods))
    rows = []
    for fault in faults:
        cells: list[str] = []
        for name in names:
            of_kind = [each for each in rounds if each.servers == name]
            times = sum(period.name == fault for each in of_kind for period in each.periods)
            failovers = sum(failovers_by_period(each)[fault] for each in of_kind)
            lost = sum(each.verdict.lost_by_period.get(fault, 0) for each in of_kind)
            silences = [gap for each in of_kind for gap in each.verdict.gaps if gap.period == fault]
            cells += (f"{failovers} of {times}", f"{lost:,}", *_seconds(silences))
        rows.append((fault, *cells))
    return Sheet("By fault", ("fault", *heads),
                 tuple(rows))  # fmt: skip


def failovers_by_period(each: Round) -> Counter[str]:
    """How many failovers began during each fault."""
    found: Counter[str] = Counter()
    for failover in each.failovers.values():
        found[next((p.name for p in reversed(each.periods) if p.began <= failover.when), "")] += 1
    return found


def _seconds(gaps: Sequence[Gap]) -> tuple[str, str]:
    both = median_and_worst(gaps)
    return ("", "") if both is None else (f"{both[0]:.2f} s", f"{both[1]:.2f} s")


def remarks(rounds: Sequence[Round], shown: int = 5) -> list[str]:
    """What could not be judged, what else happened, and the first violations of each round."""
    lines: list[str] = []
    for each in rounds:
        where = f"{each.servers}, seed {each.seed}"
        lines += [f"{where}: not judged: {text}" for text in each.verdict.unjudged]
        for period in each.periods:
            lines += [f"{where}: {period.name}: {note}" for note in period.notes]
        rules = Counter(v.rule for v in each.verdict.violations)
        if rules:
            lines.append(f"{where}: " + ", ".join(f"{rule} {count}" for rule, count in rules.most_common()))
        lines += [f"{where}: {v.rule} {v.key}: {v.text}" for v in each.verdict.violations[:shown]]
        if each.kept:
            lines.append(f"{where}: histories and logs are in {each.kept}")
    return lines


def as_data(rounds: Sequence[Round]) -> list[dict[str, object]]:
    """Everything that was counted, for --json."""
    return [
        {
            "servers": each.servers,
            "seed": each.seed,
            "faults": [period.name for period in each.periods],
            "failovers": each.verdict.failovers,
            "acknowledged": each.verdict.acknowledged,
            "refused": each.verdict.refused,
            "unknown": each.verdict.unknown,
            "lost": each.verdict.lost,
            "not_linearizable": each.verdict.not_linear,
            "duplicates": each.verdict.duplicates,
            "rules": Counter(v.rule for v in each.verdict.violations),
            "lost_by_fault": dict(each.verdict.lost_by_period),
            "gaps_s": [{"fault": g.period, "writer": g.writer, "seconds": round(g.seconds, 4)}
                       for g in each.verdict.gaps],
            "not_judged": each.verdict.unjudged,
        }
        for each in rounds
    ]  # fmt: skip
