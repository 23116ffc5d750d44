"""What the view shows of a cluster, made of the replies of its processes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.cluster.layout import Member


@dataclass(frozen=True)
class ReplicaLink:
    """A replica as its primary sees it."""

    address: str
    state: str
    offset: int
    lag_s: int


@dataclass(frozen=True)
class NodeStatus:
    """One data node; `up` False: it doesn't answer, and nothing else is known."""

    member: Member
    up: bool = False
    pid: int = 0
    role: str = ""
    offset: int = 0
    follows: str = ""
    link_up: bool = False
    keys: int = 0
    ops_per_s: int = 0
    memory: int = 0
    clients: int = 0
    replicas: tuple[ReplicaLink, ...] = ()
    full_syncs: int = 0
    partial_syncs: int = 0
    quorum_trouble: str = ""
    """Why a leader can't have writes confirmed by a majority of its group."""


@dataclass(frozen=True)
class SentinelStatus:
    """One sentinel and what it says of the primary that it watches."""

    member: Member
    up: bool = False
    pid: int = 0
    primary: str = ""
    flags: str = ""
    replicas: int = 0
    sentinels: int = 0
    quorum: int = 0
    epoch: int = 0


@dataclass(frozen=True)
class ClusterStatus:
    """Everything at one moment."""

    nodes: tuple[NodeStatus, ...] = ()
    sentinels: tuple[SentinelStatus, ...] = ()
    events: tuple[str, ...] = field(default=())

    @property
    def primary(self) -> NodeStatus | None:
        """The node that leads, by the word of the sentinels, or by its own when there are none."""
        named = [s.primary for s in self.sentinels if s.up]
        for node in self.nodes:
            if node.up and node.role == "primary" and (not named or node.member.address in named):
                return node
        return None

    def lag_bytes(self, node: NodeStatus) -> int | None:
        """How far a replica's offset is behind that of the primary."""
        if self.primary is None or node.role != "replica" or not node.up:
            return None
        return max(self.primary.offset - node.offset, 0)

    def complaints(self) -> list[str]:
        """What is missing from a healthy cluster; empty when all is well."""
        members: tuple[NodeStatus | SentinelStatus, ...] = (*self.nodes, *self.sentinels)
        wrong = [f"{each.member.name} does not answer" for each in members if not each.up]
        primary = self.primary
        if primary is None:
            return [*wrong, "no primary"]
        if primary.quorum_trouble:
            wrong.append(f"{primary.member.name} takes no quorum writes: {primary.quorum_trouble}")
        for node in self.nodes:
            if node.up and node is not primary and not (node.link_up and node.follows == primary.member.address):
                wrong.append(f"{node.member.name} does not follow {primary.member.name} yet")
        for sentinel in self.sentinels:
            if sentinel.up and sentinel.primary != primary.member.address:
                wrong.append(f"{sentinel.member.name} has another primary: {sentinel.primary}")
            elif sentinel.up and (
                sentinel.replicas < len(self.nodes) - 1 or sentinel.sentinels < len(self.sentinels) - 1
            ):
                wrong.append(f"{sentinel.member.name} has not found everybody yet")
        return wrong


def node_status(member: Member, pid: int, info: Mapping[str, Any]) -> NodeStatus:
    """Read INFO as redis-py parses it."""
    replica = info.get("role") == "slave"
    offset = info.get("slave_repl_offset" if replica else "master_repl_offset", 0)
    return NodeStatus(
        member,
        up=True,
        pid=pid,
        role="replica" if replica else "primary",
        offset=int(offset),
        follows=f"{info.get('master_host')}:{info.get('master_port')}" if replica else "",
        link_up=info.get("master_link_status") == "up",
        keys=sum(v.get("keys", 0) for k, v in info.items() if k.startswith("db") and isinstance(v, dict)),
        ops_per_s=int(info.get("instantaneous_ops_per_sec", 0)),
        memory=int(info.get("used_memory_rss", 0) or info.get("used_memory", 0)),
        clients=int(info.get("connected_clients", 0)),
        replicas=tuple(
            ReplicaLink(f"{v.get('ip')}:{v.get('port')}", str(v.get("state")), int(v.get("offset", 0)),
                        int(v.get("lag", 0)))
            for k, v in info.items()
            if k.startswith("slave") and k[5:].isdigit() and isinstance(v, dict)
        ),
        full_syncs=int(info.get("sync_full", 0)),
        partial_syncs=int(info.get("sync_partial_ok", 0)),
        quorum_trouble="" if replica else str(info.get("quorum_reason", "")),
    )  # fmt: skip


def sentinel_status(member: Member, pid: int, fields: Mapping[str, str]) -> SentinelStatus:
    """Read the reply to SENTINEL MASTER name, as a mapping of texts."""
    return SentinelStatus(
        member,
        up=True,
        pid=pid,
        primary=f"{fields.get('ip')}:{fields.get('port')}",
        flags=fields.get("flags", ""),
        replicas=int(fields.get("num-slaves", 0)),
        sentinels=int(fields.get("num-other-sentinels", 0)),
        quorum=int(fields.get("quorum", 0)),
        epoch=int(fields.get("config-epoch", 0)),
    )


def changes(before: ClusterStatus | None, after: ClusterStatus) -> list[str]:
    """What a plain log says about the step from one status to the next; one line each."""
    lines: list[str] = []
    old_nodes = {n.member.name: n for n in before.nodes} if before else {}
    for node in after.nodes:
        old = old_nodes.get(node.member.name)
        if old is None or _node_line(old) != _node_line(node):
            lines.append(_node_line(node))
    old_sentinels = {s.member.name: s for s in before.sentinels} if before else {}
    for sentinel in after.sentinels:
        earlier = old_sentinels.get(sentinel.member.name)
        if earlier is None or _sentinel_line(earlier) != _sentinel_line(sentinel):
            lines.append(_sentinel_line(sentinel))
    return lines


def _node_line(node: NodeStatus) -> str:
    head = f"{node.member.name} {node.member.address}"
    if not node.up:
        return f"{head} does not answer"
    if node.role == "primary":
        return f"{head} pid={node.pid} primary replicas={len(node.replicas)}"
    return f"{head} pid={node.pid} replica of {node.follows} link={'up' if node.link_up else 'down'}"


def _sentinel_line(sentinel: SentinelStatus) -> str:
    head = f"{sentinel.member.name} {sentinel.member.address}"
    if not sentinel.up:
        return f"{head} does not answer"
    return (
        f"{head} pid={sentinel.pid} watches {sentinel.primary} flags={sentinel.flags} "
        f"replicas={sentinel.replicas} other-sentinels={sentinel.sentinels} quorum={sentinel.quorum}"
    )
