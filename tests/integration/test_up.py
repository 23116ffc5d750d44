"""`kvops up`: a whole cluster by one command, again on the same data, and its demonstration."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
from redis.sentinel import Sentinel
from support.ports import free_ports
from support.processes import Process, python_env
from support.waiting import wait_until

START_S = 60.0


def free_range(count: int) -> int:
    """The first of so many free neighbouring ports, whose HTTP ports are free too."""
    return free_ports(*(i + above for i in range(count) for above in (0, 1000) if i + above))


@contextmanager
def started(folder: Path, *options: str) -> Iterator[Process]:
    """A running `kvops up` on a folder."""
    command = [sys.executable, "-m", "ops.cli", "up", "--dir", str(folder / "data"), *options]
    with Process(command, folder, "kvops", python_env()) as process:
        yield process
        if process.returncode is None:  # it ends six processes, one waiting for another: give it the time
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def new_cluster() -> list[str]:
    """Options of a cluster on ports of its own."""
    return ["--port", str(free_range(3)), "--sentinel-port", str(free_range(3))]


def sentinels(folder: Path) -> list[tuple[str, int]]:
    """The addresses of the cluster's sentinels."""
    layout = json.loads((folder / "data" / "cluster.json").read_text())
    return [("127.0.0.1", member["port"]) for member in layout["sentinels"]]


def primary_of(folder: Path) -> tuple[str, int]:
    """Who leads, as redis-py's Sentinel support finds out."""
    return Sentinel(sentinels(folder), sentinel_kwargs={"socket_timeout": 2.0}).discover_master("mymaster")


def wait_until_whole(folder: Path, process: Process) -> tuple[str, int]:
    """Wait until every sentinel knows everybody; return the primary's address."""

    def whole() -> bool:
        assert process.returncode is None, process.log_tail()
        for host, port in sentinels(folder):
            with redis.Redis(host, port, protocol=2, socket_timeout=2.0, decode_responses=True) as client:
                flat = client.execute_command("SENTINEL", "MASTER", "mymaster")
                fields = dict(zip(flat[::2], flat[1::2], strict=True))
                if (fields["num-slaves"], fields["num-other-sentinels"]) != ("2", "2"):
                    return False
        return True

    wait_until(lambda: (folder / "data" / "cluster.json").exists(), START_S, "the layout is written")
    wait_until(whole, START_S, "every sentinel knows everybody")
    return primary_of(folder)


def children(process: Process) -> list[int]:
    """Process ids of the servers."""
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


def test_two_starts_on_the_same_data(tmp_path: Path) -> None:
    """The roles that a failover left are those of the next start, the data is there, and stopping ends everybody."""
    with started(tmp_path, *new_cluster()) as process:
        host, port = wait_until_whole(tmp_path, process)
        with redis.Redis(host, port, protocol=2) as client:
            client.set("kept", "value")
            wait_until(lambda: client.execute_command("WAIT", 2, 1000) == 2, what="both replicas have the key")
        first_sentinel = redis.Redis(*sentinels(tmp_path)[0], protocol=2)
        first_sentinel.execute_command("SENTINEL", "FAILOVER", "mymaster")
        wait_until(lambda: primary_of(tmp_path)[1] != port, START_S, "another node leads")
        wait_until_settled(tmp_path)
        new_port = primary_of(tmp_path)[1]
        pids = children(process)
        assert len(pids) == 6
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert "metrics of sentinel-3: http://127.0.0.1:" in process.log_text()
    with started(tmp_path) as process:
        _, port = wait_until_whole(tmp_path, process)
        assert port == new_port
        with redis.Redis("127.0.0.1", port, protocol=2) as client:
            assert client.get("kept") == b"value"
            wait_until(lambda: client.info("replication")["connected_slaves"] == 2, START_S, "two replicas follow")


def wait_until_settled(folder: Path) -> None:
    """Wait until the new primary has two replicas, so that all configuration files are rewritten."""

    def settled() -> bool:
        with redis.Redis(*primary_of(folder), protocol=2, socket_timeout=2.0) as client:
            info = client.info("replication")
            return bool(info["role"] == "master" and info["connected_slaves"] == 2)

    wait_until(settled, START_S, "both replicas follow the new primary")


@pytest.mark.timeout(180)
def test_demonstration(tmp_path: Path) -> None:
    """The demonstration kills the primary, reports gap and loss as the client saw them, and ends with 0."""
    with started(tmp_path, *new_cluster(), "--demo", "--demo-seconds", "1", "--restart-after", "1") as process:
        code = process.wait(150)
        report = process.log_text()
        assert code == 0, report
        assert "write gap that the client saw: " in report
        assert "rejoined as a replica" in report
        assert "by partial resynchronization" in report
        assert "acknowledged writes are absent" in report


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """When a port that was asked for is taken, the command ends with an error that names it, and starts nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started(tmp_path, "--port", str(port)) as process:
            assert process.wait(30) == 1
            assert f"port {port} is taken" in process.log_text()
    assert not (tmp_path / "data" / "cluster.json").exists()
