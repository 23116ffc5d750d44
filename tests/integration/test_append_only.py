"""The append-only file of real processes: killed, filled, cut, damaged, rewritten, switched on and off."""

from __future__ import annotations

import resource
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from support import require_peer, start_kvserver, start_redis, wait_until
from support.datasets import fill, shown

FOLDER = "appendonlydir"


def manifest(folder: Path, name: str = "appendonly.aof") -> list[str]:
    """The lines of the manifest, as `name type`."""
    path = folder / FOLDER / f"{name}.manifest"
    words = [line.split() for line in path.read_text().splitlines()]
    return [f"{line[1]} {line[5]}" for line in words]


def increment(folder: Path) -> Path:
    """The file that is being written to."""
    return folder / FOLDER / manifest(folder)[-1].split()[0]


def rewritten(client: Any) -> bool:
    """Whether no rewrite is under way or due."""
    info = client.info("persistence")
    return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_a_killed_process_loses_no_acknowledged_write(tmp_path: Path, policy: str) -> None:
    """Whatever was acknowledged before a SIGKILL is there after it, with each policy that promises anything."""
    with start_kvserver(folder=tmp_path, appendonly=True, appendfsync=policy) as node:
        acknowledged = [0] * 4
        started = threading.Barrier(5)

        def write(number: int) -> None:
            client = node.client()
            client.ping()
            started.wait()
            try:
                while True:
                    client.set(f"writer:{number}", acknowledged[number] + 1)
                    acknowledged[number] += 1
            except redis.RedisError:
                pass

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        started.wait()
        wait_until(lambda: min(acknowledged) >= 50)
        node.kill()
        for thread in threads:
            thread.join()
        node.start_again()
        client = node.client()
        for number, count in enumerate(acknowledged):
            assert int(client.get(f"writer:{number}")) in (count, count + 1)


@pytest.mark.parametrize("preamble", [True, False])
def test_all_types_survive_a_rewrite_and_a_restart(tmp_path: Path, preamble: bool) -> None:
    """The commands, and a base file of either form, make the same data set again; debris of a rewrite is removed."""
    with start_kvserver(folder=tmp_path, appendonly=True, aof_use_rdb_preamble=preamble) as node:
        client = node.client()
        fill(client)
        before = shown(client)
        node.kill()
        node.start_again()
        client = node.client()
        assert shown(client) == before
        client.bgrewriteaof()
        wait_until(lambda: rewritten(client))
        suffix = "rdb" if preamble else "aof"
        wait_until(lambda: manifest(tmp_path) == [f"appendonly.aof.2.base.{suffix} b", "appendonly.aof.2.incr.aof i"])
        assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {
            f"appendonly.aof.2.base.{suffix}", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest",
        }  # fmt: skip
        node.kill()
        node.start_again()
        assert shown(node.client()) == before


def test_a_rewrite_under_writes_keeps_them_all(tmp_path: Path) -> None:
    """What is written while a base is encoded is in the increments; nothing counts twice and nothing is lost."""
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        client = node.client()
        pipe = client.pipeline(transaction=False)
        for i in range(20_000):
            pipe.set(f"filler:{i}", i)
        pipe.execute()
        stop = threading.Event()
        written = [0]

        def write() -> None:
            writer = node.client()
            while not stop.is_set():
                with writer.pipeline() as unit:
                    unit.incr("counter")
                    unit.rpush("list", written[0])
                    unit.execute()
                written[0] += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for round_ in range(3):
                wait_until(lambda before=written[0]: written[0] > before)
                client.bgrewriteaof()
                wait_until(lambda: rewritten(client))
                assert client.info("persistence")["aof_rewrites"] == round_ + 1
        finally:
            stop.set()
            thread.join()
        node.kill()
        node.start_again()
        client = node.client()
        assert int(client.get("counter")) == client.llen("list") == written[0]
        assert client.dbsize() == 20_002


def test_a_cut_file_is_loaded_up_to_its_last_whole_command(tmp_path: Path) -> None:
    """Half a command at the end is cut off, with a warning, and so is a transaction whose EXEC is missing."""
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        client = node.client()
        client.set("a", 1)
        size = increment(tmp_path).stat().st_size
        with client.pipeline() as unit:
            unit.set("b", 1)
            unit.set("c", 1)
            unit.execute()
        node.kill()
        path = increment(tmp_path)
        path.write_bytes(path.read_bytes()[:-7])
        node.start_again()
        assert node.client().keys("*") == [b"a"]
        assert path.stat().st_size == size
        assert "Truncating the AOF appendonly.aof.1.incr.aof at offset" in node.log_text()


def test_a_cut_file_can_be_an_error(tmp_path: Path) -> None:
    """Without aof-load-truncated such a file ends the start, with the way out, and is left as it was."""
    with start_kvserver(folder=tmp_path, appendonly=True, aof_load_truncated=False) as node:
        node.client().set("a", 1)
        node.kill()
        path = increment(tmp_path)
        cut = path.read_bytes()[:-3]
        path.write_bytes(cut)
        node.respawn()
        assert node.wait(20) == 1
        assert "Unexpected end of file reading the append only file" in node.log_text()
        assert "kvops check-aof --fix" in node.log_text()
        assert path.read_bytes() == cut


def test_a_damaged_file_ends_the_start(tmp_path: Path) -> None:
    """Bytes that are no command are never skipped."""
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        node.client().set("a", 1)
        node.kill()
        path = increment(tmp_path)
        path.write_bytes(path.read_bytes() + b"!!!\r\n*1\r\n$4\r\nPING\r\n")
        node.respawn()
        assert node.wait(20) == 1
        assert "Bad file format reading the append only file" in node.log_text()


def test_a_missing_file_ends_the_start(tmp_path: Path) -> None:
    """A file that the manifest names and that isn't there means lost data."""
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        node.kill()
        increment(tmp_path).unlink()
        node.respawn()
        assert node.wait(20) == 1
        assert "Unable to obtain the AOF file" in node.log_text()


def test_switched_on_and_off_at_run_time(tmp_path: Path) -> None:
    """CONFIG SET appendonly yes begins with what is there; no leaves files that hold everything up to then."""
    with start_kvserver(folder=tmp_path) as node:
        client = node.client()
        fill(client)
        before = shown(client)
        client.config_set("appendonly", "yes")
        wait_until(lambda: rewritten(client))
        client.set("later", 1)
        client.config_set("appendonly", "no")
        client.set("lost", 1)
        assert client.info("persistence")["aof_enabled"] == 0
        assert not (tmp_path / FOLDER / "temp-appendonly.aof.incr").exists()
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        client = node.client()
        assert client.delete("later") == 1
        assert client.get("lost") is None
        assert shown(client) == before


def test_a_full_disk_refuses_writes_until_there_is_room(tmp_path: Path) -> None:
    """A write that fails is taken back and kept; clients hear MISCONF until it could be repeated."""
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        client = node.client()
        client.set("a", "y" * 100_000)  # the log of the test is limited as well, and shorter
        limit = increment(tmp_path).stat().st_size + 10
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        client.set("b", "x" * 100)
        assert increment(tmp_path).stat().st_size == limit - 10
        with pytest.raises(redis.ResponseError, match="MISCONF Errors writing to the AOF file"):
            client.set("c", 1)
        assert client.get("b") is not None
        assert client.info("persistence")["aof_last_write_status"] == "err"
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: client.info("persistence")["aof_last_write_status"] == "ok")
        client.set("d", 1)
        node.kill()
        node.start_again()
        assert sorted(node.client().keys("*")) == [b"a", b"b", b"d"]


def test_a_full_disk_ends_a_process_that_promised_always(tmp_path: Path) -> None:
    """With appendfsync always no reply is sent for a write that isn't on the disk: the process ends instead."""
    with start_kvserver(folder=tmp_path, appendonly=True, appendfsync="always") as node:
        client = node.client()
        client.set("a", "y" * 100_000)  # the log of the test is limited as well, and shorter
        limit = increment(tmp_path).stat().st_size + 10
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        with pytest.raises(redis.RedisError):
            client.set("b", "x" * 100)
        assert node.wait(20) == 1
        assert "Can't recover from AOF write error" in node.log_text()


def test_a_file_of_an_older_release_is_taken_in(tmp_path: Path) -> None:
    """The single file of a Redis before 7.0 becomes the base in the folder, under its own name."""
    raw = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    (tmp_path / "appendonly.aof").write_bytes(raw)
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        client = node.client()
        assert client.get("a") == b"1"
        assert manifest(tmp_path) == ["appendonly.aof b", "appendonly.aof.1.incr.aof i"]
        client.set("b", 1)
        node.restart()
        assert sorted(node.client().keys("*")) == [b"a", b"b"]


def test_replies_keep_their_order_while_they_wait(tmp_path: Path) -> None:
    """With appendfsync always a pipeline of writes and reads, and messages between them, comes out in order."""
    with start_kvserver(folder=tmp_path, appendonly=True, appendfsync="always") as node, node.connect() as raw:
        raw.settimeout(20)
        requests = b"".join(b"INCR n\r\nGET n\r\n" for _ in range(2000))
        raw.sendall(requests + b"QUIT\r\n")
        data = b""
        while chunk := raw.recv(1 << 16):
            data += chunk
        expected = b"".join(b":%d\r\n$%d\r\n%d\r\n" % (i, len(str(i)), i) for i in range(1, 2001))
        assert data == expected + b"+OK\r\n"


def test_what_replicas_need_is_not_kept(tmp_path: Path) -> None:
    """PING, GETACK and published messages are in the stream and in no file, on the primary or on its replica."""
    primary_dir, replica_dir = tmp_path / "p", tmp_path / "r"
    primary_dir.mkdir()
    replica_dir.mkdir()
    options = {"appendonly": True, "repl_ping_replica_period": 1, "repl_diskless_sync_delay": 0}
    with (
        start_kvserver(folder=primary_dir, **options) as primary,
        start_kvserver(folder=replica_dir, replicaof=[primary.host, primary.port], **options) as replica,
    ):
        client, copy = primary.client(), replica.client()
        wait_until(lambda: copy.info("replication")["master_link_status"] == "up")
        wait_until(lambda: rewritten(copy))
        at = client.info("replication")["master_repl_offset"]
        wait_until(lambda: client.info("replication")["master_repl_offset"] > at)  # a PING
        client.select(5)
        client.set("a", 1)
        client.publish("channel", "message")
        client.rpush("b", 1)
        assert client.wait(1, 5000) == 1
        for folder in (primary_dir, replica_dir):
            path = increment(folder)  # a replica acknowledges before the turn is over in which it writes
            wait_until(lambda path=path: b"RPUSH" in path.read_bytes())
            data = path.read_bytes()
            for word in (b"PING", b"GETACK", b"PUBLISH"):
                assert word not in data
        replica.kill()
        primary.stop()
    with start_kvserver(folder=replica_dir, appendonly=True) as node:
        client = node.client(db=5)
        assert client.get("a") == b"1"
        assert client.lrange("b", 0, -1) == [b"1"]


def test_a_new_data_set_begins_a_new_file(tmp_path: Path) -> None:
    """After a full synchronization the replica's file holds the primary's data, and none of its own from before."""
    with start_kvserver() as primary, start_kvserver(folder=tmp_path, appendonly=True) as node:
        primary.client().set("theirs", 1)
        client = node.client()
        client.set("ours", 1)
        client.replicaof(primary.host, primary.port)
        wait_until(lambda: client.get("theirs") == b"1")
        wait_until(lambda: rewritten(client))
        node.kill()
        with start_kvserver(folder=tmp_path, appendonly=True) as again:
            assert again.client().keys("*") == [b"theirs"]


@pytest.mark.parametrize("preamble", [True, False])
def test_a_real_redis_starts_with_our_files(tmp_path: Path, preamble: bool) -> None:
    """Base and increment of ours, with annotations, give a real Redis the same data set."""
    require_peer("redis-server")
    options = {"aof_use_rdb_preamble": preamble, "aof_timestamp_enabled": True}
    with start_kvserver(folder=tmp_path, appendonly=True, **options) as node:
        client = node.client()
        fill(client)
        client.bgrewriteaof()
        wait_until(lambda: rewritten(client))
        client.select(7)
        client.rpush("list:3", "later")
        before = shown(client)
    with start_redis(folder=tmp_path, appendonly=True) as peer:
        assert shown(peer.client()) == before


@pytest.mark.parametrize("preamble", [True, False])
def test_we_start_with_the_files_of_a_real_redis(tmp_path: Path, preamble: bool) -> None:
    """Base and increment of a real Redis, with annotations, give us the same data set."""
    require_peer("redis-server")
    options = {"aof_use_rdb_preamble": preamble, "aof_timestamp_enabled": True}
    with start_redis(folder=tmp_path, appendonly=True, **options) as peer:
        client = peer.client()
        fill(client)
        client.bgrewriteaof()
        wait_until(lambda: rewritten(client))
        client.select(7)
        client.rpush("list:3", "later")
        before = shown(client)
    with start_kvserver(folder=tmp_path, appendonly=True) as node:
        assert shown(node.client()) == before
