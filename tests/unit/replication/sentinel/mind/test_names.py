"""Host names: a step never waits for a resolver, it asks, and takes the answer in when it comes."""

from __future__ import annotations

import socket

import pytest
from support.sentinel_bench import A, Bench, channels

from replication.sentinel.mind.hello import HelloMessage
from replication.sentinel.mind.messages import (
    Action,
    Cause,
    Close,
    Connect,
    Hello,
    Lookup,
    Replied,
    Request,
    Resolved,
    Send,
    Tick,
)
from replication.sentinel.world.address import Address, literal
from replication.sentinel.world.world import MAX_NAMES

INFO = b"role:master\r\nslave0:ip=replica.test,port=6379,state=online\r\n"


def with_names() -> Bench:
    bench = Bench()
    bench.world.resolve_hostnames = True
    bench.connect()
    return bench


def told(bench: Bench, info: bytes = INFO) -> list[Action]:
    return bench.step(Replied(bench.group.link.id, Request.INFO, "main", info))


def lookups(actions: list[Action]) -> list[str]:
    return [action.host for action in actions if isinstance(action, Lookup)]


@pytest.fixture(autouse=True)
def _no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever resolves a name here does what a step must not."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a name was resolved inside a step")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_replica_known_by_name_is_found_when_the_name_is() -> None:
    """INFO names a replica: the name is looked up once, then INFO is asked for again, and the replica found."""
    bench = with_names()
    assert lookups(told(bench)) == ["replica.test"]
    assert lookups(told(bench)) == []
    assert not bench.group.replicas
    actions = bench.step(Resolved("replica.test", "10.0.1.1"))
    assert any(isinstance(action, Send) and action.request is Request.INFO for action in actions)
    assert "+slave" in channels(told(bench))
    assert [each.address for each in bench.group.replicas.values()] == [Address("replica.test", 6379, "10.0.1.1")]


def test_a_name_without_an_address_is_asked_for_again_with_the_next_info() -> None:
    """A look-up that fails changes nothing, and doesn't keep the next one from being made."""
    bench = with_names()
    told(bench)
    bench.step(Resolved("replica.test", None))
    assert not bench.group.replicas
    assert lookups(told(bench)) == ["replica.test"]


def test_names_are_nobody_unless_they_are_allowed() -> None:
    """Without resolve-hostnames a name is neither looked up nor believed."""
    bench = Bench()
    bench.connect()
    assert lookups(told(bench)) == []
    bench.step(Resolved("replica.test", "10.0.1.1"))
    assert bench.world.known_ip("replica.test") is None
    told(bench)
    assert not bench.group.replicas


def test_a_peer_that_announces_a_name_is_found_with_its_next_hello() -> None:
    """The first hello of an unknown name starts the look-up, the one after the answer makes the peer known."""
    bench = with_names()
    other = "4" * 40
    hello = Hello(HelloMessage("sentinel.test", 26379, other, 0, "main", "10.0.0.1", 6379, 0).encode())
    assert lookups(bench.step(hello)) == ["sentinel.test"]
    assert other not in bench.group.peers
    bench.step(Resolved("sentinel.test", "10.0.2.9"))
    bench.step(hello)
    assert bench.group.peers[other].address.ip == "10.0.2.9"


def test_a_name_is_looked_up_again_when_its_connection_is_lost() -> None:
    """The machine behind a name may be another one: the attempt goes there as soon as that is known."""
    bench = with_names()
    bench.group.address = Address("primary.test", 6379, "10.0.0.1")
    actions = bench.lose(Cause.LOST, 10)
    assert lookups(actions) == ["primary.test"]
    assert any(isinstance(action, Connect) and action.address.ip == "10.0.0.1" for action in actions)
    actions = bench.step(Resolved("primary.test", "10.0.0.7"))
    assert any(isinstance(action, Close) for action in actions)
    actions = bench.step(Tick(), 100)
    assert any(isinstance(action, Connect) and action.address.ip == "10.0.0.7" for action in actions)


def test_a_connection_that_stands_is_kept_when_the_name_moves() -> None:
    """Only who must connect anyway goes to the new address at once."""
    bench = with_names()
    bench.group.peers[A].address = Address("peer.test", 26379, "10.0.2.1")
    actions = bench.step(Resolved("peer.test", "10.0.2.8"))
    assert not any(isinstance(action, Close) for action in actions)
    assert bench.group.peers[A].address.ip == "10.0.2.8"


def test_two_names_of_one_node_do_not_make_two_nodes_one() -> None:
    """A name that turns out to mean another node of the group leaves both where they are."""
    bench = with_names()
    world = bench.world
    replica = world.add_replica(bench.group, Address("replica.test", 6379, "10.0.1.1"), bench.now)
    bench.step(Resolved("replica.test", "10.0.0.1"))
    assert replica.address.ip == "10.0.1.1"


def test_names_are_bounded() -> None:
    """Of more names than fit the oldest are forgotten."""
    world = Bench().world
    for number in range(MAX_NAMES + 5):
        world.learn_name(f"host{number}", "10.0.0.1")
    assert len(world.names) == MAX_NAMES
    assert "host0" not in world.names


def test_literals_are_their_own_addresses() -> None:
    """IPv4 and IPv6 literals are known without a look-up, in their usual form; anything else isn't one."""
    assert literal("10.0.0.1") == "10.0.0.1"
    assert literal("::0001") == "::1"
    assert literal("localhost") is None
    assert literal("10.0.0.256") is None
