"""How keys are used goes with them from server to server, in RDB files and in RESTORE."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from support import require_peer, start_kvserver, start_redis, wait_until
from support.servers import Server

TOLD = {"allkeys-lfu": ("FREQ", 200), "volatile-lru": ("IDLETIME", 5000)}


def told(server: Server, what: str, key: str) -> int:
    return int(server.command("OBJECT", what, key))


@pytest.mark.parametrize("policy", sorted(TOLD))
@pytest.mark.parametrize("ours_first", [True, False])
def test_a_file_carries_use(policy: str, ours_first: bool) -> None:
    """Frequency and idle time of strings and aggregates survive SAVE by one server and a start of the other."""
    require_peer("redis-server")
    what, number = TOLD[policy]
    writer, reader = (start_kvserver, start_redis) if ours_first else (start_redis, start_kvserver)
    with writer(maxmemory_policy=policy) as one:
        client = one.client()
        client.set("string", "x" * 100)
        client.rpush("list", *range(1000))
        for key in ("string", "list"):
            payload = client.dump(key)
            client.execute_command("RESTORE", "copy:" + key, 10**8, payload, what, number)
        client.execute_command("SAVE")
        with reader(maxmemory_policy=policy, wait=False) as other:
            other.stop()
            shutil.copy(one.folder / "dump.rdb", other.folder / "dump.rdb")
            other.start_again()
            for key in ("copy:string", "copy:list"):
                assert number - 5 <= told(other, what, key) <= number + 120
            assert told(other, what, "string") < number // 2


@pytest.mark.parametrize("policy", sorted(TOLD))
@pytest.mark.parametrize("primary", [start_kvserver, start_redis])
def test_a_replica_knows_how_keys_are_used(policy: str, primary: Callable[..., Server]) -> None:
    """A full synchronization carries frequency and idle time from a primary of either kind to our replica."""
    what, number = TOLD[policy]
    with primary(maxmemory_policy=policy, repl_diskless_sync_delay=0) as one:
        client = one.client()
        client.set("string", "x" * 100)
        client.execute_command("RESTORE", "copy", 0, client.dump("string"), what, number)
        with start_kvserver(maxmemory_policy=policy, replicaof=[one.host, one.port]) as replica:
            wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
            assert number - 5 <= told(replica, what, "copy") <= number + 120
            assert told(replica, what, "string") < number // 2
