"""What must never happen, watched from outside: the checkers know actions and disks, not the rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from replication.sentinel.mind.hello import parse_hello
from replication.sentinel.mind.messages import Action, Answer, Emit, Request, Send
from simulation.nodes import Node
from simulation.sentinels import Sentinel

MEMORY_MS = 20_000
"""How long after a peer said "down" its word may have counted, with every delay the faults can add."""


class Violation(AssertionError):
    """Safety was broken, or all was not well when it should have been."""


def written(sentinel: Sentinel, epoch: str) -> int:
    """The epoch of this name (`leader-epoch`, `config-epoch`) on the sentinel's disk; 0 if there is none."""
    return max((int(line.split()[-1]) for line in sentinel.durable
                if line.startswith(f"sentinel {epoch} ")), default=0)


@dataclass
class Checkers:
    majority: int
    quorum: int
    unsound: bool = False
    """The safety argument's premises don't hold: only the return to a sound state is watched."""
    votes: dict[tuple[str, int], str] = field(default_factory=dict)
    leaders: dict[int, str] = field(default_factory=dict)
    promotions: dict[int, str] = field(default_factory=dict)
    configurations: dict[int, tuple[str, int]] = field(default_factory=dict)
    newest_told: dict[str, int] = field(default_factory=dict)
    newest_epoch: dict[str, int] = field(default_factory=dict)
    standing: dict[str, int] = field(default_factory=dict)
    """The epoch in which a sentinel stood for election last, and (below) the replica that it chose last."""
    selected: dict[str, str] = field(default_factory=dict)
    said_down: dict[str, int] = field(default_factory=dict)
    contents: dict[tuple[bytes, int], int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def observe(self, sentinel: Sentinel, action: Action) -> None:
        my_id = sentinel.monitor.world.my_id
        if self.unsound and not isinstance(action, Emit):
            return
        match action:
            case Answer(down, leader, epoch):
                if down:
                    self.said_down[my_id] = sentinel.network.clock.now_ms
                if leader != "*":
                    self._voted(sentinel, my_id, epoch, leader)
            case Send(_, _, args, request, _, _):
                if request is Request.ASK and args[-1] == my_id.encode():
                    self._voted(sentinel, my_id, self.standing[my_id], my_id)
                elif args == (b"SLAVEOF", b"NO", b"ONE"):
                    self._promoted(my_id)
                elif request is Request.HELLO:
                    self._told_configuration(sentinel, my_id, args[-1])
            case Emit(_, channel, message, _):
                self.counts[channel] = self.counts.get(channel, 0) + 1
                self.log.append(f"{sentinel.network.clock.now_ms} {sentinel.host} {channel} {message}")
                if channel == "+new-epoch":
                    self.newest_epoch[my_id] = int(message)
                elif channel == "+try-failover":
                    self.standing[my_id] = self.newest_epoch[my_id]
                elif channel == "+selected-slave":
                    self.selected[my_id] = message.split()[1]
                if self.unsound:
                    return
                if channel == "+elected-leader":
                    self._elected(my_id)
                elif channel == "+odown":
                    self._objectively_down(sentinel, my_id)

    def holds(self, node: Node) -> None:
        """A node that another may ask, or that asks to continue, stands at an offset of an id: all there hold the same.

        What is written while nobody records isn't numbered, and the id is nobody's business then.
        """
        if node.role.recording:
            place = (node.role.history.replid, node.offset)
            if self.contents.setdefault(place, node.data) != node.data:
                raise Violation(f"{node.host} holds other data than another node did at {place}")

    def _voted(self, sentinel: Sentinel, voter: str, epoch: int, leader: str) -> None:
        before = self.votes.setdefault((voter, epoch), leader)
        if before != leader:
            raise Violation(f"{voter} voted for {before} and for {leader} in epoch {epoch}")
        durable = written(sentinel, "leader-epoch")
        if durable < epoch:
            raise Violation(f"{voter} told its vote in epoch {epoch}, its disk knows of {durable}")

    def _told_configuration(self, sentinel: Sentinel, teller: str, payload: bytes) -> None:
        hello = parse_hello(payload)
        assert hello is not None
        epoch, address = hello.config_epoch, (hello.primary_host, hello.primary_port)
        before = self.configurations.setdefault(epoch, address)
        if before != address:
            raise Violation(f"{teller} names {address} in configuration {epoch}, which was {before}")
        if epoch < self.newest_told.get(teller, 0):
            raise Violation(f"{teller} went back from configuration {self.newest_told[teller]} to {epoch}")
        self.newest_told[teller] = epoch
        if written(sentinel, "config-epoch") < epoch:
            raise Violation(f"{teller} told configuration {epoch} before it was on its disk")

    def _elected(self, leader: str) -> None:
        epoch = self.standing[leader]
        before = self.leaders.setdefault(epoch, leader)
        if before != leader:
            raise Violation(f"two leaders in epoch {epoch}: {before} and {leader}")
        given = sum(1 for (_, at), vote in self.votes.items() if at == epoch and vote == leader)
        if given < self.majority:
            raise Violation(f"{leader} leads epoch {epoch} with {given} votes of {self.majority} needed")

    def _promoted(self, leader: str) -> None:
        epoch, target = self.standing[leader], self.selected[leader]
        before = self.promotions.setdefault(epoch, target)
        if before != target:
            raise Violation(f"two promoted in epoch {epoch}: {before} and {target}")

    def _objectively_down(self, sentinel: Sentinel, my_id: str) -> None:
        now = sentinel.network.clock.now_ms
        agreeing = sum(now - when < MEMORY_MS for voter, when in self.said_down.items() if voter != my_id)
        if agreeing < self.quorum - 1:
            raise Violation(f"{my_id} considers the primary objectively down with {agreeing} others")
