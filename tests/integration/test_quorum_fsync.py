"""quorum-fsync: what is acknowledged is on the disks of a majority; and the changes of level while all runs."""

from __future__ import annotations

from contextlib import ExitStack

from support.quorums import elect, is_whole, start_group, state, writes
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
