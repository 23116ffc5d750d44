"""Values as commands: what is written makes the same value again."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.wire.resp import Parser
from persistence.aof.load.replay import Replay, Replaying
from persistence.aof.rewrite import rewrite
from persistence.aof.rewrite.command_snapshot import CommandSnapshot
from persistence.snapshot.snapshot import frozen

SCORES = st.floats(allow_nan=False)
BYTES = st.binary(max_size=20)


def engine() -> Engine:
    """An engine with the commands on data."""
    return Engine(2, build_rows(all_handlers()))


def run(c: Session, *args: bytes) -> Any:
    """Run a command, which must not fail."""
    reply = c.engine.execute(c, list(args))
    assert reply is None or reply[:1] != b"-", reply
    return reply


def session(of: Engine) -> Session:
    """A client."""
    return of.open_session(NoPort())


def commands(data: bytes) -> list[list[bytes]]:
    """The requests in a piece of log."""
    parser = Parser(1 << 30)
    parser.feed(data)
    out: list[list[bytes]] = []
    while (args := parser.next()) is not None:
        out.append(list(args))
    return out


def written(of: Engine) -> bytes:
    """The whole data set as commands."""
    snapshot = CommandSnapshot(of, lambda: 0.0, b"")
    pieces = []
    while (chunk := snapshot.next_chunk()) is not None:
        pieces.append(chunk)
    return b"".join(pieces)


def replayed(data: bytes) -> Engine:
    """An engine into which commands were replayed."""
    target = engine()
    replay = Replay(target, lambda codes: None)
    with Replaying(target):
        replay.feed(data)
    assert replay.finish() is None
    assert replay.failures == 0
    return target


def test_long_aggregates_come_in_batches() -> None:
    """No command holds more than 64 elements."""
    c = session(engine())
    run(c, b"RPUSH", b"l", *[b"%d" % i for i in range(150)])
    run(c, b"ZADD", b"z", *[b"%d" % (i // 2) for i in range(300)])
    lists = commands(b"".join(rewrite.pieces(b"l", c.db.keys.get(b"l"), -1)))
    assert [len(args) - 2 for args in lists] == [64, 64, 22]
    zsets = commands(b"".join(rewrite.pieces(b"z", c.db.keys.get(b"z"), 5)))
    assert [len(args) - 2 for args in zsets] == [128, 128, 44, 1]
    assert zsets[-1] == [b"PEXPIREAT", b"z", b"5"]


@given(
    st.dictionaries(BYTES, SCORES, min_size=1, max_size=200),
    st.dictionaries(BYTES, BYTES, min_size=1, max_size=200),
    st.lists(BYTES, min_size=1, max_size=200),
    BYTES,
    st.integers(1, 2**53),
)
def test_what_is_written_makes_the_same_data(
    zset: dict[bytes, float], fields: dict[bytes, bytes], items: list[bytes], text: bytes, when_ms: int
) -> None:
    """Any values of all plain types, in two databases, with an expiry time, survive the way through commands."""
    c = session(engine())
    run(c, b"ZADD", b"z", *[x for name, score in zset.items() for x in (repr(score).encode(), name)])
    run(c, b"HSET", b"h", *[x for pair in fields.items() for x in pair])
    run(c, b"RPUSH", b"l", *items)
    c.db = c.engine.dbs[1]
    run(c, b"SADD", b"s", *items)
    run(c, b"SET", b"t", text)
    c.db.expire_at(b"t", when_ms)
    c.db.expire_at(b"s", when_ms)
    target = replayed(written(c.engine))
    for old, new in zip(c.engine.dbs, target.dbs, strict=True):
        assert {key: old.ttl_at(key) for key in old.keys} == {key: new.ttl_at(key) for key in new.keys}
    one, two = target.dbs
    assert dict(one.keys.get(b"z").items()) == zset
    assert list(one.keys.get(b"z").order) == list(c.engine.dbs[0].keys.get(b"z").order)
    assert dict(one.keys.get(b"h").items()) == fields
    assert list(one.keys.get(b"l")) == items
    assert {name for name, _ in two.keys.get(b"s").items()} == set(items)
    assert two.keys.get(b"t") == text


def test_streams_keep_their_counters_and_groups() -> None:
    """Deleted entries, what groups have read, and what is pending for whom, come through."""
    c = session(engine())
    for i in range(1, 120):
        run(c, b"XADD", b"x", b"%d-1" % i, b"f", b"%d" % i)
    run(c, b"XDEL", b"x", b"119-1", b"5-1")
    run(c, b"XGROUP", b"CREATE", b"x", b"g", b"0")
    run(c, b"XGROUP", b"CREATE", b"x", b"unread", b"$")
    run(c, b"XREADGROUP", b"GROUP", b"g", b"ann", b"COUNT", b"90", b"STREAMS", b"x", b">")
    run(c, b"XACK", b"x", b"g", b"1-1")
    run(c, b"XGROUP", b"CREATECONSUMER", b"x", b"g", b"idle")
    run(c, b"XADD", b"bare", b"9-9", b"f", b"v")
    run(c, b"XDEL", b"bare", b"9-9")
    target = replayed(written(c.engine))
    for key in (b"x", b"bare"):
        old, new = c.db.keys.get(key), target.dbs[0].keys.get(key)
        assert list(old.entries()) == list(new.entries())
        for name in ("last_id", "first_id", "max_deleted_id", "entries_added", "length"):
            assert getattr(old, name) == getattr(new, name), name
        assert [g.name for g in old.sorted_groups()] == [g.name for g in new.sorted_groups()]
        for before, after in zip(old.sorted_groups(), new.sorted_groups(), strict=True):
            assert (before.last_id, before.entries_read) == (after.last_id, after.entries_read)
            assert list(before.pending.items()) == list(after.pending.items())
            assert sorted(before.consumers) == sorted(after.consumers)


def test_a_value_that_changes_behind_its_pieces_is_written_as_it_was() -> None:
    """Pieces asked for before the value was frozen don't see what is written to it later."""
    c = session(engine())
    names = [b"%d" % i for i in range(1000)]
    run(c, b"RPUSH", b"l", *names)
    run(c, b"ZADD", b"z", *[x for name in names for x in (name, name)])
    run(c, b"HSET", b"h", *[x for name in names for x in (name, b"old")])
    for name in names[1:]:
        run(c, b"XADD", b"x", name, b"f", name)
    kept = {}
    for key in (b"l", b"z", b"h", b"x"):
        value = c.db.keys.get(key)
        expected = b"".join(rewrite.pieces(key, value, -1))
        pieces = rewrite.pieces(key, value, -1)
        frozen(value)
        kept[key] = (pieces, expected)
    run(c, b"LPOP", b"l", b"500")
    run(c, b"ZREMRANGEBYRANK", b"z", b"0", b"700")
    run(c, b"HSET", b"h", *[x for name in names for x in (name, b"new")])
    run(c, b"XTRIM", b"x", b"MAXLEN", b"5")
    for key, (pieces, expected) in kept.items():
        assert b"".join(pieces) == expected, key
