"""SLOWLOG, LATENCY, MONITOR, MEMORY, OBJECT, DEBUG and SHUTDOWN on a running server."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import ResponseError
from support import Server, start_kvserver, start_redis, wait_until

SAME = (
    ("SLOWLOG", "GET", "-2"), ("SLOWLOG", "GET", "x"), ("SLOWLOG", "RESET"), ("SLOWLOG", "LEN"), ("SLOWLOG", "foo"),
    ("LATENCY", "LATEST"), ("LATENCY", "HISTORY", "command"), ("LATENCY", "GRAPH", "nosuch"), ("LATENCY", "RESET"),
    ("LATENCY", "HISTOGRAM", "nosuch"), ("OBJECT", "ENCODING", "nokey"), ("OBJECT", "FREQ", "int"),
    ("OBJECT", "foo", "bar"), ("MEMORY", "USAGE", "nokey"), ("MEMORY", "USAGE", "int", "SAMPLES", "-1"),
    ("MEMORY", "USAGE", "int", "foo", "1"), ("MEMORY", "USAGE", "int", "SAMPLES", "x"),
    ("MEMORY", "USAGE", "int", "SAMPLES"), ("DEBUG", "foo"), ("DEBUG", "SLEEP"), ("DEBUG", "ERROR", "X text"),
    ("DEBUG", "OBJECT", "nokey"), ("DEBUG", "SDSLEN", "int"), ("DEBUG", "HTSTATS", "99"), ("DEBUG", "HTSTATS", "x"),
    ("DEBUG", "DIGEST"), ("DEBUG", "DIGEST-VALUE", "nokey", "int"), ("DEBUG", "PROTOCOL", "foo"),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b"), ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "5gb"),
    ("SHUTDOWN", "foo"), ("SHUTDOWN", "SAVE", "NOSAVE"), ("SHUTDOWN", "ABORT"), ("SHUTDOWN", "ABORT", "NOW"),
    *(("OBJECT", subcommand, key) for subcommand in ("ENCODING", "REFCOUNT")
      for key in ("int", "embstr", "raw", "appended", "intset", "set", "hash", "bighash", "zset", "bigzset", "list")),
    *(("DEBUG", "PROTOCOL", kind) for kind in ("string", "integer", "double", "bignum", "null", "array", "set",
                                               "map", "attrib", "verbatim", "true", "false", "push")),
)  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> Iterator[Server]:
    with start_kvserver(enable_debug_command="local") as server:
        fill(server.client())
        yield server


@pytest.fixture(scope="module")
def real() -> Iterator[Server]:
    with start_redis(enable_debug_command="local") as server:
        fill(server.client())
        yield server


def fill(client: redis.Redis) -> None:
    """Values of every type in every encoding, in two databases, some with a time to live."""
    client.mset({"int": 12, "embstr": "short", "raw": "r" * 45, "big": 10**30, "binary": b"\x00\xff\r\n"})
    client.set("appended", "a")
    client.append("appended", "b")
    client.sadd("intset", 1, 2, 3)
    client.sadd("set", "a", "b", "3")
    client.hset("hash", mapping={"f": "v", "g": "1"})
    client.hset("bighash", mapping={str(number): number for number in range(600)})
    client.zadd("zset", {"a": 1.5, "b": -3, "c": float("inf")})
    client.zadd("bigzset", {str(number): number / 7 for number in range(300)})
    client.rpush("list", *range(300), "x" * 100)
    client.expire("list", 10_000)
    client.expire("int", 10_000)
    client.execute_command("SELECT", 3)
    client.execute_command("SET", "elsewhere", "1")
    client.close()


def ask(server: Server, *args: str, protocol: int = 2) -> object:
    client = server.client(protocol=protocol, single_connection_client=True)
    client.response_callbacks.clear()
    try:
        return client.execute_command(*args)
    except ResponseError as error:
        return f"-{error}"
    finally:
        client.close()


def test_replies_are_those_of_redis(ours: Server, real: Server) -> None:
    """The same requests on the same data give the same replies, digests included."""
    different = [
        (request, mine, theirs) for request in SAME if (mine := ask(ours, *request)) != (theirs := ask(real, *request))
    ]
    assert different == []


def test_protocol_samples_are_those_of_redis_in_resp3(ours: Server, real: Server) -> None:
    """DEBUG PROTOCOL sends the same bytes as the real server."""
    for kind in (b"double", b"bignum", b"null", b"set", b"map", b"attrib", b"push", b"verbatim", b"true"):
        replies = []
        for server in (ours, real):
            with server.connect() as connection:
                connection.sendall(b"HELLO 3\r\n")
                read_until(connection, b"*0\r\n")
                connection.sendall(b"DEBUG PROTOCOL %b\r\nECHO end\r\n" % kind)
                replies.append(read_until(connection, b"$3\r\nend\r\n"))
        assert replies[0] == replies[1]


def read_until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        chunk = connection.recv(10_000)
        assert chunk, got
        got += chunk
    return got


def test_the_slow_log_keeps_slow_requests(ours: Server) -> None:
    """Newest first, with duration, arguments cut short, client; secrets are redacted; old entries leave."""
    client = ours.client(single_connection_client=True)
    client.client_setname("slow")
    client.config_set("slowlog-log-slower-than", 0)
    client.slowlog_reset()
    client.execute_command("RPUSH", "many", *range(40))
    client.execute_command("SET", "long", "x" * 200)
    client.config_set("slowlog-max-len", 3)
    client.config_set("slowlog-log-slower-than", -1)
    entries = client.execute_command("SLOWLOG", "GET", -1)
    assert len(entries) == 3
    client.response_callbacks.clear()
    number, when, duration_us, args, address, name = client.execute_command("SLOWLOG", "GET", 2)[1]
    assert number > 0
    assert when > 1_600_000_000
    assert duration_us >= 0
    assert args in (
        [b"CONFIG", b"SET", b"slowlog-max-len", b"3"],
        [b"SET", b"long", b"x" * 128 + b"... (72 more bytes)"],
    )
    assert address.startswith(b"127.0.0.1:")
    assert name == b"slow"
    client.execute_command("CONFIG", "SET", "slowlog-max-len", 128)


def test_latency_spikes_are_kept(ours: Server) -> None:
    """A slow command leaves a sample in LATEST, HISTORY, GRAPH and DOCTOR until RESET."""
    client = ours.client()
    client.config_set("latency-monitor-threshold", 20)
    client.execute_command("DEBUG", "SLEEP", "0.03")
    (event, when, last_ms, worst_ms) = client.latency_latest()[0]
    assert event == b"command"
    assert 30 <= last_ms <= worst_ms
    assert client.latency_history("command")[-1] == [when, last_ms]
    assert b"all time high" in client.execute_command("LATENCY", "GRAPH", "command")
    assert b"1. command: 1 latency spikes (average" in client.execute_command("LATENCY", "DOCTOR")
    assert client.latency_reset("command") == 1
    client.config_set("latency-monitor-threshold", 0)
    calls = client.execute_command("LATENCY", "HISTOGRAM", "debug")
    assert calls[0] == b"debug"
    assert calls[1][1] == calls[1][3][-1]


def test_monitor_shows_what_runs(ours: Server) -> None:
    """Commands appear in order, transactions with what they run, secrets redacted, admin commands not at all."""
    with ours.connect() as watcher, ours.connect() as actor:
        watcher.sendall(b"MONITOR\r\n")
        assert read_until(watcher, b"+OK\r\n")
        actor.sendall(
            b'SET k "a b"\r\nCONFIG GET hz\r\nMULTI\r\nINCR n\r\nEXEC\r\nAUTH password\r\nGET\r\nECHO end\r\n'
        )
        text = read_until(watcher, b'"ECHO" "end"\r\n').decode()
        lines = [line.split("] ", 1)[1] for line in text.splitlines()]
        assert lines == ['"SET" "k" "a b"', '"MULTI"', '"INCR" "n"', '"EXEC"', '"AUTH" "(redacted)"', '"ECHO" "end"']
        assert text.splitlines()[0].split()[1:3] == ["[0", f"127.0.0.1:{actor.getsockname()[1]}]"]
        watcher.sendall(b"RESET\r\n")
        assert read_until(watcher, b"+RESET\r\n")
        actor.sendall(b"ECHO unseen\r\n")
        watcher.sendall(b"ECHO seen\r\n")
        assert read_until(watcher, b"seen\r\n") == b"$4\r\nseen\r\n"


def test_memory_usage_grows_with_the_value(ours: Server) -> None:
    """An estimate from a few elements is near the one from all, and a longer value takes more."""
    client = ours.client()
    client.rpush("short-list", *range(10))
    client.rpush("long-list", *range(10_000))
    assert client.memory_usage("short-list") < client.memory_usage("long-list")
    few, every = client.memory_usage("bighash"), client.memory_usage("bighash", samples=0)
    assert abs(few - every) < every / 2
    stats = client.memory_stats()
    assert stats["keys.count"] > 10
    assert client.memory_purge()


def test_debug_is_guarded() -> None:
    """Without enable-debug-command the command is refused with the way to allow it."""
    with start_kvserver() as server, pytest.raises(ResponseError, match="DEBUG command not allowed"):
        server.command("DEBUG", "SLEEP", "0")


def test_debug_populate_and_active_expire(ours: Server) -> None:
    """POPULATE makes keys; with the background expiry off, an expired key stays until it is met."""
    client = ours.client(db=5)
    assert client.execute_command("DEBUG", "POPULATE", 10, "p", 20) == b"OK"
    assert client.dbsize() == 10
    assert client.get("p:3") == b"value:3".ljust(20, b"\0")
    client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    client.set("gone", 1, px=1)
    wait_until(lambda: client.pttl("gone") <= 0)
    client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    wait_until(lambda: client.dbsize() == 10)


@pytest.mark.parametrize("words", [("NOSAVE",), ("SAVE",), ("NOW", "FORCE")])
def test_shutdown_ends_the_process(words: tuple[str, ...]) -> None:
    """The connection closes without a reply, the process ends with 0, and only SAVE writes a snapshot."""
    with start_kvserver() as server, server.connect() as connection:
        server.client().set("k", "v")
        connection.sendall(b"SHUTDOWN " + " ".join(words).encode() + b"\r\n")
        assert connection.recv(100) == b""
        assert server.wait() == 0
        assert (server.folder / "dump.rdb").exists() == (words == ("SAVE",))
