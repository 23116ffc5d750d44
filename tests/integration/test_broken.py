"""An error of ours that leaves data and log different ends the real process, at once and with nothing told."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from support import start_kvserver, wait_until
from support.replicas import FAST

BREAKS = """
import sys
from kvserver import cli

def fails(c, a):
    {change}
    raise {failure}

plugins = cli.plugins
cli.plugins = lambda: [*plugins(), lambda node: node.handlers.update({{"INCR": fails}})]
sys.exit(cli.main())
"""


def program(change: str, failure: str) -> list[str]:
    """A data node whose INCR does what it shouldn't."""
    return ["-c", BREAKS.format(change=change, failure=failure)]


def test_a_change_that_cant_be_logged_is_the_end(tmp_path: Path) -> None:
    """The client is told nothing, the process ends with 1 and says why, and the file has what was acknowledged."""
    broken = program('c.db.put(a[1], b"half done")', "MemoryError")
    with start_kvserver(folder=tmp_path, program=broken, appendonly="yes") as node:
        client = node.client()
        client.set("key", "value")
        with pytest.raises(redis.ConnectionError):
            client.execute_command("INCR", "key")
        assert node.wait() == 1
        assert "kept the change from the log" in node.log_text()
    with start_kvserver(folder=tmp_path, appendonly="yes") as node:
        assert node.client().get("key") == b"value"


def test_a_replica_that_cant_do_what_its_primary_did_is_the_end(tmp_path: Path) -> None:
    """A replica that would go on without a command of the stream ends, though the command changed nothing here."""
    broken = program("pass", "ValueError")
    with (
        start_kvserver(**FAST) as primary,
        start_kvserver(program=broken, replicaof=f"{primary.host} {primary.port}", **FAST) as node,
    ):
        wait_until(lambda: node.info("replication")["master_link_status"] == "up", what="link up")
        assert primary.command("INCR", "counter") == 1
        assert node.wait() == 1
        assert "primary's stream" in node.log_text() or "incr" in node.log_text()
        assert primary.client().get("counter") == b"1"
