"""Sorted sets through redis-py."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
import redis
from support import Server, wait_until


def test_conditions_of_zadd(client: redis.Redis) -> None:
    """NX, XX, GT, LT, CH and INCR decide which scores change and what is counted."""
    assert client.zadd("z", {"a": 1, "b": 2}) == 2
    assert client.zadd("z", {"a": 5, "c": 3}, nx=True) == 1
    assert client.zadd("z", {"a": 5, "d": 3}, xx=True, ch=True) == 1
    assert client.zadd("z", {"a": 4, "b": 9}, gt=True, ch=True) == 1
    assert client.zadd("z", {"a": 4}, lt=True, ch=True) == 1
    assert client.zadd("z", {"a": 1}, incr=True) == 5.0
    assert client.zadd("z", {"a": 1}, incr=True, nx=True) is None
    assert client.zrange("z", 0, -1, withscores=True) == [(b"c", 3.0), (b"a", 5.0), (b"b", 9.0)]
    with pytest.raises(redis.ResponseError, match="GT, LT, and/or NX options at the same time"):
        client.execute_command("ZADD", "z", "GT", "LT", 1, "a")
    client.zadd("z", {"inf": float("inf")})
    with pytest.raises(redis.ResponseError, match="resulting score is not a number"):
        client.zincrby("z", float("-inf"), "inf")


def test_a_large_one_stays_in_order(client: redis.Redis) -> None:
    """Ranks, ranges and removals agree with a sorted Python list of thousands of members."""
    choose = random.Random(3)
    scores = {b"m%d" % i: float(choose.randrange(500)) for i in range(6000)}
    client.zadd("z", scores)
    for member in choose.sample(sorted(scores), 3000):
        scores[member] = float(choose.randrange(500))
    client.zadd("z", scores)
    for member in choose.sample(sorted(scores), 1000):
        del scores[member]
        client.zrem("z", member)
    model = sorted((score, member) for member, score in scores.items())
    assert client.zrange("z", 0, -1) == [member for _, member in model]
    for place in choose.sample(range(len(model)), 50):
        assert client.zrank("z", model[place][1]) == place
        assert client.zrevrank("z", model[place][1]) == len(model) - 1 - place
    assert client.zcount("z", 100, "(200") == sum(100 <= score < 200 for score, _ in model)
    assert client.zremrangebyscore("z", "(50", 450) == sum(50 < score <= 450 for score, _ in model)
    model = [pair for pair in model if not 50 < pair[0] <= 450]
    assert client.zremrangebyrank("z", 3, 20) == 18
    del model[3:21]
    assert client.zrange("z", 0, -1, desc=True) == [member for _, member in reversed(model)]
    assert client.zpopmin("z", 2) == [(member, score) for score, member in model[:2]]
    assert client.zpopmax("z", 600) == [(member, score) for score, member in model[:-601:-1]]


def test_ranges_by_name(client: redis.Redis) -> None:
    """Members of one score are found by name, bounds included or not."""
    client.zadd("z", dict.fromkeys("abcdef", 0))
    assert client.zrangebylex("z", "[b", "(d") == [b"b", b"c"]
    assert client.zrange("z", "+", "-", bylex=True, desc=True, offset=1, num=2) == [b"e", b"d"]
    assert client.zlexcount("z", "-", "[c") == 3
    assert client.zremrangebylex("z", "(a", "(f") == 4
    assert client.zrangestore("to", "z", 0, -1) == 2
    assert client.zrange("to", 0, -1) == [b"a", b"f"]


def test_combining(client: redis.Redis) -> None:
    """Unions, intersections and differences weigh and aggregate scores; plain sets count as 1."""
    client.zadd("one", {"a": 1, "b": 2})
    client.zadd("two", {"b": 10, "c": 20})
    client.sadd("plain", "b", "c")
    assert client.zunion({"one": 2, "two": 1}, withscores=True) == [(b"a", 2.0), (b"b", 14.0), (b"c", 20.0)]
    assert client.zinter(["one", "two", "plain"], aggregate="MIN", withscores=True) == [(b"b", 1.0)]
    assert client.zdiff(["two", "plain"]) == []
    assert client.zunionstore("to", ["one", "plain"], aggregate="MAX") == 3
    assert client.zrange("to", 0, -1, withscores=True) == [(b"a", 1.0), (b"c", 1.0), (b"b", 2.0)]
    assert client.zintercard(2, ["one", "two"]) == 1
    assert client.zinterstore("to", ["one", "none"]) == 0
    assert not client.exists("to")


def test_waiting_for_a_member(node: Server, client: redis.Redis) -> None:
    """BZPOPMIN gets the lowest of what one ZADD brought, and a list under the key doesn't wake it."""
    replies: list[Any] = []
    waiting = node.client()
    thread = threading.Thread(target=lambda: replies.append(waiting.bzpopmin(["none", "z"], 20)))
    thread.start()
    wait_until(lambda: client.info("clients")["blocked_clients"] == 1)
    client.rpush("z", "x")
    client.delete("z")
    client.zadd("z", {"b": 2, "a": 1})
    thread.join(20)
    assert replies == [(b"z", b"a", 1.0)]
    assert client.zrange("z", 0, -1) == [b"b"]
    assert client.bzmpop(0.01, 1, ["none"], min=True) is None


def test_scores_in_both_protocols(node: Server) -> None:
    """A score is a text in RESP2 and a number in RESP3, where members and scores come in pairs."""
    two, three = node.client(), node.client(protocol=3)
    two.flushall()
    two.zadd("z", {"a": 0.1, "b": 3})
    line = ("ZRANGE", "z", 0, -1, "WITHSCORES")
    two.response_callbacks.clear()
    three.response_callbacks.clear()
    assert two.execute_command(*line) == [b"a", b"0.10000000000000001", b"b", b"3"]
    assert three.execute_command(*line) == [[b"a", 0.1], [b"b", 3.0]]
    assert three.execute_command("ZPOPMIN", "z") == [b"a", 0.1]
    assert three.execute_command("ZPOPMIN", "z", 1) == [[b"b", 3.0]]


def test_rank_and_score(node: Server) -> None:
    """ZRANK and ZREVRANK tell the score too if asked (Redis 7.2), in RESP3 as a number; other words are refused."""
    two, three = node.client(), node.client(protocol=3)
    for client in (two, three):
        client.response_callbacks.clear()
    two.flushall()
    two.zadd("z", {"a": 0.5, "b": 3})
    assert two.execute_command("ZRANK", "z", "b", "WITHSCORE") == [1, b"3"]
    assert three.execute_command("ZREVRANK", "z", "a", "withscore") == [1, 0.5]
    assert two.execute_command("ZRANK", "z", "none", "WITHSCORE") is None
    for line in ("ZRANK z a score", "ZREVRANK z a WITHSCORE x"):
        with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
            two.execute_command(*line.split())
