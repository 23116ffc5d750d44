"""Roles that change while nodes serve: nobody applies a stream who leads, and nobody guesses the role."""

from __future__ import annotations

import resource
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from support import start_kvserver, wait_until
from support.replicas import field, pair
from support.servers import Server

TIMES = 6
"""How often the role goes to and fro in one test."""


def _hand_over(old: Server, new: Server) -> None:
    """Have `old` hand over to `new`, until the roles have changed and the link is up."""
    wait_until(lambda: field(old, "connected_slaves") == 1, what="the replica attached")
    old.command("FAILOVER")
    wait_until(lambda: field(new, "role") == "master", what="the new primary")
    wait_until(lambda: field(old, "role") == "slave" and field(old, "master_link_status") == "up", what="the link")


def _flags(server: Server) -> list[str]:
    return [client["flags"] for client in server.client().client_list()]


@pytest.mark.parametrize("attempt", range(3))
def test_two_nodes_never_feed_each_other(stack: ExitStack, attempt: int) -> None:
    """However often the role goes to and fro, each INCR is applied once, and a primary follows nobody."""
    old, new = pair(stack, enable_debug_command="local")
    old.command("SET", "n", 0)
    for turn in range(1, TIMES + 1):
        _hand_over(old, new)
        assert new.command("INCR", "n") == turn
        assert not [flags for flags in _flags(new) if "M" in flags], "a primary has a stream coming in"
        wait_until(lambda turn=turn, follower=old: follower.command("GET", "n") == b"%d" % turn, what="the write")
        assert field(old, "connected_slaves") == 0
        old, new = new, old
    wait_until(lambda: field(old, "master_repl_offset") == field(new, "master_repl_offset"), what="equal offsets")
    assert old.command("GET", "n") == new.command("GET", "n") == b"%d" % TIMES
    assert old.command("DEBUG", "DIGEST") == new.command("DEBUG", "DIGEST")


def _rewritten(client: Any) -> bool:
    info = client.info("persistence")
    return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]


def test_a_rewrite_during_a_pause_is_a_primarys(tmp_path: Path) -> None:
    """A file begun while CLIENT PAUSE holds writes back says itself which database the first write is for."""
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        client = node.client(db=5)
        client.set("before", 1)
        client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        client.bgrewriteaof()
        wait_until(lambda: _rewritten(client), what="the rewrite")
        client.execute_command("CLIENT", "UNPAUSE")
        client.set("after", 2)
        node.kill()
        node.start_again()
        client = node.client(db=5)
        assert (client.get("before"), client.get("after")) == (b"1", b"2")
        assert client.info("keyspace").keys() == {"db5"}


def test_a_pause_does_not_end_a_primary_that_cannot_log(tmp_path: Path) -> None:
    """That an append-only file can't be written ends a replica; a primary whose writes are held back refuses them."""
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        client = node.client()
        client.set("a", "y" * 100_000)  # the log of the test is limited as well, and shorter
        size = max(path.stat().st_size for path in (tmp_path / "appendonlydir").glob("*.incr.aof"))
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
        client.set("b", "x" * 100)
        client.execute_command("CLIENT", "PAUSE", 5000, "WRITE")
        beats = client.info("stats")["total_commands_processed"]
        wait_until(lambda: client.info("server")["uptime_in_seconds"] >= 4, what="some looks at the file's health")
        assert client.info("stats")["total_commands_processed"] > beats
        client.execute_command("CLIENT", "UNPAUSE")
        with pytest.raises(redis.ResponseError, match="MISCONF Errors writing to the AOF file"):
            client.set("c", 1)


def test_hello_names_the_role(stack: ExitStack) -> None:
    """HELLO's reply names the role that the node has, as Redis does."""
    primary, replica = pair(stack)
    assert _hello(primary)[b"role"] == b"master"
    assert _hello(replica)[b"role"] == b"replica"
    replica.command("REPLICAOF", "NO", "ONE")
    assert _hello(replica)[b"role"] == b"master"


def _hello(server: Server) -> dict[bytes, Any]:
    reply = server.client().execute_command("HELLO", 2)
    return dict(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else reply


def test_a_role_that_changes_in_a_pause_outlives_it(stack: ExitStack) -> None:
    """A replica promoted while writes are held back deletes what expires as soon as they are let go."""
    _, replica = pair(stack)
    client = replica.client()
    client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    client.execute_command("REPLICAOF", "NO", "ONE")
    client.execute_command("CLIENT", "UNPAUSE")
    client.set("k", "v", px=1)
    wait_until(lambda: client.dbsize() == 0, what="the deletion")
