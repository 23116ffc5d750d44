"""Lists through redis-py: ends, places, and clients that wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import redis
from support import Server, wait_until


class Waiter:
    """A client that waits for its reply in a thread of its own."""

    def __init__(self, node: Server, ask: Callable[[redis.Redis], Any]) -> None:
        client = node.client()
        watch = node.client()
        before = watch.info("clients")["blocked_clients"]
        self.reply: Any = None
        self.thread = threading.Thread(target=self._run, args=(client, ask))
        self.thread.start()
        wait_until(lambda: watch.info("clients")["blocked_clients"] > before)

    def _run(self, client: redis.Redis, ask: Callable[[redis.Redis], Any]) -> None:
        try:
            self.reply = ask(client)
        except redis.ResponseError as error:
            self.reply = error

    def result(self) -> Any:
        """Its reply, once it has come."""
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.reply


def test_both_ends_and_the_middle(client: redis.Redis) -> None:
    """What is pushed comes back in order from either end, and places count from both."""
    assert client.rpush("l", *range(1000)) == 1000
    assert client.lpush("l", "x", "y") == 1002
    assert client.lrange("l", 0, 2) == [b"y", b"x", b"0"]
    assert client.lrange("l", -2, -1) == [b"998", b"999"]
    assert client.lindex("l", 600) == b"598"
    assert client.lset("l", 600, "set")
    assert client.linsert("l", "AFTER", "set", "next") == 1003
    assert client.lrange("l", 599, 602) == [b"597", b"set", b"next", b"599"]
    assert client.lpop("l", 3) == [b"y", b"x", b"0"]
    assert client.rpop("l") == b"999"
    assert client.llen("l") == 999


def test_trimming_and_removing_across_chunks(client: redis.Redis) -> None:
    """LTRIM and LREM agree with plain Python on a list of many chunks."""
    model = [b"%d" % (i % 7) for i in range(5000)]
    client.rpush("l", *model)
    assert client.lrem("l", 3, "4") == 3
    assert client.lrem("l", -2, "4") == 2
    assert client.lrem("l", 0, "5") == model.count(b"5")
    for _ in range(3):
        model.remove(b"4")
    for _ in range(2):
        del model[len(model) - 1 - model[::-1].index(b"4")]
    model = [element for element in model if element != b"5"]
    assert client.lrange("l", 0, -1) == model
    assert client.ltrim("l", 700, -900)
    assert client.lrange("l", 0, -1) == model[700:-899]
    assert client.lpos("l", "6", rank=-1) == max(i for i, x in enumerate(model[700:-899]) if x == b"6")
    assert client.ltrim("l", 5, 1)
    assert not client.exists("l")


def test_first_come_first_served(node: Server, client: redis.Redis) -> None:
    """Clients that wait for a list are served in the order in which they came."""
    waiters = [Waiter(node, lambda c: c.blpop("queue", 20)) for _ in range(3)]
    client.rpush("queue", "a", "b")
    assert [waiter.result() for waiter in waiters[:2]] == [(b"queue", b"a"), (b"queue", b"b")]
    client.rpush("queue", "c")
    assert waiters[2].result() == (b"queue", b"c")
    assert not client.exists("queue")


def test_served_from_the_key_written_first(node: Server, client: redis.Redis) -> None:
    """A client waiting for several keys gets what a transaction wrote first, not what it named first."""
    waiter = Waiter(node, lambda c: c.blpop(["k1", "k2"], 20))
    with client.pipeline(transaction=True) as pipe:
        pipe.rpush("k2", "second").rpush("k1", "first").execute()
    assert waiter.result() == (b"k2", b"second")
    assert client.lrange("k1", 0, -1) == [b"first"]


def test_waiting_outlasts_another_type(node: Server, client: redis.Redis) -> None:
    """A key that comes to hold another type, or comes and goes in one transaction, leaves the client waiting."""
    waiter = Waiter(node, lambda c: c.brpop("k", 20))
    client.set("k", "text")
    client.delete("k")
    with client.pipeline(transaction=True) as pipe:
        pipe.rpush("k", "a").delete("k").execute()
    client.rpush("k", "b")
    assert waiter.result() == (b"k", b"b")


def test_moving_wakes_the_next_in_line(node: Server, client: redis.Redis) -> None:
    """BLMOVE serves a client that waits for its destination."""
    last = Waiter(node, lambda c: c.blpop("to", 20))
    mover = Waiter(node, lambda c: c.blmove("from", "to", 20, "LEFT", "RIGHT"))
    client.rpush("from", "x")
    assert mover.result() == b"x"
    assert last.result() == (b"to", b"x")
    assert not client.exists("from", "to")


def test_moving_to_a_wrong_type_takes_nothing(node: Server, client: redis.Redis) -> None:
    """A waiting BLMOVE whose destination turns out to be no list is refused, and the element stays."""
    client.set("to", "text")
    mover = Waiter(node, lambda c: c.blmove("from", "to", 20))
    client.rpush("from", "x")
    assert "WRONGTYPE" in str(mover.result())
    assert client.lrange("from", 0, -1) == [b"x"]


def test_time_runs_out(client: redis.Redis) -> None:
    """A client that waits in vain gets nothing."""
    assert client.blpop("none", 0.01) is None
    assert client.blmove("none", "other", 0.01) is None
    assert client.blmpop(0.01, 2, "none", "other", direction="LEFT") is None


def test_nothing_waits_inside_a_transaction(client: redis.Redis) -> None:
    """In MULTI a waiting command answers at once."""
    with client.pipeline(transaction=True) as pipe:
        pipe.blpop("none", 0).brpoplpush("none", "other", 0).rpush("l", "x").blpop("l", 0)
        assert pipe.execute() == [None, None, 1, (b"l", b"x")]


def test_a_gone_client_takes_nothing(node: Server, client: redis.Redis) -> None:
    """An element goes to no client that has hung up."""
    with node.connect() as gone:
        gone.sendall(b"BLPOP q 0\r\n")
        wait_until(lambda: client.info("clients")["blocked_clients"] == 1)
    wait_until(lambda: client.info("clients")["blocked_clients"] == 0)
    client.rpush("q", "x")
    assert client.lrange("q", 0, -1) == [b"x"]
