"""One sentinel's decisions on a bench: three sentinels watch one primary, time passes when it is told to."""

from __future__ import annotations

from random import Random

from replication.sentinel.mind.messages import (
    Action,
    Cause,
    Closed,
    Connect,
    Emit,
    Event,
    Opened,
    Replied,
    Reply,
    Request,
    Tick,
)
from replication.sentinel.mind.monitor import Monitor
from replication.sentinel.options.directives import render
from replication.sentinel.world.group import Lane
from replication.sentinel.world.invariants import Invariants
from replication.sentinel.world.world import World

ME, A, B = "1" * 40, "2" * 40, "3" * 40
T0 = 1_000_000


class Bench:
    """One sentinel under test; time passes when it is told to."""

    def __init__(self, quorum: int = 2, down_after_ms: int = 1_000) -> None:
        self.now = T0
        self.world = World(ME)
        address = self.world.address("10.0.0.1", 6379)
        self.group = self.world.add_group("main", address, quorum, T0)
        self.group.down_after_ms = down_after_ms
        for run_id, host in ((A, "10.0.2.1"), (B, "10.0.2.2")):
            self.world.add_peer(self.group, run_id, self.world.address(host, 26379), T0)
        self.monitor = Monitor(self.world, render, Random(1), T0)
        self.check_invariants = Invariants()

    def step(self, event: Event, after_ms: int = 0) -> list[Action]:
        self.now += after_ms
        actions = self.monitor.step(event, self.now)
        self.check_invariants(self.world)
        return actions

    def connect(self) -> None:
        """Open every connection that is asked for, and answer its ping."""
        for action in self.step(Tick(), 1):
            if isinstance(action, Connect):
                self.step(Opened(action.link, action.lane, "10.0.2.0"))
                if action.lane is Lane.COMMAND:
                    self.step(Replied(action.link, Request.PING, "main", b"PONG"))

    def pong(self, reply: Reply = b"PONG") -> list[Action]:
        return self.step(Replied(self.group.link.id, Request.PING, "main", reply))

    def lose(self, cause: Cause, after_ms: int = 0) -> list[Action]:
        return self.step(Closed(self.group.link.id, Lane.COMMAND, cause), after_ms)


def channels(actions: list[Action]) -> list[str]:
    return [action.channel for action in actions if isinstance(action, Emit)]
