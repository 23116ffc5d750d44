"""What the system is asked for when a file takes the place of another: content synced, renamed, folder synced."""

from __future__ import annotations

import os
import re
from pathlib import Path

import redis
from support import Server, require_peer, start_kvsentinel, start_kvserver, wait_until

CALLS = "write,rename,renameat,renameat2,mkdir,mkdirat,fsync,fdatasync"
CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
HANDLE = re.compile(r"^\d+<([^>]*)>")
NAME = re.compile(r'"([^"]*)"')


def traced(server: Server) -> Path:
    """Start a server again under strace, as the same process; where its calls are written."""
    strace = require_peer("strace")
    trace = server.folder / "trace"
    server.stop()
    server.args = [strace, "-D", "-f", "-y", "-q", "--seccomp-bpf", "-s", "8", "-e", f"trace={CALLS}", "-o",
                   str(trace), *server.args]
    server.start_again()
    return trace


def ended(server: Server, trace: Path) -> list[str]:
    """End it; the calls that succeeded, one a line, those of two threads apart again."""
    pid = server.pid
    server.stop()
    wait_until(lambda: re.search(rf"^{pid} +\+\+\+ exited", trace.read_text(), re.M), what="the tracer to end")
    begun: dict[str, str] = {}
    calls = []
    for line in trace.read_text().splitlines():
        thread = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>")
            continue
        resumed = re.search(r"<\.\.\. \w+ resumed>", line)
        call = begun.pop(thread) + line[resumed.end() :] if resumed else line
        if CALL.match(call) and " = -1 " not in call:
            calls.append(call)
    return calls


def check_order(calls: list[str], home: Path) -> set[str]:
    """Judge every rename and every new folder below `home`; the names that files were given."""
    unsynced: dict[str, bool] = {}
    owed: dict[str, str] = {}  # by thread: the folder it has to sync before anything else
    given = set()
    for line in calls:
        found = CALL.match(line)
        assert found is not None
        thread, call, rest = found.groups()
        handle = HANDLE.match(rest)
        names = [os.path.join(home, name) for name in NAME.findall(rest)]
        if call == "write" and handle:
            unsynced[handle[1]] = True
        elif call in ("fsync", "fdatasync") and handle:
            unsynced[handle[1]] = False
            if owed.get(thread) == handle[1]:
                del owed[thread]
        elif call.startswith("rename") and names[1].startswith(str(home)):
            log = names[1].endswith(".incr.aof")  # which is written to meanwhile, and synced as appendfsync says
            assert log or not unsynced.get(names[0], True), f"renamed before it was synced: {line}"
            assert thread not in owed, f"{owed[thread]} isn't synced before {line}"
            owed[thread] = os.path.dirname(names[1])
            given.add(os.path.basename(names[1]))
        elif call.startswith("mkdir") and names[0].startswith(str(home)):
            owed[thread] = os.path.dirname(names[0])
            given.add(os.path.basename(names[0]))
    assert not owed
    return given


def test_every_file_of_a_node_is_replaced_durably(tmp_path: Path) -> None:
    """Configuration, users, snapshot, log and manifest are synced, renamed, and their folder is synced."""
    config, users = tmp_path / "kv.conf", tmp_path / "users.acl"
    config.write_text(f"aclfile {users}\n")
    users.write_text("user default on nopass ~* &* +@all\n")
    with start_kvserver(str(config), folder=tmp_path) as server:
        trace = traced(server)
        client = server.client()
        client.set("k", "v" * 5000)
        client.config_rewrite()
        client.acl_save()
        client.save()
        client.config_set("appendonly", "yes")
        wait_until(lambda: not redis_busy(client), what="the log to be switched on")
        client.set("l", "w")
        client.bgrewriteaof()
        wait_until(lambda: not redis_busy(client), what="the rewrite to end")
        client.bgsave()
        wait_until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"], what="the snapshot to end")
        given = check_order(ended(server, trace), tmp_path)
    assert {"kv.conf", "users.acl", "dump.rdb", "appendonlydir", "appendonly.aof.manifest"} <= given
    assert {"appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.2.base.rdb"} <= given


def redis_busy(client: redis.Redis) -> bool:
    """Whether a rewrite is under way or due."""
    info = client.info("persistence")
    return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def test_a_single_log_of_an_older_release_is_moved_durably(tmp_path: Path) -> None:
    """The new folder, its manifest and the file that is moved into it are there after a power cut."""
    with start_kvserver(folder=tmp_path) as server:
        (tmp_path / "appendonly.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n")
        with (tmp_path / "appendonly.aof").open("ab") as file:
            os.fsync(file.fileno())
        server.args += ["--appendonly", "yes"]
        trace = traced(server)
        assert server.command("GET", "k") == b"v"
        calls = [line for line in ended(server, trace) if not re.search(r'rename\w*\(.*"appendonly.aof",', line)]
        given = check_order(calls, tmp_path)
    assert {"appendonlydir", "appendonly.aof.manifest"} <= given


def test_the_state_of_a_sentinel_is_replaced_durably() -> None:
    """A sentinel's file is synced, renamed, and its folder is synced."""
    with start_kvsentinel("sentinel monitor mymaster 127.0.0.1 1 1") as sentinel:
        trace = traced(sentinel)
        sentinel.command("SENTINEL", "FLUSHCONFIG")
        given = check_order(ended(sentinel, trace), sentinel.folder)
    assert "sentinel.conf" in given
