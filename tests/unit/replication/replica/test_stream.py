"""Applying a stream: the data changes, and the own log repeats it byte for byte, whole units at a time."""

import pytest

from kvserver.engine import commands
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.keys.keyspace import EXPIRE_HIDE
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort
from kvserver.wire.resp import ProtocolError, encode_request
from replication.replica.stream import Applier

STREAM = b"".join(
    encode_request(line.split())
    for line in (
        b"SELECT 3",
        b"SET a 1",
        b"PING",
        b"MULTI",
        b"INCR a",
        b"set b 2 PXAT 1",
        b"EXEC",
        b"NOSUCH thing",
        b"DEL a",
    )
)
AT_EXEC = STREAM.index(b"*1\r\n$5\r\nMULTI"), STREAM.index(b"*2\r\n$6\r\nNOSUCH")


def _replica() -> tuple[Engine, Applier, list[bytes], list[str]]:
    engine = Engine(16, {})
    rows = build_rows(commands.all_handlers())
    engine.rows.update(rows)
    engine.rows.update({name.lower(): row for name, row in rows.items()})
    out: list[bytes] = []
    engine.log.attach(out.append)
    engine.state.logging = False
    engine.state.follow(True)
    failed: list[str] = []
    session = engine.internal_session("primary", NoPort())
    return engine, Applier(engine, session, lambda name, _: failed.append(name), 1 << 20), out, failed


@pytest.mark.parametrize("step", [1, 2, 7, len(STREAM)])
def test_verbatim(step: int) -> None:
    """However it arrives, the stream is applied and logged exactly once, and failures are told."""
    engine, applier, out, failed = _replica()
    for start in range(0, len(STREAM), step):
        applier.apply(STREAM[start : start + step], 1000, 0)
        engine.log.flush()
        logged = sum(map(len, out))
        assert not AT_EXEC[0] < logged < AT_EXEC[1], "a transaction was logged in parts"
    assert b"".join(out) == STREAM
    assert engine.log.offset == len(STREAM)
    assert failed == ["NOSUCH"]
    assert applier.session.db.index == 3
    assert engine.dbs[3].keys.get(b"a") is None
    assert engine.state.expire_mode == EXPIRE_HIDE


def test_a_long_value_is_taken_as_it_comes() -> None:
    """What a command brings so far is copied once, when it is whole: else this would take half an hour."""
    engine, applier, out, _ = _replica()
    applier._parser.max_bulk = 1 << 30
    stream = encode_request([b"SET", b"k", bytes(100 << 20)])
    for start in range(0, len(stream), 8192):
        applier.apply(stream[start : start + 8192], 1000, 0)
    engine.log.flush()
    assert out == [stream]
    assert engine.dbs[0].lookup(b"k") == bytes(100 << 20)


def test_expired_keys_stay_until_the_primary_deletes_them() -> None:
    """The stream sees a key whose time has passed; readers don't."""
    engine, applier, _, _ = _replica()
    applier.apply(STREAM, 1000, 0)
    assert engine.dbs[3].keys.get(b"b") == b"2"
    assert engine.dbs[3].lookup(b"b") is None


def test_no_stream_at_all() -> None:
    """What breaks the protocol is an error, and what came before it was applied."""
    engine, applier, _, _ = _replica()
    with pytest.raises(ProtocolError):
        applier.apply(encode_request([b"SET", b"k", b"v"]) + b"*1\r\n!", 1000, 0)
    assert engine.dbs[0].keys.get(b"k") == b"v"
