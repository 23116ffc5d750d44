"""`kvops bench chaos`: real servers under real faults, a short run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.peers import require_peer
from support.processes import python_env

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
def test_the_proxy_stands_in_for_namespaces(tmp_path: Path) -> None:
    """Where namespaces aren't permitted the same run goes through a proxy on loopback."""
    path = tmp_path / "chaos.json"
    chaos(tmp_path, "--network", "proxy", "--servers", "understudy", "--faults", "kill", "--json", str(path))
    (each,) = rounds(path)
    assert json.loads(path.read_text())["about"]["network"] == "TCP proxy on loopback"
    assert each["failovers"] == 1
    assert each["gaps_s"]
    assert each["not_judged"] == []


def test_unknown_faults_are_named(tmp_path: Path) -> None:
    """A fault that doesn't exist is refused with the names of those that do; --list says what each is."""
    assert "empty-primary" in chaos(tmp_path, "--faults", "frobnicate", code=2)
    assert "the primary is killed" in chaos(tmp_path, "--list")
