"""maxmemory through real connections: keys are evicted, replicas follow, writes are refused, clients cut off."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis
from support import Server, start_kvserver, wait_until

SMALL = 400_000
"""Bytes that the data set may grow in these tests."""


@pytest.fixture
def node() -> Iterator[Server]:
    with start_kvserver() as server:
        yield server


def used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def fill(client: redis.Redis, count: int, ttl_s: int | None = None, name: str = "k") -> int:
    """Write keys one by one; return how many were refused for want of memory."""
    refused = 0
    for i in range(count):
        try:
            client.set(f"{name}{i}", "x" * 500, ex=ttl_s)
        except redis.exceptions.OutOfMemoryError:
            refused += 1
    return refused


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_the_limit_is_kept_by_evicting(node: Server, policy: str) -> None:
    """Five times as much as fits is written: nothing is refused, and the memory in use stays at the limit."""
    client = node.client()
    limit = used(client) + SMALL
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", limit)
    assert fill(client, 3000) == 0
    wait_until(lambda: used(client) < limit + 100_000)
    told = client.info()  # both numbers at one time: eviction may go on
    assert told["evicted_keys"] > 1000
    assert told["db0"]["keys"] == 3000 - told["evicted_keys"]
    assert told["db0"]["keys"] > 100


def test_volatile_policies_keep_what_does_not_expire(node: Server) -> None:
    """Keys without an expiry time all stay, and writes are refused when only such are left."""
    client = node.client()
    assert fill(client, 200, name="forever") == 0
    limit = used(client) + SMALL
    client.config_set("maxmemory-policy", "volatile-ttl")
    client.config_set("maxmemory", limit)
    assert fill(client, 2000, ttl_s=1000) == 0
    assert client.exists(*(f"forever{i}" for i in range(200))) == 200
    assert fill(client, 2000, name="more") > 0
    assert not [key for key in client.scan_iter("k*") if client.ttl(key) < 0]


def test_noeviction_refuses_writes_and_serves_reads(node: Server) -> None:
    """Above the limit writes get Redis's error, in and out of MULTI; reads and deletes go on, and help."""
    client = node.client()
    client.set("k", "v")
    client.config_set("maxmemory", 1)
    with pytest.raises(redis.ResponseError, match=r"command not allowed when used memory > 'maxmemory'\."):
        client.set("k", "w")
    assert client.get("k") == b"v"
    assert client.delete("k") == 1
    client.config_set("maxmemory", 0)
    assert client.set("k", "w")


def test_a_replica_follows_evictions(node: Server) -> None:
    """Evictions reach a replica as deletes, and it evicts nothing of its own."""
    with start_kvserver() as copy:
        client, other = node.client(), copy.client()
        client.config_set("repl-backlog-size", 16384)  # it counts, too
        other.config_set("maxmemory", 1)
        other.replicaof("127.0.0.1", node.port)
        wait_until(lambda: other.info("replication").get("master_link_status") == "up")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", used(client) + SMALL)
        assert fill(client, 2000) == 0
        client.config_set("maxmemory", 0)
        wait_until(lambda: other.dbsize() == client.dbsize() < 2000)
        assert other.info("stats")["evicted_keys"] == 0


def test_idle_time_and_frequency(node: Server) -> None:
    """Each policy tells what it tracks and refuses the rest, as Redis does where it doesn't track."""
    client = node.client()
    client.set("k", "v")
    with pytest.raises(redis.ResponseError, match="LRU maxmemory policy is not selected"):
        client.object("idletime", "k")
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.set("k", "v")
    assert client.object("idletime", "k") in (0, 1)
    with pytest.raises(redis.ResponseError, match="LFU maxmemory policy is not selected"):
        client.object("freq", "k")
    client.config_set("maxmemory-policy", "allkeys-lfu")
    client.set("k", "v")
    assert client.object("freq", "k") >= 5
    with pytest.raises(redis.ResponseError, match="idle time not tracked"):
        client.object("idletime", "k")


def test_the_largest_clients_are_cut_off(node: Server) -> None:
    """maxmemory-clients ends a client with a large unfinished request, and spares one that asked for it."""
    client = node.client(single_connection_client=True)
    client.execute_command("CLIENT", "NO-EVICT", "ON")
    client.config_set("maxmemory-clients", 1_000_000)
    with socket.create_connection(("127.0.0.1", node.port), 10) as large:
        with suppress(OSError):
            large.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000000\r\n" + b"x" * 4_000_000)
        wait_until(lambda: client.info("stats")["evicted_clients"] == 1)
    assert client.ping()
