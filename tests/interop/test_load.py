"""A replica ends with its primary's very data, whoever the two are, under a load of writes on all types."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support import Server, start_kvserver, start_redis, wait_until
from support.content import details, functions
from support.load import Background, write

FAST = {
    "repl_diskless_sync_delay": 0, "repl_ping_replica_period": 1, "repl_timeout": 20, "enable_debug_command": "local",
    "repl_backlog_size": "64mb",
}  # fmt: skip
KINDS: dict[str, Callable[..., Server]] = {"redis": start_redis, "ours": start_kvserver}
FILLER_KEYS = 20_000
LIFE_S = 1000


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def replication(server: Server) -> dict[str, Any]:
    return server.info("replication")


def answered(load: Background) -> int:
    return sum(client.answered for client in load.clients)


def wait_for_more(load: Background, count: int = 800) -> None:
    """Until the load has had so many more answers."""
    enough = answered(load) + count
    wait_until(lambda: answered(load) > enough, what="the load goes on")


def wait_for_link(primary: Server, replica: Server, partial_resyncs: int) -> None:
    def on_line() -> bool:
        seen = replication(primary).get("slave0")
        return isinstance(seen, dict) and seen["state"] == "online" and resyncs(primary)[1] == partial_resyncs

    wait_until(lambda: on_line() and replication(replica)["master_link_status"] == "up", what="the replica on line")


def wait_until_settled(primary: Server, replica: Server) -> None:
    """Until nothing is left that soon expires, and the replica is where its primary is."""
    soon_ms = (time.time() + LIFE_S) * 1000

    def settled() -> bool:
        offset = replication(primary)["master_repl_offset"]
        return (
            all(expires_ms == -1 or expires_ms > soon_ms for _, expires_ms, _ in details(primary).values())
            and offset == replication(primary)["master_repl_offset"] == replication(replica)["master_repl_offset"]
        )

    wait_until(settled, what="the replica at the primary's offset")


def resyncs(server: Server) -> tuple[int, int]:
    stats = server.info("stats")
    return stats["sync_full"], stats["sync_partial_ok"]


@pytest.mark.parametrize(("above", "below"), [("redis", "ours"), ("ours", "redis"), ("ours", "ours")])
def test_equal_digests(stack: ExitStack, above: str, below: str) -> None:
    """All types, scripts, functions, several databases: equal after a full resynchronization and two partial ones."""
    follow_under_load(stack, above, below, seed=7)


def follow_under_load(stack: ExitStack, above: str, below: str, seed: int) -> None:
    """The load runs before, during and after the full synchronization, and through two cuts."""
    primary, replica = (stack.enter_context(KINDS[kind](**FAST)) for kind in (above, below))
    primary.command("DEBUG", "POPULATE", FILLER_KEYS, "filler", 100)
    write(primary, seed, batches=150)
    with Background(primary, seed) as load:
        wait_for_more(load, 300)
        replica.command("REPLICAOF", primary.host, primary.port)
        wait_for_link(primary, replica, 0)
        for cut in (1, 2):
            wait_for_more(load)
            primary.command("FLUSHALL")  # not before: Redis begins another snapshot then
            wait_for_more(load)
            assert primary.command("CLIENT", "KILL", "TYPE", "replica") == 1
            wait_for_link(primary, replica, cut)
        wait_for_more(load)
    refused = sum(client.refused for client in load.clients)
    assert refused < answered(load) / 2, "most of the load is to be accepted"
    wait_until_settled(primary, replica)
    assert details(replica) == details(primary)
    assert replica.command("DEBUG", "DIGEST") == primary.command("DEBUG", "DIGEST")
    assert functions(replica) == functions(primary)
    assert resyncs(primary) == (1, 2)
    assert "failed here" not in replica.log_text()


if __name__ == "__main__":  # with another seed and pair: python tests/interop/test_load.py ours redis 12
    import sys

    began = time.monotonic()
    with ExitStack() as opened:
        follow_under_load(opened, sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print(f"equal ({time.monotonic() - began:.1f} s)")
