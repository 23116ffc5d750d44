"""Scripts and function libraries on a running node: speed limits, persistence, replication."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from support import Server, start_kvserver, start_redis, wait_until
from support.wire import received_until

LIBRARY = """#!lua name=lib
redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)
redis.register_function{function_name='peek', callback=function(keys) return redis.call('GET', keys[1]) end,
  flags={'no-writes'}, description='looks'}
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_kvserver(busy_reply_threshold=100) as server:
        yield server


@pytest.fixture
def client(node: Server) -> redis.Redis:
    client = node.client()
    client.flushall()
    client.execute_command("FUNCTION", "FLUSH")
    client.script_flush()
    return client


class Busy:
    """A script that runs in a thread until it ends; `outcome` is its reply or its error."""

    def __init__(self, node: Server, *request: Any) -> None:
        self.outcome: Any = None
        self.thread = threading.Thread(target=self._run, args=(node.client(), request))
        self.thread.start()

    def _run(self, client: redis.Redis, request: tuple[Any, ...]) -> None:
        try:
            self.outcome = client.execute_command(*request)
        except redis.RedisError as failure:
            self.outcome = failure

    def end(self) -> str:
        """Wait for the end; return the outcome's text."""
        self.thread.join(20)
        assert not self.thread.is_alive()
        return str(self.outcome)


def is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.exceptions.ResponseError as failure:
        return str(failure).startswith("BUSY")
    return False


def test_cached_scripts(client: redis.Redis) -> None:
    """A script is known by its digest after EVAL and SCRIPT LOAD, until SCRIPT FLUSH."""
    script = client.register_script("return {KEYS[1], ARGV[1]}")
    assert script(keys=["k"], args=["a"]) == [b"k", b"a"]
    assert client.script_exists(script.sha, "0" * 40) == [True, False]
    assert client.evalsha(script.sha.upper(), 0) == []
    client.script_flush()
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha(script.sha, 0)


def test_an_endless_script_is_killed(node: Server, client: redis.Redis) -> None:
    """While a script loops others are told so, also on new connections, and the log tells it; SCRIPT KILL ends it."""
    busy = Busy(node, "EVAL", "while true do pcall(redis.call, 'PING') end", 0)
    wait_until(lambda: is_busy(client), what="the script to be slow")
    new = node.client()
    assert is_busy(new)
    assert "Slow script detected: still in execution after" in node.log_text()
    with pytest.raises(redis.exceptions.ResponseError, match="BUSY"):
        new.execute_command("FUNCTION", "KILL")
    assert new.script_kill()
    assert "killed by user" in busy.end()
    assert client.set("after", "1")
    assert new.get("after") == b"1"


def test_a_script_that_has_written_cannot_be_killed() -> None:
    """Half of a script's writes are never left behind: it may run to its end."""
    source = """
        redis.call('SET', 'half', '1')
        for i = 1, 2e9 do if redis.call('EXISTS', 'half') == 0 then break end end
    """
    with start_kvserver(busy_reply_threshold=50) as other:
        client = other.client()
        busy = Busy(other, "EVAL", source, 0)
        wait_until(lambda: is_busy(client), what="the script to be slow")
        with pytest.raises(redis.exceptions.ResponseError, match="UNKILLABLE"):
            client.script_kill()
        with pytest.raises(redis.exceptions.ConnectionError):
            client.execute_command("SHUTDOWN", "NOSAVE")
        busy.end()
        wait_until(lambda: other.returncode is not None, what="the server to end")


def test_requests_behind_a_slow_script_are_served(node: Server, client: redis.Redis) -> None:
    """What a client sends behind its slow script is answered when the script is over."""
    with node.connect() as sock:
        sock.sendall(b"EVAL 'while true do end' 0\r\nPING\r\n")
        wait_until(lambda: is_busy(client), what="the script to be slow")
        client.script_kill()
        replies = received_until(sock, lambda data: data.count(b"\r\n") >= 2)
        assert replies.startswith(b"-ERR Script killed by user")
        assert replies.endswith(b"+PONG\r\n")


def test_functions(client: redis.Redis) -> None:
    """A library's functions are called by name, and FCALL_RO calls those that don't write."""
    assert client.function_load(LIBRARY) == b"lib"
    assert client.fcall("add", 1, "n", 5) == 5
    assert client.fcall_ro("peek", 1, "n") == b"5"
    with pytest.raises(redis.exceptions.ResponseError, match="write flag"):
        client.fcall_ro("add", 1, "n", 5)
    dump = client.function_dump()
    client.function_flush()
    assert client.function_list() == []
    client.execute_command("FUNCTION", "RESTORE", dump)
    assert client.fcall("add", 1, "n", 1) == 6


def test_libraries_survive_a_restart(tmp_path: Path) -> None:
    """Libraries are part of the snapshot that a node starts from."""
    with start_kvserver(folder=tmp_path) as server:
        client = server.client()
        client.function_load(LIBRARY)
        client.save()
    with start_kvserver(folder=tmp_path) as server:
        assert server.client().fcall("add", 1, "n", 2) == 2


@pytest.mark.parametrize("replica_of", ["ours", "redis"])
def test_scripts_and_libraries_are_replicated(replica_of: str) -> None:
    """A replica, ours or Redis's, gets the libraries and what scripts wrote, by snapshot and by stream."""
    start = start_kvserver if replica_of == "ours" else start_redis
    with start_kvserver() as primary, start() as replica:
        client, other = primary.client(), replica.client()
        client.function_load(LIBRARY)
        other.execute_command("REPLICAOF", primary.host, primary.port)
        wait_until(lambda: other.info("replication")["master_link_status"] == "up", what="the link")
        client.fcall("add", 1, "n", 5)
        client.eval("redis.call('SET', 'a', ARGV[1]) redis.call('SPOP', 'none') return redis.call('TIME')", 0, "x")
        client.function_load(LIBRARY.replace("lib", "second").replace("'add'", "'more'").replace("'peek'", "'look'"))
        wait_until(lambda: len(other.function_list()) == 2, what="the second library")
        wait_until(lambda: other.get("a") == b"x", what="the script's write")
        assert other.fcall_ro("peek", 1, "n") == b"5"
        with pytest.raises(redis.exceptions.ReadOnlyError):
            other.eval("return redis.call('SET', 'a', 'y')", 0)


def test_scripts_in_transactions(client: redis.Redis) -> None:
    """A script inside MULTI runs with it, and its failure leaves the rest as it is."""
    pipe = client.pipeline()
    pipe.set("a", "1")
    pipe.eval("redis.call('INCR', 'a') error('late')", 0)
    pipe.get("a")
    results = pipe.execute(raise_on_error=False)
    assert results[0] is True
    assert "late" in str(results[1])
    assert results[2] == b"2"
