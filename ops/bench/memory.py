"""`kvops bench memory`: bytes per key and per element, from the growth of the processes' resident memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ops.bench.datasets import AGGREGATES, SMALL, big, chunked, expiring, small, streams, strings
from ops.bench.report import Sheet
from ops.bench.servers import OURS, BenchServer

FAR_MS = 4_102_444_800_000
"""When keys expire that shall stay: the year 2100, in Unix milliseconds."""


@dataclass(frozen=True)
class Case:
    """One data set; `units` is what its memory is divided by."""

    name: str
    units: int
    unit: str
    requests: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Result:
    """Bytes per unit on our server and on each peer."""

    case: Case
    ours: float
    peers: Mapping[str, float]

    @property
    def theirs(self) -> float:
        """Of the peer that needs the least."""
        return min(self.peers.values())

    @property
    def ratio(self) -> float:
        """Ours by theirs; 0.0 where theirs couldn't be measured."""
        return self.ours / self.theirs if self.theirs > 0 else 0.0


def cases(keys: int) -> list[Case]:
    """String keys, then each type small (so many elements in all) and big (one key with that many elements)."""
    found = [Case("strings, 16-byte keys and values", keys, "key", partial(strings, keys))]
    for kind in AGGREGATES:
        found.append(_of_small(kind, keys // SMALL))
        found.append(Case(f"{kind} of {keys:,}", keys, "element", partial(big, kind, keys)))
    return found


def small_cases(keys: int) -> list[Case]:
    """Bytes per key where keys are small: strings, the same with an expiry, ten elements of each type."""
    count = keys // SMALL
    return [
        Case("strings, 16-byte keys and values", keys, "key", partial(strings, keys)),
        Case("the same, with expiry", keys, "key", partial(expiring, keys, FAR_MS)),
        *(_of_small(kind, count) for kind in AGGREGATES),
        Case(f"stream of {SMALL}", count, "key", partial(streams, count)),
    ]


def _of_small(kind: str, count: int) -> Case:
    return Case(f"{kind} of {SMALL}", count, "key", partial(small, kind, count))


def run(
    chosen: Sequence[Case], programs: Mapping[str, str], progress: Callable[[str], None]
) -> list[Result]:
    """Fill a fresh server of each kind with each data set; `programs` are the peers', by name. Raises BenchError."""
    results = []
    for case in chosen:
        grown = {}
        for name, program in {OURS: "", **programs}.items():
            progress(f"{case.name} on {name}")
            with BenchServer(name, -1, program=program) as server:
                before = server.rss
                server.load(chunked(case.requests()))
                grown[name] = (server.rss - before) / case.units
        results.append(Result(case, grown.pop(OURS), grown))
    return results


def compared_sheet(results: Sequence[Result], title: str) -> Sheet:
    """The results beside several peers, with the ratio to the smallest."""
    names = list(results[0].peers)
    rows = tuple(
        (r.case.name, r.case.unit, f"{r.ours:.0f} B", *(f"{r.peers[name]:.0f} B" for name in names), f"{r.ratio:.2f}")
        for r in results
    )
    return Sheet(title, ("data", "per", "understudy", *names, "to the best"), rows)


def sheet(results: list[Result], title: str) -> Sheet:
    """The results as a table."""
    rows = tuple(
        (r.case.name, f"{r.ours:.0f} B", f"{r.theirs:.0f} B", r.case.unit, f"{r.ratio:.2f}") for r in results
    )
    return Sheet(title, ("data", "understudy", "Redis", "per", "ratio"), rows)


def as_data(results: list[Result]) -> list[dict[str, object]]:
    """The results for --json."""
    return [
        {
            "data": r.case.name,
            "per": r.case.unit,
            "ours_bytes": round(r.ours, 1),
            **{f"{name}_bytes": round(grown, 1) for name, grown in r.peers.items()},
            "ratio": round(r.ratio, 4),
        }
        for r in results
    ]
