"""What the executor counts, refuses and logs, with a sink attached."""

from __future__ import annotations

import random

import pytest

from kvserver.client.reasons import Reason
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.keys.keyspace import EXPIRE_HIDE, EXPIRE_IGNORE
from kvserver.engine.run.blocking import next_timeout_ms
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_CLOSE, NoPort, Session
from kvserver.wire.resp import Parser


class Node:
    """An engine, one client of it, and what the sink gets."""

    def __init__(self) -> None:
        self.engine = Engine(4, build_rows(all_handlers()))
        self.engine.state.rng = random.Random(7)
        self.engine.state.now_ms = 1_000_000
        self.engine.state.wall_us = lambda: self.engine.state.now_ms * 1000
        self.client: Session = self.engine.open_session(NoPort())
        self.sunk: list[bytes] = []
        self.engine.log.attach(self.sunk.append)

    def do(self, line: str) -> bytes | None:
        return self.engine.execute(self.client, line.encode().split(b" "))

    def logged(self) -> list[str]:
        """What has been logged since the last call, a request a line."""
        self.engine.log.flush()
        parser = Parser()
        parser.feed(b"".join(self.sunk))
        self.sunk.clear()
        lines = []
        while (request := parser.next()) is not None:
            lines.append(b" ".join(request).decode())
        return lines


@pytest.fixture
def node() -> Node:
    return Node()


def test_only_changes_are_logged(node: Node) -> None:
    """A request that changes nothing, fails, or is refused leaves nothing in the log."""
    for line in ("GET k", "DEL k", "SET k", "INCR x y", "NOSUCH", "LPUSHX l a", "PERSIST k", "SET k v XX", "PING"):
        node.do(line)
    assert node.logged() == []
    node.do("SET k v")
    node.do("INCR k")
    assert node.logged() == ["SELECT 0", "SET k v"]


def test_a_database_is_selected_once(node: Node) -> None:
    """The log selects a database when an effect concerns another one than the last."""
    for line in ("SET a 1", "SET b 1", "SELECT 2", "SET c 1", "SELECT 0", "SELECT 2", "SET d 1", "SELECT 0", "SET e 1"):
        node.do(line)
    assert node.logged() == ["SELECT 0", "SET a 1", "SET b 1", "SELECT 2", "SET c 1", "SET d 1", "SELECT 0", "SET e 1"]


def test_effects_are_deterministic(node: Node) -> None:
    """What depends on the time or on chance is logged as what came of it."""
    node.do("SADD s only")
    node.do("SET k v")
    node.logged()
    node.do("SPOP s")
    node.do("EXPIRE k 10")
    node.do("SET k v EX 10")
    node.do("GETEX k PX 5")
    node.do("INCRBYFLOAT f 0.5")
    lines = node.logged()
    assert lines[:4] == ["SREM s only", "PEXPIREAT k 1010000", "SET k v PXAT 1010000", "PEXPIREAT k 1000005"]
    assert lines[4] == "SET f 0.5 KEEPTTL"


def test_a_transaction_is_one_unit(node: Node) -> None:
    """EXEC's effects are wrapped in MULTI and EXEC; one alone isn't; none at all leaves nothing."""
    for line in ("MULTI", "SET a 1", "GET a", "INCR a", "EXEC"):
        node.do(line)
    assert node.logged() == ["SELECT 0", "MULTI", "SET a 1", "INCR a", "EXEC"]
    for line in ("MULTI", "INCR a", "GET a", "EXEC"):
        node.do(line)
    assert [line for line in node.logged() if line not in ("MULTI", "EXEC")] == ["INCR a"]
    for line in ("MULTI", "GET a", "PING", "EXEC"):
        node.do(line)
    assert node.logged() == []
    for line in ("MULTI", "SET a x", "DISCARD"):
        node.do(line)
    assert node.logged() == []


def test_a_transaction_over_databases(node: Node) -> None:
    """A transaction that changes databases selects them inside its unit."""
    for line in ("MULTI", "SET a 1", "SELECT 1", "SET b 1", "EXEC"):
        node.do(line)
    lines = node.logged()
    assert [line for line in lines if line.startswith(("SET", "SELECT"))] == [
        "SELECT 0", "SET a 1", "SELECT 1", "SET b 1",
    ]  # fmt: skip
    assert lines.index("MULTI") < lines.index("SET a 1") < lines.index("SELECT 1") < lines.index("EXEC")


def test_an_expired_key_is_logged_as_deleted_before_what_met_it(node: Node) -> None:
    """A primary that meets an expired key logs its DEL, ahead of the request's own effect."""
    node.do("SET k 1 PX 10")
    node.logged()
    node.engine.state.now_ms += 11
    assert node.do("GET k") == b"$-1\r\n"
    assert node.logged() == ["DEL k"]
    node.do("SET k 1 PX 10")
    node.logged()
    node.engine.state.now_ms += 11
    assert node.do("INCR k") == b":1\r\n"
    assert [line for line in node.logged() if line not in ("MULTI", "EXEC")] == ["DEL k", "INCR k"]
    assert node.engine.state.expired_keys == 2


def test_a_replica_hides_and_the_stream_sees_expired_keys(node: Node) -> None:
    """A replica never deletes by itself: clients don't see the key, the primary's stream does."""
    node.do("SET k 1 PX 10")
    node.logged()
    node.engine.state.now_ms += 11
    node.engine.state.expire_mode = EXPIRE_HIDE
    assert node.do("GET k") == b"$-1\r\n"
    assert node.engine.dbs[0].keys.has(b"k")
    node.engine.state.expire_mode = EXPIRE_IGNORE
    assert node.do("GET k") == b"$1\r\n1\r\n"
    assert node.logged() == []


def test_what_a_push_lets_others_take_follows_it(node: Node) -> None:
    """A blocked pop is logged as a pop, right behind the push that served it."""
    waiter = node.engine.open_session(NoPort())
    assert node.engine.execute(waiter, [b"BLPOP", b"q", b"0"]) is None
    node.do("RPUSH q a b")
    assert node.logged() == ["SELECT 0", "RPUSH q a b", "LPOP q"]
    assert waiter.blocked is None


def test_nothing_is_encoded_without_a_sink() -> None:
    """With no sink the log doesn't grow."""
    engine = Engine(1, build_rows(all_handlers()))
    client = engine.open_session(NoPort())
    engine.execute(client, [b"SET", b"k", b"v"])
    assert engine.log.offset == 0
    assert engine.log.pending == []
    assert engine.state.dirty == 1


def test_requests_are_counted(node: Node) -> None:
    """Calls, failures and refusals are counted by command, errors by code."""
    for line in ("SET k v", "INCR k", "GET", "NOSUCH", "get k", "GeT k"):
        node.do(line)
    rows = node.engine.rows
    assert (rows[b"SET"].calls, rows[b"INCR"].calls, rows[b"INCR"].failed) == (1, 1, 1)
    assert (rows[b"GET"].calls, rows[b"GET"].rejected) == (2, 1)
    assert node.engine.errors == {"ERR": 3}


def test_our_own_errors_are_told_apart(node: Node) -> None:
    """A handler that breaks gives its client an error, the log a trace, and the node goes on."""
    told: list[str] = []
    node.engine.on_crash = lambda name, trace: told.append(name)

    def broken(c: Session, a: list[bytes]) -> bytes:
        raise ZeroDivisionError

    node.engine.rows[b"ECHO"].fn = broken
    assert node.do("ECHO x") == b"-ERR internal error, see the server's log\r\n"
    assert told == ["echo"]
    assert node.engine.unexpected_errors == 1
    assert node.do("PING") == b"+PONG\r\n"


def test_http_is_cut_off(node: Node) -> None:
    """POST and Host: get no reply; the connection is to be closed, and somebody is told."""
    told: list[Reason] = []

    class Port(NoPort):
        def end(self, reason: Reason, detail: str = "", own: bool = False) -> None:
            told.append(reason)

    node.client.port = Port()
    assert node.do("POST / HTTP/1.1") is None
    assert node.client.attention & ATT_CLOSE
    assert told == [Reason.HTTP_ATTACK]


def test_a_session_leaves_nothing_behind(node: Node) -> None:
    """Closing a session ends its waiting, watching, queueing and listening."""
    engine = node.engine
    for line in ("WATCH w", "SUBSCRIBE a", "PSUBSCRIBE p*", "SSUBSCRIBE s"):
        node.do(line)
    waiter = engine.open_session(NoPort())
    engine.execute(waiter, [b"BLPOP", b"q1", b"q2", b"5"])
    engine.close_session(node.client)
    engine.close_session(waiter)
    assert engine.sessions == {}
    assert (engine.channels, engine.patterns, engine.shard_channels) == ({}, {}, {})
    assert engine.dbs[0].watchers == {}
    assert engine.dbs[0].blocked == {}
    assert engine.dbs[0].observers == 0
    assert engine.blocked_count == 0
    assert next_timeout_ms(engine) == 0
