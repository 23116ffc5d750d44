"""One run: a deployment comes up, things break under clients; then faults stop, and all must be well and the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from simulation.checkers import Violation
from simulation.whole import programs
from simulation.whole.cluster import Cluster, Plan
from simulation.whole.faults import Faults
from simulation.whole.judging import half, judge, shown
from simulation.whole.loop import Stuck
from simulation.whole.plots import PLOTS
from simulation.whole.watches import Promises, Sentinels, Streams
from simulation.whole.world import World

BLOCK = 8
"""So many seeds in a row are stories of one deployment: how it comes up is decided, and run, once for them."""
PLOTS_EVERY = 4
"""One block in so many is of plots."""
BOOT_S = 60
CONVERGE_S = 150
"""Liveness: TILT (30 s), then at most an election or two, waits and corrections, all with default periods."""
OPERATOR_S = 30
"""How often an operator looks whether anybody leads."""
QUICK_OPERATOR_S = 2
"""And whether a member of a quorum has to be replaced."""
QUIET_S = 15
"""How long after the last write everything is applied everywhere, and the dead connections are gone."""


@dataclass
class Options:
    """How a story differs from what its seed chooses; a failing one is made shorter with them."""

    kind: str = "any"
    quorum: bool | None = None
    """Whether the nodes are a quorum; None: as the seed wants."""
    strikes: int = 12
    halves: int = 2
    skip: frozenset[int] = frozenset()
    clients: int = 99
    lines: int = 60
    """So many of the last lines of the log are part of the result."""
    tape: str = ""
    """What the whole trace is written to, the seed behind it."""


@dataclass
class Result:
    """What came of a story."""

    seed: int
    digest: str = ""
    failure: str = ""
    virtual_s: float = 0.0
    turns: int = 0
    faults: int = 0
    failovers: int = 0
    acknowledged: int = 0
    lost: int = 0
    quorum: bool = False
    slowest_s: float = 0.0
    undecided: int = 0
    cpu_s: float = 0.0
    lines: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether something was wrong."""
        return bool(self.failure)


class Story:
    """One seed's story."""

    def __init__(
        self, seed: int, options: Options | None = None, branch: Callable[[], int] | None = None
    ) -> None:
        self.options = options or Options()
        self.world = World(seed // BLOCK, bool(self.options.tape))
        self.result = Result(seed)
        self._branch = branch or (lambda: seed)
        self._streams = Streams()
        self._promises = Promises()
        self._began_s = 0.0

    def run(self) -> Result:
        """Tell it to its end."""
        result, world = self.result, self.world
        programs.WATCHES[:] = [self._streams.watch]
        try:
            world.run(KINDS[self.options.kind](self))
        except (Violation, Stuck) as failure:
            result.failure = str(failure) or "?"
        result.digest = world.digest()
        result.virtual_s = world.now_s - self._began_s
        result.turns = world.loop.turns
        result.lines = list(world.lines)[-self.options.lines :]
        if world.tape is not None:
            Path(f"{self.options.tape}.{result.seed}").write_bytes(world.tape)
        return result

    async def _up(self, plan: Plan) -> Cluster:
        """A deployment that is well. What comes now is another story for each seed of a block."""
        self.world.say("PLAN", plan)
        self._sentinels = Sentinels(plan)
        programs.TELLS[:] = [self._sentinels.saw]
        self.world.on_replaced = self._promises.saw
        cluster = Cluster(self.world, plan)
        await cluster.until(cluster.well, BOOT_S, "up")
        self.world.say("UP")
        self.result.seed = self._branch()
        self._began_s = self.world.now_s
        self.world.reseed(self.result.seed)
        return cluster

    async def kill(self) -> None:
        """The primary is killed, replaced, and comes back."""
        world = self.world
        cluster = await self._up(Plan(3, 3, 2, 1000, {}, ["add", "look"]))
        cluster.start_clients()
        await asyncio.sleep(2)
        old = cluster.leader()
        assert old is not None
        world.say("KILL", old)
        cluster.nodes[old].die()
        await cluster.until(lambda: cluster.leader() not in (None, old), 20, "promoted")
        await asyncio.sleep(2)
        world.say("RESTART", old)
        cluster.start(old)
        await cluster.until(cluster.well, CONVERGE_S, "well")
        await self._end(cluster)

    async def faults(self) -> None:
        """All kinds of things break; then faults stop, and all must be well."""
        world, options = self.world, self.options
        plan = Plan.drawn(world.rng, options.quorum)
        self.result.quorum = plan.durability != "async"
        cluster = await self._up(plan)
        plan.go_on(world.rng)
        cluster.on_forced = self._sentinels.operated
        del plan.clients[options.clients :]
        world.say("PLAN", plan)
        cluster.start_clients()
        faults = Faults(cluster, self.result.seed, options.skip)
        for _ in range(options.halves):
            for _ in range(options.strikes):
                await asyncio.sleep(faults.pause_s())
                faults.strike()
                self.result.faults = faults.counts.total()
                self._look()
            await asyncio.sleep(world.rng.random() * 6.0)
            faults.mend()
            await self._converge(cluster, faults)
            self._look()
        await self._end(cluster)

    async def any(self) -> None:
        """Mostly what chance brings about, now and then orders of faults that it seldom does."""
        plots = self.options.quorum is not False and self.result.seed // BLOCK % PLOTS_EVERY == 0
        await (self.plots() if plots else self.faults())

    async def plots(self) -> None:
        """Of a quorum: orders of faults that chance brings about seldom, one after another."""
        world, options = self.world, self.options
        plan = Plan.drawn(world.rng, True)
        plan.options["durability"] = "quorum"  # what is only in memories can be forgotten
        self.result.quorum = True
        cluster = await self._up(plan)
        plan.go_on(world.rng)
        cluster.on_forced = self._sentinels.operated
        del plan.clients[options.clients :]
        world.say("PLAN", plan)
        cluster.start_clients()
        faults = Faults(cluster, self.result.seed, options.skip)
        for number in range(options.strikes * options.halves // 4):
            await asyncio.sleep(0.2 + world.rng.random())
            name = world.rng.choice(list(PLOTS))
            world.say(f"PLOT {number} {name}")
            await PLOTS[name](faults, cluster)
            self.result.faults += 1
            self._look()
            faults.mend()
            await self._converge(cluster, faults)
            self._look()
        await self._end(cluster)

    async def _end(self, cluster: Cluster) -> None:
        cluster.stop_clients()
        await asyncio.sleep(1)
        await cluster.until(cluster.well, CONVERGE_S, "well at the end")
        await self._judge(cluster)

    async def _converge(self, cluster: Cluster, faults: Faults) -> None:
        """Wait until all is well; an operator looks now and then whether anybody leads."""
        began_s = self.world.now_s
        looked_s = began_s
        while not cluster.well():
            if self.world.now_s - began_s > CONVERGE_S:
                raise Violation(f"not well within {CONVERGE_S} s: {cluster.state()}")
            if self.world.now_s - looked_s > (OPERATOR_S if cluster.plan.durability == "async" else QUICK_OPERATOR_S):
                looked_s = self.world.now_s
                faults.operate()
            await asyncio.sleep(0.1)
            faults.start_ended()
        faults.well()
        self.result.slowest_s = max(self.result.slowest_s, self.world.now_s - began_s)

    def _look(self) -> None:
        """Raises Violation if something was seen that must never be."""
        world = self.world
        seen = (self._streams.trouble, self._sentinels.trouble, self._promises.trouble)
        for trouble in (*seen, *world.loop.failures, *world.alarms):
            if trouble:
                raise Violation(trouble)

    async def _judge(self, cluster: Cluster) -> None:
        """All is quiet: look at what there is."""
        await self._same_everywhere(cluster)
        leader = cluster.leader()
        assert leader is not None
        end = self.world.loop.now_ns
        keys = {row.key for row in cluster.notes.rows if row.action == "add"} | {f"log:{i}" for i in range(3)}
        lists: dict[str, list[str]] = {}
        for key in sorted(keys):
            values = await cluster.ask(leader, "LRANGE", key, 0, -1)
            lists[key] = [value.decode() for value in values]
        plan = cluster.plan
        verdict = judge(cluster.notes, lists, end, plan.durability != "async", plan.reads == "linearizable")
        self.result.lost, self.result.undecided = verdict.lost, verdict.undecided
        self.result.acknowledged = cluster.notes.acknowledged()
        self.result.failovers = max(self._sentinels.counts.get("+promoted-slave", 0), self._promises.epochs - 1)
        self._look()
        trouble = half(lists, cluster.notes) or "\n".join(map(shown, verdict.violations[:3]))
        if trouble:
            raise Violation(trouble)

    async def _same_everywhere(self, cluster: Cluster) -> None:
        """Raises Violation unless all nodes hold the same soon."""
        digests: dict[str, object] = {}
        for _ in range(QUIET_S):
            digests = {ip: await cluster.ask(ip, "DEBUG", "DIGEST") for ip in cluster.node_ips}
            if len(set(digests.values())) == 1:
                return
            await asyncio.sleep(1)
        found = [await cluster.contents(ip) for ip in cluster.node_ips]
        differ = sorted(key for key in set().union(*found) if len({each.get(key) for each in found}) > 1)
        held = "; ".join(f"{key}: {[each.get(key) for each in found]}" for key in differ[:5])
        raise Violation(f"not the same everywhere: {held}; {digests}; {cluster.state()}")


KINDS = {"any": Story.any, "faults": Story.faults, "kill": Story.kill, "plots": Story.plots}
"""What stories there are."""
