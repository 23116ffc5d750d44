"""What a node refuses, it refuses from its first client on, and from the very moment at which that changes."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from support import Server, start_kvserver, wait_until
from support.replicas import pair
from support.wire import received

NOREPLICAS = b"-NOREPLICAS Not enough good replicas to write.\r\n"


def batch(server: Server, *lines: str) -> list[object]:
    """The replies to commands sent in one piece, which the node serves in one turn; errors as they are."""
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for line in lines:
            pipe.execute_command(*line.split(" "))
        return list(pipe.execute(raise_on_error=False))


def test_too_few_replicas_from_the_first_client_on() -> None:
    """With min-replicas-to-write in the file not one write is accepted before a replica is there."""
    with start_kvserver(wait=False, min_replicas_to_write=1) as node:
        replies: set[bytes] = set()

        def first_word() -> bool:
            try:
                with socket.create_connection(node.address, 1.0) as link:
                    link.sendall(b"SET k v\r\n" * 50 + b"PING\r\n")
                    link.shutdown(socket.SHUT_WR)
                    words = received(link).splitlines(keepends=True)
            except OSError:
                return False
            replies.update(words[:-1])
            return b"+PONG\r\n" in words

        wait_until(first_word)
        assert {reply for reply in replies if not reply.startswith(b"-LOADING")} == {NOREPLICAS}


def test_a_silent_replica_counts_no_more_from_the_moment_at_which_it_is_too_late() -> None:
    """Once INFO tells of no good replica no write is accepted, though nothing has happened but that time passed."""
    with ExitStack() as stack:
        primary, replica = pair(stack)
        primary.command("CONFIG", "SET", "min-replicas-max-lag", "1")
        primary.command("CONFIG", "SET", "min-replicas-to-write", "1")
        assert wait_until(lambda: batch(primary, "SET k v")[0] is True)
        replica.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: primary.info("replication")["min_slaves_good_slaves"] == 0)
            (reply,) = batch(primary, "SET k v")
        finally:
            replica.send_signal(signal.SIGCONT)
        assert isinstance(reply, redis.ResponseError)
        assert str(reply).startswith("NOREPLICAS")


def fail_to_save(node: Server, folder: Path) -> list[object]:
    """Let a BGSAVE fail; return what a write is told in the turn in which INFO first says so."""
    (folder / "dump.rdb").mkdir()
    node.command("BGSAVE")
    told: list[object] = []

    def failed() -> bool:
        info, *rest = batch(node, "INFO persistence", "SET k w", "PING")
        assert isinstance(info, dict)
        told[:] = rest
        return bool(info["rdb_last_bgsave_status"] == "err")

    wait_until(failed)
    return told


def test_writes_are_refused_in_the_turn_in_which_a_save_has_failed(tmp_path: Path) -> None:
    """Nobody sees rdb_last_bgsave_status:err and has a write accepted behind it."""
    with start_kvserver(folder=tmp_path, save="3600 1") as node:
        for reply in fail_to_save(node, tmp_path):
            assert str(reply).startswith("MISCONF Redis is configured to save RDB snapshots"), reply


@pytest.mark.parametrize(
    ("ease", "tighten"),
    [
        ("CONFIG SET stop-writes-on-bgsave-error no", "CONFIG SET stop-writes-on-bgsave-error yes"),
        ("CONFIG SET save ", "CONFIG SET save 3600"),
    ],
    ids=["stop-writes-on-bgsave-error", "save"],
)
def test_options_about_failed_saves_hold_at_once(tmp_path: Path, ease: str, tighten: str) -> None:
    """CONFIG SET lets writes through, or refuses them again, from the next request on."""
    with start_kvserver(folder=tmp_path, save="3600 1") as node:
        fail_to_save(node, tmp_path)
        if tighten.endswith("3600"):
            tighten += " 1"
        replies = []
        with node.connect() as link:
            for line in (ease, "SET k v", tighten, "SET k w", ease, "GET k"):
                words = line.split(" ", 3)
                link.sendall(
                    b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w.encode()) for w in words)
                )
            link.shutdown(socket.SHUT_WR)
            replies = received(link).split(b"\r\n")
        assert replies[:3] == [b"+OK", b"+OK", b"+OK"]
        assert replies[3].startswith(b"-MISCONF")
        assert replies[4:] == [b"+OK", b"$1", b"v", b""]


def test_a_promoted_replica_honours_its_limit_at_once() -> None:
    """A replica leaves maxmemory to its primary; the first write after its promotion meets the limit."""
    with ExitStack() as stack:
        _, replica = pair(stack)
        replica.command("CONFIG", "SET", "maxmemory", "100kb")
        promoted, reply = batch(replica, "REPLICAOF NO ONE", "SET k v")
        assert promoted in (b"OK", True)
        assert "command not allowed when used memory > 'maxmemory'" in str(reply)


def test_a_limit_for_arguments_holds_for_those_who_are_there(tmp_path: Path) -> None:
    """CONFIG SET proto-max-bulk-len concerns the connections that are open, too."""
    with start_kvserver(folder=tmp_path) as node, node.connect() as link:
        link.sendall(b"PING\r\n")
        assert link.recv(64) == b"+PONG\r\n"
        node.command("CONFIG", "SET", "proto-max-bulk-len", "1mb")
        link.sendall(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n")
        assert received(link) == b"-ERR Protocol error: invalid bulk length\r\n"
