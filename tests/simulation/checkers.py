"""What must never happen, watched from outside: the checkers know actions and disks, not the rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from replication.sentinel.messages import Action, Answer, Emit, Request, Send
from replication.sentinel.world import Primary
from simulation.sentinels import Sentinel

MEMORY_MS = 20_000
"""How long after a peer said "down" its word may have counted, with every delay the faults can add."""


class Violation(AssertionError):
    """Safety was broken."""


@dataclass
class Checkers:
    majority: int
    quorum: int
    votes: dict[tuple[str, int], str] = field(default_factory=dict)
    leaders: dict[int, str] = field(default_factory=dict)
    promotions: dict[int, str] = field(default_factory=dict)
    said_down: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def observe(self, sentinel: Sentinel, action: Action) -> None:
        group = next(iter(sentinel.monitor.world.groups.values()))
        my_id = sentinel.monitor.world.my_id
        match action:
            case Answer(down, leader, epoch):
                if down:
                    self.said_down[my_id] = sentinel.network.clock.now_ms
                if leader != "*":
                    self._voted(sentinel, my_id, epoch, leader)
            case Send(_, _, args, request, _):
                if request is Request.ASK and args[-1] == my_id.encode():
                    self._voted(sentinel, my_id, group.failover_epoch, my_id)
                elif args == (b"SLAVEOF", b"NO", b"ONE"):
                    self._promoted(group)
            case Emit(_, channel, message, _):
                self.counts[channel] = self.counts.get(channel, 0) + 1
                self.log.append(f"{sentinel.network.clock.now_ms} {sentinel.host} {channel} {message}")
                if channel == "+elected-leader":
                    self._elected(group, my_id)
                elif channel == "+odown":
                    self._objectively_down(sentinel, my_id)

    def _voted(self, sentinel: Sentinel, voter: str, epoch: int, leader: str) -> None:
        before = self.votes.setdefault((voter, epoch), leader)
        if before != leader:
            raise Violation(f"{voter} voted for {before} and for {leader} in epoch {epoch}")
        written = max((int(line.split()[-1]) for line in sentinel.durable
                       if line.startswith("sentinel leader-epoch")), default=0)
        if written < epoch:
            raise Violation(f"{voter} told its vote in epoch {epoch}, its disk knows of {written}")

    def _elected(self, group: Primary, leader: str) -> None:
        epoch = group.failover_epoch
        before = self.leaders.setdefault(epoch, leader)
        if before != leader:
            raise Violation(f"two leaders in epoch {epoch}: {before} and {leader}")
        given = sum(1 for (_, at), vote in self.votes.items() if at == epoch and vote == leader)
        if given < self.majority:
            raise Violation(f"{leader} leads epoch {epoch} with {given} votes of {self.majority} needed")

    def _promoted(self, group: Primary) -> None:
        assert group.promoted is not None
        target = group.promoted.name
        before = self.promotions.setdefault(group.failover_epoch, target)
        if before != target:
            raise Violation(f"two promoted in epoch {group.failover_epoch}: {before} and {target}")

    def _objectively_down(self, sentinel: Sentinel, my_id: str) -> None:
        now = sentinel.network.clock.now_ms
        agreeing = sum(now - when < MEMORY_MS for voter, when in self.said_down.items() if voter != my_id)
        if agreeing < self.quorum - 1:
            raise Violation(f"{my_id} holds the primary for objectively down with {agreeing} others")
