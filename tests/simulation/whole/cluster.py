"""A deployment: data nodes, sentinels and clients of a size and with options that the seed chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from replication.quorum.shell.info_fields import state_of
from simulation.checkers import Violation
from simulation.whole.clients import ACTS, FAILURES, Client, Connection, Notes
from simulation.whole.loop import Process, draw
from simulation.whole.programs import (
    NODE_FILE,
    NODE_PORT,
    SENTINEL_FILE,
    SENTINEL_PORT,
    group_of,
    node_lines,
    quorum_of,
    replication_of,
    start_node,
    start_sentinel,
    write_file,
)
from simulation.whole.world import World

ASKED = 20
"""How often a node that should be well is asked for something before that is an error."""
OPTIONS: dict[str, list[tuple[float, str]]] = {
    "appendonly": [(2, "no"), (3, "yes")],
    "appendfsync": [(3, "everysec"), (2, "always"), (1, "no")],
    "repl-diskless-sync": [(3, "yes"), (1, "no")],
    "repl-diskless-sync-delay": [(3, "0"), (1, "1")],
    "repl-backlog-size": [(2, "1mb"), (1, "16kb")],
    "repl-timeout": [(2, "10"), (1, "60")],
    "repl-ping-replica-period": [(1, "10"), (1, "1")],
    "min-replicas-to-write": [(3, "0"), (1, "1")],
    "aof-use-rdb-preamble": [(3, "yes"), (1, "no")],
    "auto-aof-rewrite-min-size": [(1, "64mb"), (1, "8kb")],
    "no-appendfsync-on-rewrite": [(3, "no"), (1, "yes")],
    "save": [(3, '""'), (1, '"5 10"')],
    "databases": [(1, "4")],
    "hz": [(7, "10"), (1, "50")],
}
"""Of data nodes: what the seed chooses from, and how often."""


QUORUM: dict[str, list[tuple[float, str]]] = {
    "durability": [(1, "quorum"), (1, "quorum-fsync")],
    "reads": [(1, "committed"), (1, "linearizable")],
    "appendonly": [(1, "yes")],
    "appendfsync": [(2, "everysec"), (1, "always")],
    "min-replicas-to-write": [(1, "0")],
    "quorum-timeout-ms": [(1, "1000"), (1, "300")],
}
"""Of the members of a quorum."""


@dataclass
class Plan:
    """What a seed has chosen before anything runs."""

    nodes: int
    sentinels: int
    quorum: int
    down_after_ms: int
    options: dict[str, str]
    clients: list[str] = field(default_factory=list)
    pause_s: float = 0.05
    operators: bool = False
    """Whether people order failovers, of sentinels (which ask nobody then, but in a quorum) and of data nodes."""

    @property
    def durability(self) -> str:
        """Of the nodes."""
        return self.options.get("durability", "async")

    @property
    def reads(self) -> str:
        """Of the nodes."""
        return self.options.get("reads", "local" if self.durability == "async" else "committed")

    @classmethod
    def drawn(cls, rng: Random, quorum: bool | None = None) -> Plan:
        """Choose what has to be known at the start. Whether the nodes are a quorum may be wished for."""
        nodes, sentinels = draw(rng, [(1, 2), (4, 3), (1, 5)]), draw(rng, [(4, 3), (1, 5)])
        options = {name: draw(rng, choices) for name, choices in OPTIONS.items()}
        drawn = rng.random() < 0.6
        if drawn if quorum is None else quorum:
            nodes = max(3, nodes)
            options |= {name: draw(rng, choices) for name, choices in QUORUM.items()}
            options["quorum-nodes"] = str(nodes)
        return cls(nodes, sentinels, sentinels // 2 + 1, rng.choice((500, 1000, 3000)), options)

    def go_on(self, rng: Random) -> None:
        """Choose the rest."""
        self.clients = ["add", "transact", *(rng.choice(list(ACTS)) for _ in range(rng.randrange(1, 4)))]
        self.pause_s = draw(rng, [(1, 0.05), (4, 0.2), (4, 0.5)])
        self.operators = rng.random() < 0.25


@dataclass
class Cluster:
    """A deployment that runs in a world."""

    world: World
    plan: Plan
    notes: Notes = field(default_factory=Notes)
    nodes: dict[str, Process] = field(default_factory=dict)
    sentinels: dict[str, Process] = field(default_factory=dict)
    clients: dict[str, Process] = field(default_factory=dict)
    on_forced: Callable[[], None] = lambda: None
    """Called before a sentinel is ordered to fail over."""

    def __post_init__(self) -> None:
        plan = self.plan
        self.node_ips = [f"10.0.1.{i + 1}" for i in range(plan.nodes)]
        self.sentinel_ips = [f"10.0.2.{i + 1}" for i in range(plan.sentinels)]
        for ip in self.node_ips:
            self.configure_node(ip)
            self.start(ip)
        for ip in self.sentinel_ips:
            write_file(self.world, ip, SENTINEL_FILE, [
                f"port {SENTINEL_PORT}", f"bind {ip}", "protected-mode no", "set-proc-title no",
                f"sentinel monitor main {self.node_ips[0]} {NODE_PORT} {plan.quorum}",
                f"sentinel down-after-milliseconds main {plan.down_after_ms}", "sentinel failover-timeout main 10000",
            ])  # fmt: skip
            self.start(ip)

    def configure_node(self, ip: str) -> None:
        """Write a node's first file; the node writes later ones itself."""
        follows = {} if ip == self.node_ips[0] else {"replicaof": f"{self.node_ips[0]} {NODE_PORT}"}
        write_file(self.world, ip, NODE_FILE, node_lines(ip, {**self.plan.options, **follows}))

    def start(self, ip: str) -> None:
        """Start what belongs on a machine."""
        if ip in self.node_ips:
            self.nodes[ip] = start_node(self.world, ip, f"n{ip[-1]}")
        else:
            self.sentinels[ip] = start_sentinel(self.world, ip, f"s{ip[-1]}")

    def start_clients(self) -> None:
        """Have the clients begin."""
        for i, kind in enumerate(self.plan.clients):
            name, ip = f"c{i + 1}", f"10.0.3.{i + 1}"
            client = Client(name, kind, self.sentinel_ips, self.node_ips, self.notes, self.plan.pause_s,
                            self.plan.reads == "linearizable")
            self.clients[ip] = self.world.host(ip).spawn(name, client.main)

    def stop_clients(self) -> None:
        """End them all."""
        for process in self.clients.values():
            process.die()

    def machines(self) -> dict[str, Process]:
        """Nodes and sentinels."""
        return {**self.nodes, **self.sentinels}

    def leader(self) -> str | None:
        """Whom the sentinels name, if they all name the same."""
        named = {None if (group := group_of(process)) is None else group.address.ip
                 for process in self.sentinels.values()}
        return named.pop() if len(named) == 1 else None

    def well(self) -> bool:
        """All sentinels name one primary, it leads, everybody else follows it and the link is up."""
        if not all(process.alive for process in self.machines().values()):
            return False
        leader = self.leader()
        if leader is None:
            return False
        for ip, process in self.nodes.items():
            node = replication_of(process)
            if node is None or not process.app.serving or node.is_replica == (ip == leader):
                return False
            if node.link is not None and not (node.link.connected and node.link.host == leader):
                return False
        groups = [group for process in self.sentinels.values() if (group := group_of(process)) is not None]
        known = all(len(group.peers) >= self.plan.sentinels - 1 and len(group.replicas) >= self.plan.nodes - 1
                    for group in groups)
        return known and not any(group.failing_over or group.down for group in groups) and self._agreed(leader)

    def _agreed(self, leader: str) -> bool:
        """Whether the quorum is whole: one leads, and the others, all of them members, follow."""
        if self.plan.durability == "async":
            return True
        quorums = {ip: quorum_of(process) for ip, process in self.nodes.items()}
        ours = quorums[leader]
        if ours is None or state_of(ours) != "leading" or ours.attendance.trouble or len(ours.node.members.now) != 1:
            return False
        ids = {found.node.node_id for found in quorums.values() if found is not None}
        return ours.node.members.now[0] == ids and all(
            ip == leader or (found is not None and state_of(found) == "following") for ip, found in quorums.items())

    def state(self) -> str:
        """For people."""
        told = []
        for ip, process in self.machines().items():
            what = "up" if process.alive else f"dead {process.failure}"
            node = replication_of(process) if ip in self.nodes else None
            if node is not None and process.alive:
                link = node.link
                what = "leads" if link is None else f"follows {link.host} ({link.state})"
                quorum = quorum_of(process)
                if quorum is not None:
                    what += f" {state_of(quorum)} {quorum.node.node_id[:6]} promised {quorum.node.identity.promised}" \
                            f" members {[sorted(m[:6] for m in ids) for ids in quorum.node.members.now]}" \
                            f" {quorum.attendance.trouble}"
                what += f" {node.history.replid[:6].decode()}:{node.engine.log.offset}"
            group = group_of(process) if ip in self.sentinels else None
            if group is not None:
                what += f" names {group.address.ip}{' down' if group.down else ''}" \
                        f"{' fails over' if group.failing_over else ''} {len(group.peers)} peers"
            told.append(f"{ip} {what}")
        return "; ".join(told)

    async def until(self, condition: Callable[[], bool], within_s: float, what: str) -> float:
        """Wait; how long it took, in virtual seconds. Raises Violation if it takes too long."""
        loop = self.world.loop
        began = loop.time()
        while not condition():
            if loop.time() - began > within_s:
                raise Violation(f"not {what} within {within_s} s: {self.state()}")
            await asyncio.sleep(0.1)
        return loop.time() - began

    async def contents(self, ip: str) -> dict[tuple[int, bytes], tuple[bytes, int]]:
        """What a node holds: of each key of each database how DUMP writes it, and when it expires."""
        held: dict[tuple[int, bytes], tuple[bytes, int]] = {}
        for number in range(int(self.plan.options.get("databases", "16"))):
            for key in await self.ask_all(ip, ("SELECT", number), ("KEYS", "*")):
                whole = await self.ask_all(ip, ("SELECT", number), ("DUMP", key))
                held[number, key] = whole, await self.ask_all(ip, ("SELECT", number), ("PEXPIRETIME", key))
        return held

    async def ask(self, ip: str, *words: object) -> Any:
        """Ask a node something, from a machine of the checkers' own. Raises Violation if it doesn't answer."""
        return await self.ask_all(ip, words)

    async def ask_all(self, ip: str, *requests: tuple[object, ...]) -> Any:
        """Ask some things on one connection; the last reply. Raises Violation as `ask` does."""
        found: list[object] = []
        failures: list[str] = []

        async def main(process: Process) -> int:
            while len(failures) < ASKED:
                try:
                    connection = await Connection.open(ip, NODE_PORT)
                    found.append((await connection.many(list(requests)))[-1])
                    return 0
                except FAILURES as failure:
                    failures.append(repr(failure))
                    await asyncio.sleep(0.5)
            return 1

        asking = self.world.host("10.0.4.1").spawn("ask", main)
        while asking.alive:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        if not found:
            raise Violation(f"{ip} doesn't answer {requests}: {failures[-1]}; {self.state()}")
        return found[0]
