"""The live view of a cluster, and the words that say how to reach it. Pure: status in, rich's objects out."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.cluster.layout import HOST, Layout
from ops.cluster.status import ClusterStatus, NodeStatus, SentinelStatus

EVENTS_SHOWN = 8
ROLE_STYLE = {"primary": "bold green", "replica": "cyan"}
EVENT_STYLE = {"+switch-master": "bold green", "+odown": "bold red", "+sdown": "red", "-sdown": "green"}


def render(status: ClusterStatus, notes: list[str], title: str) -> RenderableType:
    """Draw the whole screen: nodes, sentinels, the last events, and what else is to be said."""
    parts: list[RenderableType] = [
        _nodes(status, title),
        _sentinels(status),
        Panel(_events(status.events), title="events", title_align="left"),
    ]
    wrong = status.complaints()
    parts.append(Text("; ".join(wrong) if wrong else "all is well", style="yellow" if wrong else "green"))
    parts += [Text(note) for note in notes]
    return Group(*parts)


def _nodes(status: ClusterStatus, title: str) -> Table:
    table = Table(title=title, title_justify="left", expand=True)
    for heading in ("node", "address", "role", "follows"):
        table.add_column(heading, no_wrap=True)
    for heading in ("offset", "lag", "keys", "ops/s", "clients", "memory", "pid"):
        table.add_column(heading, justify="right", no_wrap=True)
    for node in status.nodes:
        table.add_row(*_node_row(status, node))
    return table


def _node_row(status: ClusterStatus, node: NodeStatus) -> list[RenderableType]:
    name, address = node.member.name, node.member.address
    if not node.up:
        return [name, address, Text("down", style="bold red"), *[""] * 8]
    lag = status.lag_bytes(node)
    link = "" if node.role == "primary" else ("" if node.link_up else " (link down)")
    return [
        name,
        address,
        Text(node.role, style=ROLE_STYLE.get(node.role, "")),
        Text(_short(status, node.follows) + link, style="" if not link else "yellow"),
        f"{node.offset:,}",
        "" if lag is None else f"{lag:,} B",
        f"{node.keys:,}",
        f"{node.ops_per_s:,}",
        str(node.clients),
        f"{node.memory / 1e6:.0f} MB",
        str(node.pid),
    ]


def _short(status: ClusterStatus, address: str) -> str:
    """Show a node by its name where the address is one of ours."""
    return next((n.member.name for n in status.nodes if n.member.address == address), address)


def _sentinels(status: ClusterStatus) -> Table:
    table = Table(expand=True)
    for heading in ("sentinel", "address", "watches", "flags", "replicas", "others", "quorum", "epoch"):
        table.add_column(heading, no_wrap=True)
    for sentinel in status.sentinels:
        table.add_row(*_sentinel_row(status, sentinel))
    return table


def _sentinel_row(status: ClusterStatus, sentinel: SentinelStatus) -> list[RenderableType]:
    name, address = sentinel.member.name, sentinel.member.address
    if not sentinel.up:
        return [name, address, Text("down", style="bold red"), *[""] * 5]
    counts = (sentinel.replicas, sentinel.sentinels, sentinel.quorum, sentinel.epoch)
    flags = Text(sentinel.flags, style="red" if "down" in sentinel.flags else "")
    return [name, address, _short(status, sentinel.primary), flags, *map(str, counts)]


def _events(events: tuple[str, ...]) -> Text:
    text = Text()
    for line in events[-EVENTS_SHOWN:]:
        channel = line.split(" ")[2]
        text.append(line + "\n", style=EVENT_STYLE.get(channel, ""))
    return text


def how_to_connect(layout: Layout, with_http: bool = True) -> list[str]:
    """Lines that tell how clients and Prometheus reach the cluster."""
    lines = [f"redis-cli -p {node.port}    # {node.name}" for node in layout.nodes]
    if layout.sentinels:
        lines.append(
            f"redis-cli -p {layout.sentinels[0].port} SENTINEL get-master-addr-by-name {layout.service}"
            "    # who leads"
        )
        addresses = ", ".join(f'("{HOST}", {s.port})' for s in layout.sentinels)
        lines += [
            "Python, with redis-py:",
            "    from redis.sentinel import Sentinel",
            f"    sentinel = Sentinel([{addresses}])",
            f'    sentinel.master_for("{layout.service}").set("key", "value")',
            f'    sentinel.slave_for("{layout.service}").get("key")',
        ]
    if with_http:
        lines += [f"metrics of {m.name}: http://{HOST}:{m.http_port}/metrics" for m in layout.members()]
    return lines
