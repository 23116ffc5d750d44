"""async-max-unreplicated-ms and -bytes: even an asynchronous primary may lose only so much."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest
import redis
from support import Server, wait_until
from support.replicas import field, pair, start, state_of
from support.servers import start_redis


def refused(node: Server, text: str = "") -> bool:
    """Whether a write is refused; one that isn't is made: of a counter, or of a text."""
    try:
        node.command(*(("SET", "text", text) if text else ("INCR", "n")))
    except redis.ResponseError as failure:
        if str(failure).startswith("NOREPLICAS "):
            return True
        raise
    return False


def test_a_primary_without_replicas_refuses_writes_after_the_bound(stack: ExitStack) -> None:
    """The first write is taken, and in force from the first client on; when it has aged, no other is."""
    node = start(stack, async_max_unreplicated_ms=150)
    node.command("SET", "first", "1")
    wait_until(lambda: refused(node), what="the refusal")
    with pytest.raises(redis.ResponseError, match=r"acknowledged is \d+ ms old \(async-max-unreplicated-ms 150\)"):
        node.command("SET", "k", "v")
    assert node.command("GET", "first") == b"1"
    assert field(node, "async_unreplicated_ms") >= 150
    node.command("CONFIG", "SET", "async-max-unreplicated-ms", 0)
    assert not refused(node)
    assert field(node, "async_unreplicated_ms") is None


def test_a_replica_that_stands_still_stops_writes_and_lets_them_go_on(stack: ExitStack) -> None:
    """Writes are refused while the replica is stopped, in EXEC and scripts too, and taken once it has caught up."""
    primary, replica = pair(stack, async_max_unreplicated_ms=700)
    for _ in range(200):
        assert not refused(primary)
    os.kill(replica.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: refused(primary), what="the refusal")
        unit = primary.client().pipeline()
        unit.incr("n")
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            unit.execute()
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            primary.command("EVAL", "return redis.call('incr', 'n')", 0)
    finally:
        os.kill(replica.pid, signal.SIGCONT)
    wait_until(lambda: not refused(primary), what="writes after the replica has caught up")
    wait_until(lambda: replica.command("GET", "n") == primary.command("GET", "n"), what="equal contents")


def test_bytes_are_bounded_too(stack: ExitStack) -> None:
    """With a stopped replica no more of the log is written than the bound and one request."""
    primary, replica = pair(stack, async_max_unreplicated_bytes=10_000)
    os.kill(replica.pid, signal.SIGSTOP)
    try:
        taken = next(number for number in range(1_000) if refused(primary, "x" * 500))
        assert 5 < taken < 25
        with pytest.raises(redis.ResponseError, match=r"acknowledged the last \d+ bytes"):
            primary.command("SET", "k", "v")
    finally:
        os.kill(replica.pid, signal.SIGCONT)
    wait_until(lambda: not refused(primary), what="writes again")


def test_a_redis_replica_keeps_a_primary_writing(stack: ExitStack) -> None:
    """A real Redis acknowledges when asked, so a bound of less than its second doesn't refuse anything."""
    primary = start(stack, async_max_unreplicated_ms=600)
    peer = stack.enter_context(start_redis(replicaof=[primary.host, primary.port], repl_ping_replica_period=1))
    wait_until(lambda: state_of(primary) == "online", what="the replica on line")
    wait_until(lambda: not refused(primary), what="the first acknowledgement")
    for _ in range(300):
        assert not refused(primary)
    wait_until(lambda: peer.command("GET", "n") == primary.command("GET", "n"), what="equal contents")


def test_a_replica_is_not_bound(stack: ExitStack) -> None:
    """The bound is the primary's: a replica applies its stream, and is bound as soon as it leads."""
    primary, replica = pair(stack)
    replica.command("CONFIG", "SET", "async-max-unreplicated-ms", 100)
    for _ in range(20):
        primary.command("INCR", "n")
    wait_until(lambda: replica.command("GET", "n") == b"20", what="the stream")
    replica.command("REPLICAOF", "NO", "ONE")
    assert replica.command("INCR", "n") == 21
    wait_until(lambda: refused(replica), what="the refusal")
