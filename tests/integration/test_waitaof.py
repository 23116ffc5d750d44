"""WAITAOF: what a client wrote is in files on disks, here and at replicas."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from support import Server, start_kvserver, wait_until

FAST = {"repl_diskless_sync_delay": 0, "repl_ping_replica_period": 3600, "auto_aof_rewrite_percentage": 0}


def start(stack: ExitStack, **options: Any) -> Server:
    return stack.enter_context(start_kvserver(**{**FAST, **options}))


def pair(stack: ExitStack, here: str, there: str, fsync: str) -> tuple[Server, Server]:
    """A primary and its replica, on line, each with an append-only file or not."""
    primary = start(stack, appendonly=here, appendfsync=fsync)
    replica = start(stack, appendonly=there, appendfsync=fsync, replicaof=[primary.host, primary.port])
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up", what="the link")
    wait_until(lambda: primary.info("replication").get("slave0", {}).get("state") == "online", what="the replica")
    wait_until(lambda: not replica.info("persistence")["aof_rewrite_in_progress"], what="its first base")
    return primary, replica


def waitaof(client: Any, *args: object) -> list[int]:
    counts: list[int] = client.execute_command("WAITAOF", *args)
    return counts


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_both_disks(stack: ExitStack, fsync: str) -> None:
    """It ends when this node's file and the replica's hold the write, whenever they are synced."""
    primary, _ = pair(stack, "yes", "yes", fsync)
    client = primary.client()
    for number in range(3):
        client.set("key", number)
        assert waitaof(client, 1, 0, 0)[0] == 1
        assert waitaof(client, 1, 1, 0) == [1, 1]
        assert waitaof(client, 0, 2, 20) == [1, 1]


def test_in_one_pipeline(stack: ExitStack) -> None:
    """The write and the waiting for it may come at once."""
    client = start(stack, appendonly="yes", appendfsync="always").client()
    with client.pipeline(transaction=False) as pipe:
        pipe.set("a", 1)
        pipe.execute_command("WAITAOF", 1, 0, 0)
        assert pipe.execute() == [True, [1, 0]]


def test_what_is_never_synced(stack: ExitStack) -> None:
    """With appendfsync no the time runs out, and the reply tells what there is; a rewrite syncs."""
    primary = start(stack, appendonly="yes", appendfsync="no")
    client = primary.client()
    client.set("key", 1)
    assert waitaof(client, 1, 0, 30) == [0, 0]
    assert waitaof(client, 0, 0, 0) == [0, 0]
    assert waitaof(primary.client(), 1, 0, 30) == [1, 0]  # it wrote nothing
    client.config_set("appendfsync", "everysec")
    assert waitaof(client, 1, 0, 0) == [1, 0]


def test_a_replica_without_a_file(stack: ExitStack) -> None:
    """A replica that keeps no file doesn't count, and a primary without one may wait for those of replicas."""
    primary, _ = pair(stack, "yes", "no", "everysec")
    client = primary.client()
    client.set("key", 1)
    assert client.wait(1, 5000) == 1
    assert waitaof(client, 1, 0, 0) == [1, 0]
    assert waitaof(client, 0, 1, 50) == [1, 0]
    primary, _ = pair(stack, "no", "yes", "everysec")
    client = primary.client()
    client.set("key", 1)
    assert waitaof(client, 0, 1, 0) == [0, 1]


def test_refusals(stack: ExitStack) -> None:
    """Wrong numbers, a node without a file and a replica refuse, each in its words."""
    primary, replica = pair(stack, "no", "no", "everysec")
    client = primary.client()
    for args, text in (
        ((2, 0, 0), "value is out of range, must be between 0 and 1"),
        (("x", 0, 0), "value is not an integer or out of range"),
        ((0, -1, 0), "value is out of range, must be positive"),
        ((0, 0, -1), "timeout is negative"),
        ((0, 0, "x"), "timeout is not an integer or out of range"),
        ((0, 0, 2**63 - 1), "timeout is out of range"),
        ((1, 0, 0), "WAITAOF cannot be used when numlocal is set but appendonly is disabled."),
        ((1, 0), "wrong number of arguments for 'waitaof' command"),
    ):
        with pytest.raises(redis.ResponseError, match=text):
            waitaof(client, *args)
    with pytest.raises(redis.ResponseError, match="WAITAOF cannot be used with replica instances"):
        waitaof(replica.client(), 0, 0, 0)


def test_the_file_is_given_up(stack: ExitStack) -> None:
    """Who waits for a file that is switched off hears that there is none; in a transaction nobody waits."""
    primary = start(stack, appendonly="yes", appendfsync="no")
    client = primary.client()
    with client.pipeline() as unit:
        unit.set("key", 1)
        unit.execute_command("WAITAOF", 1, 1, 0)
        assert unit.execute()[1] == [1, 0]  # the transaction isn't over, and nothing was written before
    failures: list[str] = []

    def wait() -> None:
        try:
            waitaof(client, 1, 0, 0)
        except redis.ResponseError as failure:
            failures.append(str(failure))

    thread = threading.Thread(target=wait)
    client.set("key", 2)
    thread.start()
    wait_until(lambda: primary.info("clients")["blocked_clients"] == 1, what="the client waits")
    primary.command("CONFIG", "SET", "appendonly", "no")
    thread.join()
    assert failures == ["WAITAOF cannot be used when numlocal is set but appendonly is disabled."]


def test_a_promoted_replica(stack: ExitStack) -> None:
    """A replica that is promoted knows how far its own file is."""
    primary, replica = pair(stack, "yes", "yes", "everysec")
    primary.command("SET", "key", 1)
    client = replica.client()
    assert primary.client().wait(1, 5000) in (0, 1)
    client.execute_command("REPLICAOF", "NO", "ONE")
    client.incr("key2")
    assert waitaof(client, 1, 0, 0) == [1, 0]
