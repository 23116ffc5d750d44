"""A data set with every type in its small and its large form, and how a server shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def fill(client: Any) -> None:
    """Every type, in its small and its large form, in two databases, with times to live and a library."""
    for db in (0, 7):
        client.select(db)
        pipe = client.pipeline(transaction=False)
        pipe.mset({"s": "text", "n": 12, "binary\r\n\0": b"\xff\r\n\0", "empty": ""})
        pipe.append("s", " more")
        for size in (3, 700):
            pipe.rpush(f"list:{size}", *range(size))
            pipe.sadd(f"ints:{size}", *range(size))
            pipe.sadd(f"words:{size}", *[f"w{i}" for i in range(size)])
            pipe.hset(f"hash:{size}", mapping={f"f{i}": f"v{i}" for i in range(size)})
            pipe.zadd(f"zset:{size}", {f"m{i}": i / 3 for i in range(size)})
        pipe.zadd("infinite", {"low": "-inf", "high": "+inf", "tiny": 5e-324})
        pipe.set("lives", 1, ex=5000)
        pipe.pexpire("hash:3", 7_000_000)
        for i in range(150):
            pipe.xadd("stream", {"field": i, "other": "x" * (i % 7)}, id=f"{i + 1}-1")
        pipe.xdel("stream", "150-1", "7-1")
        pipe.xgroup_create("stream", "readers", "0")
        pipe.xreadgroup("readers", "ann", {"stream": ">"}, count=20)
        pipe.xreadgroup("readers", "bob", {"stream": ">"}, count=3)
        pipe.xack("stream", "readers", "1-1", "2-1")
        pipe.xgroup_createconsumer("stream", "readers", "idle")
        pipe.xadd("bare", {"a": 1}, id="5-5")
        pipe.xdel("bare", "5-5")
        pipe.execute()
    client.function_load("#!lua name=lib\nredis.register_function('one', function() return 1 end)", replace=True)
    client.select(0)


def shown(client: Any) -> dict[str, Any]:
    """What `fill` made, as a server tells it."""
    out: dict[str, Any] = {}
    for db in (0, 7):
        client.select(db)
        for key in sorted(client.keys("*")):
            kind = client.type(key)
            read: Callable[[], Any] = {
                b"string": lambda key=key: client.get(key),
                b"list": lambda key=key: client.lrange(key, 0, -1),
                b"set": lambda key=key: sorted(client.smembers(key)),
                b"hash": lambda key=key: sorted(client.hgetall(key).items()),
                b"zset": lambda key=key: client.zrange(key, 0, -1, withscores=True),
                b"stream": lambda key=key: stream(client, key),
            }[kind]
            out[f"{db}:{key!r}"] = (kind, read(), client.execute_command("PEXPIRETIME", key))
    client.select(0)
    out["functions"] = client.execute_command("FCALL", "one", 0)
    return out


def stream(client: Any, key: bytes) -> Any:
    """A stream with its counters, groups, and what is pending for whom how often."""
    about = client.xinfo_stream(key)
    counters = [about[name] for name in ("length", "last-generated-id", "max-deleted-entry-id", "entries-added")]
    groups = [(g["name"], g["pending"], g["last-delivered-id"], g["entries-read"]) for g in client.xinfo_groups(key)]
    pending = [
        (entry["message_id"], entry["consumer"], entry["times_delivered"])
        for group in groups
        for entry in client.xpending_range(key, group[0], "-", "+", 1000)
    ]
    consumers = [sorted(c["name"] for c in client.xinfo_consumers(key, group[0])) for group in groups]
    return client.xrange(key), counters, groups, pending, consumers
