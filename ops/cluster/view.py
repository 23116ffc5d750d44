"""The live view of a cluster, and the words that say how to reach it. Pure: status in, rich's objects out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.cluster.layout import HOST, Layout
from ops.cluster.status import ClusterStatus, NodeStatus, SentinelStatus

S = TypeVar("S", NodeStatus, SentinelStatus)
EVENTS_SHOWN = 8
ROLE_STYLE = {"primary": "bold green", "replica": "cyan"}
EVENT_STYLE = {"+switch-master": "bold green", "+odown": "bold red", "+sdown": "red", "-sdown": "green"}


def render(status: ClusterStatus, title: str, width: int) -> RenderableType:
    """Draw the whole screen: nodes, sentinels, the last events, and what is missing; `width` in characters."""
    wrong = status.complaints()
    return Group(
        _table(status, status.nodes, _NODE, title, width),
        _table(status, status.sentinels, _SENTINEL, "", width),
        Panel(_events(status.events), title="events", title_align="left"),
        Text("; ".join(wrong) if wrong else "all is well", style="yellow" if wrong else "green"),
    )


@dataclass(frozen=True)
class _Column(Generic[S]):
    """One column: `cell` makes its text and style, on screens at least `width` characters wide."""

    heading: str
    cell: Callable[[ClusterStatus, S], tuple[str, str]]
    right: bool = False
    width: int = 0


def _table(
    status: ClusterStatus, members: Sequence[S], columns: Sequence[_Column[S]], title: str, width: int
) -> Table:
    """A row for each member; of one that doesn't answer only its name is known, and where it should be."""
    shown = [column for column in columns if column.width <= width]
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in shown:
        table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True)
    for member in members:
        cells = [Text(*column.cell(status, member)) for column in (shown if member.up else shown[:2])]
        table.add_row(*cells, *([] if member.up else [Text("down", style="bold red")]))
    return table


def _follows(status: ClusterStatus, node: NodeStatus) -> tuple[str, str]:
    if node.role == "primary":
        return "", ""
    return _short(status, node.follows) + ("" if node.link_up else " (link down)"), "" if node.link_up else "yellow"


def _lag(status: ClusterStatus, node: NodeStatus) -> tuple[str, str]:
    lag = status.lag_bytes(node)
    return "" if lag is None else f"{lag:,} B", ""


_NODE: tuple[_Column[NodeStatus], ...] = (
    _Column("node", lambda _, n: (n.member.name, "")),
    _Column("port", lambda _, n: (str(n.member.port), ""), right=True),
    _Column("role", lambda _, n: (n.role, ROLE_STYLE.get(n.role, ""))),
    _Column("follows", _follows),
    _Column("offset", lambda _, n: (f"{n.offset:,}", ""), right=True),
    _Column("lag", _lag, right=True),
    _Column("keys", lambda _, n: (f"{n.keys:,}", ""), right=True),
    _Column("ops/s", lambda _, n: (f"{n.ops_per_s:,}", ""), right=True),
    _Column("clients", lambda _, n: (str(n.clients), ""), right=True, width=90),
    _Column("memory", lambda _, n: (f"{n.memory / 1e6:.0f} MB", ""), right=True, width=90),
    _Column("pid", lambda _, n: (str(n.pid), ""), right=True, width=100),
)
_SENTINEL: tuple[_Column[SentinelStatus], ...] = (
    _Column("sentinel", lambda _, s: (s.member.name, "")),
    _Column("port", lambda _, s: (str(s.member.port), ""), right=True),
    _Column("watches", lambda status, s: (_short(status, s.primary), "")),
    _Column("flags", lambda _, s: (s.flags, "red" if "down" in s.flags else "")),
    _Column("replicas", lambda _, s: (str(s.replicas), ""), right=True),
    _Column("others", lambda _, s: (str(s.sentinels), ""), right=True),
    _Column("quorum", lambda _, s: (str(s.quorum), ""), right=True),
    _Column("epoch", lambda _, s: (str(s.epoch), ""), right=True),
    _Column("pid", lambda _, s: (str(s.pid), ""), right=True, width=100),
)


def _short(status: ClusterStatus, address: str) -> str:
    """Show a node by its name where the address is one of ours."""
    return next((n.member.name for n in status.nodes if n.member.address == address), address)


def _events(events: tuple[str, ...]) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
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
