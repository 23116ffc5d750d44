"""redis-cli's rarer modes against our node, as its users know them."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import Server, require_peer, start_kvserver, start_redis, wait_until

LIBRARY = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
KEYS = 300


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_kvserver(maxmemory_policy="allkeys-lfu", maxmemory="1gb", repl_diskless_sync_delay=0) as server:
        client = server.client()
        client.mset({f"key:{n}": "v" * n for n in range(KEYS)})
        client.rpush("list", *range(50))
        client.hset("hash", mapping={f"f{n}": n for n in range(40)})
        client.sadd("set", *range(30))
        client.zadd("zset", {f"m{n}": n for n in range(20)})
        client.xadd("stream", {"a": "b"})
        client.execute_command("FUNCTION", "LOAD", LIBRARY)
        yield server


def cli(node: Server, *words: str) -> str:
    """What redis-cli prints, and that it ends well."""
    done = subprocess.run(
        [require_peer("redis-cli"), "-h", node.host, "-p", str(node.port), *words],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Running:
    """redis-cli in a mode that doesn't end: its lines as they come."""

    def __init__(self, stack: ExitStack, node: Server, *words: str) -> None:
        line_by_line = shutil.which("stdbuf")
        if line_by_line is None:
            pytest.skip("needs stdbuf: redis-cli keeps its lines back where there is no terminal")
        command = [line_by_line, "-oL", require_peer("redis-cli"), "-h", node.host, "-p", str(node.port), *words]
        self.text = ""
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        stack.callback(self.end)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.text += line

    def wait_for(self, wanted: Callable[[str], bool]) -> None:
        wait_until(lambda: wanted(self.text), what="what redis-cli is to print")

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_copies(node: Server, stack: ExitStack, tmp_path: Path, diskless: str) -> None:
    """--rdb takes everything, --functions-rdb the libraries and no key; a Redis server starts from either."""
    node.command("CONFIG", "SET", "repl-diskless-sync", diskless)
    for mode, keys in (("--rdb", KEYS + 5), ("--functions-rdb", 0)):
        folder = tmp_path / mode
        folder.mkdir()
        cli(node, mode, str(folder / "dump.rdb"))
        other = stack.enter_context(start_redis(folder=folder))
        assert other.command("DBSIZE") == keys
        assert len(other.command("FUNCTION", "LIST")) == 1


def test_hot_keys(node: Server) -> None:
    """--hotkeys finds what is used most, where the policy is LFU."""
    for _ in range(300):
        node.command("GET", "key:7")
    printed = cli(node, "--hotkeys")
    assert 'keyname: "key:7"' in printed.partition("-------- summary -------")[2]


def test_latencies(node: Server, stack: ExitStack) -> None:
    """--latency-dist goes on drawing a spectrum."""
    latencies = Running(stack, node, "--latency-dist", "-i", "0.1")
    latencies.wait_for(lambda text: text.count("\n") > 6)


def test_following(node: Server, stack: ExitStack) -> None:
    """--replica prints what the primary logs."""
    replica = Running(stack, node, "--replica")
    replica.wait_for(lambda text: "SYNC done" in text)
    node.command("SETEX", "followed", 100, "value")
    replica.wait_for(lambda text: '"followed","' in text)


def test_no_cluster(node: Server) -> None:
    """--cluster says that this is no node of a cluster; -c works with one that isn't."""
    command = [require_peer("redis-cli"), "--cluster", "info", f"{node.host}:{node.port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "is not configured as a cluster node" in done.stdout + done.stderr
    assert cli(node, "-c", "STRLEN", "key:7").strip() == "7"
