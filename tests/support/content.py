"""What a server holds, in full: more than its digest tells."""

from __future__ import annotations

from typing import Any

from support.load import DATABASES
from support.servers import Server


def details(server: Server) -> dict[tuple[int, bytes], Any]:
    """Of each key what the digest tells, and what it leaves out: the time of expiry, a stream's groups."""
    found: dict[tuple[int, bytes], Any] = {}
    for db in range(DATABASES):
        client = server.client(db=db)
        for key in client.scan_iter(count=5000):
            if key.startswith(b"filler:"):
                continue
            stream = client.type(key) == b"stream"
            digest = client.execute_command("DEBUG", "DIGEST-VALUE", key)
            found[db, key] = (digest, client.pexpiretime(key), groups(client, key) if stream else None)
        client.close()
    return found


def groups(client: Any, key: bytes) -> list[Any]:
    """A stream's counters and groups, but what Redis 7.0 keeps from its replicas: when a consumer was last seen, and
    how many entries a group has read."""
    info = client.xinfo_stream(key)
    names = ("length", "last-generated-id", "max-deleted-entry-id", "entries-added", "recorded-first-entry-id")
    told: list[Any] = [info[name] for name in names]
    for group in client.xinfo_groups(key):
        name = group["name"]
        consumers = sorted((c["name"], c["pending"]) for c in client.xinfo_consumers(key, name))
        pending = [
            (p["message_id"], p["consumer"], p["times_delivered"])
            for p in client.xpending_range(key, name, "-", "+", 100_000)
        ]
        told.append((name, group["last-delivered-id"], consumers, pending))
    return told


def functions(server: Server) -> list[Any]:
    """The libraries' names and code."""
    libraries: list[Any] = server.client(decode_responses=True).execute_command("FUNCTION", "LIST", "WITHCODE")
    return sorted((library[1], library[-1]) for library in libraries)
