"""Whole deployments in virtual time: a few stories, and that a seed is a story."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def stories(*args: str) -> str:
    """Run them in a process of their own; what it printed. Raises AssertionError if one fails."""
    done = subprocess.run(
        [sys.executable, "-m", "simulation.whole", *args], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_deployments_get_well_after_faults() -> None:
    """Killed, paused, cut off, without power, with full and lost disks: when faults stop, all nodes hold the same."""
    told = stories("--seed", "1000", "--seconds", "20", "--stories", "12")
    assert int(re.findall(r"(\d+) stories:", told)[-1]) > 0


def test_a_seed_is_a_story_to_the_last_byte() -> None:
    """The same seed gives the same bytes on the wire and on the disks, and the same lines in the logs."""
    first, again = (re.findall(r"seed \d+: ([0-9a-f]{32})", stories("--seed", "7", "--stories", "2")) for _ in range(2))
    assert len(first) == 2
    assert first == again


def test_a_dead_primary_is_replaced() -> None:
    """Three nodes and three sentinels: the primary is killed, a replica takes over, the old one comes back to it."""
    told = stories("--story", "kill", "--seed", "3", "--stories", "1", "--show", "4000")
    assert "1 failovers" in told
    assert "+switch-master main 10.0.1.1 6379" in told


def test_what_is_broken_is_found() -> None:
    """With a rule of the product switched off stories fail: replicas promoted under their old id, unsynced votes."""
    told = stories("--table", "24", "--rules", "keeps its id,votes unsynced")
    assert told.count("caught after") == 2


def test_what_is_broken_in_a_quorum_is_found() -> None:
    """Who forgot counts all the same, who promised goes on, the longest log leads: stories lose writes, or hang."""
    told = stories("--table", "24", "--rules", "amnesia ignored,no fence,chooses by offset")
    assert told.count("caught after") == 3
