"""RDB files and DUMP payloads between us and a real Redis, in both directions."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import require_peer, start_redis
from support.rdbfiles import engine_of_all_types, snapshot_bytes

from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import ListValue
from persistence.rdb import opcodes
from persistence.rdb.crc64 import crc64
from persistence.rdb.model import STREAM, Event, Function, Key, StreamData
from persistence.rdb.payload import dump_payload, restore_payload, verified
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.rdb.write import encoder, writer
from persistence.snapshot.restore import Restorer

LIBRARY = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"

# Thresholds that force each type into its big representation, for the same data.
BIG_REPRESENTATIONS = {
    "hash-max-listpack-entries": 0,
    "set-max-intset-entries": 0,
    "zset-max-listpack-entries": 0,
}


def fill(client: Any, seed: int = 7) -> None:
    """Data of every type, at the limits of each encoding."""
    rng = random.Random(seed)
    pipe = client.pipeline(transaction=False)
    for number in (0, 1, -1, 127, 128, -128, -129, 32767, -32768, 32768, 2**31 - 1, 2**31, -(2**31), 2**63 - 1):
        pipe.set(f"int:{number}", number)
    for i, raw in enumerate((b"", b"a" * 20, b"a" * 21, b"ab" * 5000, rng.randbytes(70_000), b"-0", b"+1", b"01")):
        pipe.set(f"str:{i}", raw)
    pipe.set("volatile", "x", px=10**9)
    pipe.rpush("list", *range(-700, 700), *(b"x" * n for n in (0, 63, 64, 4095, 4096, 9000)), 2**40, -(2**63))
    for size in (2, 600):
        pipe.sadd(f"ints:{size}", *(rng.randrange(-(2**62), 2**62) for _ in range(size)))
        pipe.sadd(f"set:{size}", *(f"member{i}" for i in range(size)))
        pipe.hset(f"hash:{size}", mapping={f"f{i}": rng.choice((i, "v" * (i % 60))) for i in range(size)})
        pipe.zadd(f"zset:{size}", {f"m{i}": rng.choice((i, rng.random(), -1e300)) for i in range(size)})
    pipe.zadd("zset:special", {"inf": float("inf"), "ninf": float("-inf"), "zero": 0.0, "big": 1e17})
    pipe.execute()


def fill_stream(client: Any) -> None:
    """A stream with several nodes, mixed fields, deleted entries and two groups."""
    for i in range(250):
        client.xadd("stream", {"a": i, "b": "x"} if i % 3 else {"c": 1}, id=f"{1000 + i // 4}-{i % 4 + 1}")
    client.xdel("stream", "1000-2", "1010-1")
    client.xgroup_create("stream", "g1", 0)
    client.xgroup_create("stream", "g2", "$")
    client.xreadgroup("g1", "alice", {"stream": ">"}, count=20)
    client.xreadgroup("g1", "bob", {"stream": ">"}, count=5)
    client.xack("stream", "g1", "1001-1")


class PlainStreams(EngineBuilders):
    """The engine's values, and streams in plain form."""

    def stream(self, data: StreamData) -> StreamData:
        return data


def load(path: Path) -> tuple[Engine, list[Event], Restorer]:
    """A file decoded into an engine; streams stay among the events only."""
    decoder = Decoder(PlainStreams(Limits()))
    events = decoder.feed(path.read_bytes())
    decoder.finish()
    engine = Engine(16, {})
    restorer = Restorer(engine.dbs, 0)
    restorer.apply(e for e in events if not (isinstance(e, Key) and e.kind == STREAM))
    return engine, events, restorer


def check(path: Path) -> None:
    """redis-check-rdb approves of a file."""
    tool = subprocess.run([require_peer("redis-check-rdb"), str(path)], capture_output=True, text=True, check=False)
    assert tool.returncode == 0, tool.stdout


def same_content(client: Any, db: Db) -> None:
    """Every key of our database holds what the server says."""
    assert client.dbsize() == len(db.keys)
    for key, value in db.keys.items():
        if isinstance(value, bytes | bytearray):
            assert client.get(key) == value, key
        elif isinstance(value, ListValue):
            assert client.lrange(key, 0, -1) == list(value), key
        elif value.kind() == b"set":
            assert client.smembers(key) == set(value), key
        elif value.kind() == b"hash":
            assert client.hgetall(key) == dict(value.items()), key
        else:
            assert dict(client.zrange(key, 0, -1, withscores=True)) == dict(value.items()), key
        remaining = client.pexpiretime(key) if hasattr(client, "pexpiretime") else -1
        assert remaining == db.ttl_at(key), key


@pytest.mark.parametrize("thresholds", [{}, BIG_REPRESENTATIONS], ids=["compact", "big"])
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_we_read_what_redis_writes(thresholds: dict[str, int], compression: str) -> None:
    """All types in all their encodings, with and without compression, hold what Redis says they hold."""
    with start_redis(rdbcompression=compression, **thresholds) as peer:
        client = peer.client()
        fill(client)
        client.function_load(LIBRARY)
        client.save()
        engine, _, restorer = load(peer.folder / "dump.rdb")
        same_content(client, engine.dbs[0])
        assert restorer.functions == [LIBRARY.encode()]
        assert restorer.aux[b"redis-bits"] == b"64"


def test_redis_reads_what_we_write(tmp_path: Path) -> None:
    """redis-check-rdb approves of our file, and a server that loads it holds what we held."""
    engine = engine_of_all_types()
    path = tmp_path / "dump.rdb"
    path.write_bytes(snapshot_bytes(engine, (LIBRARY.encode(),)))
    check(path)
    with start_redis(folder=tmp_path) as peer:
        for index in (0, 3):
            same_content(peer.client(db=index), engine.dbs[index])
        assert peer.client().function_list()[0][1] == b"lib"
        assert peer.client().object("encoding", "h:3") == b"listpack"
        assert peer.client().object("encoding", "i:3") == b"intset"


def test_digest_survives_the_way_through_us(tmp_path: Path) -> None:
    """A data set written by Redis, read and written by us, and read by Redis again has the same DEBUG DIGEST."""
    with start_redis(enable_debug_command="yes") as peer:
        client = peer.client()
        fill(client)
        fill_stream(client)
        client.save()
        _, events, _ = load(peer.folder / "dump.rdb")
        path = tmp_path / "dump.rdb"
        path.write_bytes(rewritten(events))
        check(path)
        with start_redis(folder=tmp_path, enable_debug_command="yes") as other:
            assert other.command("DEBUG", "DIGEST") == peer.command("DEBUG", "DIGEST")
            for key in ("stream",):
                assert other.command("XINFO", "STREAM", key) == peer.command("XINFO", "STREAM", key)
                assert other.command("XINFO", "GROUPS", key) == peer.command("XINFO", "GROUPS", key)
                assert other.command("XPENDING", key, "g1") == peer.command("XPENDING", key, "g1")


def rewritten(events: list[Event]) -> bytes:
    """A file of the same content."""
    out = [encoder.header([]), encoder.select_db(0, 0, 0)]
    for event in events:
        if isinstance(event, Function):
            out.append(encoder.function(event.code))
        if isinstance(event, Key):
            out.append(encoder.key_prefix(event.expire_ms))
            if isinstance(event.value, bytes):
                out.append(encoder.string_key(event.key, event.value, True))
                continue
            number = opcodes.TYPE_STREAM_LISTPACKS_2 if event.kind == STREAM else writer.type_number(event.value)
            packed = writer.whole(number, event.value, True)
            body = b"".join(writer.pieces(number, event.value, writer.MAX_COMPRESSED)) if packed is None else packed
            out.append(bytes([number]) + encoder.string(event.key) + body)
    data = b"".join(out) + b"\xff"
    return data + crc64(data).to_bytes(8, "little")


def test_payloads_equal_those_of_dump() -> None:
    """Our payload of each value whose encoding leaves no choice equals Redis's DUMP, and we read all of Redis's."""
    with start_redis() as peer:
        client = peer.client()
        fill(client)
        client.save()
        engine, _, _ = load(peer.folder / "dump.rdb")
        compared = 0
        for key, value in engine.dbs[0].keys.items():
            payload = client.dump(key)
            assert verified(payload)
            _, restored, _ = restore_payload(payload, EngineBuilders(Limits()))
            hashed = not isinstance(value, bytes) and value.encoding() == b"hashtable"
            if not hashed:  # the order in a hash table is Redis's own
                assert dump_payload(value) == payload, key
                assert dump_payload(restored) == payload, key
                compared += 1
        assert compared > 25


def test_redis_restores_our_payloads() -> None:
    """RESTORE of our payloads gives a server the value that we hold."""
    engine = engine_of_all_types()
    with start_redis() as peer:
        client = peer.client()
        for key, value in engine.dbs[0].keys.items():
            expires = engine.dbs[0].ttl_at(key)
            client.restore(key, max(expires, 0), dump_payload(value), absttl=True)
        same_content(client, engine.dbs[0])
