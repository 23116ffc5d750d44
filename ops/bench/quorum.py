"""`kvops bench quorum`: what a write costs that a majority has to have, beside asynchronous ones and Redis's means.

Three nodes of a kind on this machine's cores: the same replicas and append-only files for all, so the levels differ and
nothing else. Redis can WAIT for a replica behind each write, or sync its file before each reply.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from ops.bench.flood import Flooded, flood
from ops.bench.machine import Cores, pinned
from ops.bench.report import Sheet
from ops.bench.results import percentile
from ops.bench.servers import OURS, REDIS, BenchError, BenchServer, server

FOUNDED_S = 30.0
DEPTHS = (1, 16)
_FILE = ("--appendonly", "yes", "--repl-diskless-sync-delay", "0")


@dataclass(frozen=True)
class Deployment:
    """One row: the servers, what is asked of them, and to which row it is compared."""

    name: str
    kind: str
    options: tuple[str, ...]
    replicas: int = 2
    wait: bool = False
    beside: str = ""


DEPLOYMENTS = (
    Deployment("async", OURS, ("--appendfsync", "everysec")),
    Deployment("quorum", OURS, ("--appendfsync", "everysec", "--quorum-nodes", "3", "--durability", "quorum"),
               beside="async"),
    Deployment("Redis, WAIT 1 behind each write", REDIS, ("--appendfsync", "everysec"), wait=True, beside="quorum"),
    Deployment("quorum-fsync", OURS, ("--appendfsync", "always", "--quorum-nodes", "3", "--durability", "quorum-fsync"),
               beside="Redis alone, appendfsync always"),
    Deployment("Redis alone, appendfsync always", REDIS, ("--appendfsync", "always"), replicas=0),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One deployment in one round: by pipeline depth at all clients, and one client alone."""

    many: dict[int, Flooded]
    one: Flooded


Found = dict[str, list[Run]]


def run(clients: int, seconds: float, rounds: int, cores: Cores, progress: Callable[[str], None]) -> Found:
    """Measure all deployments, in turns. Raises BenchError."""
    found: Found = {each.name: [] for each in DEPLOYMENTS}
    for number in range(rounds):
        for each in DEPLOYMENTS if number % 2 == 0 else DEPLOYMENTS[::-1]:
            progress(f"{each.name}, round {number + 1} of {rounds}")
            with _deployed(each, cores) as primary, pinned(cores.client):
                many = {depth: flood(primary.port, clients, depth, seconds, each.wait) for depth in DEPTHS}
                found[each.name].append(Run(many, flood(primary.port, 1, 1, seconds / 2, each.wait)))
    return found


@contextmanager
def _deployed(each: Deployment, cores: Cores) -> Iterator[BenchServer]:
    options = (*_FILE, *each.options)
    with server(each.kind, cores.server, options, each.replicas, cores.others, options) as primary:
        if "--quorum-nodes" in each.options:
            _wait_for_the_founding(primary)
        yield primary


def _wait_for_the_founding(primary: BenchServer) -> None:
    deadline = time.monotonic() + FOUNDED_S
    while True:
        shown = primary.client.info("quorum")
        if shown.get("quorum_state") == "leading" and not shown.get("quorum_reason"):
            return
        if time.monotonic() > deadline:
            raise BenchError(f"the group was not founded: {shown.get('quorum_reason')}")
        time.sleep(0.05)


def sheet(found: Found, title: str) -> Sheet:
    """A row for each deployment: rates and their ratio to the row beside it, and the times of one client."""
    rows = []
    for each in DEPLOYMENTS:
        runs, beside = found[each.name], found.get(each.beside, [])
        cells = [_cell(runs, beside, depth) for depth in DEPTHS]
        times = [percentile(one.one.times_ms, 50) for one in runs]
        rows.append((each.name, each.beside or "-", *cells, f"{median(times):.2f}"))
    heads = (*(f"pipeline {depth}: writes/s, ratio" for depth in DEPTHS), "one client, p50 ms")
    return Sheet(title, ("deployment", "compared with", *heads), tuple(rows))


def _cell(runs: Sequence[Run], beside: Sequence[Run], depth: int) -> str:
    rate = median(one.many[depth].per_s for one in runs)
    if not beside:
        return f"{rate:.0f}"
    ratios = [a.many[depth].per_s / b.many[depth].per_s for a, b in zip(runs, beside, strict=True)]
    return f"{rate:.0f} ({median(ratios):.2f})"


def as_data(found: Found) -> list[dict[str, object]]:
    """Everything that was measured, for --json."""
    return [
        {
            "deployment": name,
            "per_s": {depth: [one.many[depth].per_s for one in runs] for depth in DEPTHS},
            "one_client_p50_ms": [percentile(one.one.times_ms, 50) for one in runs],
        }
        for name, runs in found.items()
    ]
