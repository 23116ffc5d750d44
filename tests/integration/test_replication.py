"""Replication between our own nodes: roles, gates, waiting, expiry, and peers that misbehave."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

import pytest
import redis
from support import Server, wait_until
from support.replicas import field, pair, start


def test_a_replica_refuses_writes_but_serves_reads(stack: ExitStack) -> None:
    """READONLY for writes, also inside MULTI; reads go on; replica-read-only no lets local writes pass."""
    primary, replica = pair(stack, repl_ping_replica_period=3600)  # a PING moves the offset
    primary.client().set("key", "value")
    client = replica.client()
    wait_until(lambda: client.get("key") == b"value", what="the write")
    with pytest.raises(redis.ReadOnlyError):
        client.set("key", "other")
    unit = client.pipeline()
    unit.set("key", "other")
    with pytest.raises(redis.ReadOnlyError):
        unit.execute()
    assert client.get("key") == b"value"
    client.config_set("replica-read-only", "no")
    before = field(replica, "master_repl_offset")
    client.set("local", "1")
    assert field(replica, "master_repl_offset") == before
    assert primary.command("EXISTS", "local") == 0


def test_what_a_writable_replica_lets_expire_is_gone(stack: ExitStack) -> None:
    """Keys with a time to live that its own clients wrote are deleted in time, and a late write begins anew."""
    _, replica = pair(stack, replica_read_only="no")
    client = replica.client()
    client.set("idle", "x", px=1)
    wait_until(lambda: client.dbsize() == 0, what="the deletion")
    client.set("counter", "41", px=1)
    wait_until(lambda: client.get("counter") is None, what="the end of its time")
    assert client.incr("counter") == 1
    assert client.get("counter") == b"1"


def test_roles(stack: ExitStack) -> None:
    """ROLE tells a primary's replicas with their offsets, and a replica's primary with the link's state."""
    primary, replica = pair(stack)
    primary.command("SET", "a", "b")
    wait_until(lambda: int(primary.command("ROLE")[2][0][2]) > 0, what="an ack")
    role = primary.client().execute_command("ROLE")
    assert (role[0], role[2][0][0], role[2][0][1]) == (b"master", b"127.0.0.1", b"%d" % replica.port)
    assert replica.command("ROLE")[:4] == [b"slave", b"127.0.0.1", primary.port, b"connected"]
    primary.kill()
    wait_until(lambda: replica.command("ROLE")[3] != b"connected", what="the link down")
    assert replica.command("ROLE")[4] == -1
    assert field(replica, "master_link_status") == "down"
    assert field(replica, "master_link_down_since_seconds") >= 0


def test_stale_data(stack: ExitStack) -> None:
    """With replica-serve-stale-data no, a replica without its primary answers MASTERDOWN, but still INFO."""
    node = start(stack, replica_serve_stale_data="no")
    node.command("SET", "a", "b")
    node.command("REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(redis.ResponseError, match="Link with MASTER is down"):
        node.command("GET", "a")
    assert field(node, "role") == "slave"
    node.command("CONFIG", "SET", "replica-serve-stale-data", "yes")
    assert node.command("GET", "a") == b"b"


def test_too_few_replicas(stack: ExitStack) -> None:
    """min-replicas-to-write refuses writes as soon as the good replicas are too few, and only then."""
    primary, replica = pair(stack)
    primary.command("CONFIG", "SET", "min-replicas-to-write", 1)
    primary.command("SET", "a", "1")
    assert field(primary, "min_slaves_good_slaves") == 1
    replica.kill()
    with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
        wait_until(lambda: primary.command("SET", "a", "2") is None, what="a refusal")
    assert primary.command("GET", "a") is not None
    primary.command("CONFIG", "SET", "min-replicas-to-write", 0)
    assert primary.command("SET", "a", "3")


def test_wait(stack: ExitStack) -> None:
    """WAIT counts acknowledgements of the client's own last write, and ends at its timeout."""
    primary, replica = pair(stack)
    client = primary.client()
    client.set("a", "1")
    assert client.wait(1, 5000) == 1
    assert client.wait(2, 50) == 1
    with client.pipeline() as unit:
        unit.set("b", "1")
        unit.execute_command("WAIT", 5, 0)
        assert unit.execute()[1] in (0, 1)
    with pytest.raises(redis.ResponseError, match="timeout is negative"):
        client.wait(1, -1)
    with pytest.raises(redis.ResponseError, match="WAIT cannot be used with replica"):
        replica.command("WAIT", 1, 1)


def test_expiry_is_the_primarys(stack: ExitStack) -> None:
    """A replica hides an expired key, keeps it until its primary's DEL, and agrees with it afterwards."""
    primary, replica = pair(stack, enable_debug_command="yes")
    primary.command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    primary.client().set("key", "value", px=30)
    wait_until(lambda: replica.command("DBSIZE") == 1, what="the key")
    wait_until(lambda: replica.command("GET", "key") is None, what="its expiry")
    assert replica.command("DBSIZE") == 1
    assert primary.command("GET", "key") is None
    wait_until(lambda: replica.command("DBSIZE") == 0, what="the DEL")


def test_blocked_clients_are_let_go(stack: ExitStack) -> None:
    """A client blocked on a primary that becomes a replica is told so instead of waiting for ever."""
    node = start(stack)
    answer: list[str] = []

    def block() -> None:
        try:
            node.command("BLPOP", "nothing", 0)
        except redis.ResponseError as failure:
            answer.append(str(failure))

    thread = threading.Thread(target=block)
    thread.start()
    wait_until(lambda: node.info("clients")["blocked_clients"] == 1, what="a blocked client")
    node.command("REPLICAOF", "127.0.0.1", 1)
    thread.join(10)
    assert answer
    assert answer[0].startswith("UNBLOCKED")


def test_a_promoted_replica_goes_on(stack: ExitStack) -> None:
    """REPLICAOF NO ONE keeps the data, opens it for writes, and expires keys by its own clock again."""
    primary, replica = pair(stack)
    primary.client().set("key", "value", px=400)
    wait_until(lambda: replica.command("EXISTS", "key") == 1, what="the key")
    assert replica.command("REPLICAOF", "NO", "ONE") == b"OK"
    replica.command("SET", "mine", "1")
    wait_until(lambda: replica.command("DBSIZE") == 1, what="the expiry")
    assert field(replica, "master_replid2") == field(primary, "master_replid")


def test_a_restarted_primary_continues(stack: ExitStack) -> None:
    """A primary that saved at shutdown and restarts lets its replica continue without a snapshot."""
    primary, replica = pair(stack, save="3600 1")
    primary.command("SET", "a", "1")
    wait_until(lambda: replica.command("GET", "a") == b"1", what="the write")
    primary.restart()
    wait_until(lambda: field(replica, "master_link_status") == "up", what="the link up")
    primary.command("SET", "a", "2")
    wait_until(lambda: replica.command("GET", "a") == b"2", what="the write after it")
    assert primary.info("stats")["sync_partial_ok"] + primary.info("stats")["sync_full"] == 1


def test_what_expires_between_save_and_start_is_told(stack: ExitStack) -> None:
    """Keys that a restarted primary finds expired in its file are deleted at the replica which continues."""
    primary, replica = pair(stack, save="3600 1")
    primary.command("SET", "a", "1", "PX", 3000)
    primary.command("SET", "b", "1")
    wait_until(lambda: replica.command("DBSIZE") == 2, what="the writes")
    primary.stop()
    wait_until(lambda: replica.command("EXISTS", "a") == 0, what="the time over")
    primary.start_again()
    wait_until(lambda: replica.command("DBSIZE") == 1, what="the DEL of what expired meanwhile")
    assert primary.info("stats")["sync_full"] == 0


def test_an_idle_backlog_is_given_up(stack: ExitStack) -> None:
    """After repl-backlog-ttl without replicas the backlog is gone, and with it the history's id."""
    primary, replica = pair(stack, repl_backlog_ttl=1)
    replid = field(primary, "master_replid")
    replica.kill()
    wait_until(lambda: field(primary, "repl_backlog_active") == 0, what="the backlog given up")
    assert field(primary, "master_replid") != replid


def test_a_copy_is_all_that_some_want(stack: ExitStack) -> None:
    """SYNC with rdb-only gets a snapshot in the framing asked for, and no stream."""
    node = start(stack)
    node.command("SET", "a", "b")
    with node.connect() as peer:
        peer.sendall(b"REPLCONF rdb-only 1\r\n")
        receive_until(peer, b"+OK\r\n")
        peer.sendall(b"SYNC\r\n")
        assert receive_until(peer, b"REDIS0010").startswith(b"$")
    wait_until(lambda: field(node, "connected_slaves") == 0, what="the connection forgotten")


def test_a_copy_may_be_of_functions_alone(stack: ExitStack) -> None:
    """REPLCONF rdb-filter-only leaves keys out of the snapshot, or functions too."""
    node = start(stack)
    node.command("SET", "a", "b")
    node.command("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    for parts, has_functions in [(b"functions", True), (b'""', False)]:
        with node.connect() as peer:
            peer.sendall(b"REPLCONF capa eof rdb-only 1 rdb-filter-only %b\r\n" % parts)
            receive_until(peer, b"+OK\r\n")
            peer.sendall(b"SYNC\r\n")
            body = receive_until(peer, b"\r\nREDIS0010")
            mark = body[5:45]
            while body.count(mark) < 2:
                body += peer.recv(65536)
        assert (b"register_function" in body) is has_functions
        assert b"\x00\x01a\x01b" not in body


def test_replconf_errors(stack: ExitStack) -> None:
    """REPLCONF and REPLICAOF refuse what they don't understand with Redis's words."""
    node = start(stack)
    for words, text in [
        (("REPLCONF", "listening-port"), "syntax error"),
        (("REPLCONF", "listening-port", "x"), "value is not an integer"),
        (("REPLCONF", "rdb-filter-only", "keys"), "Unsupported rdb-filter-only option: keys"),
        (("REPLCONF", "what", "x"), "Unrecognized REPLCONF option: what"),
        (("REPLICAOF", "host", "x"), "Invalid master port"),
        (("PSYNC", "?", "x"), "value is not an integer"),
        (("FAILOVER",), "FAILOVER requires connected replicas"),
        (("FAILOVER", "ABORT"), "No failover in progress"),
        (("FAILOVER", "TO", "h", "1", "FORCE"), "FAILOVER requires connected replicas"),
        (("FAILOVER", "TIMEOUT", "0"), "FAILOVER timeout must be greater than 0"),
    ]:
        with pytest.raises(redis.ResponseError, match=text):
            node.command(*words)


def receive_until(peer: socket.socket, wanted: bytes) -> bytes:
    received = b""
    while wanted not in received:
        data = peer.recv(65536)
        assert data, received
        received += data
    return received


def test_a_replica_that_does_not_read_is_dropped(stack: ExitStack) -> None:
    """A replica that takes neither snapshot nor stream is cut off at the output limit; the primary serves on."""
    primary = start(stack, client_output_buffer_limit=["replica", "2mb", "0", "0"], repl_backlog_size="16kb")
    with primary.connect() as peer:
        peer.sendall(b"REPLCONF listening-port 1 capa eof capa psync2\r\n")
        receive_until(peer, b"+OK\r\n")
        peer.sendall(b"PSYNC ? -1\r\n")
        receive_until(peer, b"$EOF:")
        client = primary.client()

        def write_more() -> bool:
            client.set("big", b"x" * 500_000)
            return field(primary, "connected_slaves") == 0

        wait_until(write_more, what="the replica dropped")


def test_hello_tells_the_role(stack: ExitStack) -> None:
    """HELLO says that a primary is a master and a replica a replica, before and after a promotion."""
    primary, replica = pair(stack)

    def role(server: Server) -> bytes:
        greeting = server.command("HELLO")
        return dict(zip(greeting[::2], greeting[1::2], strict=True))[b"role"]

    assert (role(primary), role(replica)) == (b"master", b"replica")
    replica.command("REPLICAOF", "NO", "ONE")
    assert role(replica) == b"master"
