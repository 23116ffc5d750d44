"""`kvops bench`: the same redis-benchmark client against all servers, in alternating rounds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ops.bench.machine import Cores, cpu_s, pinned
from ops.bench.race import Race
from ops.bench.results import Comparison, Measured, OutputError, parse_csv
from ops.bench.servers import HOST, OURS, REDIS, BenchError, BenchServer, need, server

TESTS = (
    "ping_inline", "ping_mbulk", "set", "get", "incr", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop",
    "zadd", "zpopmin", "lrange_100", "lrange_300", "lrange_500", "lrange_600", "mset",
)  # fmt: skip
"""redis-benchmark's default tests, in its order; list tests leave what later ones pop."""
REQUESTS = {1: 100_000, 16: 400_000}
"""Requests of a run up to a pipeline depth; deeper ones get `REQUESTS_DEEP`."""
REQUESTS_DEEP = 800_000
WEIGHTS = {"lrange_100": 8, "lrange_300": 20, "lrange_500": 30, "lrange_600": 35, "mset": 4}
"""How many times the work of a GET one request means: it gets that many times fewer requests."""
QUICK = 5
RUN_S = 300.0


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    tests: tuple[str, ...] = TESTS
    pipelines: tuple[int, ...] = (1, 16, 64)
    rounds: int = 3
    clients: int = 50
    replicas: int = 0
    aof: str = ""
    """When the append-only file is synced (appendfsync); "" = there is none."""
    quick: bool = False
    keyspace: int = 0
    """Random keys out of so many; 0 = one key, as redis-benchmark does by itself."""

    def requests(self, test: str, pipeline: int) -> int:
        """How many requests one run sends."""
        count = next((n for depth, n in REQUESTS.items() if pipeline <= depth), REQUESTS_DEEP)
        return max(count // WEIGHTS.get(test, 1) // (QUICK if self.quick else 1), 1000)


def options_of(plan: Plan) -> list[str]:
    """The options that both servers are started with."""
    return ["--appendonly", "yes", "--appendfsync", plan.aof] if plan.aof else []


def run(plan: Plan, cores: Cores, progress: Callable[[str], None]) -> list[Comparison]:
    """Measure everything of the plan on our server and on the installed Redis. Raises BenchError."""
    return [race.against(REDIS) for race in compete(plan, {REDIS: ""}, cores, progress)]


def compete(
    plan: Plan, programs: Mapping[str, str], cores: Cores, progress: Callable[[str], None]
) -> list[Race]:
    """Measure everything of the plan on our server and on others, whose programs are given by name.

    Raises BenchError.
    """
    races: list[Race] = []
    extra = options_of(plan)
    with ExitStack() as running:
        servers = [
            running.enter_context(server(name, cores.server, extra, plan.replicas, cores.others, program=program))
            for name, program in {OURS: "", **programs}.items()
        ]
        for pipeline in plan.pipelines:
            for each in servers:
                each.client.flushall()
            for test in plan.tests:
                race = Race(test.upper(), pipeline)
                for number in range(plan.rounds):
                    progress(f"{test} pipeline {pipeline}, round {number + 1} of {plan.rounds}")
                    _round(plan, race, test, servers, number, cores.client)
                races.append(race)
    return races


def turns(servers: Sequence[BenchServer], number: int) -> Sequence[BenchServer]:
    """The servers in the order of a round: who is first changes from round to round."""
    first = number % len(servers)
    return [*servers[first:], *servers[:first]]


def _round(plan: Plan, race: Race, test: str, servers: Sequence[BenchServer], number: int, core: int) -> None:
    """Run one test on all servers."""
    for each in turns(servers, number):
        before_s = cpu_s(each.process.pid)
        measured = _benchmark(plan, test, race.pipeline, each.port, core)
        cpu_us = (cpu_s(each.process.pid) - before_s) * 1e6 / plan.requests(test, race.pipeline)
        race.add(each.kind, replace(measured, cpu_us=cpu_us), each.kind == OURS)


def _benchmark(plan: Plan, test: str, pipeline: int, port: int, core: int) -> Measured:
    command = [
        need("redis-benchmark"), "-h", HOST, "-p", str(port), "--csv", "-t", test, "-c", str(plan.clients),
        "-P", str(pipeline), "-n", str(plan.requests(test, pipeline)),
        *(["-r", str(plan.keyspace)] if plan.keyspace else []),
    ]  # fmt: skip
    with pinned(core):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
        except subprocess.TimeoutExpired:
            raise BenchError(f"redis-benchmark -t {test} did not end in {RUN_S:.0f} s")
    try:
        found = [m for m in parse_csv(done.stdout) if m.test == test.upper()]
    except OutputError as failure:
        raise BenchError(str(failure))
    if done.returncode or not found:
        raise BenchError(f"redis-benchmark -t {test} failed: {(done.stderr or done.stdout).strip()[:300]}")
    return found[-1]
