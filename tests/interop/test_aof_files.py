"""Append-only files between us and a real Redis: what one wrote, the other loads, and holds the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import Server, start_kvserver, start_redis, wait_until
from support.content import details, functions
from support.load import Background, write

KINDS: dict[str, Callable[..., Server]] = {"redis": start_redis, "ours": start_kvserver}
LIFE_S = 1000
OPTIONS: dict[str, Any] = {
    "appendonly": "yes", "auto_aof_rewrite_percentage": 0, "enable_debug_command": "local", "aof_load_truncated": "no",
}  # fmt: skip


def rewrite(server: Server) -> None:
    """Have the files rewritten, and wait for that."""
    server.command("BGREWRITEAOF")
    wait_until(lambda: is_over(server.info("persistence")), what="the rewrite")
    assert server.info("persistence")["aof_last_bgrewrite_status"] == "ok"


def is_over(found: dict[str, Any]) -> bool:
    """Whether no rewrite runs or is to run, by one answer: between two what was scheduled may have begun."""
    return not found["aof_rewrite_in_progress"] and not found["aof_rewrite_scheduled"]


def wait_until_settled(server: Server) -> None:
    """Until nothing is left that soon expires."""
    soon_ms = (time.time() + LIFE_S) * 1000
    wait_until(lambda: all(at == -1 or at > soon_ms for _, at, _ in details(server).values()), what="settled data")


def content(server: Server) -> dict[str, Any]:
    """All that is to be the same."""
    return {
        "keys": details(server),
        "digest": server.command("DEBUG", "DIGEST"),
        "functions": functions(server),
    }


def carry(folder: Path, writer: str, reader: str, preamble: str, seed: int) -> None:
    """Write under load, before, during and after a rewrite; then let the other load it."""
    with KINDS[writer](folder=folder, aof_use_rdb_preamble=preamble, aof_timestamp_enabled="yes", **OPTIONS) as server:
        write(server, seed, batches=120)
        with Background(server, seed) as load:
            rewrite(server)
            enough = sum(client.answered for client in load.clients) + 1500
            wait_until(lambda: sum(client.answered for client in load.clients) > enough, what="the load goes on")
        wait_until_settled(server)
        expected = content(server)
    names = sorted(path.name for path in (folder / "appendonlydir").iterdir())
    assert names[0] == f"appendonly.aof.2.base.{'rdb' if preamble == 'yes' else 'aof'}"
    with KINDS[reader](folder=folder, **OPTIONS) as server:
        found = content(server)
        assert found["keys"] == expected["keys"]
        assert found == expected


@pytest.mark.parametrize("preamble", ["yes", "no"])
@pytest.mark.parametrize(("writer", "reader"), [("redis", "ours"), ("ours", "redis"), ("ours", "ours")])
def test_equal_digests(tmp_path: Path, writer: str, reader: str, preamble: str) -> None:
    """All types, scripts, functions, several databases: equal, whether the base is a snapshot or commands."""
    carry(tmp_path, writer, reader, preamble, seed=11)


def test_acknowledgements_of_files() -> None:
    """A Redis 7.0 takes our acknowledgements, which tell of the file; its own don't, and count for WAIT alone."""
    fast = {"repl_diskless_sync_delay": 0, "appendonly": "yes"}
    for above, below, on_disks in ((start_redis, start_kvserver, None), (start_kvserver, start_redis, [1, 0])):
        with above(**fast) as primary, below(replicaof=[primary.host, primary.port], **fast) as replica:
            wait_until(lambda replica=replica: replica.info("replication")["master_link_status"] == "up", what="link")
            client = primary.client()
            client.set("key", 1)
            assert client.wait(1, 10_000) == 1
            if on_disks is not None:
                assert client.execute_command("WAITAOF", 1, 0, 0) == on_disks
                assert client.execute_command("WAITAOF", 1, 1, 50) == on_disks
            assert primary.info("replication")["slave0"]["offset"] > 0


if __name__ == "__main__":  # with another seed: python tests/interop/test_aof_files.py redis ours yes 12
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        carry(Path(home), *sys.argv[1:4], int(sys.argv[4]))
    print("equal")
