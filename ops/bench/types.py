"""`kvops bench types`: requests on every type of value, against data that is alike on both servers.

Each case fills its keys anew on both servers, and then one request (with random numbers in it, where the case says
so) is repeated by redis-benchmark.  The ratio by processor time is the better one on a machine that has other work,
and for requests with large replies, which the client reads more slowly than either server writes them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ops.bench.datasets import ARGS_MAX, big, chunked, encode, strings
from ops.bench.machine import Cores, cpu_s, pinned
from ops.bench.race import Race
from ops.bench.report import Sheet, type_row
from ops.bench.results import Comparison, Measured, OutputError, geometric_mean, parse_csv
from ops.bench.servers import HOST, OURS, REDIS, BenchError, BenchServer, need
from ops.bench.throughput import turns

RANDOM = b"__rand_int__"
"""What redis-benchmark replaces by twelve digits, smaller than its option -r."""
SCRIPT = b"return redis.call('INCRBY', KEYS[1], ARGV[1])"
LIST_LENGTH = 1000
SMALL = 20
"""Fields of the hash that HGETALL reads."""
MEDIUM = 100
"""Members of the sets that are united."""
LARGE = 10_000
"""Members of the sorted sets that are searched; the numbers that are drawn at random."""
WORST_BELOW = 0.6
"""Ratios named below the table."""
REQUESTS_MIN = 500
"""Of a run: redis-benchmark counts in milliseconds."""
RUN_S = 300.0
BATCH = 20
"""Requests sent between two waits while a server is filled: they have up to a hundred elements each."""


@dataclass(frozen=True)
class Case:
    """What one request does, and the data it needs; `requests` are those of a run at pipeline 1 and deeper."""

    name: str
    words: tuple[bytes, ...]
    requests: tuple[int, int]
    data: Callable[[], Iterator[bytes]] = lambda: iter(())


def _points() -> Iterator[bytes]:
    """Ten thousand points around the middle of a square of two degrees."""
    for start in range(0, LARGE, ARGS_MAX):
        words: list[bytes] = []
        for i in range(start, start + ARGS_MAX):
            x, y = i * 7919 % LARGE, i * 104_729 % 9973
            words += (b"%.6f" % (12.4 + 2 * x / LARGE), b"%.6f" % (51.5 + 2 * y / 9973), b"point:%05d" % i)
        yield encode(b"GEOADD", b"types:geo", *words)


def _both(kind: str) -> Iterator[bytes]:
    """Two collections of a hundred members, the half of which they share."""
    yield from big(kind, MEDIUM, b"types:one")
    command = b"SADD" if kind == "set" else b"ZADD"
    half = range(MEDIUM // 2, MEDIUM + MEDIUM // 2)
    words = [(b"member:%06d" % i,) if kind == "set" else (b"%d" % i, b"member:%06d" % i) for i in half]
    yield encode(command, b"types:two", *(word for pair in words for word in pair))


def _ranked() -> Iterator[bytes]:
    """A sorted set of all members that can be drawn."""
    for start in range(0, LARGE, ARGS_MAX):
        pairs = ((b"%d" % (i * 7919 % LARGE), b"element:%012d" % i) for i in range(start, start + ARGS_MAX))
        yield encode(b"ZADD", b"types:zset", *(word for pair in pairs for word in pair))


def _entries(count: int) -> Iterator[bytes]:
    """A stream of so many entries of one field."""
    return (encode(b"XADD", b"types:stream", b"*", b"field", b"value:%06d" % i) for i in range(count))


def _lrange(count: int, requests: tuple[int, int]) -> Case:
    words = (b"LRANGE", b"types:list", b"0", b"%d" % (count - 1))
    return Case(f"LRANGE_{count}", words, requests, lambda: big("list", LIST_LENGTH, b"types:list"))


CASES = (
    Case("XADD", (b"XADD", b"types:stream", b"*", b"field", RANDOM), (50_000, 200_000)),
    Case("ZRANGEBYSCORE (10 of 10,000)", (b"ZRANGEBYSCORE", b"types:zset", RANDOM, b"+inf", b"LIMIT", b"0", b"10"),
         (50_000, 150_000), lambda: big("sorted set", LARGE, b"types:zset")),
    _lrange(100, (30_000, 60_000)),
    _lrange(300, (15_000, 25_000)),
    _lrange(500, (10_000, 16_000)),
    _lrange(600, (8_000, 14_000)),
    Case("EVALSHA", (b"EVALSHA", b"", b"1", b"types:counter", b"1"), (40_000, 100_000)),
    Case("MSET (10)", (b"MSET", *(b"key:" + RANDOM, b"value:0123456789") * 10), (30_000, 60_000)),
    Case("MGET (100)", (b"MGET", *(b"key:" + RANDOM,) * 100), (10_000, 16_000), lambda: strings(LARGE)),
    Case(f"HGETALL ({SMALL})", (b"HGETALL", b"types:hash"), (40_000, 120_000),
         lambda: big("hash", SMALL, b"types:hash")),
    Case("SUNION (2 of 100)", (b"SUNION", b"types:one", b"types:two"), (15_000, 20_000), lambda: _both("set")),
    Case("ZUNIONSTORE (2 of 100)", (b"ZUNIONSTORE", b"types:to", b"2", b"types:one", b"types:two"), (8_000, 10_000),
         lambda: _both("sorted set")),
    Case("GEOSEARCH (about 50)", (b"GEOSEARCH", b"types:geo", b"FROMLONLAT", b"13.4", b"52.5", b"BYRADIUS", b"8",
                                  b"km", b"ASC"), (8_000, 10_000), _points),
    Case("PFADD", (b"PFADD", b"types:hll", b"element:" + RANDOM), (50_000, 200_000)),
)  # fmt: skip
MORE_CASES = (
    Case("XADD MAXLEN", (b"XADD", b"types:stream", b"MAXLEN", b"~", b"1000", b"*", b"field", RANDOM),
         (50_000, 200_000)),
    Case("SET EX", (b"SET", b"key:" + RANDOM, b"value:0123456789", b"EX", b"1000"), (50_000, 200_000)),
    Case("HINCRBY", (b"HINCRBY", b"types:hash", b"field:" + RANDOM, b"1"), (50_000, 200_000)),
    Case("ZADD (random, one growing set)", (b"ZADD", b"types:zset", RANDOM, b"element:" + RANDOM),
         (50_000, 150_000)),
    Case("ZRANK", (b"ZRANK", b"types:zset", b"element:" + RANDOM), (50_000, 150_000), _ranked),
    Case("LMOVE", (b"LMOVE", b"types:list", b"types:list", b"LEFT", b"RIGHT"), (50_000, 150_000),
         lambda: big("list", LIST_LENGTH, b"types:list")),
    Case("MGET (10)", (b"MGET", *(b"key:" + RANDOM,) * 10), (40_000, 100_000), lambda: strings(LARGE)),
    Case("SINTER (2 of 100)", (b"SINTER", b"types:one", b"types:two"), (20_000, 30_000), lambda: _both("set")),
    Case("SDIFF (2 of 100)", (b"SDIFF", b"types:one", b"types:two"), (20_000, 30_000), lambda: _both("set")),
    Case("XRANGE (10 of 1,000)", (b"XRANGE", b"types:stream", b"-", b"+", b"COUNT", b"10"), (40_000, 80_000),
         lambda: _entries(1000)),
)  # fmt: skip
"""What is measured as well where several peers are compared with, or where it is named."""


@dataclass(frozen=True)
class Plan:
    """What to measure; `divide` makes every run so many times shorter."""

    cases: tuple[Case, ...] = CASES
    pipelines: tuple[int, ...] = (1, 16)
    rounds: int = 3
    clients: int = 50
    divide: int = 1

    def requests(self, case: Case, pipeline: int) -> int:
        """How many requests one run sends."""
        return max(case.requests[pipeline > 1] // self.divide, REQUESTS_MIN)


def choose(words: Sequence[str]) -> tuple[Case, ...]:
    """The cases whose name begins with one of the words; `CASES` when there is none."""
    begins = tuple(word.lower() for word in words)
    return tuple(c for c in (*CASES, *MORE_CASES) if c.name.lower().startswith(begins)) if begins else CASES


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
    with ExitStack() as running:
        servers = [
            running.enter_context(BenchServer(name, cores.server, program=program))
            for name, program in {OURS: "", **programs}.items()
        ]
        for case in plan.cases:
            for pipeline in plan.pipelines:
                race = Race(case.name, pipeline)
                for number in range(plan.rounds):
                    progress(f"{case.name} pipeline {pipeline}, round {number + 1} of {plan.rounds}")
                    for each in turns(servers, number):
                        race.add(each.kind, _measure(plan, case, pipeline, each, cores.client), each.kind == OURS)
                races.append(race)
    return races


def prepare(case: Case, server: BenchServer) -> list[bytes]:
    """Give a server the case's data, and nothing else; return the request. Raises BenchError."""
    server.client.flushall()
    server.load(chunked(case.data(), BATCH))
    words = list(case.words)
    if words[0] == b"EVALSHA":
        words[1] = server.client.script_load(SCRIPT).encode()
    return words


def _measure(plan: Plan, case: Case, pipeline: int, server: BenchServer, core: int) -> Measured:
    """One run on one server."""
    requests = plan.requests(case, pipeline)
    command: list[bytes | str] = [
        need("redis-benchmark"), "-h", HOST, "-p", str(server.port), "--csv", "-c", str(plan.clients),
        "-P", str(pipeline), "-n", str(requests), "-r", str(LARGE), *prepare(case, server),
    ]  # fmt: skip
    before_s = cpu_s(server.process.pid)
    with pinned(core):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
        except subprocess.TimeoutExpired:
            raise BenchError(f"redis-benchmark of {case.name} did not end in {RUN_S:.0f} s")
    used_s = cpu_s(server.process.pid) - before_s
    try:
        found = parse_csv(done.stdout)
    except OutputError as failure:
        raise BenchError(str(failure))
    if done.returncode or not found:
        raise BenchError(f"redis-benchmark of {case.name} failed: {(done.stderr or done.stdout).strip()[:300]}")
    return replace(found[-1], test=case.name, cpu_us=used_s * 1e6 / requests)


def sheet(comparisons: Sequence[Comparison], title: str) -> Sheet:
    """Per case, and for each pipeline depth, the ratio and the ratio by processor time."""
    depths = sorted({c.pipeline for c in comparisons})
    found = {(c.test, c.pipeline): c for c in comparisons}
    names = list(dict.fromkeys(c.test for c in comparisons))
    rows = [(name, *type_row([found.get((name, depth)) for depth in depths])) for name in names]
    means: list[str] = []
    for depth in depths:
        at_depth = [c for c in comparisons if c.pipeline == depth]
        means += (f"{geometric_mean(c.ratio for c in at_depth):.2f}",
                  f"{geometric_mean(c.cpu_ratio for c in at_depth):.2f}")  # fmt: skip
    rows.append((f"geometric mean of {len(names)}", *means))
    columns = ("request", *(text for depth in depths for text in (f"pipeline {depth}", "by processor time")))
    return Sheet(title, columns, tuple(rows))


def worst(comparisons: Sequence[Comparison], below: float = WORST_BELOW) -> str:
    """One line that names the smallest ratios by processor time (by throughput where that isn't known)."""
    low: dict[str, float] = {}
    for c in comparisons:
        low[c.test] = min(low.get(c.test, below), c.cpu_ratio or c.ratio)
    named = sorted((ratio, name) for name, ratio in low.items() if ratio < below)
    if not named:
        return f"None is below {below} of Redis."
    return f"Below {below} of Redis by processor time: " + ", ".join(f"{name} {ratio:.2f}" for ratio, name in named)
