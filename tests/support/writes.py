"""A mixed load of writes, for servers that are compared afterwards."""

from __future__ import annotations

import random
from typing import Any

import redis


def write_some(client: redis.Redis, seed: int, count: int = 400) -> None:
    """A mixed load, the same for the same seed; errors (a wrong type, say) are part of it."""
    rng = random.Random(seed)
    pipe = client.pipeline(transaction=False)
    for _ in range(count):
        pipe.execute_command(*_command(rng))
    pipe.execute(raise_on_error=False)
    with client.pipeline(transaction=True) as unit:
        unit.incr("counter:units")
        unit.set(f"unit:{seed}", "x" * rng.randrange(200))
        unit.execute()


def _command(rng: random.Random) -> tuple[Any, ...]:
    return _stream_command(rng) if rng.random() < 0.2 else _plain_command(rng)


def _stream_command(rng: random.Random) -> tuple[Any, ...]:
    x, group, consumer = f"x{rng.randrange(4)}", f"g{rng.randrange(2)}", f"c{rng.randrange(3)}"
    choices: list[tuple[Any, ...]] = [
        ("XADD", x, "*", "f", rng.randrange(100)),
        ("XADD", x, "*", "f", rng.randrange(100), "g", rng.randbytes(8)),
        ("XADD", x, "MAXLEN", "~", 150, "*", "h", 1),
        ("XADD", x, "MAXLEN", 40, "*", "h", 1),
        ("XTRIM", x, "MAXLEN", "~", 10),
        ("XGROUP", "CREATE", x, group, "0", "MKSTREAM"),
        ("XGROUP", "SETID", x, group, "$"),
        ("XGROUP", "CREATECONSUMER", x, group, consumer),
        ("XREADGROUP", "GROUP", group, consumer, "COUNT", 3, "STREAMS", x, ">"),
        ("XREADGROUP", "GROUP", group, consumer, "NOACK", "COUNT", 2, "STREAMS", x, ">"),
        ("XAUTOCLAIM", x, group, consumer, 0, "-", "COUNT", 2),
        ("XGROUP", "DELCONSUMER", x, group, consumer),
        ("XSETID", x, "99999999999999-5") if rng.random() < 0.05 else ("XLEN", x),
    ]
    return rng.choice(choices)


def _plain_command(rng: random.Random) -> tuple[Any, ...]:
    s, t = f"s{rng.randrange(40)}", f"s{rng.randrange(40)}"
    n, blob = rng.randrange(-1000, 1000), rng.randbytes(rng.randrange(60))
    choices: list[tuple[Any, ...]] = [
        ("SET", s, blob),
        ("SET", s, blob, "PX", rng.randrange(50, 100_000)),
        ("SET", s, blob, "EX", 100, "GET"),
        ("SETEX", s, 500, blob),
        ("APPEND", s, blob),
        ("SETRANGE", s, rng.randrange(40), blob),
        ("INCRBY", f"n{rng.randrange(5)}", n),
        ("INCRBYFLOAT", f"f{rng.randrange(5)}", n / 7),
        ("MSET", s, blob, t, blob),
        ("GETDEL", s),
        ("GETEX", s, "EX", 300),
        ("PEXPIRE", s, rng.randrange(1, 200_000)),
        ("EXPIRE", t, 1000, "NX"),
        ("PERSIST", s),
        ("DEL", s, t),
        ("UNLINK", s),
        ("RENAME", s, t),
        ("COPY", s, t, "REPLACE"),
        ("MOVE", s, 3),
        ("SWAPDB", 4, 5),
        ("RPUSH", f"l{n % 7}", blob, n),
        ("LPUSH", f"l{n % 7}", blob, *range(n % 40)),
        ("RPOP", f"l{n % 7}", 2),
        ("LINSERT", f"l{n % 7}", "BEFORE", 3, blob),
        ("LTRIM", f"l{n % 7}", 0, 60),
        ("LMOVE", f"l{n % 7}", f"l{n % 5}", "LEFT", "RIGHT"),
        ("HSET", f"h{n % 7}", n % 150, blob, "f", n),
        ("HINCRBY", f"h{n % 7}", "f", n),
        ("HINCRBYFLOAT", f"h{n % 7}", "g", n / 7),
        ("HDEL", f"h{n % 7}", n % 50),
        ("SADD", f"e{n % 7}", n, n * 3, n % 10),
        ("SADD", f"e{n % 3}", blob),
        ("SPOP", f"e{n % 7}", n % 4 + 1),
        ("SMOVE", f"e{n % 7}", f"e{n % 5}", n % 10),
        ("SUNIONSTORE", f"e{n % 7}", f"e{n % 5}", f"e{n % 3}"),
        ("ZADD", f"z{n % 7}", n / 3, blob, n, n),
        ("ZADD", f"z{n % 7}", "GT", "CH", n, n % 10),
        ("ZINCRBY", f"z{n % 7}", n / 7, n % 10),
        ("ZPOPMIN", f"z{n % 7}"),
        ("ZREMRANGEBYRANK", f"z{n % 7}", 0, 1),
        ("ZUNIONSTORE", f"z{n % 7}", 2, f"z{n % 5}", f"z{n % 3}"),
        ("SETBIT", f"b{n % 5}", rng.randrange(500), n % 2),
        ("BITOP", "XOR", f"b{n % 5}", f"b{n % 4}", f"b{n % 3}"),
        ("BITFIELD", f"b{n % 5}", "INCRBY", "u5", "#7", n, "SET", "i9", 3, n % 200),
        ("PFADD", f"p{n % 4}", n, blob),
        ("PFCOUNT", f"p{n % 4}"),
        ("PFMERGE", f"p{n % 4}", f"p{n % 3}"),
        ("GEOADD", f"z{n % 7}", n % 180, n % 85, blob),
        ("GEOSEARCHSTORE", f"z{n % 7}", f"z{n % 5}", "FROMLONLAT", 1, 1, "BYRADIUS", 3000, "km"),
        ("SORT", f"e{n % 7}", "ALPHA", "STORE", f"l{n % 7}"),
        ("SELECT", rng.choice([0, 0, 0, 3, 4, 5])),
    ]
    return rng.choice(choices)
