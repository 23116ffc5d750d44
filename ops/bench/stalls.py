"""`kvops bench stalls`: the longest time for which a server answered nobody, seen by a client at 1 kHz.

Each case prepares a server, then does one thing while the client asks. What the client sees also has the
scheduler's noise in it: the case `idle` shows how much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from ops.bench.datasets import big, chunked, encode, expiring, small, strings
from ops.bench.machine import Cores, aside
from ops.bench.pinger import Pinger
from ops.bench.report import Sheet
from ops.bench.results import percentile
from ops.bench.servers import OURS, REDIS, BenchError, BenchServer

GENTLE = 16
"""Requests in a chunk while the client asks: a long pipeline is no stall, but looks like one."""
IDLE_S = 2.0
LOAD_S_PER_KEY = 6e-5
"""How long loading a key may take at most: the moment at which all expire lies that far ahead."""
BEFORE_S = 1.0
ZSET_KEY = b"big"
AFTER_S = 0.5
EXPIRED_S = 300.0


@dataclass(frozen=True)
class Case:
    """`prepare` runs unobserved, then `act` while the client asks. Both get the server and a number of keys."""

    name: str
    prepare: Callable[[BenchServer, int], None]
    act: Callable[[BenchServer, int], None]


@dataclass(frozen=True)
class Result:
    """What the client saw in one case on one server."""

    case: str
    kind: str
    answers: int
    p99_ms: float
    worst_ms: float


def _nothing(server: BenchServer, keys: int) -> None:
    """No preparation."""


def _idle(server: BenchServer, keys: int) -> None:
    time.sleep(IDLE_S)


def _strings(server: BenchServer, keys: int) -> None:
    server.load(chunked(strings(keys)))


def _bgsave(server: BenchServer, keys: int) -> None:
    server.client.execute_command("BGSAVE")
    server.wait_info("persistence", "rdb_bgsave_in_progress", 0)


def _flushall(server: BenchServer, keys: int) -> None:
    server.client.flushall()
    time.sleep(AFTER_S)


def _load_expiring(server: BenchServer, keys: int) -> None:
    """Load keys that all expire at one moment; return a second before it."""
    when_s = time.time() + 2 + keys * LOAD_S_PER_KEY
    server.load(chunked(expiring(keys, int(when_s * 1000))))
    left_s = when_s - BEFORE_S - time.time()
    if left_s < 0:
        raise BenchError(f"{server.kind}: loading took too long for the keys to expire at once")
    time.sleep(left_s)


def _expire(server: BenchServer, keys: int) -> None:
    time.sleep(BEFORE_S)
    deadline = time.monotonic() + EXPIRED_S
    while server.client.dbsize():
        if time.monotonic() > deadline:
            raise BenchError(f"{server.kind}: keys are still there {EXPIRED_S:.0f} s after they expired")
        time.sleep(0.05)


def _hashes(server: BenchServer, keys: int) -> None:
    server.load(chunked(small("hash", keys), GENTLE))


def _big_zset(server: BenchServer, keys: int) -> None:
    server.load(chunked(big("sorted set", keys, ZSET_KEY), 10))


def _write_while_saving(server: BenchServer, keys: int) -> None:
    server.client.execute_command("BGSAVE")
    server.load(chunked(_zset_writes(keys), GENTLE))
    server.wait_info("persistence", "rdb_bgsave_in_progress", 0)


def _zset_writes(keys: int) -> Iterator[bytes]:
    numbers = islice(((i * 7919) % keys for i in range(keys)), 2000)
    return (encode(b"ZADD", ZSET_KEY, b"%d" % i, b"member:%06d" % i) for i in numbers)


def _delete_zset(server: BenchServer, keys: int) -> None:
    server.client.execute_command("UNLINK", ZSET_KEY)
    time.sleep(AFTER_S)


CASES = (
    Case("idle", _nothing, _idle),
    Case("BGSAVE", _strings, _bgsave),
    Case("FLUSHALL", _strings, _flushall),
    Case("everything expires at once", _load_expiring, _expire),
    Case("creating small hashes", _nothing, _hashes),
    Case("writes to one big sorted set during BGSAVE", _big_zset, _write_while_saving),
    Case("UNLINK of one big sorted set", _big_zset, _delete_zset),
)


def run(keys: int, chosen: tuple[str, ...], cores: Cores, progress: Callable[[str], None]) -> list[Result]:
    """Run the cases whose name contains one of `chosen` (all when empty) on both servers. Raises BenchError."""
    results = []
    for case in CASES:
        if chosen and not any(word.lower() in case.name.lower() for word in chosen):
            continue
        for kind in (OURS, REDIS):
            progress(f"{case.name} on {kind}")
            with BenchServer(kind, cores.server) as server:
                case.prepare(server, keys)
                with Pinger(server.port, cores.client) as pinger, aside(cores.client):
                    case.act(server, keys)
            times = pinger.times_ms
            results.append(Result(case.name, kind, len(times), percentile(times, 99), max(times, default=0.0)))
    return results


def sheet(results: list[Result], title: str) -> Sheet:
    """The results as a table, one row per case."""
    by_case: dict[str, dict[str, Result]] = {}
    for result in results:
        by_case.setdefault(result.case, {})[result.kind] = result
    rows = [
        (name, *(cell for kind in (OURS, REDIS) for cell in _cells(found.get(kind)))) for name, found in by_case.items()
    ]
    return Sheet(title, ("case", "understudy p99", "worst", "Redis p99", "worst"), tuple(rows))


def _cells(result: Result | None) -> tuple[str, str]:
    return ("", "") if result is None else (f"{result.p99_ms:.2f} ms", f"{result.worst_ms:.1f} ms")


def as_data(results: list[Result]) -> list[dict[str, object]]:
    """The results for --json."""
    return [
        {"case": r.case, "server": r.kind, "answers": r.answers, "p99_ms": r.p99_ms, "worst_ms": r.worst_ms}
        for r in results
    ]
