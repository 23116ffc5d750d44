"""`kvops bench chaos`: real servers under real faults, a short run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.peers import require_peer
from support.processes import python_env
from support.waiting import wait_until

from ops.chaos.namespaces import permitted

CHAOS_S = 170.0


def chaos(folder: Path, *args: str, code: int = 0) -> str:
    """Run it in a process of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "bench", "chaos", *args],
        cwd=folder, env=python_env(), capture_output=True, text=True, timeout=CHAOS_S, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def rounds(path: Path) -> list[dict[str, Any]]:
    """What --json wrote."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["rounds"]
    return found


@pytest.mark.timeout(180)
def test_a_primary_that_is_cut_off_loses_what_it_acknowledged(tmp_path: Path) -> None:
    """Without a quorum both servers fail over and lose writes, and the run sees it: else it would see nothing."""
    require_peer("redis-server")
    path = tmp_path / "chaos.json"
    output = chaos(tmp_path, "--faults", "with-clients", "--seed", "1", "--markdown", "--json", str(path))
    assert "| understudy async |" in output
    for each in rounds(path):
        assert each["faults"] == ["with-clients"]
        assert each["failovers"] >= 1
        assert each["acknowledged"] > 1000
        assert each["lost"] > 0
        assert each["not_linearizable"] > 0
        assert each["duplicates"] == 0
        assert each["not_judged"] == []


@pytest.mark.timeout(180)
def test_a_quorum_loses_nothing(tmp_path: Path) -> None:
    """With a quorum nothing acknowledged is lost, and every read and write has its moment, on replicas too."""
    path = tmp_path / "chaos.json"
    chaos(tmp_path, "--servers", "understudy", "--durability", "quorum", "--faults", "with-sentinel,kill",
          "--seed", "1", "--json", str(path))  # fmt: skip
    (each,) = rounds(path)
    assert each["failovers"] >= 2
    assert each["acknowledged"] > 500
    assert each["lost"] == each["not_linearizable"] == each["duplicates"] == 0
    assert each["not_judged"] == []


@pytest.mark.timeout(180)
def test_the_proxy_stands_in_for_namespaces(tmp_path: Path) -> None:
    """Where namespaces aren't permitted the same run goes through a proxy on loopback."""
    path = tmp_path / "chaos.json"
    chaos(tmp_path, "--network", "proxy", "--servers", "understudy", "--faults", "kill", "--json", str(path))
    (each,) = rounds(path)
    assert json.loads(path.read_text())["about"]["network"] == "TCP proxy on loopback"
    assert each["failovers"] == 1
    assert each["gaps_s"]
    assert each["not_judged"] == []


@pytest.mark.parametrize("network", ["namespaces", "proxy"])
def test_a_run_that_is_killed_leaves_no_process(tmp_path: Path, network: str) -> None:
    """Servers and clients end with the run, even where it could not end them itself."""
    if network == "namespaces" and not permitted():
        pytest.skip("network namespaces aren't permitted here")
    command = [sys.executable, "-m", "ops.cli", "bench", "chaos", "--servers", "understudy", "--network", network]
    process = subprocess.Popen(command, cwd=tmp_path, env={**python_env(), "TMPDIR": str(tmp_path)})
    try:
        wait_until(lambda: len(children_in(tmp_path)) >= 9, 60.0, "three nodes, sentinels and processes of clients")
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not children_in(tmp_path), 30.0, "no process is left")


def children_in(folder: Path) -> list[int]:
    """Processes that a run put to work in a folder."""
    return [
        each.info["pid"]
        for each in psutil.process_iter(["pid", "cwd"])
        if (each.info["cwd"] or "").startswith(str(folder / "chaos-"))
    ]


def test_unknown_faults_are_named(tmp_path: Path) -> None:
    """A fault that doesn't exist is refused with the names of those that do; --list says what each is."""
    assert "empty-primary" in chaos(tmp_path, "--faults", "frobnicate", code=2)
    assert "the primary is killed" in chaos(tmp_path, "--list")
