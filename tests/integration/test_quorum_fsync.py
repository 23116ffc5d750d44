"""quorum-fsync: what is acknowledged is on the disks of a majority; and the changes of level while all runs."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress

import redis
from support.quorums import QUORUM, elect, is_whole, start_group, state, writes
from support.servers import start_kvserver
from support.waiting import wait_until


def test_an_acknowledged_write_is_on_two_disks(stack: ExitStack) -> None:
    """Behind each reply the synced offset that a majority has told is at least the write's."""
    nodes = start_group(stack, durability="quorum-fsync", appendfsync="always")
    client = nodes[0].client()
    for number in range(30):
        client.set("k", number)
        offset = client.info("replication")["master_repl_offset"]
        assert state(nodes[0], "quorum_commit_synced_offset") >= offset
    assert "unsynced -" in (nodes[1].folder / "quorum.id").read_text()
    for node in nodes:
        node.kill()
    for node in nodes:
        node.start_again()
    leader = elect(nodes)
    wait_until(lambda: is_whole([leader, *(node for node in nodes if node is not leader)]), what="the next epoch")
    assert leader.command("GET", "k") == b"29"


def test_levels_change_while_it_runs(stack: ExitStack) -> None:
    """CONFIG SET durability takes effect for who didn't choose, CLIENT DURABILITY for who did; nothing gets stuck."""
    nodes = start_group(stack)
    leader = nodes[0]
    chooser = leader.client(single_connection_client=True)
    chooser.execute_command("CLIENT", "DURABILITY", "quorum-fsync")
    for durability in ("async", "quorum-fsync", "quorum"):
        for node in nodes:
            node.command("CONFIG", "SET", "durability", durability)
        writes(leader, durability, 0.1)
        chooser.set("k", durability)
        assert leader.info("quorum")["quorum_commit_synced_offset"] > 0
    chooser.execute_command("RESET")
    assert chooser.get("k") == b"quorum"
    wait_until(lambda: "unsynced -" not in (nodes[0].folder / "quorum.id").read_text(), what="the note")
    assert state(leader, "quorum_waiting_replies") == 0


def test_disks_sync_when_a_reply_waits_for_them(stack: ExitStack) -> None:
    """With appendfsync no, by which nothing is ever synced, the disks of a group sync for those who wait for them."""
    nodes = start_group(stack, durability="quorum-fsync", appendfsync="no", quorum_timeout_ms=3000)
    client = nodes[0].client(single_connection_client=True)
    for number in range(20):
        before = client.info("replication")["master_repl_offset"]
        client.set("k", number)
        assert state(nodes[0], "quorum_commit_synced_offset") > before
    assert state(nodes[0], "quorum_unknown_outcomes") == 0


def test_a_founding_has_disks_sync(stack: ExitStack) -> None:
    """With appendfsync no a node that continues what it has of a primary without a group still gets it on its disk."""
    settings = {**QUORUM, "appendfsync": "no", "quorum_found": "manual"}
    leader = stack.enter_context(start_kvserver(**settings))
    for _ in range(2):
        stack.enter_context(start_kvserver(replicaof=[leader.host, leader.port], **settings))
    wait_until(lambda: "waits for QUORUM FOUND" in str(state(leader, "quorum_reason")), what="two replicas")
    client = leader.client(single_connection_client=True)
    client.execute_command("CLIENT", "DURABILITY", "async")
    client.set("k", "v")
    client.client_kill_filter(_type="replica")
    wait_until(lambda: leader.info("stats")["sync_partial_ok"] == 2, what="their return")

    def found() -> bool:
        with suppress(redis.ResponseError):
            return bool(leader.command("QUORUM", "FOUND") == b"OK")
        return False

    wait_until(found, what="the founding")


def test_nobody_syncs_for_writes_that_wait_for_memory(stack: ExitStack) -> None:
    """With quorum and appendfsync no nothing is synced, until one connection asks for disks: then all of it is."""
    nodes = start_group(stack, durability="quorum", appendfsync="no", quorum_timeout_ms=3000)
    leader = nodes[0].client(single_connection_client=True)
    leader.set("before", 1)
    synced = state(nodes[0], "quorum_commit_synced_offset")
    leader.set("k", 1)
    time.sleep(1.2)  # longer than everysec's second
    assert state(nodes[0], "quorum_commit_synced_offset") == synced
    leader.execute_command("CLIENT", "DURABILITY", "quorum-fsync")
    leader.set("k", 2)
    assert state(nodes[0], "quorum_commit_synced_offset") > synced


def test_a_replicas_reader_has_disks_sync(stack: ExitStack) -> None:
    """A read on a replica that waits for disks has a majority's sync what others wrote for memory alone."""
    nodes = start_group(stack, durability="quorum", reads="local", appendfsync="no", quorum_timeout_ms=3000)
    reader = nodes[1].client(single_connection_client=True)
    reader.execute_command("CLIENT", "DURABILITY", "quorum-fsync")
    reader.execute_command("CLIENT", "READS", "committed")
    for number in range(5):
        nodes[0].command("SET", "k", number)
        assert int(reader.get("k") or -1) in (number - 1, number)
