"""A node and its file: what is saved survives, what is damaged is refused, and clients are served meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from support import Server, start_kvserver, start_redis, wait_until
from support.rdbfiles import by_hand, text

from persistence.rdb.model import Key
from persistence.rdb.read.decoder import Decoder


def saved(path: Path) -> dict[bytes, Any]:
    """Keys and values of a file."""
    decoder = Decoder()
    events = decoder.feed(path.read_bytes())
    decoder.finish()
    return {event.key: event.value for event in events if isinstance(event, Key)}


def bgsave_is_over(node: Server) -> bool:
    return bool(node.info("persistence")["rdb_bgsave_in_progress"] == 0)


def fill(client: Any) -> None:
    client.set("s", b"\x00\xff binary")
    client.rpush("l", *range(1000))
    client.sadd("ints", 1, 2, 3)
    client.sadd("set", "a", "b")
    client.hset("h", mapping={f"f{i}": "v" * 100 for i in range(200)})
    client.zadd("z", {f"m{i}": i / 3 for i in range(300)})
    client.set("volatile", "x", pxat=4_000_000_000_000)
    client.set("short", "x", px=1)


def state(client: Any) -> dict[str, Any]:
    return {
        "s": client.get("s"),
        "l": client.lrange("l", 0, -1),
        "ints": client.smembers("ints"),
        "set": client.smembers("set"),
        "h": client.hgetall("h"),
        "z": client.zrange("z", 0, -1, withscores=True),
        "ttl": client.execute_command("PEXPIRETIME", "volatile"),
        "short": client.get("short"),
    }


def test_all_types_survive_a_crash_after_save(tmp_path: Path) -> None:
    """Once SAVE has replied, a killed node comes back with everything, expiry times included."""
    with start_kvserver(folder=tmp_path) as node:
        fill(node.client())
        assert node.client().save() is True
        before = state(node.client())
        node.kill()
        node.start_again()
        assert state(node.client()) == before
        assert before["short"] is None
        assert not list(tmp_path.glob("temp-*"))


def test_nobody_is_served_before_the_data_are_there(tmp_path: Path) -> None:
    """Who asks while a node starts is refused or gets the value, never "no such key"."""
    with start_kvserver(folder=tmp_path) as node:
        node.client().set("key", "value")
        node.client().save()
        seen: set[bytes | None] = set()
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                try:
                    with redis.Redis(node.host, node.port, socket_timeout=5) as client:
                        seen.add(client.get("key"))
                except redis.RedisError:
                    continue

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            for _ in range(3):
                node.kill()
                node.start_again()
                wait_until(lambda: node.client().get("key") == b"value")
        finally:
            over.set()
            asking.join()
        assert seen == {b"value"}


def test_files_pass_between_us_and_redis(tmp_path: Path) -> None:
    """A Redis starts with our file, and we with the one it saves then."""
    with start_kvserver(folder=tmp_path) as node:
        fill(node.client())
        node.client().save()
        before = state(node.client())
    with start_redis(folder=tmp_path) as peer:
        assert state(peer.client()) == before
        peer.client().save()
    with start_kvserver(folder=tmp_path) as node:
        assert state(node.client()) == before


def test_save_points_save_and_count_changes(tmp_path: Path) -> None:
    """A save begins when enough has changed for long enough; what changed since is told by INFO."""
    with start_kvserver(folder=tmp_path, save="1 3") as node:
        client = node.client()
        client.set("a", 1)
        assert node.info("persistence")["rdb_changes_since_last_save"] == 1
        client.mset({"b": 2, "c": 3})
        wait_until(lambda: (tmp_path / "dump.rdb").exists())
        wait_until(lambda: node.info("persistence")["rdb_changes_since_last_save"] == 0)
        assert saved(tmp_path / "dump.rdb") == {b"a": b"1", b"b": b"2", b"c": b"3"}


@pytest.mark.skipif(os.name == "nt", reason="a signal is sent")
def test_a_terminated_node_saves_if_it_has_save_points(tmp_path: Path) -> None:
    """SIGTERM saves what no save point had reached; without save points nothing is written."""
    with start_kvserver(folder=tmp_path, save="3600 1") as node:
        node.client().set("k", "v")
        node.send_signal(signal.SIGTERM)
        assert node.wait() == 0
        assert saved(tmp_path / "dump.rdb") == {b"k": b"v"}
    (tmp_path / "dump.rdb").unlink()
    with start_kvserver(folder=tmp_path) as node:
        node.client().set("k", "v")
        node.send_signal(signal.SIGTERM)
        node.wait()
        assert not (tmp_path / "dump.rdb").exists()


@pytest.mark.parametrize(("how", "expected"), [("SAVE", True), ("NOSAVE", False)])
def test_shutdown_saves_as_told(tmp_path: Path, how: str, expected: bool) -> None:
    """SHUTDOWN SAVE saves without save points, SHUTDOWN NOSAVE doesn't with them."""
    with start_kvserver(folder=tmp_path, save="" if expected else "3600 1") as node:
        client = node.client()
        client.set("k", "v")
        with pytest.raises(redis.ConnectionError):
            client.execute_command("SHUTDOWN", how)
        node.wait()
        assert (tmp_path / "dump.rdb").exists() is expected


def test_a_background_save_is_of_one_instant(tmp_path: Path) -> None:
    """Pairs that are always written together agree in the file, and clients are served while it is written."""
    with start_kvserver(folder=tmp_path) as node:
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
                written[0] += 1
                pairs = {f"{side}:{i}": written[0] for side in "ab" for i in range(40)}
                writer.mset(pairs)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(3):
                wait_until(lambda before=written[0]: written[0] > before)
                client.bgsave()
                wait_until(lambda: bgsave_is_over(node))
                found = saved(tmp_path / "dump.rdb")
                values = {found[f"{side}:{i}".encode()] for side in "ab" for i in range(40)}
                assert len(values) == 1
                assert len(found) == 20_080
        finally:
            stop.set()
            thread.join()


def test_only_one_save_at_a_time(tmp_path: Path) -> None:
    """While a save runs, BGSAVE and SAVE are refused with Redis's words, and INFO tells how far it is."""
    with start_kvserver(folder=tmp_path, rdb_key_save_delay=2000) as node:
        client = node.client()
        client.mset({f"k{i}": i for i in range(2000)})
        assert client.bgsave()
        for command in ("BGSAVE", "SAVE"):
            with pytest.raises(redis.ResponseError, match="Background save already in progress"):
                client.execute_command(command)
        fields = node.info("persistence")
        assert fields["rdb_bgsave_in_progress"] == 1
        assert fields["current_save_keys_total"] == 2000
        with pytest.raises(redis.ResponseError, match="syntax error"):
            client.execute_command("BGSAVE", "NOW")
        client.config_set("rdb-key-save-delay", 0)
        wait_until(lambda: bgsave_is_over(node))
        assert len(saved(tmp_path / "dump.rdb")) == 2000


def test_flushall_gives_up_a_save_in_progress(tmp_path: Path) -> None:
    """What FLUSHALL has removed is not saved afterwards; with save points the empty data set is."""
    with start_kvserver(folder=tmp_path, rdb_key_save_delay=2000) as node:
        client = node.client()
        client.mset({f"k{i}": i for i in range(2000)})
        client.bgsave()
        client.flushall()
        wait_until(lambda: bgsave_is_over(node), timeout=3)
        fields = node.info("persistence")
        assert fields["rdb_changes_since_last_save"] > 2000 - 1
        assert fields["rdb_last_bgsave_status"] == "ok"
        assert not list(tmp_path.glob("*dump.rdb"))
        client.config_set("save", "3600 1")
        client.flushall()
        wait_until(lambda: (tmp_path / "dump.rdb").exists())
        assert saved(tmp_path / "dump.rdb") == {}


def test_a_primary_that_cannot_save_refuses_writes(tmp_path: Path) -> None:
    """After a failed save, writes and PING are answered by MISCONF and reads are served, until a save succeeds."""
    with start_kvserver(folder=tmp_path, save="3600 1") as node:
        client = node.client()
        client.set("k", "v")
        obstacle = tmp_path / "dump.rdb"
        obstacle.mkdir()
        client.bgsave()
        wait_until(lambda: node.info("persistence")["rdb_last_bgsave_status"] == "err")

        def refused() -> bool:
            try:
                client.set("k", "w")
            except redis.ResponseError as error:
                return str(error).startswith("MISCONF Redis is configured to save RDB snapshots")
            return False

        wait_until(refused)
        assert client.get("k") in (b"v", b"w")
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            client.ping()
        obstacle.rmdir()
        client.bgsave()
        wait_until(lambda: node.info("persistence")["rdb_last_bgsave_status"] == "ok")
        wait_until(lambda: not refused())
        assert not list(tmp_path.glob("temp-*"))


DAMAGE = {
    "truncated": by_hand(b"\x00" + text(b"k") + text(b"v"))[:-9],
    "checksum": by_hand(b"\x00" + text(b"k") + text(b"v"))[:-1] + b"\x00",
    "garbage": b"this is not a data file",
    "database": by_hand(b"\xfe\x3f", b"\x00" + text(b"k") + text(b"v")),
    "duplicate": by_hand(b"\x00" + text(b"k") + text(b"v"), b"\x00" + text(b"k") + text(b"w")),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_keeps_the_node_from_starting(tmp_path: Path, name: str) -> None:
    """The node says what is wrong and ends with a failure; the file stays as it was."""
    path = tmp_path / "dump.rdb"
    path.write_bytes(DAMAGE[name])
    with start_kvserver(folder=tmp_path, wait=False, save="3600 1") as node:
        assert node.wait(30) == 1
        assert "dump.rdb cannot be loaded" in node.log_text()
        assert "Traceback" not in node.log_text()
    assert path.read_bytes() == DAMAGE[name]


def test_clients_hear_loading_while_a_file_is_loaded(tmp_path: Path) -> None:
    """During a long load the node answers, with -LOADING where the data is needed, and INFO tells how far it is."""
    keys = 400_000
    records = [b"\x00\x08%08d\x01x" % i for i in range(keys)]
    (tmp_path / "dump.rdb").write_bytes(by_hand(*records))
    with start_kvserver(folder=tmp_path, wait=False) as node:

        def loading() -> bool:
            with node.connect() as connection:
                connection.sendall(b"GET 00000001\r\n")
                return connection.recv(200).startswith(b"-LOADING Redis is loading the dataset in memory\r\n")

        wait_until(loading)
        node.wait_until_answers()
        client = node.client()
        wait_until(lambda: client.info("persistence")["loading"] == 0)
        assert client.dbsize() == keys
        assert node.info("persistence")["rdb_last_load_keys_loaded"] == keys


def test_debug_reload_changes_nothing(tmp_path: Path) -> None:
    """Saved and loaded again in place, the data set is the same."""
    with start_kvserver(folder=tmp_path, enable_debug_command="yes") as node:
        client = node.client()
        fill(client)
        before = state(client)
        assert client.execute_command("DEBUG", "RELOAD") == b"OK"
        assert state(client) == before


@pytest.fixture(scope="module")
def pair() -> Any:
    """One of ours and a Redis."""
    with start_kvserver() as node, start_redis() as peer:
        yield node, peer


REQUESTS: list[list[Any]] = [
    ["DUMP", "none"],
    ["RESTORE", "s", 0, b"x"],
    ["RESTORE", "n", -1, b"x"],
    ["RESTORE", "n", "a", b"x"],
    ["RESTORE", "n", 0, b""],
    ["RESTORE", "n", 0, b"short"],
    ["RESTORE", "n", 0, b"\x00\x01v\x0a\x00" + bytes(8)],
    ["RESTORE", "n", 0, b"x", "NOPE"],
    ["RESTORE", "n", 0, b"x", "IDLETIME"],
    ["RESTORE", "n", 0, b"x", "IDLETIME", -1],
    ["RESTORE", "n", 0, b"x", "FREQ", 256],
    ["RESTORE", "n", 0, b"x", "FREQ", 1, "IDLETIME", 1],
    ["RESTORE", "n"],
    ["LASTSAVE", "x"],
    ["SAVE", "x"],
    ["BGSAVE", "SCHEDULE", "x"],
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: " ".join(map(str, r))[:40])
def test_errors_are_those_of_redis(pair: tuple[Server, Server], request_: list[Any]) -> None:
    """Bad arguments get the very reply of Redis."""
    replies = []
    for server in pair:
        client = server.client()
        client.set("s", "v")
        try:
            replies.append(client.execute_command(*request_))
        except redis.ResponseError as error:
            replies.append(str(error))
    assert replies[0] == replies[1]


def test_dump_and_restore_both_ways(pair: tuple[Server, Server]) -> None:
    """Each restores what the other dumped, with and without a time to live."""
    for source, target in (pair, pair[::-1]):
        one, two = source.client(), target.client()
        one.flushall()
        two.flushall()
        fill(one)
        wait_until(lambda one=one: not one.exists("short"))  # type: ignore[misc]
        for key in one.scan_iter():
            payload = one.dump(key)
            two.restore(key, 100_000, payload)
            two.restore(key, 0, payload, replace=True)
            assert two.pttl(key) == -1
        two.pexpireat("volatile", 4_000_000_000_000)
        assert state(two) == state(one)
        two.restore("past", 1, one.dump("s"), absttl=True)
        assert two.exists("past") == 0
