"""A replication role in any of its states, driven without a shell."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from replication.handover.decide import Order
from replication.primary.attached import Attached, Phase
from replication.role import Role
from replication.role_messages import (
    Action,
    Continued,
    Event,
    Follow,
    HandOver,
    Promote,
    Rest,
    SnapshotBegins,
    StreamWanted,
    Tick,
)
from replication.role_states import State

A, B = ("10.0.0.1", 6379), ("10.0.0.2", 6379)
THEIRS = b"f" * 40
ORDER = Order(timeout_ms=1000)


def replica(ack_offset: int) -> Attached:
    """A replica at A that is on line."""
    record = Attached(replica_id=1, ip=A[0], port=A[1], phase=Phase.ONLINE, acked_at_s=0.0)
    record.ack_offset = ack_offset
    return record


class Bench:
    """A role, new ids, and what it said in each step, as the words of its actions."""

    def __init__(self) -> None:
        self._ids = count(1)
        self.role = Role(self.id())
        self.said: list[Action] = []

    def id(self) -> bytes:
        return b"%040x" % next(self._ids)

    def do(self, event: Event, now_s: float = 0.0) -> list[str]:
        self.said = self.role.step(event, now_s)
        self.role.check_invariants()
        return [type(action).__name__ for action in self.said]

    def follow(self, primary: tuple[str, int] = A, offset: int = 100) -> list[str]:
        return self.do(Follow(primary, offset, self.id()))

    def promote(self, offset: int = 100) -> list[str]:
        return self.do(Promote(offset, self.id()))

    def wanted(self, offset: int = 100) -> list[str]:
        return self.do(StreamWanted(offset, self.id()))

    def tick(self, now_s: float = 0.0, offset: int = 100, **facts: Any) -> list[str]:
        return self.do(Tick(offset, self.id(), **facts), now_s)

    @property
    def term(self) -> int:
        return self.role.term


def reach(state: State) -> Bench:
    """A bench whose role is in this state, reached the shortest way."""
    bench = Bench()
    if state is State.STARTING:
        return bench
    if state in (State.PRIMARY, State.HANDING_OVER, State.ASKING):
        bench.promote()
        bench.wanted()
    if state in (State.HANDING_OVER, State.ASKING):
        bench.do(HandOver(ORDER))
    if state is State.ASKING:
        bench.tick(replicas=[replica(100)])
    if state in (State.CONNECTING, State.SYNCING, State.STREAMING):
        bench.follow()
    if state is State.SYNCING:
        bench.do(SnapshotBegins(bench.term))
    if state is State.STREAMING:
        bench.do(Continued(bench.term, THEIRS, 100))
    if state is State.RESTING:
        bench.do(Rest(100, bench.id()))
    assert bench.role.state is state
    return bench


Make = Callable[[Bench], Event]
