"""`kvops bench sync`: how long a replica takes for a full synchronization, and what the primary's clients notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from ops.bench.datasets import chunked, strings
from ops.bench.machine import Cores, aside, give_way
from ops.bench.pinger import Pinger
from ops.bench.report import Sheet
from ops.bench.results import percentile
from ops.bench.servers import HOST, OURS, REDIS, BenchError, BenchServer

OPTIONS = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")


@dataclass(frozen=True)
class Result:
    """One server's synchronizations: the seconds each took, and the SET times of a client of the primary."""

    kind: str
    seconds: tuple[float, ...]
    p50_ms: float
    p99_ms: float
    worst_ms: float

    @property
    def median_s(self) -> float:
        """The median of the runs, in seconds."""
        return median(self.seconds)


def run(keys: int, rounds: int, cores: Cores, progress: Callable[[str], None]) -> list[Result]:
    """Fill a primary of each kind, and attach a fresh replica so many times. Raises BenchError."""
    results = []
    for kind in (OURS, REDIS):
        with BenchServer(kind, cores.server, OPTIONS) as primary:
            progress(f"filling {kind} with {keys:,} keys")
            primary.load(chunked(strings(keys)))
            seconds: list[float] = []
            times_ms: list[float] = []
            for number in range(rounds):
                progress(f"{kind}: synchronization {number + 1} of {rounds}")
                took_s, answers_ms = _synchronize(kind, primary, keys, cores)
                seconds.append(took_s)
                times_ms += answers_ms
        results.append(
            Result(kind, tuple(seconds), percentile(times_ms, 50), percentile(times_ms, 99), max(times_ms, default=0))
        )
    return results


def _synchronize(kind: str, primary: BenchServer, keys: int, cores: Cores) -> tuple[float, list[float]]:
    with BenchServer(kind, cores.others[0], OPTIONS) as replica:
        give_way(replica.process.pid, cores.others[0], cores.client)
        with Pinger(primary.port, cores.client, "set") as pinger, aside(cores.client):
            replica.client.replicaof(HOST, primary.port)
            took_s = replica.wait_info("replication", "master_link_status", "up")
        if replica.client.dbsize() < keys:
            raise BenchError(f"{kind}: the replica has {replica.client.dbsize()} of {keys} keys")
    return took_s, pinger.times_ms


def sheet(results: list[Result], title: str) -> Sheet:
    """The results as a table; the last row is ours to Redis's."""
    rows = [
        (
            r.kind,
            f"{r.median_s:.2f} s ({min(r.seconds):.2f}–{max(r.seconds):.2f})",
            f"{r.p50_ms:.2f} ms",
            f"{r.p99_ms:.2f} ms",
            f"{r.worst_ms:.1f} ms",
        )
        for r in results
    ]
    if len(results) == 2 and results[1].median_s:
        rows.append(("ratio", f"{results[0].median_s / results[1].median_s:.2f}", "", "", ""))
    return Sheet(title, ("server", "full sync", "SET p50", "SET p99", "SET worst"), tuple(rows))


def as_data(results: list[Result]) -> list[dict[str, object]]:
    """The results for --json."""
    return [
        {"server": r.kind, "seconds": [round(s, 3) for s in r.seconds], "set_p50_ms": r.p50_ms,
         "set_p99_ms": r.p99_ms, "set_worst_ms": r.worst_ms}
        for r in results
    ]  # fmt: skip
