"""What breaks, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulation.network import Network, Process
from simulation.nodes import Node
from simulation.sentinels import Sentinel


class Faults:
    """Breaks one thing at a time, or several; `mend` ends all of it.

    With `unsound`, also what the safety argument excludes: a disk that loses a write it confirmed, and
    operators who force failovers at several sentinels at once. All must be well again after that, too. With
    `hand_overs`, operators who say FAILOVER to a primary while all this goes on; it can leave nodes that follow each
    other in a circle, which nobody but an operator resolves (`operate`).
    """

    def __init__(
        self, network: Network, rng: Random, sentinels: list[Sentinel], nodes: list[Node], unsound: bool = False,
        hand_overs: bool = False,
    ) -> None:
        self.network = network
        self.rng = rng
        self.sentinels = sentinels
        self.nodes = nodes
        self.count = 0
        self.kinds: list[tuple[int, Callable[[], None]]] = [
            (6, self._kill_leader), (3, self._kill_node), (3, self._kill_sentinel), (3, self._crash_in_step),
            (3, self._pause), (4, self._partition), (2, self._isolate), (2, self._delay),
            (1, self._jump), (2, self._break_connections), (2, self._tear_connections),
            (8, self._revive), (4, self._heal),
        ]
        self.hand_overs = hand_overs
        if hand_overs:
            self.kinds += [(5, self._hand_over), (1, self._abort_hand_over)]
        if unsound:
            self.kinds += [(4, self._lose_a_write), (3, self._force_failovers)]

    def strike(self) -> None:
        self.count += 1
        weights, acts = zip(*self.kinds, strict=True)
        self.rng.choices(acts, weights)[0]()

    def mend(self) -> None:
        for process in self._everyone():
            if process.paused:
                process.resume()
            self._start(process)
        for sentinel in self.sentinels:
            sentinel.crash_in = -1
        self._abort_hand_over()
        self._heal()

    def operate(self) -> None:
        """What an operator does about a circle: the node that has most leads."""
        if self.hand_overs and not self._leading():
            max(self.nodes, key=lambda node: node.offset).replicaof("NO", "ONE")

    def _everyone(self) -> list[Process]:
        return [*self.nodes, *self.sentinels]

    def _start(self, process: Process) -> None:
        if not process.alive:
            process.restart()

    def _kill_leader(self) -> None:
        leading = self._leading()
        if leading:
            self.rng.choice(leading).kill()

    def _leading(self) -> list[Node]:
        return [n for n in self.nodes if n.alive and n.follows is None]

    def _hand_over(self) -> None:
        """An operator's FAILOVER, to and fro if there is luck."""
        for node in self._leading():
            node.hand_over(timeout_ms=self.rng.choice((200, 2_000, 10_000)))

    def _abort_hand_over(self) -> None:
        for node in self.nodes:
            node.abort_hand_over()

    def _kill_node(self) -> None:
        self.rng.choice(self.nodes).kill()

    def _kill_sentinel(self) -> None:
        self.rng.choice(self.sentinels).kill()

    def _crash_in_step(self) -> None:
        """Die between two actions, soon: often between the disk and the network."""
        self.rng.choice(self.sentinels).crash_in = self.rng.randrange(60)

    def _pause(self) -> None:
        process = self.rng.choice(self._everyone())
        if process.alive and not process.paused:
            process.pause()
            self.network.clock.after(self.rng.randrange(50, 4_000),
                                     lambda: process.resume() if process.paused else None)

    def _partition(self) -> None:
        """Two sides that don't see each other."""
        hosts = [p.host for p in self._everyone()]
        side = set(self.rng.sample(hosts, self.rng.randrange(1, len(hosts))))
        self.network.cut |= {frozenset((a, b)) for a in side for b in hosts if b not in side}

    def _isolate(self) -> None:
        """A few pairs that don't see each other, while others see both."""
        hosts = [p.host for p in self._everyone()]
        for _ in range(self.rng.randrange(1, 5)):
            self.network.cut.add(frozenset(self.rng.sample(hosts, 2)))

    def _delay(self) -> None:
        self.network.max_delay_ms = self.rng.choice((1, 10, 80, 400))

    def _jump(self) -> None:
        reach = self.rng.choice((5_000, 5_000, 3_600_000))
        self.rng.choice(self.sentinels).clock_offset_ms += self.rng.randrange(-reach, reach)

    def _break_connections(self) -> None:
        process = self.rng.choice(self._everyone())
        for connection in list(process.connections):
            if connection.server is process:
                connection.broken_by(process)

    def _tear_connections(self) -> None:
        """Some connections of one process end in the middle of a message."""
        process = self.rng.choice(self._everyone())
        for connection in list(process.connections):
            if self.rng.randrange(2):
                connection.torn = True
                connection.broken_by(connection.server)

    def _lose_a_write(self) -> None:
        """A sentinel restarts, and its state file is as it was one write earlier."""
        sentinel = self.rng.choice(self.sentinels)
        sentinel.kill()
        sentinel.durable = sentinel.one_write_ago
        sentinel.restart()

    def _force_failovers(self) -> None:
        for sentinel in self.rng.sample(self.sentinels, 2):
            if sentinel.alive and not sentinel.paused:
                sentinel.fail_over()

    def _revive(self) -> None:
        dead = [p for p in self._everyone() if not p.alive]
        if dead:
            self._start(self.rng.choice(dead))

    def _heal(self) -> None:
        self.network.cut.clear()
        self.network.max_delay_ms = 3
