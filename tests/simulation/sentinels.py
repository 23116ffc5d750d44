"""A sentinel without a process: the real decisions, a shell of simulated sockets, a disk that is a tuple."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from replication.sentinel.mind.messages import (
    Action,
    Answer,
    Cause,
    Close,
    Closed,
    Connect,
    DownQuery,
    Emit,
    Event,
    Heard,
    Hello,
    Opened,
    Persist,
    Refusal,
    Replied,
    Reply,
    Send,
    Tick,
)
from replication.sentinel.mind.monitor import Monitor
from replication.sentinel.mind.orders import ForceFailover
from replication.sentinel.options.directives import load, render
from replication.sentinel.world.group import Lane
from replication.sentinel.world.invariants import Invariants
from simulation.network import Connection, Network, Process

PORT = 26379


class Key(NamedTuple):
    """Whose connection it is; a sentinel that restarted has another monitor."""

    monitor: Monitor
    link: int
    lane: Lane


Observer = Callable[["Sentinel", Action], None]


class Sentinel(Process):
    def __init__(self, network: Network, host: str, lines: list[str], rng: Random, observe: Observer) -> None:
        super().__init__(network, host)
        self.rng = rng
        self.observe = observe
        self.durable = self.one_write_ago = tuple(lines)
        self.clock_offset_ms = 0
        self.crash_in = -1
        """After how many more actions the process dies in the middle of a step; negative: never."""
        self.monitor = self._boot()

    def _boot(self) -> Monitor:
        statements = [shlex.split(line)[1:] for line in self.durable]
        world = load(statements, "?" * 40, self.local_ms)
        self.sockets: dict[tuple[int, Lane], Connection] = {}
        self.tick_ms = 0
        self._schedule_soon()
        self.check_invariants = Invariants()
        return Monitor(world, render, self.rng, self.local_ms)

    @property
    def local_ms(self) -> int:
        return self.network.clock.now_ms + self.clock_offset_ms

    def restart(self) -> None:
        self.alive = True
        self.monitor = self._boot()

    def resume(self) -> None:
        super().resume()
        self._schedule_soon()

    def _schedule_soon(self) -> None:
        self.tick_ms = self.network.clock.now_ms
        self.network.clock.after(0, self._tick)

    def _tick(self) -> None:
        now = self.network.clock.now_ms
        if now < self.tick_ms or not self.alive or self.paused:
            return
        self.handle(Tick())

    def _arm(self) -> None:
        clock = self.network.clock
        due = max(clock.now_ms + 1, self.monitor.deadline_ms - self.clock_offset_ms)
        if self.tick_ms <= clock.now_ms or due < self.tick_ms:
            self.tick_ms = due
            clock.after(due - clock.now_ms, self._tick)

    def handle(self, event: Event) -> Answer | Refusal | None:
        """Take one step and do what it says."""
        actions = self.monitor.step(event, self.local_ms)
        self.check_invariants(self.monitor.world)
        return self._carry_out(actions)

    def fail_over(self) -> None:
        """What SENTINEL FAILOVER does."""
        for name in list(self.monitor.world.groups):
            self.handle(ForceFailover(name))

    def _carry_out(self, actions: list[Action]) -> Answer | Refusal | None:
        """In order, unless we die on the way."""
        answer: Answer | Refusal | None = None
        for action in actions:
            if self.crash_in == 0:
                self.crash_in = -1
                self.kill()
            if not self.alive:
                return None
            self.crash_in -= self.crash_in > 0
            self._perform(action)
            self.observe(self, action)
            if isinstance(action, (Answer, Refusal)):
                answer = action
        self._arm()
        return answer

    def _perform(self, action: Action) -> None:
        match action:
            case Persist(lines):
                self.one_write_ago, self.durable = self.durable, lines
            case Connect(link, lane, address):
                self.network.connect(self, self, address.ip, Key(self.monitor, link, lane))
            case Close(link, lane):
                connection = self.sockets.pop((link, lane), None)
                if connection is not None:
                    connection.close()
            case Send(link, lane, args, _, _, _):
                connection = self.sockets.get((link, lane))
                if connection is not None:
                    connection.send(args, action)
            case Emit() | Answer() | _:
                pass

    # As a client

    def opened(self, connection: Connection) -> None:
        monitor, link, lane = self._key(connection)
        known = monitor.world.links.get(link)
        if monitor is not self.monitor or known is None or known.lane(lane).state != 1:
            connection.close()
            return
        self.sockets[link, lane] = connection
        self.handle(Opened(link, lane, self.host))

    def ended(self, connection: Connection, cause: Cause) -> None:
        monitor, link, lane = self._key(connection)
        if monitor is not self.monitor:
            return
        if cause is Cause.LOST and self.sockets.get((link, lane)) is not connection:
            return
        self.sockets.pop((link, lane), None)
        self.handle(Closed(link, lane, cause))

    def received(self, connection: Connection, tag: object, reply: Reply) -> None:
        _, link, lane = self._key(connection)
        if self.sockets.get((link, lane)) is not connection:
            return
        if lane is Lane.PUBSUB:
            match reply:
                case [b"message", _, bytes(payload)]:
                    self.handle(Heard(link, payload))
        elif isinstance(tag, Send):
            self.handle(Replied(link, tag.request, tag.group, reply, tag.tag))

    @staticmethod
    def _key(connection: Connection) -> Key:
        assert isinstance(connection.key, Key)
        return connection.key

    # As a server

    def serve(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        match args[0].upper(), *args[1:]:
            case b"PING", *_:
                return b"PONG"
            case b"PUBLISH", _, payload:
                self.handle(Hello(payload))
                return 1
            case b"SENTINEL", _, host, port, epoch, candidate:
                answer = self.handle(DownQuery(host.decode(), int(port), int(epoch), candidate.decode()))
                if not isinstance(answer, Answer):
                    return None
                return [int(answer.down), answer.leader.encode(), answer.epoch]
        return b"OK"
