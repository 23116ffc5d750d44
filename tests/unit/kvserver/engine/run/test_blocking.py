"""Who waits is served in order, once, and not after its time."""

from __future__ import annotations

import pytest

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session


class Inbox(NoPort):
    """A port that keeps what it is given."""

    def __init__(self) -> None:
        self.got = b""
        self.resumed = 0

    def write(self, data: bytes) -> None:
        self.got += data

    def resume(self) -> None:
        self.resumed += 1


class Bench:
    """An engine whose clock stands still, and clients by name."""

    def __init__(self) -> None:
        self.engine = Engine(2, build_rows(all_handlers()))
        self.engine.state.now_ms = 1_000
        self.engine.state.wall_us = lambda: self.engine.state.now_ms * 1000
        self.clients: dict[str, tuple[Session, Inbox]] = {}

    def do(self, who: str, line: str) -> bytes | None:
        if who not in self.clients:
            inbox = Inbox()
            self.clients[who] = self.engine.open_session(inbox), inbox
        return self.engine.execute(self.clients[who][0], line.encode().split(b" "))

    def got(self, who: str) -> bytes:
        return self.clients[who][1].got


@pytest.fixture
def bench() -> Bench:
    return Bench()


def popped(key: str, value: str) -> bytes:
    return f"*2\r\n${len(key)}\r\n{key}\r\n${len(value)}\r\n{value}\r\n".encode()


def test_first_come_first_served(bench: Bench) -> None:
    """Elements go to those who wait in the order in which they came."""
    for name in ("one", "two", "three"):
        assert bench.do(name, "BLPOP q 0") is None
    bench.do("giver", "RPUSH q a b")
    assert bench.got("one") == popped("q", "a")
    assert bench.got("two") == popped("q", "b")
    assert bench.got("three") == b""
    assert bench.engine.blocked_count == 1


def test_each_is_served_once(bench: Bench) -> None:
    """A client that waits for several keys takes from the first that is ready, and waits for none any more."""
    bench.do("waiter", "BLPOP q1 q2 q3 0")
    bench.do("giver", "RPUSH q2 x")
    assert bench.got("waiter") == popped("q2", "x")
    bench.do("giver", "RPUSH q1 y")
    assert bench.got("waiter") == popped("q2", "x")
    assert bench.do("giver", "LLEN q1") == b":1\r\n"
    assert bench.engine.dbs[0].blocked == {}


def test_a_transaction_serves_when_it_is_over(bench: Bench) -> None:
    """What EXEC pushes and takes back again isn't given away in between."""
    bench.do("waiter", "BLPOP q 0")
    for line in ("MULTI", "RPUSH q a", "DEL q", "RPUSH q b", "EXEC"):
        bench.do("giver", line)
    assert bench.got("waiter") == popped("q", "b")


def test_a_chain_of_moves(bench: Bench) -> None:
    """What one blocked client moves to another list serves the client that waits there."""
    bench.do("mover", "BLMOVE from to LEFT RIGHT 0")
    bench.do("taker", "BLPOP to 0")
    bench.do("giver", "RPUSH from x")
    assert bench.got("mover") == b"$1\r\nx\r\n"
    assert bench.got("taker") == popped("to", "x")


def test_the_wrong_type_goes_on_waiting(bench: Bench) -> None:
    """A key of another type serves nobody; the client goes on waiting."""
    bench.do("waiter", "BLPOP q 0")
    bench.do("giver", "SADD q member")
    assert bench.got("waiter") == b""
    bench.do("giver", "DEL q")
    bench.do("giver", "RPUSH q x")
    assert bench.got("waiter") == popped("q", "x")


def test_time_runs_out(bench: Bench) -> None:
    """At its time, and not before, a client is told that nothing came; then it may go on with its requests."""
    bench.do("waiter", "BLPOP q 0.5")
    bench.do("other", "BRPOP q 2")
    assert blocking.next_timeout_ms(bench.engine) == 1_500
    bench.engine.state.now_ms = 1_499
    blocking.expire_waits(bench.engine)
    assert bench.got("waiter") == b""
    bench.engine.state.now_ms = 1_500
    blocking.expire_waits(bench.engine)
    assert bench.got("waiter") == b"*-1\r\n"
    assert bench.clients["waiter"][1].resumed == 1
    assert blocking.next_timeout_ms(bench.engine) == 3_000
    bench.do("giver", "RPUSH q x")
    assert bench.got("other") == popped("q", "x")
    assert blocking.next_timeout_ms(bench.engine) == 0


def test_who_left_is_skipped(bench: Bench) -> None:
    """A client that has gone takes nothing; the next in the queue gets it."""
    bench.do("gone", "BLPOP q 0")
    bench.do("here", "BLPOP q 0")
    bench.engine.close_session(bench.clients["gone"][0])
    bench.do("giver", "RPUSH q x")
    assert bench.got("here") == popped("q", "x")
    assert bench.got("gone") == b""


def test_databases_are_apart(bench: Bench) -> None:
    """A push in another database serves nobody here; a swap of databases does."""
    bench.do("waiter", "BLPOP q 0")
    bench.do("giver", "SELECT 1")
    bench.do("giver", "RPUSH q x")
    assert bench.got("waiter") == b""
    bench.do("giver", "SWAPDB 0 1")
    assert bench.got("waiter") == popped("q", "x")


def test_sorted_sets_too(bench: Bench) -> None:
    """Those who wait for a sorted set get its ends, each once."""
    bench.do("low", "BZPOPMIN z 0")
    bench.do("high", "BZPOPMAX z 0")
    bench.do("giver", "ZADD z 1 a 2 b 3 c")
    assert bench.got("low") == b"*3\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\n1\r\n"
    assert bench.got("high") == b"*3\r\n$1\r\nz\r\n$1\r\nc\r\n$1\r\n3\r\n"


def test_equal_deadlines(bench: Bench) -> None:
    """Waits of one client that end in the same millisecond, served or not, are told apart."""
    for _ in range(3):
        assert bench.do("waiter", "BLPOP q 5") is None
        bench.do("giver", "RPUSH q x")
    assert bench.do("waiter", "BLPOP q 5") is None
    before = bench.got("waiter")
    bench.engine.state.now_ms += 5_000
    blocking.expire_waits(bench.engine)
    assert bench.got("waiter") == before + b"*-1\r\n"


def test_timeouts_of_served_waits_are_not_kept(bench: Bench) -> None:
    """Waiting with a long timeout, served at once, again and again, takes no memory."""
    for _ in range(3_000):
        assert bench.do("waiter", "BLPOP q 100000") is None
        bench.do("giver", "RPUSH q x")
    assert len(bench.engine.timeouts) < 1_100
