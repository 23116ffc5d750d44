"""CONFIG on a running server, and what start-up does with good and bad configuration."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import ResponseError
from support import Server, free_port, start_kvserver, start_redis, wait_until

# Requests whose replies must be the same, values and error texts alike.
SAME = (
    ("SET", "timeout", "abc"), ("SET", "timeout", " 5"), ("SET", "timeout", "010"), ("SET", "timeout", "-1"),
    ("SET", "proto-max-bulk-len", "abc"), ("SET", "proto-max-bulk-len", "5MB"), ("GET", "proto-max-bulk-len"),
    ("SET", "maxmemory", "-1"), ("SET", "proto-max-bulk-len", "1000"),
    ("SET", "maxmemory-policy", "foo"), ("SET", "appendonly", "maybe"), ("SET", "databases", "3"),
    ("SET", "nosuch", "1"), ("SET", "maxmemory", "1gb", "foo"), ("SET", "hz", "5", "hz", "6"),
    ("SET", "proto-max-bulk-len", "1gb", "hz", "x"), ("GET", "proto-max-bulk-len"), ("SET", "hz", "600"), ("GET", "hz"),
    ("SET", "save", "900 1 x"), ("SET", "save", "a b"), ("SET", "save", "900 1"), ("GET", "save"),
    ("SET", "save", ""), ("GET", "save"), ("SET", "client-output-buffer-limit", "foo 1 2 3"),
    ("SET", "client-output-buffer-limit", "normal 1 2"),
    ("SET", "client-output-buffer-limit", "normal 1gb 2 3 slave 1 2 3"), ("GET", "client-output-buffer-limit"),
    ("SET", "notify-keyspace-events", "foo"), ("SET", "notify-keyspace-events", "KEA"),
    ("GET", "notify-keyspace-events"), ("SET", "notify-keyspace-events", ""),
    ("SET", "slowlog-log-slower-than", "-2"), ("SET", "slowlog-max-len", "-2"),
    ("SET", "repl-backlog-size", "0"), ("SET", "dir", "/nonexistent"), ("SET", "dbfilename", "a/b"),
    ("SET", "latency-tracking-info-percentiles", "50 a"), ("SET", "latency-tracking-info-percentiles", "50 101"),
    ("SET", "latency-tracking-info-percentiles", "50 99.99"), ("GET", "latency-tracking-info-percentiles"),
    ("SET", "hash-max-listpack-entries", "-1"), ("SET", "list-max-listpack-size", "-10"),
    ("SET", "rename-command", "x"), ("SET", "unixsocketperm", "888"), ("SET", "appendfilename", "foo"),
    ("SET", "repl-diskless-load", "foo"), ("SET", "shutdown-on-sigint", "force now"),
    ("GET", "shutdown-on-sigint"), ("SET", "shutdown-on-sigint", "force bad"),
    ("SET", "shutdown-on-sigint", "save nosave"), ("SET", "replicaof", "a 1"), ("SET", "loglevel", "foo"),
    ("SET", "slave-priority", "5", "replica-priority", "6"), ("GET", "slave-p*", "replica-p*"),
    ("SET", "slave-priority", "7"), ("GET", "REPLICA-priority"), ("SET",), ("GET",), ("foo",), ("REWRITE",),
    ("SET", "min-replicas-to-write", "1.0"), ("SET", "tcp-keepalive", ""), ("SET", "maxmemory-samples", "0"),
    ("SET", "acl-pubsub-default", "foo"), ("SET", "appendfsync", ""), ("SET", "maxmemory-clients", "101%"),
    ("SET", "oom-score-adj-values", "0 1"), ("SET", "oom-score-adj-values", "0 1 3000"),
    ("RESETSTAT", "x"), ("GET", "maxm[a-e]mory"), ("GET", "[^m]imeout"), ("GET", "nosuch"),
)  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> Iterator[Server]:
    with start_kvserver(enable_protected_configs="local") as server:
        yield server


@pytest.fixture(scope="module")
def real() -> Iterator[Server]:
    with start_redis(enable_protected_configs="local") as server:
        yield server


def ask(server: Server, *args: str) -> object:
    client = server.client()
    client.response_callbacks.clear()
    try:
        reply = client.execute_command("CONFIG", *args)
    except ResponseError as error:
        return f"-{error}"
    return sorted(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else reply


def test_replies_are_those_of_redis(ours: Server, real: Server) -> None:
    """The same requests in the same order give the same values and the same error texts."""
    different = [
        (request, mine, theirs) for request in SAME if (mine := ask(ours, *request)) != (theirs := ask(real, *request))
    ]
    assert different == []


def test_get_lists_every_option_of_redis(ours: Server, real: Server) -> None:
    """CONFIG GET * knows each name that the real server knows, and the defaults are the same."""
    mine, theirs = ours.client().config_get("*"), real.client().config_get("*")
    assert set(theirs) - set(mine) == set()
    local = {"port", "dir", "save", "unixsocket", "client-output-buffer-limit", "shutdown-on-sigint"}
    changed = {request[position] for request in SAME if request[0] == "SET" for position in range(1, len(request), 2)}
    untouched = set(theirs) - local - changed
    assert {name: mine[name] for name in untouched} == {name: theirs[name] for name in untouched}


def test_rewrite_keeps_the_file_and_a_restart_keeps_the_values(tmp_path: Path) -> None:
    """What CONFIG SET changed is in the file after CONFIG REWRITE, comments included, and holds after a restart."""
    path = tmp_path / "kv.conf"
    path.write_text("# keep me\ntimeout 7\nsave 900 1\n")
    path.chmod(0o640)
    with start_kvserver(str(path), folder=tmp_path) as server:
        client = server.client()
        client.config_set("timeout", 9)
        client.config_set("slave-priority", 33)
        assert client.config_rewrite()
        text = path.read_text()
        assert text.startswith("# keep me\ntimeout 9\n")
        assert "\n# Generated by CONFIG REWRITE\n" in text
        assert "\nreplica-priority 33\n" in text
        assert path.stat().st_mode & 0o777 == 0o640
        server.restart()
        assert server.client().config_get("*-priority")["replica-priority"] == "33"


def test_secrets_are_shown_only_to_config_get(ours: Server) -> None:
    """CONFIG GET tells a password, as Redis does; the slow log has it redacted."""
    client = ours.client()
    client.config_set("slowlog-log-slower-than", 0)
    client.config_set("masterauth", "top-secret")
    client.config_set("slowlog-log-slower-than", -1)
    assert client.config_get("masterauth") == {"masterauth": "top-secret"}
    commands = [entry["command"] for entry in client.slowlog_get(128)]
    assert b"CONFIG SET masterauth (redacted)" in commands
    client.config_set("masterauth", "")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("timeout 1\nfoo bar\n", "at line 2\n>>> 'foo bar'\nBad directive or wrong number of arguments"),
        ("io-threads 4\n", "at line 1\n>>> 'io-threads 4'\nunsupported value, only '1' is: one thread"),
        ("include missing.conf\n", "at line 1\n>>> 'include missing.conf'\ncan't open config file"),
    ],
)
def test_a_bad_file_stops_the_start(tmp_path: Path, text: str, complaint: str) -> None:
    """The process ends with an error that names the file and the line."""
    path = tmp_path / "kv.conf"
    path.write_text(text)
    with start_kvserver(str(path), folder=tmp_path, wait=False) as server:
        assert server.wait(30) == 1
        assert f"Reading the configuration file '{path}', {complaint}" in server.log_text()


def test_what_has_no_effect_is_warned_about(tmp_path: Path) -> None:
    """An option that changes nothing here is named in the log at start."""
    with start_kvserver(lazyfree_lazy_user_del=True) as server:
        assert "lazyfree-lazy-user-del has no effect" in server.log_text()


def test_the_port_changes_while_running() -> None:
    """Clients that are connected stay, new ones use the new port; a taken port changes nothing."""
    with start_kvserver() as server, socket.socket() as taken:
        client = server.client(single_connection_client=True)
        old, new = server.port, free_port()
        client.config_set("port", new)
        assert client.ping()
        wait_until(lambda: redis.Redis(port=new).ping())
        with pytest.raises(OSError):
            server.connect(1.0)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ResponseError, match=r"'port'.* - Unable to listen on this port"):
            client.config_set("port", taken.getsockname()[1])
        assert client.config_get("port") == {"port": str(new)}
        wait_until(lambda: redis.Redis(port=new).ping())
        with pytest.raises(ResponseError, match=r"'bind'.* - Failed to bind to specified addresses"):
            client.config_set("bind", "203.0.113.1")
        client.config_set("bind", "127.0.0.1 -203.0.113.1 -::1")
        client.config_set("port", old)
        wait_until(lambda: server.client().ping())
        assert client.info("server")["tcp_port"] == old


def test_above_maxmemory_writes_are_refused(ours: Server) -> None:
    """What would take more memory is an error, reading and deleting go on, and raising the limit ends it."""
    client = ours.client()
    client.set("k", "v")
    client.config_set("maxmemory", "100kb")
    with pytest.raises(redis.exceptions.OutOfMemoryError, match="command not allowed when used memory > 'maxmemory'"):
        client.set("k", "w")
    assert client.get("k") == b"v"
    assert client.delete("k") == 1
    client.config_set("maxmemory", 0)
    assert client.set("k", "w")


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="the score exists on Linux")
def test_the_out_of_memory_score_follows_the_role() -> None:
    """A replica has its own score, from its start on, and whoever changes the role has the other's at once."""
    with start_kvserver(oom_score_adj="absolute", oom_score_adj_values="3 4 5", replicaof="127.0.0.1 1") as node:
        path = Path(f"/proc/{node.pid}/oom_score_adj")
        assert path.read_text() == "4\n"
        for primary, score in (("NO ONE", "3\n"), ("127.0.0.1 1", "4\n")):
            node.command("REPLICAOF", *primary.split())
            assert path.read_text() == score


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="the score exists on Linux")
def test_the_out_of_memory_score_follows_the_option(ours: Server) -> None:
    """The score is set and, when the option is turned off, put back; a failed CONFIG SET puts it back too."""
    client = ours.client()
    path = Path(f"/proc/{ours.pid}/oom_score_adj")
    base = int(path.read_text())
    client.config_set("oom-score-adj-values", "3 4 5")
    client.config_set("oom-score-adj", "relative")
    assert int(path.read_text()) == base + 3
    with pytest.raises(ResponseError):
        client.execute_command("CONFIG", "SET", "oom-score-adj-values", "9 9 9", "bind", "203.0.113.1")
    assert int(path.read_text()) == base + 3
    client.config_set("oom-score-adj", "no")
    client.config_set("oom-score-adj-values", "0 200 800")
