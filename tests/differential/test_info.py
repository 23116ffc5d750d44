"""INFO's fields on us and on a real server: dashboards and exporters look for each of them."""

from __future__ import annotations

from contextlib import ExitStack

from support import Server, start_kvserver, start_redis, wait_until

from differential.peers import Peer

FREE = ("cmdstat_", "errorstat_", "latency_percentiles_", "db0")
"""Fields that depend on what has happened, not on the version."""


def fields(server: Server) -> set[str]:
    """Section and name of all fields."""
    peer = Peer(server.port, 2)
    text: bytes = peer.run([[b"INFO", b"everything"]])[0]
    peer.close()
    found, section = set(), ""
    for line in text.decode().splitlines():
        if line.startswith("# "):
            section = line[2:]
        elif ":" in line and not line.startswith(FREE):
            found.add(f"{section}: {line.partition(':')[0]}")
    return found


def test_every_field_of_redis_is_there() -> None:
    """Whatever field Redis 7.0 shows we show too: at rest, with a replica, as a replica, with the link down."""
    with ExitStack() as stack:
        pair = [
            stack.enter_context(start(maxmemory="100mb", appendonly=True)) for start in (start_kvserver, start_redis)
        ]
        followers = [stack.enter_context(start(port=None)) for start in (start_kvserver, start_redis)]
        primary = stack.enter_context(start_redis())
        ours, theirs = pair
        assert fields(theirs) - fields(ours) == set()
        for follower, leader in zip(followers, pair, strict=True):
            follower.command("REPLICAOF", leader.host, leader.port)
            wait_until(lambda leader=leader: leader.info("replication").get("slave0", {}).get("state") == "online")
        for server in pair:
            server.client().execute_command("CLIENT", "TRACKING", "ON", "BCAST")
            server.command("CONFIG", "SET", "min-replicas-to-write", 1)
        assert fields(theirs) - fields(ours) == set()
        assert fields(followers[1]) - fields(followers[0]) == set()
        for server in pair:
            server.command("CONFIG", "SET", "min-replicas-to-write", 0)
            server.command("REPLICAOF", primary.host, primary.port)
            wait_until(lambda server=server: server.info("replication")["master_link_status"] == "up")
        assert fields(theirs) - fields(ours) == set()
        primary.stop()
        for server in pair:
            wait_until(lambda server=server: server.info("replication")["master_link_status"] == "down")
        assert fields(theirs) - fields(ours) == set()


def test_expiry_is_measured() -> None:
    """What the expiry cycle did is counted, and CONFIG RESETSTAT forgets it."""
    with start_kvserver(enable_debug_command="yes") as node:
        client = node.client()
        client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        pipeline = client.pipeline()
        for i in range(20_000):
            pipeline.set(f"k{i}", "v", px=1)
        pipeline.execute()
        client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        wait_until(lambda: client.dbsize() == 0)
        stats = client.info("stats")
        assert stats["expired_keys"] == 20_000
        assert stats["expired_stale_perc"] > 0
        assert stats["expired_time_cap_reached_count"] > 0
        assert stats["expire_cycle_cpu_milliseconds"] > 0
        client.config_resetstat()
        stats = client.info("stats")
        assert stats["expired_time_cap_reached_count"] == 0


def test_a_limit_that_is_exceeded_is_timed() -> None:
    """As long as more is in use than maxmemory and nothing may be evicted, the time is told, and it counts."""
    with start_kvserver(maxmemory="100kb") as node:
        client = node.client()
        wait_until(lambda: client.info("stats")["current_eviction_exceeded_time"] > 0)
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory", "1gb")
        wait_until(lambda: client.info("stats")["current_eviction_exceeded_time"] == 0)
        assert client.info("stats")["total_eviction_exceeded_time"] > 0
