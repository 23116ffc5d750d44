"""Quorum durability with real processes: what is acknowledged survives, and who can't know says so."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from contextlib import ExitStack

import pytest
import redis
from support.quorums import QUORUM, elect, is_whole, no_choice, promise, start_group, state, writes
from support.servers import Server, start_kvserver, start_redis
from support.waiting import wait_until
from support.wire import read_exactly

from replication.quorum.choice import Choice, choose


def kept(node: Server, keys: list[str]) -> bool:
    """Whether a node has all of some keys."""
    return int(node.command("EXISTS", *keys)) == len(keys)


def test_a_group_founds_itself_and_acknowledges_writes(stack: ExitStack) -> None:
    """Three nodes that hold the data are a group: a write of any kind is acknowledged when two have it."""
    nodes = start_group(stack)
    leader = nodes[0]
    members = leader.command("QUORUM", "MEMBERS")
    assert sorted(dict(zip(row[::2], row[1::2], strict=True))[b"role"] for row in members) == [
        b"leader", b"member", b"member"
    ]  # fmt: skip
    client = leader.client()
    pipe = client.pipeline(transaction=True)
    for number in range(100):
        pipe.rpush("list", number)
    assert pipe.execute() == list(range(1, 101))
    assert client.eval("return redis.call('incr', 'n')", 0) == 1
    assert client.get("n") == b"1"
    offset = state(leader, "quorum_commit_offset")
    assert sum(int(dict(zip(row[::2], row[1::2], strict=True))[b"offset"]) >= offset for row in leader.command(
        "QUORUM", "MEMBERS")) >= 2  # fmt: skip


def test_a_primary_without_its_group_refuses_quorum_writes_and_says_what_is_missing(stack: ExitStack) -> None:
    """Until the founding a write isn't run, asynchronous ones are, and the reason names how many nodes there are."""
    node = stack.enter_context(start_kvserver(**QUORUM))
    with pytest.raises(redis.ResponseError, match="NOQUORUM The write was not done"):
        node.command("SET", "too-early", "v")
    wait_until(lambda: "1 of 3" in state(node, "quorum_reason"), what="the reason")
    with pytest.raises(redis.ResponseError, match="NOQUORUM The write was not done: the group isn't founded: 1 of 3"):
        node.command("SET", "k", "v")
    assert node.command("EXISTS", "k") == 0
    client = node.client(single_connection_client=True)
    assert client.execute_command("CLIENT", "DURABILITY", "async") == b"OK"
    assert client.set("k", "v")
    assert client.get("k") == b"v"
    client.execute_command("CLIENT", "READS", "linearizable")
    with pytest.raises(redis.ResponseError, match="NOQUORUM The read was not done: the group isn't founded: 1 of 3"):
        client.get("k")
    plain = stack.enter_context(start_kvserver())
    with pytest.raises(redis.ResponseError, match="NOQUORUM quorum-nodes is 0"):
        plain.command("CLIENT", "DURABILITY", "quorum")


def test_a_primary_says_what_its_group_lacks_from_its_first_answer_on(stack: ExitStack) -> None:
    """It is no replica while it starts: the first reason names how many nodes there are."""
    for _ in range(3):
        node = stack.enter_context(start_kvserver(**QUORUM))
        assert "1 of 3" in state(node, "quorum_reason")


def test_without_a_majority_the_outcome_is_unknown_and_then_writes_are_refused(stack: ExitStack) -> None:
    """With both replicas stopped a write ends in an error that says so; later ones aren't run; then all goes on."""
    nodes = start_group(stack, quorum_timeout_ms=400)
    leader = nodes[0]
    for node in nodes[1:]:
        os.kill(node.pid, signal.SIGSTOP)
    try:
        with pytest.raises(redis.ResponseError, match="NOQUORUM The outcome is unknown"):
            leader.command("SET", "k", "v")
        wait_until(lambda: "members are there" in str(state(leader, "quorum_reason")), what="the refusal")
        with pytest.raises(redis.ResponseError, match=r"NOQUORUM The write was not done: 1 of 3"):
            leader.command("SET", "other", "v")
        local = leader.client(single_connection_client=True)
        local.execute_command("CLIENT", "READS", "local")
        assert local.get("k") == b"v"
        with pytest.raises(redis.ResponseError, match="NOQUORUM The outcome is unknown"):
            leader.command("GET", "k")
    finally:
        for node in nodes[1:]:
            os.kill(node.pid, signal.SIGCONT)
    wait_until(lambda: not state(leader, "quorum_reason"), what="the majority")
    assert leader.command("SET", "other", "v") in (b"OK", True)
    assert leader.command("GET", "k") == b"v"


def test_what_was_acknowledged_survives_the_leader(stack: ExitStack) -> None:
    """The leader is killed in the middle of writes; whoever may lead has them all, and the old one comes back."""
    nodes = start_group(stack)
    done = writes(nodes[0], "a", 0.5)
    nodes[0].kill()
    leader = elect(nodes)
    rest = [node for node in nodes[1:] if node is not leader]
    wait_until(lambda: is_whole([leader, *rest]), what="the second epoch")
    assert kept(leader, done)
    done += writes(leader, "b", 0.3)
    nodes[0].start_again()
    assert state(nodes[0]) == "resting"
    assert nodes[0].info("replication")["role"] == "slave"
    with pytest.raises(redis.ResponseError, match="You can't write against a"):
        nodes[0].command("SET", "x", "y")
    nodes[0].command("REPLICAOF", leader.host, leader.port)
    wait_until(lambda: is_whole([leader, *rest, nodes[0]]), what="the old leader to follow")
    assert state(nodes[0], "quorum_member") == 1
    wait_until(lambda: all(kept(node, done) for node in nodes), what="equal contents")


def test_all_killed_and_started_again_nothing_is_lost(stack: ExitStack) -> None:
    """Every process is killed at once; they know who they are, and what they held."""
    nodes = start_group(stack)
    done = writes(nodes[0], "a", 0.3)
    nodes[0].command("BGREWRITEAOF")
    done += writes(nodes[0], "b", 0.5)
    ids = [state(node, "quorum_node_id") for node in nodes]
    for node in nodes:
        node.kill()
    for node in nodes:
        node.start_again()
    assert [state(node) for node in nodes] == ["resting"] * 3
    assert [state(node, "quorum_node_id") for node in nodes] == ids
    leader = elect(nodes)
    wait_until(lambda: is_whole([leader, *(node for node in nodes if node is not leader)]), what="the next epoch")
    assert kept(leader, done)


def test_a_base_of_commands_would_forget_the_group(stack: ExitStack) -> None:
    """Without aof-use-rdb-preamble a member's base file is a snapshot all the same: it returns to its group."""
    nodes = start_group(stack, aof_use_rdb_preamble="no")
    done = writes(nodes[0], "a", 0.2)
    for node in nodes:
        node.command("BGREWRITEAOF")
        wait_until(lambda node=node: node.info("persistence")["aof_rewrite_in_progress"] == 0, what="the rewrite")
    done += writes(nodes[0], "b", 0.2)
    for node in nodes:
        node.kill()
    for node in nodes:
        node.start_again()
    assert [state(node) for node in nodes] == ["resting"] * 3
    assert kept(elect(nodes), done)


def test_a_node_without_its_data_is_nobody_though_its_identity_is_there(stack: ExitStack) -> None:
    """A member that finds its identity file and no data draws a new id: what it acknowledged it can't vouch for."""
    nodes = start_group(stack)
    nodes[0].command("SET", "k", "v")
    before = state(nodes[2], "quorum_node_id")
    nodes[2].kill()
    shutil.rmtree(nodes[2].folder / "appendonlydir")
    nodes[2].start_again()
    assert state(nodes[2], "quorum_node_id") != before
    wait_until(lambda: state(nodes[2]) == "following", what="its synchronization")
    assert state(nodes[2], "quorum_member") == 0


def test_a_leader_that_hears_of_a_newer_epoch_steps_down(stack: ExitStack) -> None:
    """A promise ends its lead at once: waiting writers are told that the outcome is unknown, and no epoch goes back."""
    nodes = start_group(stack)
    promise(nodes[0], 7, "first")
    assert state(nodes[0]) == "resting"
    with pytest.raises(redis.ResponseError, match="NOPROMISE epoch 7 is promised already"):
        promise(nodes[0], 7, "second")
    with pytest.raises(redis.ResponseError, match="NOPROMISE"):
        promise(nodes[0], 3, "third")
    with pytest.raises(redis.ResponseError, match="You can't write against a"):
        nodes[0].command("SET", "k", "v")
    nodes[0].restart()
    assert state(nodes[0], "quorum_promised") == 7
    wait_until(lambda: elect(nodes) is not None, what="a leader")


def test_a_wiped_node_is_nobody_until_it_replaces_itself(stack: ExitStack) -> None:
    """An empty folder means a new id: it helps to elect nobody, synchronizes, and takes its place by REPLACE."""
    nodes = start_group(stack)
    leader, wiped, third = nodes
    done = writes(leader, "a", 0.2)
    before = state(wiped, "quorum_node_id")
    wiped.kill()
    for name in os.listdir(wiped.folder):
        path = wiped.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    wiped.start_again()
    wait_until(lambda: state(wiped) == "following", what="its synchronization")
    after = state(wiped, "quorum_node_id")
    assert after != before
    assert state(wiped, "quorum_member") == 0
    third.kill()
    assert "no majority" in no_choice([wiped])
    third.start_again()
    leader = elect([leader, third])  # the promise that was asked of it has ended the lead
    wiped.command("REPLICAOF", leader.host, leader.port)
    wait_until(lambda: state(leader, "quorum_reach") == 2 and state(wiped) == "following", what="the third epoch")
    wait_until(lambda: leader.command("QUORUM", "REPLACE", before, after) == b"OK", what="the replacement")
    changed = sorted(state(node, "quorum_node_id") for node in nodes)
    wait_until(
        lambda: all(sorted(state(node, "quorum_members")) == changed for node in nodes), what="the end of the change"
    )  # redis-py makes a list of what commas part
    leader.kill()
    assert kept(elect(nodes), done)


def test_a_node_outside_the_group_answers_no_linearizable_read(stack: ExitStack) -> None:
    """Empty, and without a leader that it reached, a node can't know what there is: it says so instead of guessing."""
    nodes = start_group(stack, reads="linearizable")
    nodes[0].command("SET", "k", "v")
    wiped = nodes[2]
    for node in nodes:
        node.kill()
    for name in os.listdir(wiped.folder):
        path = wiped.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    wiped.start_again()
    with pytest.raises(redis.ResponseError, match="NOQUORUM The read was not done"):
        wiped.command("GET", "k")
    local = wiped.client(single_connection_client=True)
    local.execute_command("CLIENT", "READS", "local")
    assert local.get("k") is None


def test_a_copied_folder_is_not_the_node(stack: ExitStack) -> None:
    """A node that starts in a copy of another's folder draws an id of its own, and says why."""
    nodes = start_group(stack)
    nodes[0].command("SET", "k", "v")
    copy = nodes[1].folder.parent / (nodes[1].folder.name + "-copy")
    shutil.copytree(nodes[1].folder, copy)
    stack.callback(shutil.rmtree, copy, True)
    twin = stack.enter_context(
        start_kvserver(folder=copy, replicaof=[nodes[0].host, nodes[0].port], **QUORUM)
    )
    wait_until(lambda: state(twin) == "following", what="its synchronization")
    assert state(twin, "quorum_node_id") != state(nodes[1], "quorum_node_id")
    assert state(twin, "quorum_member") == 0
    assert "written in another folder" in twin.log_text()


def test_a_member_that_comes_back_from_an_old_copy_is_told_so(stack: ExitStack) -> None:
    """Its leader remembers what it acknowledged: it is a new node then, and follows as nobody's member."""
    nodes = start_group(stack)
    writes(nodes[0], "a", 0.1)
    before = state(nodes[1], "quorum_node_id")
    nodes[1].stop()
    copy = nodes[1].folder.parent / (nodes[1].folder.name + "-backup")
    shutil.copytree(nodes[1].folder, copy)
    stack.callback(shutil.rmtree, copy, True)
    nodes[1].start_again()
    wait_until(lambda: is_whole(nodes), what="its return")
    done = writes(nodes[0], "b", 0.2)
    nodes[1].kill()
    for path in copy.rglob("*"):
        if path.is_file():
            shutil.copyfile(path, nodes[1].folder / path.relative_to(copy))
    nodes[1].start_again()
    wait_until(lambda: state(nodes[1]) == "following" and state(nodes[1], "quorum_node_id") != before, what="a new id")
    assert state(nodes[1], "quorum_member") == 0
    assert "has lost data" in nodes[1].log_text()
    wait_until(lambda: kept(nodes[1], done), what="the contents")


def test_a_damaged_identity_keeps_the_node_out(stack: ExitStack) -> None:
    """A promise file that is torn makes the node a new one: it doesn't vote on the strength of what it was."""
    nodes = start_group(stack)
    path = nodes[2].folder / "quorum.id"
    nodes[2].kill()
    path.write_bytes(path.read_bytes()[:-30])
    nodes[2].start_again()
    assert "the identity file is damaged" in nodes[2].log_text()
    wait_until(lambda: state(nodes[2]) == "following", what="its synchronization")
    assert state(nodes[2], "quorum_member") == 0


def test_a_client_with_several_held_replies_is_told_once(stack: ExitStack) -> None:
    """A leader that promises gives up a write and a read of one client that wait for different things, in one error."""
    nodes = start_group(stack, quorum_timeout_ms=20_000)
    leader = nodes[0]
    for node in nodes[1:]:
        os.kill(node.pid, signal.SIGSTOP)
        stack.callback(os.kill, node.pid, signal.SIGCONT)
    client = stack.enter_context(socket.create_connection((leader.host, leader.port), timeout=20))
    client.sendall(b"CLIENT READS linearizable\r\n")
    assert client.recv(100) == b"+OK\r\n"
    other = leader.client(single_connection_client=True)
    for request in (b"set k v", b"get k"):
        client.sendall(request + b"\r\n")
        name = request[:3].decode()
        wait_until(lambda name=name: name in {row["cmd"] for row in other.client_list()}, what="the request")
    assert promise(leader, 9, "away").last_epoch == 1
    told = b""
    while piece := client.recv(1000):
        told += piece
    assert told.count(b"-NOQUORUM") == told.count(b"\r\n") == 1
    assert "failed unexpectedly" not in leader.log_text()


def test_what_shows_no_data_waits_for_no_majority_behind_the_file(stack: ExitStack) -> None:
    """With appendfsync always an order to lead is answered once it is in the file, though no majority has it."""
    nodes = start_group(stack, appendfsync="always", reads="linearizable", quorum_timeout_ms=5_000)
    answers = {node: promise(node, 9, "again") for node in nodes}
    chosen = choose(answers.values())
    assert isinstance(chosen, Choice)
    leads = next(node for node, answer in answers.items() if answer.node_id == chosen.node_id)
    for node in nodes:
        if node is not leads:
            os.kill(node.pid, signal.SIGSTOP)
            stack.callback(os.kill, node.pid, signal.SIGCONT)
    order = (9, "again", chosen.node_id, chosen.last_epoch, chosen.offset)
    assert leads.command("QUORUM", "LEAD", *order) == b"OK"
    with pytest.raises(redis.ResponseError, match="NOQUORUM"):
        leads.command("GET", "k")


def test_what_could_break_the_promise_is_refused(stack: ExitStack) -> None:
    """REPLICAOF NO ONE, FAILOVER, DEBUG RELOAD, a real Sentinel's order: refused, and it is said what to use."""
    nodes = start_group(stack)
    for node in nodes[:2]:
        for request in (("REPLICAOF", "NO", "ONE"), ("FAILOVER",), ("DEBUG", "RELOAD")):
            with pytest.raises(redis.ResponseError, match="NOQUORUM Refused"):
                node.command(*request)
    with pytest.raises(redis.ResponseError, match="this node leads epoch 1"):
        nodes[0].command("REPLICAOF", nodes[1].host, nodes[1].port)
    unit = nodes[1].client().pipeline(transaction=True)
    unit.execute_command("SLAVEOF", "NO", "ONE")
    unit.execute_command("CONFIG", "REWRITE")
    with pytest.raises((redis.ResponseError, redis.exceptions.ExecAbortError)):
        unit.execute()
    assert is_whole(nodes)


def test_sentinels_steer_whatever_reads_wait_for(stack: ExitStack) -> None:
    """PUBLISH, and MULTI without a command on data, are answered by who follows nobody and by who leads nobody."""
    leader, follower, gone = start_group(stack, reads="linearizable", quorum_timeout_ms=20_000)
    gone.kill()
    promise(follower, 7, "first")
    assert follower.command("PUBLISH", "__sentinel__:hello", "hello") == 0
    with pytest.raises(redis.ResponseError, match="NOQUORUM The read was not done"):
        follower.command("GET", "k")
    unit = follower.client().pipeline(transaction=True)
    unit.execute_command("SLAVEOF", gone.host, gone.port)
    unit.execute_command("CONFIG", "REWRITE")
    assert unit.execute(raise_on_error=False)[0] is True
    assert follower.info("replication")["master_port"] == gone.port
    assert leader.client(socket_timeout=3).publish("__sentinel__:hello", "hello") == 0


def test_what_shows_no_data_waits_for_no_majority(stack: ExitStack) -> None:
    """PING, or a replica's greeting, served in one turn with a write waits for the file at most."""
    leader, *followers = start_group(stack, quorum_timeout_ms=20_000)
    for node in followers:
        os.kill(node.pid, signal.SIGSTOP)
    try:
        with leader.connect(5.0) as writing, leader.connect(5.0) as asking:
            writing.sendall(b"CLIENT DURABILITY async\r\n")
            assert read_exactly(writing, 5) == b"+OK\r\n"
            for _ in range(20):
                os.kill(leader.pid, signal.SIGSTOP)
                writing.sendall(b"SET k v\r\n")
                asking.sendall(b"PING\r\n")
                os.kill(leader.pid, signal.SIGCONT)
                assert read_exactly(writing, 5) == b"+OK\r\n"
                assert read_exactly(asking, 7) == b"+PONG\r\n"
    finally:
        for node in followers:
            os.kill(node.pid, signal.SIGCONT)


def test_a_real_redis_may_follow_beside_and_counts_for_nothing(stack: ExitStack) -> None:
    """A Redis replica of the leader gets the data, through the epochs' records, and is no member."""
    nodes = start_group(stack)
    peer = stack.enter_context(start_redis(replicaof=[nodes[0].host, nodes[0].port]))
    done = writes(nodes[0], "a", 0.2)
    wait_until(lambda: kept(peer, done), what="the contents")
    assert state(nodes[0], "quorum_reach") == 3


def test_linearizable_reads_on_both_sides(stack: ExitStack) -> None:
    """A read sees all that was acknowledged before, on a replica too; a deposed leader answers none."""
    nodes = start_group(stack)
    writer = nodes[0].client()
    readers = [node.client(single_connection_client=True) for node in nodes]
    for reader in readers:
        reader.execute_command("CLIENT", "READS", "linearizable")
    for number in range(50):
        writer.set("k", number)
        assert [reader.get("k") for reader in readers] == [b"%d" % number] * 3
    for node in nodes[1:]:
        promise(node, 9, "away")
    with pytest.raises((redis.ResponseError, redis.ConnectionError)):
        readers[0].get("k")
