"""`kvops check-rdb`, on files that real servers wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import require_peer, start_redis


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the command on a file."""
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", "check-rdb", str(path)], capture_output=True, text=True, timeout=60
    )


def test_whole_and_cut_files(tmp_path: Path) -> None:
    """A file of a real Redis is counted and found whole; cut short, it is an error and exit code 1."""
    require_peer("redis-server")
    with start_redis() as server:
        client = server.client()
        client.mset({"a": 1, "b": 2})
        client.rpush("l", *range(10))
        client.save()
        raw = Path(server.folder, "dump.rdb").read_bytes()
    path = tmp_path / "dump.rdb"
    path.write_bytes(raw)
    whole = check(path)
    assert whole.returncode == 0
    assert "RDB version 10" in whole.stdout
    assert "string" in whole.stdout
    path.write_bytes(raw[:-12])
    cut = check(path)
    assert cut.returncode == 1
