"""Files of all value types for the tests of this folder, written by the encoder and by hand."""

from __future__ import annotations

import random
import struct

from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.values.types import HashValue, ListValue, SetValue, ZSetValue
from persistence.rdb.crc64 import crc64
from persistence.rdb.facts import aux_fields
from persistence.snapshot.snapshot import Snapshot

SCORES = (0.0, -0.0, 1.5, -3e100, float("inf"), float("-inf"), 1e17, 123456789.0, 0.1)


def engine_of_all_types(seed: int = 1) -> Engine:
    """Two databases with every type, small and big, with and without expiry."""
    rng = random.Random(seed)
    engine = Engine(4, {})
    for db in (engine.dbs[0], engine.dbs[3]):
        for number in (0, -1, 127, -129, 32768, 2**31, -(2**40)):
            db.put(b"int:%d" % number, b"%d" % number)
        db.put(b"empty", b"")
        db.put(b"raw", bytearray(b"raw" * 30))
        db.put(b"random", rng.randbytes(300))
        db.put(b"long", b"compressible " * 3000)
        db.put(b"huge", rng.randbytes(200_000))
        for size in (3, 700):
            _aggregates(db, size, rng)
        db.expire_at(b"empty", 2_000_000_000_000)
        db.expire_at(b"h:700", 2_000_000_000_001)
    return engine


def _aggregates(db: Db, size: int, rng: random.Random) -> None:
    limits = db.state.limits
    items, fields = ListValue(limits), HashValue(limits)
    members, numbers, scores = SetValue(limits), SetValue(limits), ZSetValue(limits)
    for i in range(size):
        items.push_tail(rng.choice((b"%d" % rng.randrange(-(10**6), 10**6), rng.randbytes(rng.randrange(70)))))
        fields.put(b"field:%d" % i, b"%d" % i)
        members.add(b"member:%d" % i)
        numbers.add(b"%d" % (i * 1000))
        scores.put(b"m:%d" % i, SCORES[i % 9] if i < 9 else rng.random())
    for name, value in (("l", items), ("h", fields), ("s", members), ("i", numbers), ("z", scores)):
        db.put(b"%b:%d" % (name.encode(), size), value)


def snapshot_bytes(engine: Engine, functions: tuple[bytes, ...] = ()) -> bytes:
    """The whole stream of a snapshot."""
    snapshot = Snapshot(engine, lambda: 0.0, aux_fields(1_700_000_000, 1000), functions)
    out = []
    while (chunk := snapshot.next_chunk()) is not None:
        out.append(chunk)
    return b"".join(out)


def by_hand(*records: bytes, version: int = 10) -> bytes:
    """A file of these records."""
    body = b"REDIS%04d" % version + b"".join(records) + b"\xff"
    return body + crc64(body).to_bytes(8, "little") if version >= 5 else body


def text(raw: bytes) -> bytes:
    """A string below 16 kB, not encoded."""
    return bytes([len(raw)]) + raw if len(raw) < 64 else struct.pack(">H", 0x4000 | len(raw)) + raw
