"""Replication between real Redis servers and ours, in every combination, under a mixed load of writes."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from support import Server, require_peer, start_kvserver, start_redis, wait_until
from support.writes import write_some

Start = Callable[..., Server]
FAST = {"repl_diskless_sync_delay": 0, "repl_ping_replica_period": 1, "repl_timeout": 10}
LIFE_MS = 15_000
"""Comparing two servers takes less than this."""
KINDS = {"redis": start_redis, "ours": start_kvserver}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def start(stack: ExitStack, kind: str, **options: object) -> Server:
    return stack.enter_context(KINDS[kind](**{**FAST, **options}))


def follow(replica: Server, primary: Server) -> None:
    replica.command("REPLICAOF", primary.host, primary.port)


def contents(server: Server, lives_until_ms: int) -> dict[tuple[int, bytes], tuple[Any, ...]]:
    """Every key of every database: type, value, time of expiry; without those that expire too soon."""
    found: dict[tuple[int, bytes], tuple[Any, ...]] = {}
    for db in range(6):
        client = server.client(db=db)
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            value = _value(client, kind, key)
            expires_ms = client.pexpiretime(key)
            if kind != b"none" and (expires_ms == -1 or expires_ms > lives_until_ms):
                found[db, key] = (kind, value, expires_ms)
        client.close()
    return found


def _value(client: redis.Redis, kind: bytes, key: bytes) -> Any:
    readers: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: client.get(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"hash": lambda: sorted(client.hgetall(key).items()),
        b"set": lambda: sorted(client.smembers(key)),
        b"zset": lambda: client.zrange(key, 0, -1, withscores=True),
        b"stream": lambda: _stream(client, key),
        b"none": lambda: None,
    }
    return readers[kind]()


def _stream(client: redis.Redis, key: bytes) -> list[Any]:
    """Entries, counters, and of each group what is pending for whom; consumers only known to one side don't count."""
    info = client.xinfo_stream(key)
    counters = [info[name] for name in ("last-generated-id", "max-deleted-entry-id", "entries-added")]
    groups = [
        (
            group["name"],
            group["last-delivered-id"],
            [
                (p["message_id"], p["consumer"], p["times_delivered"])
                for p in client.xpending_range(key, group["name"], "-", "+", 10_000)
            ],
        )
        for group in client.xinfo_groups(key)
    ]
    return [client.xrange(key), counters, groups]


def offset(server: Server) -> int:
    return int(server.info("replication")["master_repl_offset"])


def is_up(replica: Server) -> bool:
    return bool(replica.info("replication").get("master_link_status") == "up")


def is_online(primary: Server) -> bool:
    replica = primary.info("replication").get("slave0")
    return isinstance(replica, dict) and replica["state"] == "online"


def wait_caught_up(primary: Server, *replicas: Server) -> None:
    """Until every replica is connected, at its primary's offset, and of its history."""

    def same() -> bool:
        top = primary.info("replication")
        others = [replica.info("replication") for replica in replicas]
        return all(
            other["master_link_status"] == "up"
            and other["master_repl_offset"] == top["master_repl_offset"]
            and other["master_replid"] == top["master_replid"]
            for other in others
        )

    wait_until(same, what="replicas at the primary's offset")


def assert_same_data(primary: Server, *replicas: Server) -> None:
    wait_caught_up(primary, *replicas)
    lives_until_ms = int(time.time() * 1000) + LIFE_MS
    expected = contents(primary, lives_until_ms)
    for replica in replicas:
        assert contents(replica, lives_until_ms) == expected


def resyncs(server: Server) -> tuple[int, int]:
    stats = server.info("stats")
    return stats["sync_full"], stats["sync_partial_ok"]


PAIRS = [("ours", "redis"), ("redis", "ours"), ("ours", "ours")]


@pytest.mark.parametrize(("above", "below"), PAIRS)
@pytest.mark.parametrize("diskless", [True, False])
def test_full_then_stream(stack: ExitStack, above: str, below: str, diskless: bool) -> None:
    """A replica has the primary's data, written before, during and after its snapshot."""
    primary = start(stack, above, repl_diskless_sync=diskless)
    client = primary.client()
    write_some(client, 1)
    replica = start(stack, below)
    follow(replica, primary)
    write_some(client, 2)
    wait_until(lambda: is_up(replica), what="link up")
    write_some(client, 3)
    assert_same_data(primary, replica)
    assert resyncs(primary)[0] == 1


@pytest.mark.parametrize(("above", "below"), PAIRS)
def test_writes_during_the_snapshot(stack: ExitStack, above: str, below: str) -> None:
    """A snapshot of tens of thousands of keys is of one instant although all are being overwritten."""
    primary = start(stack, above)
    client = primary.client()
    client.mset({f"key:{n}": "old" for n in range(20_000)})
    client.sadd("members", *range(5_000))
    replica = start(stack, below)
    done = threading.Event()

    def overwrite() -> None:
        writer = primary.client()
        rng = random.Random(9)
        while not done.is_set():
            pipe = writer.pipeline(transaction=False)
            for n in rng.sample(range(20_000), 200):
                pipe.append(f"key:{n}", "+")
                pipe.spop("members")
                pipe.delete(f"key:{n * 7 % 20_000}")
                pipe.incr("count")
            pipe.execute()

    thread = threading.Thread(target=overwrite)
    thread.start()
    try:
        follow(replica, primary)
        wait_until(lambda: is_up(replica), what="link up")
    finally:
        done.set()
        thread.join()
    wait_caught_up(primary, replica)
    keys = [f"key:{n}" for n in range(20_000)] + ["count"]
    assert replica.client().mget(keys) == client.mget(keys)
    assert replica.client().smembers("members") == client.smembers("members")
    assert resyncs(primary) == (1, 0)


@pytest.mark.parametrize(("above", "below"), PAIRS)
def test_continues_after_a_cut_connection(stack: ExitStack, above: str, below: str) -> None:
    """A replica whose connection was cut goes on where it stopped, without another snapshot."""
    primary = start(stack, above, repl_backlog_size="1mb")
    replica = start(stack, below)
    follow(replica, primary)
    client = primary.client()
    write_some(client, 1)
    wait_caught_up(primary, replica)
    for seed in range(2, 5):
        write_some(client, seed)
        assert primary.command("CLIENT", "KILL", "TYPE", "replica") == 1
        write_some(client, seed * 10)
        wait_caught_up(primary, replica)
    assert_same_data(primary, replica)
    assert resyncs(primary) == (1, 3)


@pytest.mark.parametrize(("above", "below"), PAIRS)
def test_starts_over_when_the_backlog_is_too_short(stack: ExitStack, above: str, below: str) -> None:
    """What was written meanwhile exceeds the backlog, so the replica takes a new snapshot."""
    primary = start(stack, above, repl_backlog_size="16kb")
    replica = start(stack, below)
    follow(replica, primary)
    client = primary.client()
    wait_caught_up(primary, replica)
    replica.command("REPLICAOF", "127.0.0.1", 1)
    wait_until(lambda: not is_up(replica), what="link down")
    client.set("big", b"x" * 100_000)
    write_some(client, 1)
    follow(replica, primary)
    assert_same_data(primary, replica)
    assert resyncs(primary) == (2, 0)


@pytest.mark.parametrize(
    ("top", "middle", "bottom"),
    [("redis", "ours", "redis"), ("ours", "redis", "ours"), ("ours", "ours", "ours")],
)
def test_chain(stack: ExitStack, top: str, middle: str, bottom: str) -> None:
    """A replica of a replica has the top's data, offset and history."""
    first, second, third = (start(stack, kind) for kind in (top, middle, bottom))
    client = first.client()
    write_some(client, 1)
    follow(second, first)
    follow(third, second)
    write_some(client, 2)
    wait_caught_up(first, second, third)
    write_some(client, 3)
    assert_same_data(first, second, third)


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [
        ("redis", "ours", "redis"),
        ("ours", "redis", "ours"),
        ("redis", "redis", "ours"),
        ("ours", "ours", "ours"),
        ("ours", "ours", "redis"),
    ],
)
def test_continues_after_a_promotion(stack: ExitStack, old: str, new: str, other: str) -> None:
    """After a failover the other replica, and the old primary, continue from the promoted one."""
    primary, heir, sibling = (start(stack, kind) for kind in (old, new, other))
    client = primary.client()
    write_some(client, 1)
    follow(heir, primary)
    follow(sibling, primary)
    wait_caught_up(primary, heir, sibling)
    write_some(client, 2)
    wait_caught_up(primary, heir, sibling)
    heir.command("REPLICAOF", "NO", "ONE")
    follow(sibling, heir)
    follow(primary, heir)
    write_some(heir.client(), 3)
    assert_same_data(heir, sibling, primary)
    assert resyncs(heir) == (0, 2)
    assert heir.info("replication")["second_repl_offset"] > 0


@pytest.mark.parametrize(("above", "below"), PAIRS)
def test_continues_after_a_restart(stack: ExitStack, above: str, below: str) -> None:
    """A replica that saved and restarted continues from the offset in its file."""
    primary = start(stack, above)
    replica = start(stack, below, replicaof=f"{primary.host} {primary.port}".split())
    client = primary.client()
    write_some(client, 1)
    wait_caught_up(primary, replica)
    replica.command("SAVE")
    replica.kill()
    write_some(client, 2)
    replica.start_again()
    assert_same_data(primary, replica)
    assert resyncs(primary) == (1, 1)


@pytest.mark.parametrize(("above", "below"), PAIRS)
def test_planned_failover(stack: ExitStack, above: str, below: str) -> None:
    """FAILOVER changes the roles of a primary and its replica without loss and without a snapshot."""
    primary = start(stack, above)
    replica = start(stack, below)
    follow(replica, primary)
    write_some(primary.client(), 1)
    wait_until(lambda: is_online(primary), what="the replica on line")
    primary.command("FAILOVER", "TO", replica.host, replica.port, "TIMEOUT", 10_000)
    wait_until(lambda: replica.info("replication")["role"] == "master", what="promotion")
    wait_until(lambda: is_up(primary), what="the old primary as a replica")
    write_some(replica.client(), 2)
    assert_same_data(replica, primary)
    assert resyncs(replica) == (0, 1)
    assert primary.info("replication")["master_failover_state"] == "no-failover"


@pytest.mark.parametrize(("above", "below"), PAIRS)
def test_passwords_and_wait(stack: ExitStack, above: str, below: str) -> None:
    """With masterauth the link comes up, and WAIT counts the replica that has the write."""
    primary = start(stack, above, requirepass="secret")
    replica = start(stack, below, masterauth="wrong")
    follow(replica, primary)
    client = primary.client()
    assert client.wait(1, 300) == 0
    replica.command("CONFIG", "SET", "masterauth", "secret")
    client.set("key", "value")
    assert wait_until(lambda: client.wait(1, 1000), what="an acknowledgement") == 1
    assert replica.command("GET", "key") == b"value"


def test_info_and_role_look_alike(stack: ExitStack) -> None:
    """INFO replication has Redis's fields in Redis's order, on a primary and on a replica, as has ROLE."""
    shown: list[tuple[list[str], list[str], int, int]] = []
    for kind in KINDS:
        primary, replica = start(stack, kind), start(stack, kind, min_replicas_to_write=0)
        follow(replica, primary)
        wait_until(lambda node=primary: is_online(node), what="the replica on line")
        names = [list(node.info("replication")) for node in (primary, replica)]
        shown.append((*names, len(primary.command("ROLE")), len(replica.command("ROLE"))))
    assert shown[0] == shown[1]


@pytest.mark.parametrize(("above", "below"), [("redis", "redis"), *PAIRS])
def test_bytes_of_replication_are_counted(stack: ExitStack, above: str, below: str) -> None:
    """What a primary sends its replicas, and a replica is sent, is told apart and in the totals, as Redis counts it."""
    primary, replica = start(stack, above), start(stack, below)
    rng, client = random.Random(7), primary.client()
    client.set("snapshot", rng.randbytes(100_000))
    follow(replica, primary)
    wait_until(lambda: is_online(primary), what="the replica on line")
    client.set("stream", rng.randbytes(100_000))
    wait_caught_up(primary, replica)
    sent, received = primary.info("stats"), replica.info("stats")
    assert sent["total_net_repl_input_bytes"] == received["total_net_repl_output_bytes"] == 0
    bytes_out, bytes_in = sent["total_net_repl_output_bytes"], received["total_net_repl_input_bytes"]
    assert 200_000 < bytes_in <= bytes_out < 201_000
    assert sent["total_net_output_bytes"] > bytes_out
    assert received["total_net_input_bytes"] > bytes_in

    def rates() -> bool:
        client.set("stream", rng.randbytes(10_000))
        out, into = primary.info("stats"), replica.info("stats")
        return min(out["instantaneous_output_repl_kbps"], into["instantaneous_input_repl_kbps"]) > 1

    wait_until(rates, what="rates of replication")
    for node, name in ((primary, "total_net_repl_output_bytes"), (replica, "total_net_repl_input_bytes")):
        node.command("CONFIG", "RESETSTAT")
        assert node.info("stats")[name] < bytes_in


def test_a_copy_by_redis_cli(stack: ExitStack, tmp_path: Path) -> None:
    """redis-cli --rdb takes a copy of our data that a Redis server starts from."""
    node = start(stack, "ours")
    write_some(node.client(), 5)
    copy = tmp_path / "dump.rdb"
    command = [require_peer("redis-cli"), "-h", node.host, "-p", str(node.port), "--rdb", str(copy)]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    other = stack.enter_context(start_redis(folder=tmp_path))
    lives_until_ms = int(time.time() * 1000) + LIFE_MS
    assert contents(other, lives_until_ms) == contents(node, lives_until_ms)
