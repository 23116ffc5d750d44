"""A quorum's group as its operator steers it: founded by hand, a member taken out, another taken in; scripts."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import redis
from support.quorums import QUORUM, elect, is_whole, start_group, state
from support.servers import start_kvserver
from support.waiting import wait_until

from kvserver.wire.resp import encode_request
from persistence.aof.load.position import MARK, encode_position
from persistence.aof.records import RecordDecoder


def test_a_group_is_founded_by_hand(stack: ExitStack) -> None:
    """With quorum-found manual nothing is founded before QUORUM FOUND says so, and then once."""
    settings = {**QUORUM, "quorum_found": "manual"}
    leader = stack.enter_context(start_kvserver(**settings))
    with pytest.raises(redis.ResponseError, match="NOQUORUM Refused: the group isn't founded: 1 of 3"):
        leader.command("QUORUM", "FOUND")
    for _ in range(2):
        stack.enter_context(start_kvserver(replicaof=[leader.host, leader.port], **settings))
    wait_until(lambda: "waits for QUORUM FOUND" in str(state(leader, "quorum_reason")), what="all that is needed")
    assert state(leader) == "unfounded"
    assert leader.command("QUORUM", "FOUND") == b"OK"
    wait_until(lambda: not state(leader, "quorum_reason"), what="the founding")
    with pytest.raises(redis.ResponseError, match="founded already"):
        leader.command("QUORUM", "FOUND")


def test_a_dead_member_is_forgotten_and_a_new_node_taken_in(stack: ExitStack) -> None:
    """FORGET leaves a group of two; a new node that follows votes by itself, since one is missing."""
    leader, second, third = start_group(stack)
    gone = state(third, "quorum_node_id")
    third.kill()
    assert leader.command("QUORUM", "FORGET", gone) == b"OK"
    wait_until(lambda: len(state(leader, "quorum_members")) == 2, what="the smaller group")
    new = stack.enter_context(start_kvserver(replicaof=[leader.host, leader.port], **QUORUM))
    wait_until(lambda: state(new, "quorum_member") == 1, what="the new voter")
    wait_until(lambda: len(state(second, "quorum_members")) == 3, what="the whole group")
    assert leader.command("SET", "k", "v") in (True, b"OK")


def test_what_a_script_keeps_from_the_log_is_in_it(stack: ExitStack) -> None:
    """redis.set_repl can't make an acknowledged write one that a majority doesn't have."""
    leader, *others = start_group(stack)
    for way in ("REPL_NONE", "REPL_AOF", "REPL_REPLICA", "REPL_ALL"):
        leader.command("EVAL", f"redis.set_repl(redis.{way}) return redis.call('set', KEYS[1], 1)", 1, way)
        wait_until(lambda: all(node.command("EXISTS", way) for node in others), what=way)  # noqa: B023


def test_who_restarts_goes_on_in_the_database_in_which_its_file_ends(stack: ExitStack) -> None:
    """A member that continues where its file ends, amid its leader's stream, writes where the leader does."""
    leader, follower, other = start_group(stack)
    client = leader.client(db=2, single_connection_client=True)
    client.set("before", 1)
    wait_until(lambda: follower.client(db=2).exists("before"), what="the write")
    follower.kill()
    client.set("meanwhile", 1)
    follower.start_again()
    wait_until(lambda: is_whole([leader, follower, other]), what="the restarted one to follow")
    client.set("after", 1)
    assert leader.info("stats")["sync_partial_ok"] > 0
    for node in (follower, other):
        wait_until(lambda: node.client(db=2).exists("after"), what="the last write")  # noqa: B023
        assert node.client(db=2).exists("before", "meanwhile", "after") == 3
        assert node.command("DBSIZE") == 0


@pytest.mark.parametrize("lost", ["half of the last command", "the last command"])
def test_what_follows_on_a_lost_end_is_left_out(stack: ExitStack, lost: str) -> None:
    """The power went when a new part of the file was begun, and the one before lost its end: the log ends there."""
    leader, follower, _ = start_group(stack, durability="quorum-fsync", appendfsync="always")
    for number in range(20):
        leader.command("SET", f"k{number}", number)
    wait_until(lambda: follower.command("DBSIZE") == 20, what="the writes")
    follower.kill()
    folder = follower.folder / "appendonlydir"
    manifest = next(folder.glob("*.manifest"))
    last = manifest.read_text().splitlines()[-1].split()
    part, seq = folder / last[1], int(last[3])
    content = part.read_bytes()
    ends = [end for _, end in RecordDecoder(0).feed(content)]
    behind = part.with_name(part.name.replace(f".{seq}.", f".{seq + 1}."))
    offset = int(content[content.index(MARK) + len(MARK) :].split(b"\r\n")[0])
    end = offset + len(content) - content.index(b"\r\n", content.index(MARK)) - 2
    behind.write_bytes(encode_position(end) + encode_request([b"SET", b"stray", b"1"]))
    manifest.write_text(f"{manifest.read_text()}file {behind.name} seq {seq + 1} type i\n")
    part.write_bytes(content[: ends[-2] if lost == "the last command" else ends[-1] - 3])
    follower.start_again()
    wait_until(lambda: state(follower) == "following", what="it to follow")
    wait_until(lambda: follower.command("DBSIZE") == 20, what="what it had lost")
    assert follower.command("EXISTS", "stray") == 0
    assert behind.name not in manifest.read_text()


def test_a_leader_follows_nobody_by_what_was_queued_before_it_led(stack: ExitStack) -> None:
    """REPLICAOF in a transaction is judged by what the node is when the transaction runs."""
    nodes = start_group(stack)
    clients = [node.client(single_connection_client=True) for node in nodes[1:]]
    for client, other in zip(clients, nodes[:0:-1], strict=True):
        client.execute_command("MULTI")
        client.execute_command("REPLICAOF", other.host, other.port)
    nodes[0].kill()
    leader = elect(nodes)
    wait_until(lambda: state(leader, "quorum_committed") == 1, what="the new leader")
    late = clients[nodes.index(leader) - 1]
    with pytest.raises(redis.ResponseError, match=r"discarded because of: NOQUORUM.*this node leads epoch 2"):
        late.execute_command("EXEC")
    assert state(leader) == "leading"
    assert leader.info("replication")["role"] == "master"
