"""What a quorum's nodes show to Prometheus."""

from __future__ import annotations

import urllib.request
from contextlib import ExitStack

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from support.ports import free_port
from support.quorums import start_group, writes
from support.servers import Server
from support.waiting import wait_until


def samples(port: int) -> dict[tuple[str, ...], float]:
    """All samples of a node, by name and label values."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text) for sample in family.samples
    }  # fmt: skip


def test_metrics_say_what_a_node_is_and_what_it_refused(stack: ExitStack) -> None:
    """State, epochs, members and commit offsets are those of INFO; refusals are counted."""
    port = free_port()
    nodes: list[Server] = start_group(stack, leader_options={"http_port": port})
    writes(nodes[0], "a", 0.1)
    shown, info = samples(port), nodes[0].info("quorum")
    assert shown["understudy_quorum_state", "leading"] == 1
    assert shown["understudy_quorum_state", "following"] == 0
    assert shown[("understudy_quorum_members",)] == shown[("understudy_quorum_members_present",)] == 3
    assert shown[("understudy_quorum_available",)] == 1
    assert shown["understudy_quorum_commit_offset_bytes", "memory"] <= info["quorum_commit_offset"]
    for node in nodes[1:]:
        node.kill()
    wait_until(lambda: samples(port)[("understudy_quorum_available",)] == 0, what="the loss of the majority")
    with pytest.raises(redis.ResponseError, match="NOQUORUM"):
        nodes[0].command("SET", "k", "v")
    assert samples(port)[("understudy_quorum_refused_writes_total",)] == 1
