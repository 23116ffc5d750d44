"""What breaks, one thing at a time; `mend` ends all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from replication.quorum.shell.identity_file import NAME as IDENTITY
from simulation.whole.cluster import Cluster
from simulation.whole.disk import UNLIMITED
from simulation.whole.loop import Process, draw
from simulation.whole.operators import Operators
from simulation.whole.programs import FOLDER, NODE_FILE

SECOND_NS = 1_000_000_000


class Faults:
    """Breaks things in a cluster, as a seed wants it. `skip` names strikes (by number) that do nothing."""

    def __init__(self, cluster: Cluster, seed: int, skip: frozenset[int] = frozenset()) -> None:
        self._cluster, self._world = cluster, cluster.world
        self._rng = Random(seed)  # what one fault is doesn't depend on the others, so that some can be left out
        self._seed = seed
        self._skip = skip
        self._copies: dict[str, dict[str, bytes | None]] = {}
        self.strikes = 0
        self.counts: Counter[str] = Counter()
        self._quorum = cluster.plan.durability != "async"
        self._people = Operators(cluster, self._rng)
        self.operate = self._people.operate
        self._forgetful: set[str] = set()
        """Members of a quorum that may have lost what they acknowledged: seldom enough, nothing is lost for all."""
        self._kinds: list[tuple[float, Callable[[], str]]] = [
            (5, self._kill_leader), (2, self._kill), (1, self._kill_all), (2, self._power_off), (1, self._blackout),
            (3, self._pause), (3, self._partition), (2, self._one_way), (2, self._cut_leader_from_nodes),
            (2, self._slow_links), (1, self._slow_network), (1, self._skew), (2, self._reset), (1, self._slow_disk),
            (1, self._full_disk), (1, self._wipe), (1, self._back_up), (1, self._restore), (1, self._terminate),
            (6, self._revive), (4, self._heal),
            *([(1, self._people.switch_over), (1, self._people.hand_over)] if cluster.plan.operators else []),
            *([(1, self._people.meddle)] if self._quorum else []),
        ]  # fmt: skip

    def strike(self) -> None:
        """Let one thing happen."""
        number, self.strikes = self.strikes, self.strikes + 1
        self._rng.seed(self._seed * 1000 + number)
        act = draw(self._rng, self._kinds)
        name = act.__name__.strip("_")
        if number in self._skip:
            self._world.say(f"FAULT {number} {name} is left out")
            return
        self.counts[name] += 1
        self._world.say(f"FAULT {number} {name}", act())

    def pause_s(self) -> float:
        """How long to wait for the next strike."""
        self._rng.seed(self._seed * 1000 + 500 + self.strikes)
        return self._rng.random() * self._rng.choice((0.05, 0.5, 2.0, 6.0))

    def mend(self) -> None:
        """Everything that is broken is repaired, everybody dead is started."""
        self._world.say("MEND")
        self._heal()
        for ip, process in self._cluster.machines().items():
            self._world.hosts[ip].disk.room = UNLIMITED
            self._world.hosts[ip].disk.slow_ns = 0
            self._world.hosts[ip].skew_ns = 0
            if not process.alive:
                self._cluster.start(ip)

    def start_ended(self) -> None:
        """Who was told to end, and took until now, is started; who ended because of a failure of its own isn't."""
        for ip, process in self._cluster.machines().items():
            if not process.alive and not process.failure:
                self._cluster.start(ip)

    def _may_forget(self, ip: str) -> bool:
        """Whether a machine may lose what is on its disk, or in its memory; counts it, if it may."""
        if self._quorum and ip in self._cluster.nodes:
            if len(self._forgetful | {ip}) > (self._cluster.plan.nodes - 1) // 2:
                return False
            self._forgetful.add(ip)
        return True

    def well(self) -> None:
        """All is well again: whoever lost something has it, and is a member of its quorum."""
        self._forgetful.clear()

    def _loses_memory(self, ip: str) -> bool:
        """Whether a node that loses its power may lose what it acknowledged."""
        return self._cluster.plan.durability == "quorum" and ip in self._cluster.nodes

    def _any(self) -> tuple[str, Process]:
        return self._rng.choice(list(self._cluster.machines().items()))

    # -- processes ----------------------------------------------------------------------------------------------

    def _kill_leader(self) -> str:
        ip = self._people.leader()
        if ip is not None:
            self._cluster.nodes[ip].die()
        return str(ip)

    def _kill(self) -> str:
        ip, process = self._any()
        process.die()
        return ip

    def _terminate(self) -> str:
        ip, process = self._any()
        if process.alive and not process.holds:
            process.signal(15)
        return ip

    def _kill_all(self) -> str:
        """Every data node's process at once."""
        for process in self._cluster.nodes.values():
            process.die()
        return ""

    def _power_off(self) -> str:
        ip, _ = self._any()
        if self._loses_memory(ip) and not self._may_forget(ip):
            return "nobody"
        self._world.hosts[ip].power_off()
        return ip

    def _blackout(self) -> str:
        """All data nodes at once, or all there is."""
        ips = [*self._cluster.nodes] if self._rng.random() < 0.7 else [*self._cluster.machines()]
        if self._loses_memory(ips[0]):
            return "nobody"
        for ip in ips:
            self._world.hosts[ip].power_off()
        return str(len(ips))

    def _pause(self) -> str:
        ip, process = self._any()
        if process.alive:
            process.stand(self._rng.randrange(SECOND_NS // 20, 6 * SECOND_NS))
        return ip

    def _revive(self) -> str:
        dead = [ip for ip, process in self._cluster.machines().items() if not process.alive]
        if not dead:
            return "nobody"
        ip = self._rng.choice(dead)
        self._cluster.start(ip)
        return ip

    # -- the network --------------------------------------------------------------------------------------------

    def _partition(self) -> str:
        ips = [*self._cluster.machines(), *self._cluster.clients]
        side = self._rng.sample(ips, self._rng.randrange(1, len(ips)))
        self._world.network.separate(side, [ip for ip in ips if ip not in side])
        return " ".join(side)

    def _one_way(self) -> str:
        ips = list(self._cluster.machines())
        pairs = [self._rng.sample(ips, 2) for _ in range(self._rng.randrange(1, 5))]
        for a, b in pairs:
            self._world.network.separate([a], [b], both_ways=False)
        return str(pairs)

    def _cut_leader_from_nodes(self) -> str:
        ip = self._people.leader()
        if ip is not None:
            both = self._rng.random() < 0.6
            self._world.network.separate([ip], [other for other in self._cluster.nodes if other != ip], both)
        return str(ip)

    def _slow_links(self) -> str:
        ip, _ = self._any()
        slow = self._rng.choice((20, 100, 400)) * 1_000_000
        for other in [*self._cluster.machines(), *self._cluster.clients]:
            self._world.network.slow[ip, other] = slow
            if self._rng.random() < 0.7:
                self._world.network.slow[other, ip] = slow
        return ip

    def _slow_network(self) -> str:
        self._world.network.spread_ns = self._rng.choice((1_500_000, 20_000_000, 200_000_000))
        return str(self._world.network.spread_ns)

    def _reset(self) -> str:
        ip, process = self._any()
        for end in list(process.ends):
            if self._rng.random() < 0.5:
                end.reset()
        return ip

    def _heal(self) -> str:
        self._world.network.mend()
        return ""

    # -- machines -----------------------------------------------------------------------------------------------

    def _skew(self) -> str:
        ip, _ = self._any()
        self._world.hosts[ip].skew_ns += self._rng.randrange(-5 * SECOND_NS, 5 * SECOND_NS)
        return ip

    def _slow_disk(self) -> str:
        ip, _ = self._any()
        disk = self._world.hosts[ip].disk
        disk.slow_ns = 0 if disk.slow_ns else self._rng.choice((SECOND_NS // 100, SECOND_NS))
        return f"{ip} {disk.slow_ns}"

    def _full_disk(self) -> str:
        ip, _ = self._any()
        disk = self._world.hosts[ip].disk
        disk.room = self._rng.randrange(5000) if disk.room == UNLIMITED else UNLIMITED
        return f"{ip} {disk.room}"

    def _back_up(self) -> str:
        ip = self._rng.choice(self._cluster.node_ips)
        self._copies[ip] = self._world.hosts[ip].disk.copy()
        return ip

    def _wipe(self) -> str:
        """A node's machine is replaced by one with nothing on it but the configuration."""
        return self._lose(self._rng.choice(self._cluster.node_ips), {"/": None}, True)

    def _restore(self) -> str:
        """A node's disk is what it was some time ago: in its old folder without its identity, or in a new one."""
        if not self._copies:
            return "nobody"
        ip = self._rng.choice(list(self._copies))
        elsewhere = self._rng.random() < 0.5
        copy = {name: data for name, data in self._copies[ip].items() if elsewhere or name != f"{FOLDER}/{IDENTITY}"}
        return self._lose(ip, copy, elsewhere)

    def forget(self, ip: str) -> str:
        """A node loses what is on its disk, or what was only in its memory, if that is as little as may be lost."""
        if self._loses_memory(ip) and self._rng.random() < 0.8:
            if not self._may_forget(ip):
                return "nobody"
            self._world.hosts[ip].power_off()
            return ip
        return self._lose(ip, {"/": None}, True)

    def _lose(self, ip: str, copy: dict[str, bytes | None], elsewhere: bool) -> str:
        if not self._may_forget(ip):
            return "nobody"
        disk = self._world.hosts[ip].disk
        self._cluster.nodes[ip].die()
        config = bytes(disk.find(NODE_FILE).data)
        disk.restore(copy, elsewhere)
        disk.folder(FOLDER)
        disk.put(NODE_FILE, config)
        return ip
