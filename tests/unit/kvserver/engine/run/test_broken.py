"""An error of ours between a change and its entry in the log: either the log has it, or the process ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.commands.keys.expiry import ExpiryCycle
from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run import executor, log
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.wire.resp import Parser

COMPILED = not executor.__file__.endswith(".py")
ROWS = all_handlers()
OURS = executor.__file__.partition("run/executor")[0]
INTERNAL = b"-ERR internal error, see the server's log\r\n"


class Node:
    """An engine whose log somebody keeps, and the end of its process."""

    def __init__(self) -> None:
        self.engine = Engine(2, build_rows(ROWS))
        self.engine.state.now_ms = 1_700_000_000_000
        self.engine.state.wall_us = lambda: self.engine.state.now_ms * 1000
        self.engine.on_broken = self._ended
        self.ended = ""
        self.logged: list[bytes] = []
        self.engine.log.attach(self.logged.append)
        self.client = self.session()

    def _ended(self, what: str, trace: str) -> None:
        self.ended = what

    def session(self) -> Session:
        return self.engine.open_session(NoPort())

    def do(self, line: str, c: Session | None = None) -> bytes | None:
        return self.engine.execute(c or self.client, line.encode().split(b" "))

    def content(self) -> list[dict[bytes, Any]]:
        """All keys with their values in plain Python, and their times."""
        return [
            {key: (plain(value), db.ttl_at(key)) for key, value in db.keys.items()} for db in self.engine.dbs
        ]

    def rebuilt(self) -> list[dict[bytes, Any]]:
        """What whoever has nothing but the log comes to."""
        self.engine.log.flush()
        other = Node()
        other.engine.state.now_ms = 0
        parser = Parser()
        parser.feed(b"".join(self.logged))
        follower = other.engine.internal_session("primary", NoPort())
        while (effect := parser.next()) is not None:
            reply = other.engine.execute(follower, effect)
            assert reply is not None
            assert not reply.startswith(b"-"), (effect, reply)
        assert follower.queue is None
        return other.content()


def plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return sorted(value.items()) if hasattr(value, "items") else list(value)


@pytest.fixture
def node() -> Node:
    return Node()


def no_memory(*args: Any) -> Any:
    raise MemoryError


def handler(node: Node, name: bytes, fn: Callable[[Session, list[bytes]], bytes | None]) -> None:
    """Put `fn` in the place of a command's handler."""
    node.engine.rows[name].fn = fn


# -- a handler -------------------------------------------------------------------------------------------------


def test_a_handler_that_changed_nothing_is_answered(node: Node) -> None:
    """An error of ours before any change is told to the client, and nothing is logged."""
    handler(node, b"SET", no_memory)
    assert node.do("SET k v") == INTERNAL
    assert not node.ended
    assert node.engine.unexpected_errors == 1
    assert node.rebuilt() == node.content() == [{}, {}]


@pytest.mark.parametrize(
    "change",
    [
        lambda db: db.put(b"k", b"w"),
        lambda db: db.remove(b"k"),
        lambda db: db.expire_at(b"k", 1),
        lambda db: db.persist(b"volatile"),
        lambda db: db.lookup_write(b"list").push_tail([b"x"]),
        lambda db: db.detach(),
    ],
    ids=["put", "remove", "expire", "persist", "in place", "flush"],
)
def test_a_handler_that_may_have_changed_something_is_the_end(node: Node, change: Callable[[Db], object]) -> None:
    """Behind each door of the keyspace an error of ours ends the process before anything is logged or told."""
    node.do("SET k v")
    node.do("SET volatile v PX 1000000")
    node.do("RPUSH list a b")
    before = node.rebuilt()

    def half_done(c: Session, a: list[bytes]) -> bytes:
        change(c.db)
        raise MemoryError

    handler(node, b"INCR", half_done)
    with pytest.raises(SystemExit):
        node.do("INCR k")
    assert node.ended == "incr"
    assert node.rebuilt() == before


def test_keys_found_expired_are_logged_though_their_reader_fails(node: Node) -> None:
    """A reader that fails after it met a key past its time has that key's DEL in the log."""
    node.do("SET k v PX 10")
    node.engine.state.now_ms += 100

    def reads(c: Session, a: list[bytes]) -> bytes:
        assert c.db.lookup(a[1]) is None
        raise ValueError

    handler(node, b"GET", reads)
    assert node.do("GET k") == INTERNAL
    assert node.rebuilt() == node.content() == [{}, {}]


def test_what_should_have_been_logged_instead_isnt_logged_for_another(node: Node) -> None:
    """The effect that a failed command had named isn't put in the place of the next one's."""

    def names(c: Session, a: list[bytes]) -> bytes:
        c.db.state.instead(0, [b"SET", b"never", b"done"])
        raise ValueError

    handler(node, b"GET", names)
    assert node.do("GET k") == INTERNAL
    node.do("SET k v")
    assert node.rebuilt() == node.content() == [{b"k": (b"v", -1)}, {}]


# -- the way to the log ----------------------------------------------------------------------------------------


@pytest.mark.skipif(COMPILED, reason="the encoder is called as C")
def test_an_effect_that_cant_be_encoded_is_the_end(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """No reply is made for a change whose entry in the log couldn't be made."""
    monkeypatch.setattr(log, "encode_request", no_memory)
    with pytest.raises(SystemExit):
        node.do("SET k v")
    assert node.ended == "logging effects"


def test_a_batch_that_nobody_can_announce_is_the_end(node: Node) -> None:
    """The first effect of a turn asks the shell to flush; if that fails nobody would ever get it."""
    node.engine.log.on_pending = no_memory
    with pytest.raises(SystemExit):
        node.do("SET k v")


@pytest.mark.parametrize("keeper", [True, False])
def test_a_sink_that_fails_is_the_end(node: Node, keeper: bool) -> None:
    """If one of those who get the log fails, the others have other bytes, or none."""
    node.engine.log.attach(no_memory, keeper)
    assert node.do("SET k v") == b"+OK\r\n"
    with pytest.raises(SystemExit):
        node.engine.log.flush()
    assert node.ended == "handing the log over"


@pytest.mark.parametrize("line", ["SET k v", "EXEC"])
def test_what_comes_behind_the_log_cant_keep_an_effect_from_it(node: Node, line: str) -> None:
    """A slow log that fails costs neither the effect nor the reply."""
    node.engine.slow_s = -1.0
    node.engine.on_slow = no_memory
    if line == "EXEC":
        node.do("MULTI")
        node.do("SET k v")
        node.do("SET j v")
    assert not (node.do(line) or b"-").startswith(b"-")
    assert node.rebuilt() == node.content()
    assert node.engine.current is None


def test_who_is_told_of_changes_is_told_before_they_are_logged(node: Node) -> None:
    """An observer (tracking, notifications) that fails does so behind the change: that is the end."""
    node.engine.on_key_changed.append(no_memory)
    for db in node.engine.dbs:
        db.observers |= 8
    with pytest.raises(SystemExit):
        node.do("SET k v")
    assert node.ended == "set"


def test_half_a_transaction_is_logged_as_what_it_is(node: Node) -> None:
    """A queued command that fails is answered, the others' effects are in the log."""
    handler(node, b"GET", no_memory)
    for line in ("MULTI", "SET a 1", "GET a", "SET b 2"):
        node.do(line)
    assert node.do("EXEC") == b"*3\r\n+OK\r\n" + INTERNAL + b"+OK\r\n"
    assert node.rebuilt() == node.content() == [{b"a": (b"1", -1), b"b": (b"2", -1)}, {}]


def test_expiry_that_cant_be_logged_is_the_end(node: Node) -> None:
    """The expiry cycle deletes nothing whose DEL isn't in the log."""
    for i in range(40):
        node.do(f"SET k{i} v PX 10")
    node.engine.log.flush()
    node.engine.state.now_ms += 100
    node.engine.log.on_pending = no_memory
    with pytest.raises(SystemExit):
        ExpiryCycle().run(node.engine, lambda: True)
    assert node.ended


@pytest.mark.parametrize("failure", [MemoryError, ValueError])
@pytest.mark.parametrize("kind", ["primary", "loader"])
def test_a_replica_leaves_nothing_out(node: Node, kind: str, failure: type[Exception]) -> None:
    """What the primary's log has can't be left out for an error of ours, though nothing was changed yet."""

    def fails(c: Session, a: list[bytes]) -> bytes:
        raise failure

    handler(node, b"SET", fails)
    with pytest.raises(SystemExit):
        node.do("SET k v", node.engine.internal_session(kind, NoPort()))


# -- every call ------------------------------------------------------------------------------------------------

STORY = (
    "SET s v", "APPEND s w", "INCR n", "RPUSH l a b c", "LPOP l", "SADD set a b c", "SPOP set", "HSET h f v g w",
    "HINCRBY h n 3", "ZADD z 1 a 2 b", "ZPOPMIN z", "SET e v PX 10", "EXPIRE s 100", "RENAME n m", "COPY l l2",
    "MULTI", "SET q 1", "INCR q", "DEL s", "EXEC", "SELECT 1", "SET other v", "MOVE other 0", "SELECT 0",
    "XADD x 1-1 f v", "SORT l STORE sorted", "GETEX h2", "MSET a 1 b 2", "SWAPDB 0 1", "SETRANGE r 3 abc", "FLUSHDB",
    "LMOVE l2 l3 LEFT RIGHT", "PFADD p a b", "BITFIELD bits SET u8 0 255",
)  # fmt: skip


def tell(node: Node, blocked: Session, number: int) -> int:
    """Run the story with a MemoryError at the call `number` that our code makes; how many calls there were."""
    calls = 0

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal calls
        if event not in ("call", "c_call") or not frame.f_code.co_filename.startswith(OURS):
            return
        calls += 1
        if calls == number:
            raise MemoryError

    for line in STORY:
        node.engine.state.now_ms += 7
        sys.setprofile(count)
        try:
            node.do(line)
        except Exception:
            # The connection would be ended; nobody was told anything.
            node.engine.close_session(node.client)
            node.client = node.session()
        finally:
            sys.setprofile(None)
    return calls


@pytest.mark.skipif(COMPILED, reason="calls of compiled code can't be interrupted one by one")
def test_memory_may_be_short_at_any_call() -> None:
    """Wherever memory is refused, the log rebuilds the data, or the process has ended.

    A story of commands of every kind, and a client that waits, are run again and again, each time with the error at
    another call: one in twelve of all, for the time that it takes.
    """
    first = Node()
    total = tell(first, first.session(), 0)
    assert first.rebuilt() == first.content()
    ends = 0
    numbers = range(1, total + 1, 12)
    for number in numbers:
        node = Node()
        waiting = node.session()
        node.do("BLPOP l3 0", waiting)
        try:
            tell(node, waiting, number)
            node.do("SET last 1")
        except SystemExit:
            ends += 1
            continue
        assert node.rebuilt() == node.content(), number
    assert 0 < ends < len(numbers)
