"""Sentinels of both kinds over real Redis servers: they find each other, agree, and fail over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
import redis.asyncio.sentinel
import redis.sentinel
from support import (
    Server,
    start_kvsentinel,
    start_kvserver,
    start_redis,
    start_redis_sentinel,
    wait_until,
    wait_until_async,
)

DOWN_AFTER_MS = 1_500
StartSentinel = Callable[..., Server]


@dataclass
class Deployment:
    """One primary, two replicas, three sentinels."""

    nodes: list[Server]
    sentinels: list[Server] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            f"sentinel monitor mymaster 127.0.0.1 {self.nodes[0].port} 2",
            f"sentinel down-after-milliseconds mymaster {DOWN_AFTER_MS}",
            "sentinel failover-timeout mymaster 20000",
        ]

    def views(self) -> set[tuple[bytes, bytes]]:
        name = "mymaster"
        return {tuple(s.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)) for s in self.sentinels}

    def complete(self) -> bool:
        """Everybody has found everybody."""
        found = [s.client(decode_responses=True).sentinel_master("mymaster") for s in self.sentinels]
        return all(m["num-slaves"] == 2 and m["num-other-sentinels"] == 2
                   and "disconnected" not in m["flags"] for m in found)

    def settled(self) -> bool:
        """All sentinels name the same living primary, and the other living nodes follow it."""
        (view, *others) = self.views()
        living = [node for node in self.nodes if node.returncode is None]
        leader = [node for node in living if node.port == int(view[1])]
        if others or not leader or leader[0].info("replication")["role"] != "master":
            return False
        infos = [node.info("replication") for node in living if node is not leader[0]]
        return all(i["role"] == "slave" and i["master_port"] == leader[0].port
                   and i["master_link_status"] == "up" for i in infos)

    def connect(self) -> redis.sentinel.Sentinel:
        return redis.sentinel.Sentinel([s.address for s in self.sentinels], socket_timeout=1.0)


KINDS = {
    "ours over redis": (start_redis, 0),
    "ours and one real over redis": (start_redis, 1),
    "ours and two real over redis": (start_redis, 2),
    "real over our nodes": (start_kvserver, 3),
}


@pytest.fixture(params=KINDS)
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Three nodes under three sentinels, some of them real."""
    start_node, theirs = KINDS[request.param]
    with ExitStack() as stack:
        nodes = [stack.enter_context(start_node(repl_diskless_sync_delay=0))]
        replicaof = ("127.0.0.1", str(nodes[0].port))
        nodes += [stack.enter_context(start_node(repl_diskless_sync_delay=0, replicaof=replicaof))
                  for _ in range(2)]
        made = Deployment(nodes)
        for number in range(3):
            starter: StartSentinel = start_redis_sentinel if number < theirs else start_kvsentinel
            made.sentinels.append(stack.enter_context(starter(*made.lines())))
        wait_until(made.complete, what="discovery")
        wait_until(made.settled, what="replication")
        yield made


def test_a_killed_primary_is_replaced_and_follows_when_it_returns(deployment: Deployment) -> None:
    """A Sentinel-aware client writes again after the primary was killed; the old one returns as a replica."""
    client = deployment.connect().master_for("mymaster", socket_timeout=1.0)
    client.set("before", "1")
    assert client.execute_command("WAIT", 2, 5000) == 2
    deployment.nodes[0].kill()

    def write() -> bool:
        return bool(client.set("after", "2"))

    wait_until(write, timeout=30, what="a write after the failover")
    wait_until(deployment.settled, timeout=30, what="the other replica follows")
    assert client.get("before") == b"1"
    deployment.nodes[0].start_again()
    wait_until(deployment.settled, timeout=40, what="the old primary follows")
    assert deployment.nodes[0].info("replication")["role"] == "slave"


def test_failover_on_request(deployment: Deployment) -> None:
    """SENTINEL FAILOVER on any of the sentinels moves the group, and the healthy old primary follows."""
    before = deployment.views()
    assert deployment.sentinels[-1].command("SENTINEL", "FAILOVER", "mymaster") in (b"OK", True)
    wait_until(lambda: len(deployment.views()) == 1 and deployment.views() != before, timeout=30,
               what="a new primary that all name")
    wait_until(deployment.settled, timeout=40, what="the old primary follows")


async def test_asyncio_client_follows_a_failover(deployment: Deployment) -> None:
    """redis-py's asyncio Sentinel finds the primary before and after a failover."""
    sentinel = redis.asyncio.sentinel.Sentinel(
        [s.address for s in deployment.sentinels], socket_timeout=1.0)
    client = sentinel.master_for("mymaster", socket_timeout=1.0)
    await client.set("k", "1")
    deployment.nodes[0].kill()

    async def write() -> bool:
        return bool(await client.set("k", "2"))

    await wait_until_async(write, timeout=30, what="a write after the failover")

    async def only_living_replicas() -> bool:
        return deployment.nodes[0].address not in await sentinel.discover_slaves("mymaster")

    await wait_until_async(only_living_replicas, what="the dead primary is no replica to read from")
    await client.aclose()
    for each in sentinel.sentinels:
        await each.aclose()


SAME_REPLIES: list[tuple[Any, ...]] = [
    ("PING",), ("ROLE",), ("GET", "k"), ("CONFIG", "GET", "port"), ("QUIT",), ("MULTI",),
    ("SENTINEL",), ("SENTINEL", "NOSUCH"), ("SENTINEL", "MASTER"), ("SENTINEL", "MASTER", "nosuch"),
    ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"), ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "nosuch"),
    ("SENTINEL", "CKQUORUM", "mymaster"), ("SENTINEL", "CKQUORUM", "nosuch"), ("SENTINEL", "DEBUG"),
    ("SENTINEL", "DEBUG", "info-period", "0"), ("SENTINEL", "DEBUG", "nosuch", "1"),
    ("SENTINEL", "SET", "mymaster"), ("SENTINEL", "SET", "mymaster", "quorum", "x"),
    ("SENTINEL", "SET", "mymaster", "nosuch", "x"), ("SENTINEL", "SET", "mymaster", "quorum", "1"),
    ("SENTINEL", "SET", "mymaster", "notification-script", "/bin/true"),
    ("SENTINEL", "SET", "mymaster", "rename-command", "", "x"),
    ("SENTINEL", "SET", "nosuch", "quorum", "1"),
    ("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", "1", "1"), ("SENTINEL", "MONITOR", "a", "nohost", "1", "1"),
    ("SENTINEL", "MONITOR", "a", "127.0.0.1", "x", "1"), ("SENTINEL", "MONITOR", "a", "127.0.0.1", "1", "0"),
    ("SENTINEL", "MONITOR", "a", "127.0.0.1", "99999", "1"), ("SENTINEL", "REMOVE", "nosuch"),
    ("SENTINEL", "RESET", "nosuch*"), ("SENTINEL", "FAILOVER", "nosuch"), ("SENTINEL", "FAILOVER", "mymaster"),
    ("SENTINEL", "CONFIG", "GET", "*"), ("SENTINEL", "CONFIG", "NOSUCH"),
    ("SENTINEL", "CONFIG", "SET", "announce-port", "70000"), ("SENTINEL", "CONFIG", "SET", "nosuch", "1"),
    ("SENTINEL", "CONFIG", "SET", "announce-port", "7000"), ("SENTINEL", "CONFIG", "GET", "announce-p*"),
    ("SENTINEL", "SIMULATE-FAILURE", "nosuch"), ("SENTINEL", "SIMULATE-FAILURE", "help"),
    ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "1", "0", "*"),
    ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "x", "0", "*"),
    ("SENTINEL", "INFO-CACHE"), ("SENTINEL", "PENDING-SCRIPTS"), ("SENTINEL", "FLUSHCONFIG"),
    ("SENTINEL", "SLAVES", "mymaster"), ("SENTINEL", "SENTINELS", "mymaster"),
    ("PUBLISH", "other", "x"), ("PUBLISH", "__sentinel__:hello", "x"), ("INFO", "sentinel"),
]


def test_replies_are_those_of_a_real_sentinel() -> None:
    """The same requests give the same replies and the same errors, byte for byte."""
    monitor = "sentinel monitor mymaster 127.0.0.1 {} 2"
    with ExitStack() as stack:
        pairs = []
        for start in (start_kvsentinel, start_redis_sentinel):
            node = stack.enter_context(start_redis())
            pairs.append((stack.enter_context(start(monitor.format(node.port))), node))
        for server, _ in pairs:
            wait_until(lambda server=server: b"disconnected" not in _raw(server, ("SENTINEL", "MASTERS")),
                       what="the link to the primary")
        for request in SAME_REPLIES:
            ours, theirs = (_raw(server, request).replace(b"%d" % node.port, b"NODE") for server, node in pairs)
            assert ours == theirs, request


def test_masters_has_the_fields_of_a_real_sentinel() -> None:
    """SENTINEL MASTERS and REPLICAS show the same fields in the same order."""
    with start_redis() as node, start_redis(replicaof=("127.0.0.1", str(node.port))):
        line = f"sentinel monitor mymaster 127.0.0.1 {node.port} 1"
        with start_kvsentinel(line) as ours, start_redis_sentinel(line) as theirs:
            for request in (("SENTINEL", "REPLICAS", "mymaster"), ("SENTINEL", "MASTERS")):
                for server in (ours, theirs):
                    wait_until(lambda server=server, request=request: server.command(*request) and b"slave"
                               in _raw(server, request), timeout=20, what=f"an answer to {request}")
                assert _keys(ours, request) == _keys(theirs, request)


def test_a_state_file_changes_hands() -> None:
    """A real Sentinel starts from our file, and we start from one of its."""
    with start_redis() as node:
        line = f"sentinel monitor mymaster 127.0.0.1 {node.port} 1"
        for first, second in ((start_kvsentinel, start_redis_sentinel), (start_redis_sentinel, start_kvsentinel)):
            with first(line) as before:
                my_id = before.command("SENTINEL", "MYID")
                before.stop()
                with second(port=before.port, folder=before.folder) as after:
                    assert after.command("SENTINEL", "MYID") == my_id
                    assert len(after.command("SENTINEL", "MASTERS")) == 1


def _raw(server: Server, request: tuple[str, ...]) -> bytes:
    """The bytes of a reply, read until nothing more comes for a moment."""
    with server.connect() as connection:
        words = b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in request)
        connection.sendall(b"*%d\r\n" % len(request) + words)
        reply = connection.recv(1 << 20)
        connection.sendall(b"PING\r\n")
        while not reply.endswith(b"+PONG\r\n"):
            more = connection.recv(1 << 20)
            if not more:
                return reply
            reply += more
        return reply.replace(str(server.port).encode(), b"PORT")


def _keys(server: Server, request: tuple[str, ...]) -> list[bytes]:
    reply = redis.Redis(port=server.port).execute_command(*request)
    first = reply[0] if isinstance(reply, list) else next(iter(reply.values()))
    return list(first)[::2] if isinstance(first, list) else list(first)
