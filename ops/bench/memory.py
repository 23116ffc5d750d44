"""`kvops bench memory`: bytes per key and per element, from the growth of the processes' resident memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ops.bench.datasets import AGGREGATES, SMALL, big, chunked, small, strings
from ops.bench.report import Sheet
from ops.bench.servers import OURS, REDIS, BenchServer


@dataclass(frozen=True)
class Case:
    """One data set; `units` is what its memory is divided by."""

    name: str
    units: int
    unit: str
    requests: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Result:
    """Bytes per unit on both servers."""

    case: Case
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Ours by theirs; 0.0 where theirs couldn't be measured."""
        return self.ours / self.theirs if self.theirs > 0 else 0.0


def cases(keys: int) -> list[Case]:
    """String keys, then each type small (so many elements in all) and big (one key with that many elements)."""
    found = [Case("strings, 16-byte keys and values", keys, "key", partial(strings, keys))]
    for kind in AGGREGATES:
        count = keys // SMALL
        found.append(Case(f"{kind} of {SMALL}", count, "key", partial(small, kind, count)))
        found.append(Case(f"{kind} of {keys:,}", keys, "element", partial(big, kind, keys)))
    return found


def run(keys: int, progress: Callable[[str], None]) -> list[Result]:
    """Fill a fresh server of each kind with each data set. Raises BenchError."""
    results = []
    for case in cases(keys):
        grown = {}
        for kind in (OURS, REDIS):
            progress(f"{case.name} on {kind}")
            with BenchServer(kind, -1) as server:
                before = server.rss
                server.load(chunked(case.requests()))
                grown[kind] = (server.rss - before) / case.units
        results.append(Result(case, grown[OURS], grown[REDIS]))
    return results


def sheet(results: list[Result], title: str) -> Sheet:
    """The results as a table."""
    rows = tuple(
        (r.case.name, f"{r.ours:.0f} B", f"{r.theirs:.0f} B", r.case.unit, f"{r.ratio:.2f}") for r in results
    )
    return Sheet(title, ("data", "understudy", "Redis", "per", "ratio"), rows)


def as_data(results: list[Result]) -> list[dict[str, object]]:
    """The results for --json."""
    return [
        {"data": r.case.name, "per": r.case.unit, "ours_bytes": round(r.ours, 1), "redis_bytes": round(r.theirs, 1),
         "ratio": round(r.ratio, 4)}
        for r in results
    ]  # fmt: skip
