"""Laying a local cluster out: ports, configuration files, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.cluster.layout import Layout, LayoutError, Wanted, check_same, config_text, plan

FOLDER = Path("/data")


def anything(port: int) -> bool:
    """Every port is free."""
    return True


def test_default_cluster() -> None:
    """Asked for nothing, a primary, two replicas and three sentinels with a quorum of two are laid out."""
    layout = plan(Wanted(), anything)
    assert [m.name for m in layout.members()] == [
        "node-1", "node-2", "node-3", "sentinel-1", "sentinel-2", "sentinel-3",
    ]  # fmt: skip
    assert layout.quorum == 2
    ports = [port for m in layout.members() for port in (m.port, m.http_port)]
    assert len(set(ports)) == 12


def test_taken_ports_are_avoided() -> None:
    """When a default port is taken, all nodes move to ports that are free."""
    layout = plan(Wanted(), lambda port: port != 7002)
    assert [m.port for m in layout.nodes] == [7021, 7022, 7023]


def test_given_ports_are_kept_or_refused() -> None:
    """A port that was asked for is used, or an error names the one that is taken."""
    assert [m.port for m in plan(Wanted(port=9000, sentinel_port=9500), anything).nodes] == [9000, 9001, 9002]
    with pytest.raises(LayoutError, match="port 9001 is taken"):
        plan(Wanted(port=9000), lambda port: port != 9001)


def test_overlapping_ports_are_refused() -> None:
    """Sentinels may not be put on the ports of nodes or on anyone's HTTP ports."""
    with pytest.raises(LayoutError, match="overlap"):
        plan(Wanted(port=9000, sentinel_port=9002), anything)


@pytest.mark.parametrize("port", [65000, 65535])
def test_no_room_for_ports(port: int) -> None:
    """Ports beyond 65535 are refused."""
    with pytest.raises(LayoutError, match="no room"):
        plan(Wanted(port=port), anything)


def test_quorum_must_be_reachable() -> None:
    """More sentinels than there are can't be required to agree."""
    with pytest.raises(LayoutError, match="quorum of 4"):
        plan(Wanted(quorum=4), anything)


def test_layout_survives_the_file() -> None:
    """What is remembered in the data folder is the whole layout."""
    layout = plan(Wanted(replicas=1, sentinels=5), anything)
    assert Layout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nodes": 1}', '{"nodes": [{}], "sentinels": []}'])
def test_damaged_layout(text: str) -> None:
    """A damaged layout file is an error that says so."""
    with pytest.raises(LayoutError, match="damaged"):
        Layout.from_json(text)


def test_another_cluster_is_not_started_over_this_one() -> None:
    """Options that contradict the remembered cluster are refused; those that agree are not."""
    layout = plan(Wanted(), anything)
    check_same(layout, Wanted(port=7001, replicas=2, sentinels=3), FOLDER)
    with pytest.raises(LayoutError, match="--replicas 2, not 3"):
        check_same(layout, Wanted(replicas=3), FOLDER)


def test_first_configuration() -> None:
    """The first node starts as primary, the others follow it, the sentinels watch it."""
    layout = plan(Wanted(), anything)
    texts = [config_text(layout, member, FOLDER / member.name) for member in layout.members()]
    assert "replicaof" not in texts[0]
    assert "replicaof 127.0.0.1 7001\n" in texts[1]
    assert "sentinel monitor mymaster 127.0.0.1 7001 2\n" in texts[3]
    assert all(f"http-port {m.http_port}\n" in text for m, text in zip(layout.members(), texts, strict=True))


def test_a_quorum_needs_three_nodes_and_is_remembered() -> None:
    """The durability is in the layout, in what it writes down, and in each node's configuration."""
    layout = plan(Wanted(durability="quorum"), anything)
    assert Layout.from_json(layout.to_json()).durability == "quorum"
    text = config_text(layout, layout.nodes[1], FOLDER)
    assert "durability quorum\nquorum-nodes 3\nappendonly yes\n" in text
    on_disk = plan(Wanted(durability="quorum-fsync"), anything)
    assert "appendfsync always" in config_text(on_disk, on_disk.nodes[0], FOLDER)
    with pytest.raises(LayoutError, match="durability quorum needs 3 data nodes, there are 2"):
        plan(Wanted(replicas=1, durability="quorum"), anything)
    with pytest.raises(LayoutError, match="--durability quorum, not async"):
        check_same(layout, Wanted(durability="async"), FOLDER)
