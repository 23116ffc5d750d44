"""Commands that meet a key past its time, on us and on a real server: events, counters and what is logged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

import pytest
from support import Server, start_kvserver, start_redis, wait_until

from differential.peers import Peer, comparable
from differential.test_commands import Listener
from persistence.aof.records import RecordDecoder

LINES = [
    line.encode().split()
    for line in """
SET k v
SET k v GET
SET k v NX
SET k v XX
SET k v KEEPTTL
SET k v KEEPTTL GET
SET k v PXAT 4102444800000
MSET k v other w
MSETNX k v other w
SETNX k v
SETEX k 1000 v
PSETEX k 1000000 v
GETSET k v
GETDEL k
GETEX k
GETEX k PERSIST
INCR k
INCRBYFLOAT k 1
APPEND k v
SETRANGE k 0 v
SETBIT k 1 1
BITFIELD k SET u8 0 1
BITOP NOT k source
PFADD k a
PFMERGE k
DEL k
UNLINK k
EXPIRE k 100
PEXPIREAT k 4102444800000
PERSIST k
RENAME k other
RENAME source k
RENAMENX source k
COPY source k
COPY source k REPLACE
COPY k other
MOVE k 1
SADD k a
SINTERSTORE k set
SUNIONSTORE k none
SPOP k
SMOVE set k a
HSET k f v
HINCRBY k f 1
LPUSH k a
LPUSHX k a
RPOPLPUSH list k
LMOVE k list LEFT LEFT
ZADD k 1 a
ZADD k XX 1 a
ZUNIONSTORE k 1 zset
ZRANGESTORE k zset 0 -1
GEOADD k 1 1 a
GEOSEARCHSTORE k geo FROMLONLAT 1 1 BYRADIUS 10 km
SORT list ALPHA STORE k
XADD k 1-1 f v
XGROUP CREATE k g $ MKSTREAM
XDEL k 1-1
GET k
EXISTS k
TYPE k
STRLEN k
TTL k
SINTERSTORE k none
ZUNIONSTORE k 1 none
ZRANGESTORE k none 0 -1
GEOSEARCHSTORE k none FROMLONLAT 1 1 BYRADIUS 10 km
BITOP NOT k none
SORT none STORE k
OBJECT ENCODING k
DUMP k
""".strip().splitlines()
]
_SEVEN = b"\x00\xc0\x07\n\x00t\xcdH\xa2\x83\xab\xce\x92"
LINES += [[b"RESTORE", b"k", b"0", _SEVEN], [b"RESTORE", b"k", b"0", _SEVEN, b"REPLACE"]]
LINES += [[b"RESTORE", b"k", b"1", _SEVEN, b"REPLACE", b"ABSTTL"]]
PRELUDE = [
    line.encode().split()
    for line in (
        "FLUSHALL", "SET source 1", "SADD set a", "RPUSH list a", "ZADD zset 1 a", "GEOADD geo 1 1 a",
    )
]  # fmt: skip
END = [b"PUBLISH", b"end", b""]
Start = Callable[..., Server]


def _roughly(word: bytes) -> bytes:
    """A word of the log; a time that was worked out of the clock is none to compare."""
    return b"soon" if len(word) == 13 and word.isdigit() and word != b"4102444800000" else word


class Observed:
    """A server, its keyspace events, and the commands that it logs."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.peer = Peer(server.port, 2)
        self.peer.run([[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"]])
        self.listener = Listener(server.port)
        self.seen = 0

    def counted(self) -> int:
        """INFO's expired_keys."""
        info: bytes = self.peer.run([[b"INFO", b"stats"]])[0]
        return int(info.split(b"expired_keys:")[1].split()[0])

    def logged(self) -> list[list[bytes]]:
        """What the append-only file got since it was asked last; when a key is gone, how doesn't matter."""
        (path,) = (self.server.folder / "appendonlydir").glob("*.incr.aof")
        records = [args for args, _ in RecordDecoder(0, 1 << 20).feed(path.read_bytes())]
        new, self.seen = records[self.seen :], len(records)
        return [[b"DEL" if args[0] == b"UNLINK" else args[0].upper(), *map(_roughly, args[1:])] for args in new]


@pytest.fixture(scope="module")
def both() -> Iterator[list[Observed]]:
    options: dict[str, Any] = {
        "enable_debug_command": "yes", "notify_keyspace_events": "KEAnm", "appendonly": "yes",
        "appendfsync": "always", "aof_use_rdb_preamble": "no",
    }  # fmt: skip
    with start_kvserver(**options) as ours, start_redis(**options) as theirs:
        yield [Observed(ours), Observed(theirs)]


def outcome(one: Observed, line: list[bytes], logged: Callable[[Observed], object] = Observed.logged) -> list[Any]:
    """The reply to a command that meets the expired key k, and all that it brought about."""
    one.peer.run([*PRELUDE, [b"SET", b"k", b"7", b"PX", b"1"]])
    sleep(0.004)
    one.peer.run([END])
    one.listener.heard()
    logged(one)
    before = one.counted()
    reply = comparable(line, one.peer.run([line])[0])
    counted = one.counted() - before
    one.peer.run([END])
    left = one.peer.run([[b"PTTL", b"k"], [b"EXISTS", b"k"]])
    return [reply, counted, one.listener.heard(), logged(one), left[0] < 0, left[1]]


@pytest.mark.parametrize("line", LINES, ids=lambda line: b" ".join(line).decode("latin-1"))
def test_a_key_past_its_time(both: list[Observed], line: list[bytes]) -> None:
    """A command that meets an expired key tells of its expiry, counts it and logs its DEL as Redis does."""
    ours, theirs = (outcome(one, line) for one in both)
    assert ours == theirs


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[Observed]]:
    with start_redis() as primary:
        options: dict[str, Any] = {
            "enable_debug_command": "yes", "notify_keyspace_events": "KEAnm", "replica_read_only": "no",
            "replicaof": [primary.host, primary.port],
        }  # fmt: skip
        with start_kvserver(**options) as ours, start_redis(**options) as theirs:
            for one in (ours, theirs):
                wait_until(lambda one=one: one.info("replication")["master_link_status"] == "up")
            yield [Observed(ours), Observed(theirs)]


@pytest.mark.parametrize("line", LINES, ids=lambda line: b" ".join(line).decode("latin-1"))
def test_a_key_past_its_time_on_a_replica(replicas: list[Observed], line: list[bytes]) -> None:
    """On a replica open for writes, a command that meets an expired key does to it what Redis does."""
    ours, theirs = (outcome(one, line, lambda _: None) for one in replicas)
    assert ours == theirs
