"""Pipelines of string commands, cut anywhere, on us and on a real server: the fast way answers as the careful one."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from support import Server, start_kvserver, start_redis

KEYS = [b"a", b"b", b"counter", b"list", b"big", b"volatile", b"gone", b"k" * 255, b"k" * 256, b"", b"\0\r\n$3"]
VALUES = [
    *(b"%d" % n for n in (0, 1, -1, 10**17, 10**18 - 1, 10**18, 2**63 - 1, -(2**63), 2**63)),
    b"", b"-0", b"01", b"+1", b" 1", b"1 ", b"1_0", b"x", b"y" * 44, b"z" * 4095, b"z" * 4096, b"z" * 4097, b"\r\n",
]  # fmt: skip
DEBUG = {"enable_debug_command": "yes"}
TIMES = [
    [b"EX", b"100000"],
    [b"px", b"90000000"],
    [b"EX", b"0"],
    [b"PX", b"1" * 18],
    [b"EX", b"x"],
    [b"EX"],
    [b"AX", b"1"],
]
SETTERS = [[b"SET"], [b"set"], [b"SeT"], [b"SETNX"], [b"APPEND"], [b"GETSET"]]


def request(rng: random.Random) -> list[bytes]:
    """A random request, mostly of a command with a fast form, with all kinds of arguments, right and wrong ones."""
    key, value = rng.choice(KEYS), rng.choice(VALUES)
    lot = rng.randrange(22)
    if lot < 5:
        return [*rng.choice(SETTERS), key, value]
    if lot < 9:
        return [rng.choice((b"GET", b"get", b"STRLEN", b"EXISTS", b"TYPE")), key]
    if lot < 12:
        return [rng.choice((b"INCR", b"DECR")), key]
    if lot == 12:
        return [rng.choice((b"INCRBY", b"DECRBY")), key, value]
    if lot == 13:
        return [rng.choice((b"MGET", b"DEL", b"UNLINK", b"EXISTS")), *rng.choices(KEYS, k=rng.choice((1, 2, 70)))]
    if lot == 14:
        pairs = [word for _ in range(rng.choice((1, 3, 40))) for word in (rng.choice(KEYS), rng.choice(VALUES))]
        return [b"MSET", *pairs, *([b"odd"] if rng.random() < 0.1 else [])]
    if lot == 15:
        return [b"SET", key, value, *rng.choice((*TIMES, [b"NX"], [b"XX", b"GET"], [b"KEEPTTL"], [b"bad"]))]
    if lot == 16:
        if rng.random() < 0.5:
            return [b"RPUSH", b"list", value] if rng.random() < 0.5 else [b"PERSIST", key]
        name = rng.choice((b"EXPIRE", b"pexpire", b"SETEX", b"PSETEX"))
        amount = rng.choice((b"100000", b"100000", value))
        return [name, key, amount, *([b"v"] if b"S" in name else [])]
    if lot == 17:
        return [b"PEXPIREAT", b"gone", b"1"]
    if lot == 18:
        return [rng.choice((b"GET", b"SET", b"INCR", b"DEL", b"MSET", b"MGET", b"STRLEN"))] + [key] * rng.randrange(4)
    if lot == 19:
        return rng.choice(([b"SELECT", b"0"], [b"SELECT", b"1"], [b"MULTI"], [b"EXEC"], [b"DISCARD"], [b"WATCH", key]))
    return [b"SETRANGE", key, b"2", b"xy"] if lot == 20 else [b"COPY", key, rng.choice(KEYS), b"REPLACE"]


def packed(words: list[bytes]) -> bytes:
    """A request as clients write it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Wire:
    """A bare connection: what is sent is cut where the test wants, and replies are compared as they are."""

    def __init__(self, server: Server, proto: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.exchange([packed([b"CLIENT", b"SETINFO", b"LIB-NAME", b"x"]) if proto == 2 else packed([b"HELLO", b"3"])])

    def exchange(self, pieces: list[bytes]) -> bytes:
        """Send the pieces, then what ends a MULTI and a mark; what came before the mark's answer."""
        for piece in pieces:
            self.socket.sendall(piece)
        self.socket.sendall(packed([b"DISCARD"]) + packed([b"ECHO", b"<end of round>"]))
        answer = b""
        while not answer.endswith(b"$14\r\n<end of round>\r\n"):
            answer += self.socket.recv(1 << 16)
        return answer


@pytest.fixture(params=["2", "3", "2, append-only"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Server, Server, int, Path | None]]:
    kept = "append" in request.param
    options = {"appendonly": "yes", "appendfsync": "no"} if kept else {}
    folder = tmp_path if kept else None
    with start_kvserver(folder=folder, **options, **DEBUG) as ours, start_redis(**DEBUG) as theirs:
        yield ours, theirs, int(request.param[0]), folder


def test_pipelines_are_answered_as_by_redis(pair: tuple[Server, Server, int, Path | None]) -> None:
    """Whatever pipeline comes in whatever pieces: the same bytes come back, the same calls are counted, and kept."""
    ours, theirs, proto, folder = pair
    rng = random.Random(f"pipelines {proto} {folder is None}")
    mine, real = Wire(ours, proto), Wire(theirs, proto)
    for _ in range(250):
        requests = [request(rng) for _ in range(rng.choice((1, 4, 30)))]
        raw = b"".join(map(packed, requests))
        cuts = sorted(rng.randrange(len(raw)) for _ in range(rng.choice((0, 0, 1, 5))))
        pieces = [raw[i:j] for i, j in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
        assert mine.exchange(pieces) == real.exchange(pieces), requests
    with redis.Redis(port=ours.port) as us, redis.Redis(port=theirs.port) as them:
        assert counted(us) == counted(them)
        stats = ("keyspace_hits", "keyspace_misses", "expired_keys", "rdb_changes_since_last_save")
        us_info, them_info = us.info(), them.info()
        assert [us_info[name] for name in stats] == [them_info[name] for name in stats]
        digest = us.execute_command("DEBUG", "DIGEST")
        assert digest == them.execute_command("DEBUG", "DIGEST")
    if folder is not None:
        ours.stop()
        with start_kvserver(folder=folder, appendonly="yes", **DEBUG) as again, redis.Redis(port=again.port) as us:
            assert us.execute_command("DEBUG", "DIGEST") == digest


def counted(client: redis.Redis) -> dict[str, tuple[int, int, int]]:
    """Calls, failed and rejected ones, of the commands that have a fast form."""
    names = ("get", "set", "setnx", "mget", "mset", "incr", "decr", "incrby", "decrby", "del", "exists", "strlen")
    stats = client.info("commandstats")
    return {
        name: tuple(stats[f"cmdstat_{name}"][field] for field in ("calls", "failed_calls", "rejected_calls"))
        for name in names
    }  # type: ignore[return-value]


def test_times_are_those_that_were_asked_for() -> None:
    """What gives a key a time gives it that time, on a replica the very same, and TTL and PTTL tell it."""
    with (
        start_kvserver() as primary,
        start_kvserver(replicaof=f"127.0.0.1 {primary.port}") as replica,
        redis.Redis(port=primary.port) as client,
        redis.Redis(port=replica.port) as reader,
    ):
        client.wait(1, 10000)
        client.set("e", 1)
        client.rpush("p", 1)
        ways = (
            "SET a v EX 100",
            "SET b v px 100000",
            "SETEX c 100 v",
            "PSETEX d 100000 v",
            "EXPIRE e 100",
            "PEXPIRE p 100000",
        )
        pipe = client.pipeline(transaction=False)
        for line in ways:
            pipe.execute_command(*line.split())
            pipe.execute_command("TTL", line.split()[1])
            pipe.execute_command("PTTL", line.split()[1])
        replies = pipe.execute()
        assert replies[1::3] == [100] * 6
        assert all(99000 < left <= 100000 for left in replies[2::3])
        assert client.execute_command("TTL", "none") == -2
        assert client.persist("a")
        assert client.execute_command("TTL", "a") == -1
        assert client.wait(1, 10000) == 1
        for key in "abcdep":
            assert client.execute_command("PEXPIRETIME", key) == reader.execute_command("PEXPIRETIME", key)
        assert reader.lrange("p", 0, -1) == [b"1"]


def test_a_run_reaches_replicas_and_watchers_as_single_commands_do() -> None:
    """What a pipeline of sets changes is in the stream of a replica, database by database, and breaks a WATCH."""
    with (
        start_kvserver(**DEBUG) as primary,
        start_kvserver(replicaof=f"127.0.0.1 {primary.port}", **DEBUG) as replica,
        redis.Redis(port=primary.port) as client,
        redis.Redis(port=replica.port) as reader,
    ):
        client.wait(1, 10000)
        wire = Wire(primary, 2)
        sets = [packed([b"SET", b"k%d" % i, b"%d" % i]) for i in range(500)]
        wire.exchange([b"".join([*sets[:200], packed([b"SELECT", b"1"]), *sets[200:]])])
        watcher = redis.Redis(port=primary.port, db=1, single_connection_client=True)
        watcher.execute_command("WATCH", "k300")
        wire.exchange([packed([b"INCR", b"k300"]) * 3])
        watcher.execute_command("MULTI")
        watcher.execute_command("GET", "k300")
        assert watcher.execute_command("EXEC") is None
        watcher.close()
        assert client.wait(1, 10000) == 1
        assert client.execute_command("DEBUG", "DIGEST") == reader.execute_command("DEBUG", "DIGEST")
        assert reader.dbsize() == 200
        assert redis.Redis(port=replica.port, db=1).get("k300") == b"303"
