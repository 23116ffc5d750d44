"""Which processes make a local cluster, where they listen, and their configuration files' first text. Pure.

The layout is chosen once and remembered in the data folder, because the servers write addresses into their
own configuration files as roles move: the same ports have to come back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

HOST = "127.0.0.1"
FIRST_NODE_PORT = 7001
FIRST_SENTINEL_PORT = 17001
HTTP_ABOVE = 1000
"""A process's HTTP port is that far above its port."""
STEP = 20
"""When a port is taken, all ports move up by this."""
TRIES = 100
LAYOUT_FILE = "cluster.json"
LARGEST_PORT = 65535
SMALLEST_QUORUM = 3


class LayoutError(Exception):
    """The cluster can't be laid out as asked; the text is for the operator."""


@dataclass(frozen=True)
class Wanted:
    """What the operator asked for; None = whatever is free, or remembered."""

    replicas: int | None = None
    sentinels: int | None = None
    quorum: int | None = None
    port: int | None = None
    sentinel_port: int | None = None
    service: str | None = None
    durability: str | None = None


@dataclass(frozen=True)
class Member:
    """One process of the cluster."""

    name: str
    sentinel: bool
    port: int
    http_port: int

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def config_name(self) -> str:
        """What its configuration file is called in its folder."""
        return "sentinel.conf" if self.sentinel else "kvserver.conf"


@dataclass(frozen=True)
class Layout:
    """All processes; the first node is the primary when the cluster is started for the first time."""

    service: str
    quorum: int
    nodes: tuple[Member, ...]
    sentinels: tuple[Member, ...]
    durability: str = "async"

    def members(self) -> Iterator[Member]:
        """Nodes first, then sentinels."""
        yield from self.nodes
        yield from self.sentinels

    def to_json(self) -> str:
        """The layout as `from_json` reads it."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> Layout:
        """Read what `to_json` wrote. Raises LayoutError."""
        try:
            data = json.loads(text)
            nodes, sentinels = (tuple(Member(**m) for m in data[kind]) for kind in ("nodes", "sentinels"))
            return Layout(
                str(data["service"]), int(data["quorum"]), nodes, sentinels, str(data.get("durability", "async"))
            )
        except (ValueError, KeyError, TypeError) as failure:
            raise LayoutError(f"{LAYOUT_FILE} is damaged ({failure!r}); remove the data folder, or name another")


def plan(wanted: Wanted, is_free: Callable[[int], bool]) -> Layout:
    """Lay a new cluster out on ports that are free.

    Raises:
        LayoutError: a port that was asked for is taken, no ports are free, or the numbers make no sense.
    """
    replicas = 2 if wanted.replicas is None else wanted.replicas
    sentinels = 3 if wanted.sentinels is None else wanted.sentinels
    quorum = sentinels // 2 + 1 if wanted.quorum is None else wanted.quorum
    if sentinels and not 1 <= quorum <= sentinels:
        raise LayoutError(f"a quorum of {quorum} can't be reached by {sentinels} sentinels")
    nodes = _ports(wanted.port, FIRST_NODE_PORT, 1 + replicas, is_free)
    watchers = _ports(wanted.sentinel_port, FIRST_SENTINEL_PORT, sentinels, is_free)
    layout = Layout(
        wanted.service or "mymaster",
        quorum,
        tuple(Member(f"node-{i}", False, *ports) for i, ports in enumerate(nodes, 1)),
        tuple(Member(f"sentinel-{i}", True, *ports) for i, ports in enumerate(watchers, 1)),
        _durability(wanted, 1 + replicas),
    )
    used = [port for member in layout.members() for port in (member.port, member.http_port)]
    if len(set(used)) < len(used):
        raise LayoutError("the ports of nodes and sentinels overlap; give --port and --sentinel-port further apart")
    return layout


def _durability(wanted: Wanted, nodes: int) -> str:
    durability = wanted.durability or "async"
    if durability != "async" and nodes < SMALLEST_QUORUM:
        raise LayoutError(f"durability {durability} needs {SMALLEST_QUORUM} data nodes, there are {nodes}")
    return durability


def _ports(given: int | None, first: int, count: int, is_free: Callable[[int], bool]) -> list[tuple[int, int]]:
    """Choose (port, HTTP port) of `count` processes: from `given` on, or wherever all are free."""
    starts = [given] if given is not None else [first + STEP * i for i in range(TRIES)]
    taken = 0
    for start in starts:
        pairs = [(start + i, start + i + HTTP_ABOVE) for i in range(count)]
        ports = [port for pair in pairs for port in pair]
        if not all(0 < port <= LARGEST_PORT for port in ports):
            raise LayoutError(f"no room for {count} ports and their HTTP ports from {start} on")
        taken = next((port for port in ports if not is_free(port)), 0)
        if not taken:
            return pairs
    raise LayoutError(f"port {taken} is taken by another process")


def check_same(layout: Layout, wanted: Wanted, folder: Path) -> None:
    """Refuse to start a remembered cluster with other numbers. Raises LayoutError."""
    first_sentinel = layout.sentinels[0].port if layout.sentinels else None
    for option, asked, has in (
        ("--port", wanted.port, layout.nodes[0].port),
        ("--sentinel-port", wanted.sentinel_port, first_sentinel),
        ("--replicas", wanted.replicas, len(layout.nodes) - 1),
        ("--sentinels", wanted.sentinels, len(layout.sentinels)),
        ("--quorum", wanted.quorum, layout.quorum),
        ("--name", wanted.service, layout.service),
        ("--durability", wanted.durability, layout.durability),
    ):
        if asked is not None and asked != has:
            raise LayoutError(f"the cluster in {folder} has {option} {has}, not {asked}; name another --dir")


def config_text(layout: Layout, member: Member, folder: Path, with_http: bool = True) -> str:
    """The configuration file that a process is first started with; from then on the process owns it."""
    lines = [f"port {member.port}", f"bind {HOST}", f'dir "{folder}"']
    if with_http:
        lines.append(f"http-port {member.http_port}")
    lines += _sentinel_lines(layout) if member.sentinel else _node_lines(layout, member)
    return "\n".join(lines) + "\n"


def _node_lines(layout: Layout, member: Member) -> list[str]:
    primary = layout.nodes[0]
    lines = ["repl-diskless-sync-delay 0", "repl-backlog-size 16mb"]
    if layout.durability != "async":
        lines += [f"durability {layout.durability}", f"quorum-nodes {len(layout.nodes)}", "appendonly yes", 'save ""']
    if layout.durability == "quorum-fsync":
        lines.append("appendfsync always")
    if member != primary:
        lines.append(f"replicaof {HOST} {primary.port}")
    return lines


def _sentinel_lines(layout: Layout) -> list[str]:
    """Patience of a machine of one's own: loopback answers at once, so a second of silence is long."""
    name = layout.service
    return [
        f"sentinel monitor {name} {HOST} {layout.nodes[0].port} {layout.quorum}",
        f"sentinel down-after-milliseconds {name} 1000",
        f"sentinel failover-timeout {name} 10000",
        f"sentinel parallel-syncs {name} 1",
    ]
