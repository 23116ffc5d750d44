"""What a running server refuses late, or ends: transactions, replies that are too long, shutdowns; and pauses."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ResponseError
from support import Server, start_kvserver, wait_until


@pytest.fixture
def server() -> Iterator[Server]:
    with start_kvserver(enable_debug_command="yes") as started:
        yield started


def say(server: Server, *requests: bytes) -> bytes:
    """Send lines on a connection of its own, return all replies; the last request must be QUIT."""
    with server.connect() as link:
        link.sendall(b"".join(request + b"\r\n" for request in requests))
        out = b""
        while piece := link.recv(1 << 16):
            out += piece
        return out


@pytest.mark.parametrize(
    ("queued", "option", "value", "code"),
    [
        ("SET", "min-replicas-to-write", "1", "NOREPLICAS"),
        ("SET", "maxmemory", "1", "OOM"),
        ("SET", "replicaof", "127.0.0.1 1", "READONLY"),
    ],
)
def test_exec_is_refused_for_what_has_happened_since(
    server: Server, queued: str, option: str, value: str, code: str
) -> None:
    """EXEC asks again whether the queued commands may run, and runs none of them if one may not."""
    client = server.client(single_connection_client=True)
    client.execute_command("MULTI")
    client.execute_command(queued, "k", "v")
    if option == "replicaof":
        server.command("REPLICAOF", *value.split())
    else:
        server.command("CONFIG", "SET", option, value)
    with pytest.raises(ResponseError, match=f"Transaction discarded because of: {code}"):
        client.execute_command("EXEC")
    with pytest.raises(ResponseError, match="EXEC without MULTI"):
        client.execute_command("EXEC")
    assert server.command("EXISTS", "k") == 0


def test_a_stale_key_under_watch_counts_as_absent(server: Server) -> None:
    """A key that had expired by the time of WATCH may be deleted, flushed or swapped away; creating it breaks EXEC."""
    client = server.client(single_connection_client=True)
    server.command("DEBUG", "SET-ACTIVE-EXPIRE", "0")

    def outcome(*request: str) -> object:
        client.execute_command("SET", "x", "1", "PX", "1")
        wait_until(lambda: _passed(server))
        client.execute_command("WATCH", "x")
        client.execute_command(*request)
        client.execute_command("MULTI")
        client.execute_command("PING")
        return client.execute_command("EXEC")

    assert outcome("EXISTS", "x") == [b"PONG"]
    assert outcome("FLUSHDB") == [b"PONG"]
    assert outcome("SWAPDB", "0", "1") == [b"PONG"]
    assert outcome("SET", "x", "new") is None


def _passed(server: Server) -> bool:
    """Whether a key of a millisecond's life, made now, has expired."""
    server.command("SET", "probe", "1", "PX", "1")
    return bool(server.command("EXISTS", "probe") == 0)


def test_subscriptions_are_confirmed_although_replies_are_off(server: Server) -> None:
    """CLIENT REPLY OFF holds back replies, not the messages that confirm a subscription."""
    said = say(server, b"HELLO 3", b"CLIENT REPLY OFF", b"SET a 1", b"SUBSCRIBE c", b"UNSUBSCRIBE c", b"QUIT")
    assert b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n" in said
    assert not said.endswith(b"+OK\r\n")


def test_a_reply_above_the_hard_limit_ends_the_connection(server: Server) -> None:
    """The client gets nothing, and what it asked for is never built if it could not be sent."""
    server.command("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0")
    server.command("SET", "big", "x" * 200_000)
    server.command("HSET", "h", "f", "v")
    for request in (b"GET big", b"HRANDFIELD h -999999999"):
        with server.connect() as link:
            link.sendall(request + b"\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert link.recv(100) == b""
    assert server.command("STRLEN", "big") == 200_000


def test_a_client_that_has_not_authenticated_may_not_gather_replies() -> None:
    """It is cut off once a little more than the socket takes waits for it."""
    with start_kvserver(requirepass="secret") as server, server.connect() as link:
        link.settimeout(20)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            link.sendall(b"SET x 5\r\n" * 10_000_000)


def test_an_empty_bind_leaves_the_unix_socket(tmp_path: Path) -> None:
    """CONFIG SET bind "" closes the TCP port, and setting it again opens it."""
    path = tmp_path / "socket"
    with start_kvserver(unixsocket=str(path)) as server:
        client = server.client(single_connection_client=True)
        client.execute_command("CONFIG", "SET", "bind", "")
        wait_until(lambda: not _answers(server))
        client.execute_command("CONFIG", "SET", "bind", "127.0.0.1")
        wait_until(lambda: _answers(server))


def _answers(server: Server) -> bool:
    try:
        server.connect(1).close()
    except OSError:
        return False
    return True


def test_a_pause_holds_the_primarys_stream_back() -> None:
    """A paused replica receives writes, applies none, and catches up afterwards."""
    with start_kvserver() as primary, start_kvserver(replicaof=f"127.0.0.1 {primary.port}") as replica:
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
        replica.command("CLIENT", "PAUSE", "100000", "WRITE")
        primary.command("SET", "k", "v")
        assert "M" in {client["flags"] for client in replica.client().client_list()}
        wait_until(
            lambda: (facts := replica.info("replication"))["slave_read_repl_offset"] > facts["slave_repl_offset"]
        )
        assert replica.command("GET", "k") is None
        replica.command("CLIENT", "UNPAUSE")
        wait_until(lambda: replica.command("GET", "k") == b"v")


def test_shutdown_abort_takes_a_signal_back(server: Server) -> None:
    """With the periodic work paused, SIGTERM begins a shutdown that SHUTDOWN ABORT cancels."""
    server.command("DEBUG", "PAUSE-CRON", "1")
    os.kill(server.pid, signal.SIGTERM)

    def aborted() -> bool:
        try:
            return bool(server.command("SHUTDOWN", "ABORT"))
        except ResponseError:
            return False

    wait_until(aborted)
    server.command("DEBUG", "PAUSE-CRON", "0")
    assert server.command("PING")
