"""Replicas that read slowly or not at all, and what they may cost their primary."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from support import wait_until
from support.replicas import field, pair, start


def receive_until(peer: socket.socket, wanted: bytes) -> bytes:
    received = b""
    while wanted not in received:
        data = peer.recv(65536)
        assert data, received
        received += data
    return received


def follow_by_hand(peer: socket.socket, capa: bytes = b"capa eof ") -> bytes:
    """Ask as a replica does; what comes at first."""
    peer.sendall(b"REPLCONF listening-port 1 %bcapa psync2\r\n" % capa)
    receive_until(peer, b"+OK\r\n")
    peer.sendall(b"PSYNC ? -1\r\n")
    return receive_until(peer, b"\r\n$")


def test_a_replica_that_does_not_read_its_snapshot_is_dropped(stack: ExitStack) -> None:
    """A replica that takes nothing of its snapshot for repl-timeout is dropped, and the next one is served."""
    primary = start(stack, repl_timeout=1, rdbcompression=False, enable_debug_command="local")
    primary.command("DEBUG", "POPULATE", 20_000, "key", 1_000)
    with primary.connect() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        follow_by_hand(peer)
        wait_until(lambda: field(primary, "connected_slaves") == 0, what="the replica dropped")
    replica = start(stack, replicaof=[primary.host, primary.port])
    wait_until(lambda: replica.command("DBSIZE") == 20_000, what="the next replica's copy")


def test_a_replica_that_does_not_read_the_stream_is_dropped(stack: ExitStack) -> None:
    """A replica on line that stops reading is cut off at the output limit; others get everything."""
    primary, replica = pair(stack, client_output_buffer_limit=["replica", "2mb", "0", "0"], repl_backlog_size="16kb")
    with primary.connect() as peer:
        follow_by_hand(peer, b"")
        peer.sendall(b"REPLCONF ACK 0\r\n")
        wait_until(lambda: primary.info("replication")["slave1"]["state"] == "online", what="both on line")
        client = primary.client()

        def write_more() -> bool:
            client.set("big", b"x" * 300_000)
            return field(primary, "connected_slaves") == 1

        wait_until(write_more, what="the replica dropped")
    client.set("last", "1")
    wait_until(lambda: replica.command("GET", "last") == b"1", what="the stream at the other replica")
    assert primary.info("stats")["sync_full"] == 2


def test_a_limit_below_the_backlog_lets_replicas_continue(stack: ExitStack) -> None:
    """A replica that continues with more than its output limit, which the backlog holds, is not cut off for that."""
    primary, replica = pair(
        stack, client_output_buffer_limit=["replica", "512k", "0", "0"], repl_backlog_size="100mb",
    )  # fmt: skip
    with primary.client().pipeline(transaction=True) as unit:
        unit.execute_command("CLIENT", "KILL", "TYPE", "replica")
        for _ in range(2):
            unit.set("key", b"x" * 10_000_000)
        unit.execute()
    wait_until(lambda: replica.command("STRLEN", "key") == 10_000_000, what="the writes")
    wait_until(lambda: field(replica, "master_repl_offset") == field(primary, "master_repl_offset"), what="the offset")
    stats = primary.info("stats")
    assert (stats["sync_full"], stats["sync_partial_ok"]) == (1, 1)
