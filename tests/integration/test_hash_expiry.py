"""Hash fields that expire, between processes: what survives a restart, a copy, and the way to a replica."""

from __future__ import annotations

from pathlib import Path

import redis
from support import Server, start_kvserver, wait_until

FAST = {"repl_diskless_sync_delay": 0, "repl_ping_replica_period": 1}
FAR_MS = 4_000_000_000_000
FIELDS = ("FIELDS", 3, "a", "b", "f150")


def fill(client: redis.Redis) -> None:
    """A small hash, a big one, and a plain one; of the first two, two fields expire, at different times."""
    client.hset("small", mapping={"a": 1, "b": 2, "c": 3})
    client.hset("big", mapping={f"f{i}": i for i in range(600)} | {"a": 1, "b": 2})
    client.hset("plain", "a", 1)
    for key in ("small", "big"):
        client.execute_command("HPEXPIREAT", key, FAR_MS + 5, "FIELDS", 1, "a")
        client.execute_command("HPEXPIREAT", key, FAR_MS, "FIELDS", 1, "b")


def times(client: redis.Redis, key: str) -> list[int]:
    found: list[int] = client.execute_command("HPEXPIRETIME", key, *FIELDS)
    return found


def check(client: redis.Redis) -> None:
    """All of it is there, with its times."""
    assert times(client, "small") == [FAR_MS + 5, FAR_MS, -2]
    assert times(client, "big") == [FAR_MS + 5, FAR_MS, -1]
    assert client.hlen("big") == 602
    assert client.hgetall("small") == {b"a": b"1", b"b": b"2", b"c": b"3"}
    assert [client.object("ENCODING", key) for key in ("small", "big", "plain")] == [
        b"listpackex", b"hashtable", b"listpack",
    ]


def test_times_survive_a_restart(tmp_path: Path) -> None:
    """SAVE and the load at start keep the time of each field; the file is of the version that has such fields."""
    with start_kvserver(folder=tmp_path) as node:
        client = node.client()
        fill(client)
        client.save()
        assert (tmp_path / "dump.rdb").read_bytes().startswith(b"REDIS0012")
        node.restart()
        check(node.client())


def test_a_file_without_such_fields_is_of_the_version_redis_7_0_reads(tmp_path: Path) -> None:
    """Once no field expires any more the file is as if none ever had."""
    with start_kvserver(folder=tmp_path) as node:
        client = node.client()
        fill(client)
        client.execute_command("HPERSIST", "small", "FIELDS", 2, "a", "b")
        client.delete("big")
        client.save()
        assert (tmp_path / "dump.rdb").read_bytes().startswith(b"REDIS0010")
        assert client.dump("small")[-10:-8] == b"\x0a\x00"
        node.restart()
        assert node.client().object("ENCODING", "small") == b"listpack"


def test_dump_and_restore_keep_the_times() -> None:
    """DUMP holds the times as Redis 7.4's types do, and RESTORE brings them back."""
    with start_kvserver() as node:
        client = node.client()
        fill(client)
        payloads = {key: client.dump(key) for key in ("small", "big", "plain")}
        assert [payloads[key][:1] for key in payloads] == [b"\x19", b"\x18", b"\x10"]
        client.flushall()
        for key, payload in payloads.items():
            client.restore(key, 0, payload)
        check(client)


def test_a_payload_is_what_redis_7_4_makes() -> None:
    """A small hash is its least time, then field, value and time as elements of a listpack."""
    body = b"\x19" + FAR_MS.to_bytes(8, "little")
    elements = b"\x81b\x02" + b"\x02\x01" + b"\xf4" + FAR_MS.to_bytes(8, "little") + b"\x09" + b"\xff"
    with start_kvserver() as node:
        client = node.client()
        client.execute_command("HSET", "h", "b", "2")
        client.execute_command("HPEXPIREAT", "h", FAR_MS, "FIELDS", 1, "b")
        payload = client.dump("h")
        assert payload.startswith(body)
        assert elements in payload


def replica_of(primary: Server) -> Server:
    return start_kvserver(replicaof=[primary.host, primary.port], enable_debug_command="yes", **FAST)


def test_replicas_get_the_times_and_wait_for_their_primary() -> None:
    """A full synchronization and the stream carry times; a replica hides what is over until the HDEL comes."""
    with start_kvserver(enable_debug_command="yes", **FAST) as primary:
        client = primary.client()
        fill(client)
        with replica_of(primary) as replica:
            reader = replica.client()
            wait_until(lambda: reader.hlen("big") == 602, what="the data set")
            check(reader)
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            client.hset("stream", mapping={"x": 1, "y": 2})
            client.execute_command("HPEXPIRE", "stream", 1, "FIELDS", 1, "x")
            wait_until(lambda: reader.hkeys("stream") == [b"y"], what="the time of x is over")
            assert reader.hlen("stream") == 2
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "1")
            wait_until(lambda: reader.hlen("stream") == 1, what="the HDEL")
            assert client.hgetall("stream") == {b"y": b"2"}
            names = ("small", "big", "plain", "stream")
            digests = client.execute_command("DEBUG", "DIGEST-VALUE", *names)
            assert reader.execute_command("DEBUG", "DIGEST-VALUE", *names) == digests
