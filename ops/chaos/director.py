"""Carries faults out, one after the other, and mends everything after each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ops.bench.servers import BenchError
from ops.chaos.deployment import Deployment
from ops.chaos.faults import (
    AwaitFailover,
    Cut,
    Fault,
    Fill,
    Kill,
    Pause,
    Roughen,
    Start,
    Step,
    Stop,
    Switchover,
    Wait,
    groups,
    members,
)
from ops.chaos.oversight import Operator
from ops.chaos.places import Pair, Place, both_ways, one_way
from ops.chaos.records import Period

SETTLE_S = 30.0
"""How long it may take until all is well once a fault is mended."""
CALM_S = 0.7
"""Between two faults."""


@dataclass
class Director:
    """Faults, from a table to signals and cuts."""

    deployment: Deployment
    operator: Operator
    say: Callable[[str], None]
    periods: list[Period] = field(default_factory=list)
    _cuts: set[Pair] = field(default_factory=set)
    _rough: set[str] = field(default_factory=set)
    _full: set[str] = field(default_factory=set)
    _killed: set[str] = field(default_factory=set)
    _there: set[str] = field(default_factory=set)

    async def carry_out(self, faults: tuple[Fault, ...]) -> bool:
        """Let one fault happen, or several at once; whether all was well again in time. Raises BenchError."""
        found = await self.operator.until_settled(SETTLE_S)
        if found is None:
            raise BenchError(f"{self.deployment.servers.title} does not settle: {self.operator.complaint}")
        await asyncio.sleep(CALM_S)
        named = groups(*found)
        name = " + ".join(fault.name for fault in faults)
        self.say(f"{self.deployment.servers.title}: {name}")
        period = Period(name, time.monotonic_ns())
        self.periods.append(period)
        await asyncio.gather(*(self._play(fault.steps, named, period) for fault in faults))
        period.mended = time.monotonic_ns()
        await self._mend()
        if await self.operator.until_settled(SETTLE_S) is None:
            period.complaint = self.operator.complaint
            return False
        period.settled = time.monotonic_ns()
        await self._take_stock(period)
        return True

    async def _take_stock(self, period: Period) -> None:
        """Note what is gone, so that a loss of everything isn't put down to other faults."""
        lead = await self.operator.settled()
        present = lead and await self.operator.elements(lead[0])
        if present:
            period.vanished = frozenset(self._there - present)
            self._there = present

    async def _play(self, steps: Iterable[Step], named: Mapping[str, frozenset[str]], period: Period) -> None:
        network = self.deployment.network
        for step in steps:
            match step:
                case Kill(who):
                    targets = await self._leader() if who == ("leader",) else self._places(members(named, who))
                    for place in targets:
                        if self.deployment.running(place):
                            await self.deployment.kill(place)
                            self._killed.add(place.name)
                case Stop(who):
                    for place in self._places(members(named, who)):
                        self.deployment.stop(place)
                case Start(empty):
                    await self._start(empty)
                case Cut(some, others, is_one_way):
                    ours = members(named, some)
                    self._cuts |= (one_way if is_one_way else both_ways)(ours, members(named, others, ours))
                    period.cut_off |= {name for name in ours if name.startswith("clients")}
                    await network.shape(frozenset(self._cuts), frozenset(self._rough))
                case Roughen(who):
                    self._rough |= members(named, who)
                    await network.shape(frozenset(self._cuts), frozenset(self._rough))
                case Fill(who):
                    self._full |= members(named, who)
                    for place in self._places(members(named, who)):
                        self.deployment.fill(place, True)
                case Wait(beyond_s):
                    await asyncio.sleep(beyond_s + self.deployment.servers.down_after_ms / 1000)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case AwaitFailover(beyond_s):
                    await self._failover(beyond_s + self.deployment.servers.down_after_ms / 1000)
                case Switchover():
                    refused = await self.operator.switch_over()
                    period.notes += (f"no sentinel takes a switchover: {refused}",) if refused else ()

    def _places(self, names: Iterable[str]) -> list[Place]:
        names = set(names)
        return [place for place in self.deployment.network.places if place.name in names]

    async def _leader(self) -> list[Place]:
        """Who leads now, of those that the latest failover knows."""
        latest = max(self.operator.failovers.values(), key=lambda f: f.epoch, default=None)
        return [p for p in self.deployment.network.places if latest and f"{p.address}:{p.port}" == latest.address]

    async def _failover(self, limit_s: float) -> None:
        """Wait until a sentinel tells of another primary."""
        self.operator.switched.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self.operator.switched.wait()

    async def _start(self, empty: bool = False) -> None:
        for place in self.deployment.network.places:
            if place.kind != "clients" and not self.deployment.running(place):
                if place.name not in self._killed and self.periods:
                    self.periods[-1].notes += (f"{place.name} ended by itself",)
                await self.deployment.start(place, empty)
        self._killed.clear()

    async def _mend(self) -> None:
        """End every fault."""
        self._cuts.clear()
        self._rough.clear()
        await self.deployment.network.shape(frozenset(), frozenset())
        for place in self._places(self._full):
            self.deployment.fill(place, False)
        self._full.clear()
        for place in self.deployment.network.places:
            self.deployment.proceed(place)
        await self._start()
