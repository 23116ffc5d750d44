"""`kvops bench`: each benchmark runs to its end on small numbers and writes what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.peers import require_peer
from support.processes import python_env

from ops import profile

BENCH_S = 170.0


def bench(folder: Path, *args: str, code: int = 0) -> str:
    """Run `kvops bench` in a process of its own, since it changes its priority; what it printed."""
    for program in ("redis-server", "redis-benchmark"):
        require_peer(program)
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "bench", *args],
        cwd=folder, env=python_env(), capture_output=True, text=True, timeout=BENCH_S, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def written(path: Path) -> dict[str, Any]:
    """What --json wrote."""
    data: dict[str, Any] = json.loads(path.read_text())
    assert data["about"]["cores"] > 0
    return data


def test_throughput(tmp_path: Path) -> None:
    """The same client runs against both servers, and the table has their ratio and the geometric mean."""
    path = tmp_path / "bench.json"
    output = bench(tmp_path, "--quick", "--tests", "get", "--pipelines", "16", "--rounds", "1", "--replicas", "1",
                   "--markdown", "--json", str(path))  # fmt: skip
    assert "| GET |" in output
    assert "geometric mean of 1" in output
    (test,) = written(path)["tests"]
    assert test["ratio"] > 0
    assert len(test["ours_per_s"]) == len(test["redis_per_s"]) == 1


def test_beside_peers(tmp_path: Path) -> None:
    """Beside peers each test has its ratio to the best, and what isn't installed is named and left out."""
    path = tmp_path / "bench.json"
    output = bench(tmp_path, "--quick", "--tests", "get", "--pipelines", "16", "--rounds", "2", "--markdown",
                   "--peers", installed(), "--json", str(path))  # fmt: skip
    assert "| GET | 16 |" in output
    data = written(path)
    (test,) = data["tests"]
    assert test["to_best"] > 0
    (name, *_) = data["about"]["peers"]
    assert len(test["cpu_us"]["ours"]) == len(test["cpu_us"][name]) == 2


def test_memory_beside_peers(tmp_path: Path) -> None:
    """Bytes per key of strings, with expiry too, and of ten elements of each type are measured beside peers."""
    path = tmp_path / "memory.json"
    bench(tmp_path, "memory", "--keys", "2000", "--peers", installed(), "--json", str(path))
    names = [row["data"] for row in written(path)["memory"]]
    assert names[1:] == ["the same, with expiry", "list of 10", "hash of 10", "set of integers of 10", "set of 10",
                         "sorted set of 10", "stream of 10"]  # fmt: skip


def test_types_beside_peers(tmp_path: Path) -> None:
    """Cases beyond the table of one peer are measured where they are named."""
    output = bench(tmp_path, "types", "--cases", "lmove,pfadd", "--pipelines", "16", "--rounds", "1", "--divide", "200",
                   "--peers", installed(), "--markdown")  # fmt: skip
    assert "| LMOVE | 16 |" in output
    assert "geometric mean of 2" in output


def test_unknown_peers_are_named(tmp_path: Path) -> None:
    """A peer that nobody knows is refused with the names of those that there are."""
    assert "valkey9" in bench(tmp_path, "--peers", "redis1", code=2)


def installed() -> str:
    """The peers' names that the installed redis-server can be."""
    return "redis7,redis8"


def test_memory(tmp_path: Path) -> None:
    """Bytes per key are measured for strings, and for each type small and big."""
    path = tmp_path / "memory.json"
    bench(tmp_path, "memory", "--keys", "2000", "--json", str(path))
    rows = written(path)["memory"]
    assert [row["data"] for row in rows][:3] == ["strings, 16-byte keys and values", "list of 10", "list of 2,000"]
    assert len(rows) == 11


def test_sync(tmp_path: Path) -> None:
    """A fresh replica of each kind is synchronized while a client writes to the primary."""
    path = tmp_path / "sync.json"
    bench(tmp_path, "sync", "--keys", "1000", "--rounds", "1", "--json", str(path))
    rows = written(path)["sync"]
    assert [row["server"] for row in rows] == ["understudy", "redis"]
    assert all(row["seconds"][0] > 0 and row["set_p99_ms"] > 0 for row in rows)


@pytest.mark.timeout(180)
def test_types(tmp_path: Path) -> None:
    """Every case runs on both servers, at both pipeline depths, and the smallest ratios are named."""
    path = tmp_path / "types.json"
    output = bench(tmp_path, "types", "--rounds", "1", "--divide", "200", "--markdown", "--json", str(path))
    rows = written(path)["tests"]
    names = [row["test"].split(" ")[0] for row in rows if row["pipeline"] == 16]
    assert names == ["XADD", "ZRANGEBYSCORE", "LRANGE_100", "LRANGE_300", "LRANGE_500", "LRANGE_600", "EVALSHA",
                     "MSET", "MGET", "HGETALL", "SUNION", "ZUNIONSTORE", "GEOSEARCH", "PFADD"]  # fmt: skip
    assert all(row["ratio"] > 0 for row in rows)
    assert "| geometric mean of 14 |" in output
    assert "elow 0.6 of Redis" in output


@pytest.mark.timeout(180)
def test_aof(tmp_path: Path) -> None:
    """Writes are measured with the append-only file synced every second, and before each reply."""
    path = tmp_path / "aof.json"
    output = bench(tmp_path, "aof", "--tests", "set", "--pipelines", "16", "--rounds", "1", "--markdown",
                   "--json", str(path))  # fmt: skip
    assert "| always, pipeline 16 |" in output
    rows = written(path)["aof"]
    assert [row["appendfsync"] for row in rows] == ["everysec", "always"]
    assert all(row["ratio"] > 0 for row in rows)


def test_unknown_cases_are_named(tmp_path: Path) -> None:
    """A case that doesn't exist is refused with the names of those that do."""
    output = bench(tmp_path, "types", "--cases", "frobnicate", code=2)
    assert "ZUNIONSTORE" in output


@pytest.mark.timeout(180)
def test_stalls(tmp_path: Path) -> None:
    """Each case that was chosen has answers of both servers."""
    path = tmp_path / "stalls.json"
    bench(tmp_path, "stalls", "--keys", "2000", "--cases", "BGSAVE,FLUSHALL,expires,UNLINK", "--json", str(path))
    rows = written(path)["stalls"]
    assert len(rows) == 2 * 5
    assert all(row["answers"] > 0 for row in rows)


def test_unknown_tests_are_named(tmp_path: Path) -> None:
    """A test that redis-benchmark doesn't have is refused with the names of those that there are."""
    output = bench(tmp_path, "--tests", "frobnicate", code=2)
    assert "frobnicate" in output
    assert "lrange_100" in output


def test_a_profile_is_of_what_is_installed_wherever_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node under the profiler doesn't begin in the folder of who asks: there might be the tree, uncompiled."""
    require_peer("redis-benchmark")
    spy = tmp_path / "spy"
    options = 'while [ "$1" != -- ]; do [ "$1" = --output ] && pwd > "$2"; shift; done'
    spy.write_text(f'#!/bin/sh\n{options}\nshift\nexec "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setattr(profile, "_spy", lambda: str(spy))
    monkeypatch.chdir(tmp_path)
    profile.record(Path("out.svg"), 0.2, 100, ["-n", "10"], [])
    assert Path((tmp_path / "out.svg").read_text().strip()) != tmp_path
