"""DEBUG OBJECT beside a real server's."""

from __future__ import annotations

import re

import pytest
from support import require_peer, start_kvserver, start_redis

VALUES = (
    ("SET", "text", "hello"),
    ("SET", "number", 12345),
    ("SET", "long", "x" * 1000),
    ("RPUSH", "list", "a", "b", 12345),
    ("HSET", "hash", "field", "value"),
    ("ZADD", "zset", 1, "a", 2.5, "b"),
    ("SADD", "numbers", 1, 2, 3),
    ("SADD", "words", "a", "b"),
    ("XADD", "stream", "1-1", "f", "v"),
)


@pytest.mark.parametrize("command", VALUES, ids=lambda command: command[1])
def test_the_serialized_length_is_that_of_redis(command: tuple[str | int, ...]) -> None:
    """A value takes as many bytes in a snapshot as DEBUG OBJECT says, and Redis says the same."""
    require_peer("redis-server")
    told = []
    for start in (start_kvserver, start_redis):
        with start(enable_debug_command="yes") as server:
            server.command(*command)
            told.append(server.command("DEBUG", "OBJECT", command[1]))
    ours, redis = (re.search(rb"serializedlength:([0-9]+)", text) for text in told)
    assert ours is not None
    assert redis is not None
    assert ours[1] == redis[1] != b"0"
