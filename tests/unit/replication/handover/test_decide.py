"""FAILOVER's arguments, its refusals, and when it goes on or gives up."""

import pytest

from kvserver.errors import CommandError
from replication.handover.decide import IN_PROGRESS, NONE, GiveUp, Order, Proceed, check, parse, step
from replication.primary.attached import Attached, Phase

HERE = ("127.0.0.1", 7001)


def _replica(offset: int = 10, phase: Phase = Phase.ONLINE, port: int = 7001) -> Attached:
    return Attached(port, "127.0.0.1", port, phase, 0.0, offset)


@pytest.mark.parametrize(
    ("line", "order"),
    [
        (b"FAILOVER", Order()),
        (b"FAILOVER ABORT", Order(abort=True)),
        (b"FAILOVER to 127.0.0.1 7001", Order(HERE)),
        (b"FAILOVER TIMEOUT 5 TO 127.0.0.1 7001 FORCE", Order(HERE, force=True, timeout_ms=5)),
    ],
)
def test_orders(line: bytes, order: Order) -> None:
    """The words may come in any order."""
    assert parse(line.split()) == order


@pytest.mark.parametrize(
    "line", [b"F TO a", b"F ABORT TIMEOUT 5", b"F TIMEOUT 0", b"F TIMEOUT x", b"F FORCE FORCE", b"F x", b"F TIMEOUT"]
)
def test_malformed_orders(line: bytes) -> None:
    """What doesn't fit the grammar is refused."""
    with pytest.raises(CommandError):
        parse(line.split())


@pytest.mark.parametrize(
    ("order", "replicas", "state", "is_replica", "text"),
    [
        (Order(), [_replica()], IN_PROGRESS, False, "already in progress"),
        (Order(), [_replica()], NONE, True, "not valid when server is a replica"),
        (Order(), [], NONE, False, "requires connected replicas"),
        (Order(HERE, force=True), [_replica()], NONE, False, "requires both a timeout"),
        (Order(("127.0.0.1", 1)), [_replica()], NONE, False, "is not a replica"),
        (Order(HERE), [_replica(phase=Phase.SEND_SNAPSHOT)], NONE, False, "is not online"),
    ],
)
def test_refusals(order: Order, replicas: list[Attached], state: str, is_replica: bool, text: str) -> None:
    """An order that can't be followed is refused before anything is held back."""
    with pytest.raises(CommandError, match=text):
        check(order, replicas, state, is_replica)


def test_the_first_that_has_everything_takes_over() -> None:
    """Only an on-line replica at the primary's offset, and the named one if one is named, may take over."""
    replicas = [_replica(9), _replica(10, Phase.SEND_SNAPSHOT, 7002), _replica(10, port=7003)]
    assert step(Order(), replicas, 10, 0) == Proceed(("127.0.0.1", 7003))
    assert step(Order(HERE), replicas, 10, 0) is None
    assert step(Order(HERE), replicas, 9, 0) == Proceed(HERE)


def test_time_is_up() -> None:
    """At its timeout the attempt is given up, or goes on by force; without one it waits for ever."""
    late = [_replica(9)]
    assert step(Order(), late, 10, 10**9) is None
    assert step(Order(timeout_ms=50), late, 10, 49) is None
    assert isinstance(step(Order(timeout_ms=50), late, 10, 50), GiveUp)
    assert step(Order(HERE, force=True, timeout_ms=50), late, 10, 50) == Proceed(HERE, synced=False)
