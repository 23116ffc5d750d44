"""One run: a cluster comes up, things break, checkers watch; then faults stop and all must be well again."""

from __future__ import annotations

from random import Random

from replication.sentinel.mind.messages import Action
from replication.sentinel.world.group import Primary
from replication.sentinel.world.invariants import Broken
from simulation.checkers import Checkers, Violation
from simulation.clock import Clock
from simulation.faults import Faults
from simulation.network import Network
from simulation.nodes import PORT as NODE_PORT, Node
from simulation.sentinels import PORT, Sentinel

SETTLE_MS = 15_000
"""Enough for discovery: a few hello periods."""
CONVERGE_MS = 150_000
"""Liveness: TILT (30 s), then at most an election or two, waits and corrections, all with default periods."""
REPLICATION_TURN_MS = 50
OPERATOR_MS = 30_000
"""How often an operator looks whether anybody leads, in stories with hand-overs."""


class Story:
    def __init__(
        self, seed: int, sentinels: int | None = None, nodes: int | None = None, unsound: bool = False,
        hand_overs: bool = False,
    ) -> None:
        rng = self.rng = Random(seed)
        self.seed = seed
        self.clock = Clock(rng)
        self.network = Network(self.clock)
        node_count = nodes or rng.choice((2, 3, 3, 4))
        sentinel_count = sentinels or rng.choice((3, 3, 3, 5))
        self.down_after_ms = rng.choice((500, 1_000, 3_000))
        majority = sentinel_count // 2 + 1
        quorum = rng.choice((majority, 2))
        self.checkers = self.make_checkers(majority, quorum, unsound)
        self.nodes = self.make_nodes(node_count)
        self.sentinels = [self._sentinel(i, quorum) for i in range(sentinel_count)]
        self.faults = Faults(self.network, rng, self.sentinels, self.nodes, unsound, hand_overs)
        for node in self.nodes[1:]:
            node.replicaof(self.nodes[0].host, str(NODE_PORT))
        self.clock.after(0, self._replicate)
        self.clock.run_until(self.clock.now_ms + SETTLE_MS)
        for sentinel in self.sentinels:
            if len(self.group(sentinel).peers) != sentinel_count - 1:
                raise Violation(f"{sentinel.host} did not find its peers")

    def make_checkers(self, majority: int, quorum: int, unsound: bool) -> Checkers:
        return Checkers(majority, quorum, unsound)

    def make_nodes(self, count: int) -> list[Node]:
        return [Node(self.network, f"10.0.1.{i}", self.rng, self.checkers.holds) for i in range(count)]

    def _sentinel(self, index: int, quorum: int) -> Sentinel:
        lines = [f"sentinel myid {self.rng.getrandbits(160):040x}",
                 f"sentinel monitor main {self.nodes[0].host} {NODE_PORT} {quorum}",
                 f"sentinel down-after-milliseconds main {self.down_after_ms}",
                 "sentinel failover-timeout main 10000", f"sentinel announce-port {PORT}"]
        return Sentinel(self.network, f"10.0.2.{index}", lines, self.rng, self._observe)

    def _observe(self, sentinel: Sentinel, action: Action) -> None:
        self.checkers.observe(sentinel, action)

    def _replicate(self) -> None:
        for node in self.nodes:
            node.replicate()
        self.clock.after(REPLICATION_TURN_MS, self._replicate)

    @staticmethod
    def group(sentinel: Sentinel) -> Primary:
        return sentinel.monitor.world.groups["main"]

    def trouble(self, faults: int) -> None:
        """Let `faults` things happen, with pauses between them."""
        for _ in range(faults):
            self.faults.strike()
            pause = self.rng.choice((20, 200, 1_000, 5_000))
            self.clock.run_until(self.clock.now_ms + self.rng.randrange(1, pause))

    def run_until_event(self, channel: str, times: int = 1, within_ms: int = 60_000) -> None:
        """Go on until the sentinels have told of this event so many times, counted from the beginning."""
        if not self.clock.run_until(self.clock.now_ms + within_ms,
                                    lambda: self.checkers.counts.get(channel, 0) >= times):
            raise Violation(f"no {channel} in {within_ms} ms: {self.state()}")

    def converge(self, within_ms: int = CONVERGE_MS) -> int:
        """Stop the faults; how long it took (ms) until all was well. Raises Violation if it isn't."""
        self.faults.mend()
        start = self.clock.now_ms
        while self.clock.now_ms - start < within_ms:
            self.clock.run_until(self.clock.now_ms + 100)
            if (self.clock.now_ms - start) % OPERATOR_MS < 100:
                self.operate()
            if self.well():
                return self.clock.now_ms - start
        raise Violation(f"not well {within_ms} ms after the last fault: {self.state()}")

    def operate(self) -> None:
        """What an operator does now and then while the group gets well."""
        self.faults.operate()

    def settle(self, within_ms: int = SETTLE_MS) -> None:
        """Write no more; all must hold the same soon. Raises Violation if they don't."""
        for node in self.nodes:
            node.quiet = True
        if not self.clock.run_until(self.clock.now_ms + within_ms, self._same):
            raise Violation(f"not the same everywhere: {self.logs()}")
        for node in self.nodes:
            node.quiet = False

    def logs(self) -> str:
        """Where each node's log ends."""
        return ", ".join(f"{n.host} {n.role.history.replid[-6:].decode()}:{n.offset}" for n in self.nodes)

    def _same(self) -> bool:
        return len({(node.offset, node.data) for node in self.nodes}) == 1

    def well(self) -> bool:
        """All sentinels name the same primary, it leads, and every other node follows it."""
        hosts = {self.group(s).address.host for s in self.sentinels}
        if len(hosts) != 1:
            return False
        leader = self.network.processes[hosts.pop()]
        calm = not any(self.group(s).failing_over or self.group(s).down for s in self.sentinels)
        return calm and isinstance(leader, Node) and leader.alive and leader.follows is None and all(
            node.follows == (leader.host, NODE_PORT) and node.link_up
            for node in self.nodes if node is not leader)

    def stage(self, sentinel: Sentinel) -> str:
        """Where the attempt stands that a sentinel makes, if it makes one."""
        attempt = self.group(sentinel).failover
        return "NONE" if attempt is None else attempt.stage.name

    def state(self) -> str:
        views = [f"{s.host} -> {self.group(s).address.host} {self.stage(s)}"
                 f"{' down' if self.group(s).down else ''}" for s in self.sentinels]
        return "; ".join(views + [f"{n.host} follows {n.follows}" for n in self.nodes])


def run(seed: int, faults: int = 25, unsound: bool = False, hand_overs: bool = False) -> Story:
    """A whole story; raises Violation naming the seed. With `unsound` or `hand_overs`, see `Faults`."""
    story = None
    try:
        story = Story(seed, unsound=unsound, hand_overs=hand_overs)
        for _ in range(2):
            story.trouble(faults)
            story.converge()
            story.settle()
    except (Violation, Broken) as violation:
        tail = "\n".join(story.checkers.log[-60:]) if story is not None else ""
        raise Violation(f"seed {seed}: {violation}\n{tail}") from None
    return story
