"""Keyspace notifications, compared with a real server's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import Server, start_kvserver, start_redis

COMMANDS = (
    ("SET", "a", "1"), ("SETEX", "b", "100", "x"), ("INCR", "a"), ("APPEND", "a", "x"), ("SETRANGE", "a", "0", "y"),
    ("GETSET", "a", "z"), ("GETEX", "a", "EX", "100"), ("PERSIST", "a"), ("EXPIRE", "a", "100"), ("EXPIRE", "a", "-1"),
    ("GET", "missing"), ("MSET", "c", "1", "d", "2"), ("RENAME", "c", "e"), ("COPY", "e", "f"), ("DEL", "e", "f"),
    ("GETDEL", "d"), ("SET", "g", "1", "PX", "100000"), ("MOVE", "b", "2"), ("UNLINK", "g"),
    ("INCRBYFLOAT", "h", "1.5"),
    ("RPUSH", "l", "a", "b", "c"), ("LPOP", "l"), ("LSET", "l", "0", "x"), ("LTRIM", "l", "0", "0"), ("RPOP", "l"),
    ("LPUSH", "l", "1"), ("LMOVE", "l", "m", "LEFT", "RIGHT"), ("LINSERT", "m", "BEFORE", "1", "0"),
    ("LREM", "m", "0", "0"),
    ("SADD", "s", "a", "b"), ("SREM", "s", "a"), ("SMOVE", "s", "t", "b"), ("SPOP", "t"), ("SADD", "u", "1", "2"),
    ("SINTERSTORE", "v", "u", "u"), ("SDIFFSTORE", "v", "u", "u"),
    ("HSET", "h1", "f", "1"), ("HINCRBY", "h1", "f", "2"), ("HDEL", "h1", "f"), ("HSETNX", "h1", "g", "1"),
    ("ZADD", "z", "1", "a", "2", "b"), ("ZINCRBY", "z", "1", "a"), ("ZREM", "z", "a"), ("ZPOPMIN", "z"),
    ("ZADD", "z", "1", "a", "2", "b"), ("ZRANGESTORE", "y", "z", "0", "-1"), ("ZUNIONSTORE", "y", "1", "z"),
    ("ZREMRANGEBYRANK", "y", "0", "-1"), ("SORT", "u", "STORE", "sorted"), ("BLPOP", "sorted", "0"),
    ("SET", "end", "1"),
)  # fmt: skip


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    with start_kvserver() as ours, start_redis() as real:
        yield ours, real


def events(server: Server, letters: str) -> list[tuple[bytes, bytes]]:
    """(channel, message) of everything published while COMMANDS run."""
    client = server.client()
    client.flushall()
    client.config_set("notify-keyspace-events", letters)
    listener = server.client().pubsub()
    listener.psubscribe("__key*@*__:*")
    assert listener.get_message(timeout=10) is not None
    for command in COMMANDS:
        client.execute_command(*command)
    client.publish("__keyspace@end__:", "over")
    heard = []
    while (message := listener.get_message(timeout=10)) is not None:
        if message["channel"] == b"__keyspace@end__:":
            break
        heard.append((message["channel"], message["data"]))
    listener.close()
    return heard


@pytest.mark.parametrize("letters", ["KEA", "K$", "Eg", "Kx", "Em", "En", "KEAmn", "A", "K", ""])
def test_the_same_events_are_published(pair: tuple[Server, Server], letters: str) -> None:
    """Channels, messages and their order are those of the real server, for each choice of classes."""
    ours, real = pair
    assert events(ours, letters) == events(real, letters)
