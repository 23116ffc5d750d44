"""What the live view says, made of replies."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from ops.cluster.layout import Wanted, plan
from ops.cluster.status import ClusterStatus, changes, node_status, sentinel_status
from ops.cluster.view import how_to_connect, render

LAYOUT = plan(Wanted(), lambda port: True)
PRIMARY_INFO = {
    "role": "master",
    "master_repl_offset": 1000,
    "connected_slaves": 2,
    "slave0": {"ip": "127.0.0.1", "port": 7002, "state": "online", "offset": 990, "lag": 0},
    "slave1": {"ip": "127.0.0.1", "port": 7003, "state": "wait_bgsave", "offset": 0, "lag": 0},
    "db0": {"keys": 5, "expires": 0},
    "db3": {"keys": 2, "expires": 0},
}
REPLICA_INFO = {
    "role": "slave",
    "master_host": "127.0.0.1",
    "master_port": 7001,
    "master_link_status": "up",
    "slave_repl_offset": 990,
}
MASTER_FIELDS = {
    "ip": "127.0.0.1", "port": "7001", "flags": "master", "num-slaves": "2", "num-other-sentinels": "2", "quorum": "2",
}  # fmt: skip


def healthy() -> ClusterStatus:
    """A cluster in which all is well."""
    return ClusterStatus(
        (
            node_status(LAYOUT.nodes[0], 1, PRIMARY_INFO),
            node_status(LAYOUT.nodes[1], 2, REPLICA_INFO),
            node_status(LAYOUT.nodes[2], 3, REPLICA_INFO),
        ),
        tuple(sentinel_status(member, 4, MASTER_FIELDS) for member in LAYOUT.sentinels),
    )


def drawn(status: ClusterStatus, width: int = 140) -> str:
    """The view as text."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(render(status, "title", width))
    return captured.get()


def test_info_is_read() -> None:
    """A node's status has its role, offset, keys of all databases, and its replicas."""
    node = healthy().nodes[0]
    assert (node.role, node.offset, node.keys) == ("primary", 1000, 7)
    assert [(r.address, r.state, r.offset) for r in node.replicas] == [
        ("127.0.0.1:7002", "online", 990),
        ("127.0.0.1:7003", "wait_bgsave", 0),
    ]


def test_all_is_well() -> None:
    """A whole cluster has no complaints, and its replicas' lag is in bytes."""
    status = healthy()
    assert status.complaints() == []
    assert status.lag_bytes(status.nodes[1]) == 10
    assert "all is well" in drawn(status)


def test_a_narrow_screen_shows_the_essential_whole() -> None:
    """On 80 characters nothing is cut off; what is less important is left out."""
    text = drawn(healthy(), 80)
    assert "…" not in text
    assert "127.0.0.1" not in text
    assert all(word in text for word in ("node-3", "primary", "replica", "offset", "lag", "sentinel-3", "quorum"))
    assert "memory" in drawn(healthy(), 120)


def test_sentinels_decide_who_leads() -> None:
    """Of two nodes that call themselves primary, the one that the sentinels name leads."""
    status = healthy()
    pretender = replace(status.nodes[1], role="primary", follows="", link_up=False)
    both = replace(status, nodes=(pretender, status.nodes[0], status.nodes[2]))
    assert both.primary is not None
    assert both.primary.member == LAYOUT.nodes[0]
    assert "node-2 does not follow node-1 yet" in both.complaints()


def test_complaints_name_who_is_missing() -> None:
    """A node that doesn't answer is named, in the complaints and in the view."""
    status = healthy()
    without = replace(status, nodes=(*status.nodes[:2], replace(status.nodes[2], up=False)))
    assert without.complaints() == ["node-3 does not answer"]
    assert "down" in drawn(without)


def test_plain_lines_tell_changes_only() -> None:
    """The plain log says everything once, then only what changed in kind: not offsets."""
    status = healthy()
    assert len(changes(None, status)) == 6
    moved = replace(status, nodes=(replace(status.nodes[0], offset=2000), *status.nodes[1:]))
    assert changes(status, moved) == []
    lost = replace(status, nodes=(*status.nodes[:2], replace(status.nodes[2], link_up=False)))
    assert changes(status, lost) == ["node-3 127.0.0.1:7003 pid=3 replica of 127.0.0.1:7001 link=down"]


def test_connection_help_names_every_process() -> None:
    """How to connect names the port of every node and sentinel, and each one's metrics."""
    text = "\n".join(how_to_connect(LAYOUT))
    assert all(str(m.http_port) in text for m in LAYOUT.members())
    assert all(str(m.port) in text for m in LAYOUT.members())
