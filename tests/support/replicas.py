"""A primary and its replica, both ours, and what they say of each other."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from support.servers import Server, start_kvserver
from support.waiting import wait_until

FAST = {"repl_diskless_sync_delay": 0, "repl_ping_replica_period": 1, "repl_timeout": 10}


def start(stack: ExitStack, **options: Any) -> Server:
    """Start a node that synchronizes at once; `stack` ends it."""
    return stack.enter_context(start_kvserver(**{**FAST, **options}))


def pair(stack: ExitStack, **options: Any) -> tuple[Server, Server]:
    """Start a primary and its replica; return them once the replica is on line."""
    primary = start(stack, **options)
    replica = start(stack, replicaof=[primary.host, primary.port], **options)
    wait_until(lambda: state_of(primary) == "online", what="the replica on line")
    return primary, replica


def state_of(primary: Server) -> str:
    """The state of a primary's first replica as INFO tells it, "" without one."""
    replica = primary.info("replication").get("slave0", {})
    return str(replica.get("state", ""))


def field(server: Server, name: str) -> Any:
    """A field of INFO replication."""
    return server.info("replication").get(name)
