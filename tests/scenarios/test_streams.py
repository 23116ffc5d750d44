"""Streams and consumer groups through redis-py."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import redis
from support import Server, wait_until


def fill(client: redis.Redis, count: int) -> None:
    for i in range(1, count + 1):
        client.xadd("s", {"f": i}, id=f"{i}-0")


def test_ids(client: redis.Redis) -> None:
    """Ids ascend, whether given, half given or made, and no other is taken."""
    assert client.xadd("s", {"f": 1}, id="5-*") == b"5-0"
    assert client.xadd("s", {"f": 1}, id="5-*") == b"5-1"
    made = client.xadd("s", {"f": 1})
    assert isinstance(made, bytes)
    assert int(made.split(b"-")[0]) > 1_600_000_000_000
    for bad, text in (("5-1", "equal or smaller"), ("0-0", "greater than 0-0"), ("x", "Invalid stream ID")):
        with pytest.raises(redis.ResponseError, match=text):
            client.xadd("s", {"f": 1}, id=bad)
    assert client.xadd("none", {"f": 1}, nomkstream=True) is None
    assert client.xlen("s") == 3


def test_ranges(client: redis.Redis) -> None:
    """Ranges include their bounds or not, run in both directions, and stop at a count."""
    fill(client, 300)
    assert [entry for entry, _ in client.xrange("s", "3", "5")] == [b"3-0", b"4-0", b"5-0"]
    assert [entry for entry, _ in client.xrange("s", "(3", "(5-0")] == [b"4-0"]
    assert [entry for entry, _ in client.xrevrange("s", "+", "-", count=2)] == [b"300-0", b"299-0"]
    assert client.xrange("s", "301", "+") == []
    assert len(client.xrange("s")) == 300


def test_trimming(client: redis.Redis) -> None:
    """Exact trims leave so many; about so many leaves whole nodes of a hundred."""
    fill(client, 250)
    assert client.xtrim("s", maxlen=120, approximate=True) == 100
    assert client.xtrim("s", maxlen=120, approximate=False) == 30
    assert client.xtrim("s", minid="200-0", approximate=False) == 69
    assert client.xdel("s", "200-0", "1-0") == 1
    assert client.xlen("s") == 50
    info = client.xinfo_stream("s")
    assert (info["entries-added"], info["max-deleted-entry-id"], info["recorded-first-entry-id"]) == (
        250, b"200-0", b"201-0",
    )  # fmt: skip


def test_groups(client: redis.Redis) -> None:
    """What a group delivers is pending until acknowledged, can be read again and claimed by others."""
    fill(client, 5)
    client.xgroup_create("s", "g", id="0")
    assert len(client.xreadgroup("g", "alice", {"s": ">"}, count=3)[0][1]) == 3
    assert len(client.xreadgroup("g", "bob", {"s": ">"})[0][1]) == 2
    assert client.xreadgroup("g", "bob", {"s": ">"}) == []
    assert client.xack("s", "g", "1-0", "9-0") == 1
    assert client.xpending("s", "g") == {
        "pending": 4, "min": b"2-0", "max": b"5-0",
        "consumers": [{"name": b"alice", "pending": 2}, {"name": b"bob", "pending": 2}],
    }  # fmt: skip
    assert [entry for entry, _ in client.xreadgroup("g", "alice", {"s": "0"})[0][1]] == [b"2-0", b"3-0"]
    assert client.xclaim("s", "g", "carol", 0, ["2-0"], justid=True) == [b"2-0"]
    client.xdel("s", "3-0")
    assert client.xautoclaim("s", "g", "carol", 0, count=10)[2] == [b"3-0"]
    assert [c["name"] for c in client.xinfo_consumers("s", "g")] == [b"alice", b"bob", b"carol"]
    assert client.xgroup_delconsumer("s", "g", "carol") == 3
    group = client.xinfo_groups("s")[0]
    assert (group["pending"], group["entries-read"], group["lag"]) == (0, 5, 0)
    with pytest.raises(redis.ResponseError, match="BUSYGROUP"):
        client.xgroup_create("s", "g")
    with pytest.raises(redis.ResponseError, match="NOGROUP"):
        client.xreadgroup("none", "x", {"s": ">"})


class Waiter:
    """A client that waits for one reply in a thread of its own."""

    def __init__(self, node: Server, line: str) -> None:
        self.replies: list[Any] = []
        client = node.client()
        waiting = node.client().info("clients")["blocked_clients"]
        self.thread = threading.Thread(target=self.run, args=(client, line.split()))
        self.thread.start()
        wait_until(lambda: node.client().info("clients")["blocked_clients"] == waiting + 1)

    def run(self, client: redis.Redis, line: list[str]) -> None:
        try:
            self.replies.append(client.execute_command(*line))
        except redis.ResponseError as error:
            self.replies.append(str(error))

    def reply(self) -> Any:
        self.thread.join(20)
        return self.replies[0]


def test_waiting_readers_all_get_it(node: Server, client: redis.Redis) -> None:
    """Everyone who waits with XREAD gets the new entry; those of a group get one each, first come first served."""
    client.xgroup_create("s", "g", id="$", mkstream=True)
    readers = [Waiter(node, "XREAD BLOCK 20000 STREAMS s none $ $") for _ in range(2)]
    members = [Waiter(node, f"XREADGROUP GROUP g {name} BLOCK 20000 STREAMS s >") for name in ("a", "b")]
    client.xadd("s", {"f": 1}, id="1-0")
    assert [reader.reply() for reader in readers] == [[[b"s", [(b"1-0", {b"f": b"1"})]]]] * 2
    assert members[0].reply() == [[b"s", [(b"1-0", {b"f": b"1"})]]]
    client.xadd("s", {"f": 2}, id="2-0")
    assert members[1].reply() == [[b"s", [(b"2-0", {b"f": b"2"})]]]


def test_waiting_for_a_group_that_goes(node: Server, client: redis.Redis) -> None:
    """Who waits for a group is told when the group, or its stream, is removed."""
    client.xgroup_create("s", "g", id="$", mkstream=True)
    first = Waiter(node, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >")
    client.xgroup_destroy("s", "g")
    assert first.reply().startswith("NOGROUP") or "no longer exists" in first.reply()
    client.xgroup_create("s", "g", id="$")
    second = Waiter(node, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >")
    client.delete("s")
    assert "the stream key no longer exists" in second.reply()


def test_waiting_ends(client: redis.Redis) -> None:
    """A wait ends with nothing after its time, and at once inside a transaction."""
    assert client.xread({"s": "$"}, block=5) == []
    pipe = client.pipeline()
    pipe.xread({"s": "$"}, block=0)
    assert pipe.execute() == [[]]


def test_both_protocols(node: Server) -> None:
    """XREAD replies pairs in RESP2 and a map in RESP3."""
    two, three = node.client(), node.client(protocol=3)
    two.flushall()
    two.xadd("s", {"f": 1}, id="1-0")
    two.response_callbacks.clear()
    three.response_callbacks.clear()
    assert two.execute_command("XREAD", "STREAMS", "s", "0") == [[b"s", [[b"1-0", [b"f", b"1"]]]]]
    assert three.execute_command("XREAD", "STREAMS", "s", "0") == {b"s": [[b"1-0", [b"f", b"1"]]]}
    assert three.execute_command("XINFO", "STREAM", "s")[b"length"] == 1


def test_the_last_entry(client: redis.Redis) -> None:
    """XREAD from + gives the last entry there is (Redis 7.4), of no stream none."""
    for number in (1, 2, 3):
        client.xadd("s", {"n": number}, id=f"{number}-0")
    client.xdel("s", "3-0")
    assert client.xread({"s": "+", "none": "+"}) == [[b"s", [(b"2-0", {b"n": b"2"})]]]
    assert client.xread({"none": "+"}) == []
    client.xgroup_create("s", "g")
    with pytest.raises(redis.ResponseError, match="Invalid stream ID"):
        client.xreadgroup("g", "c", {"s": "+"})
