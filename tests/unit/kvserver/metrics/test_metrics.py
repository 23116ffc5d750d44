"""The catalogue of metrics and its exposition, without sockets."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from kvserver.client.reasons import none_yet
from kvserver.engine.run.executor import Engine
from kvserver.metrics.exposition import expose
from kvserver.metrics.node import NODE
from kvserver.metrics.rows import COUNTER, Metric, gauge
from kvserver.metrics.stalls import BOUNDS_S, PERIOD_S, StallMeter
from kvserver.metrics.view import NodeView, Process

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def view(info: dict[str, list[tuple[str, Any]]] | None = None) -> NodeView:
    """A view of an engine without a process around it."""
    engine = Engine(16, {})
    for section, fields in (info or {}).items():
        engine.services.contributions.add_info(section, lambda fields=fields: fields)
    server = SimpleNamespace(
        connections={}, limits=SimpleNamespace(maxclients=10), accepted=0, rejected=0, net_in=0, net_out=0,
        ended=none_yet(),
    )  # fmt: skip
    return NodeView(engine, server, Process(1.0, 2, 3.0), StallMeter())


def text(rows: tuple[Metric, ...], seen: Any) -> str:
    """The exposition as Prometheus text."""
    return expose(rows, seen, "")[0].decode()


def test_names_follow_the_conventions() -> None:
    """Each name is unique, `_total` is on counters alone, and each row has a help text that is a sentence."""
    assert len({row.name for row in NODE}) == len(NODE)
    for row in NODE:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", row.name)
        assert row.name.endswith("_total") == (row.kind == COUNTER), row.name
        assert row.help.endswith("."), row.name
        assert not re.search(r"_(ms|milliseconds|kb|mb|percent)\b", row.name), row.name


def test_both_formats() -> None:
    """The Accept header chooses between Prometheus text and OpenMetrics."""
    body, kind = expose(NODE, view(), "")
    assert kind.startswith("text/plain")
    assert b"# TYPE understudy_connected_clients gauge" in body
    body, kind = expose(NODE, view(), OPENMETRICS)
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_replicas_are_read_from_info() -> None:
    """Lag in bytes is the node's offset less what the replica acknowledged, never negative."""
    seen = view(
        {
            "replication": [
                ("role", "master"),
                ("connected_slaves", 2),
                ("slave0", "ip=10.0.0.1,port=7002,state=online,offset=90,lag=1"),
                ("slave1", "ip=10.0.0.2,port=7003,state=wait_bgsave,offset=120,lag=0"),
                ("master_repl_offset", 100),
            ]
        }
    )
    body = text(NODE, seen)
    assert 'understudy_replica_lag_bytes{replica="10.0.0.1:7002"} 10.0' in body
    assert 'understudy_replica_lag_bytes{replica="10.0.0.2:7003"} 0.0' in body
    assert 'understudy_replica_online{replica="10.0.0.2:7003"} 0.0' in body
    assert 'understudy_role{role="primary"} 1.0' in body


def test_a_field_that_is_missing_or_odd_gives_no_sample() -> None:
    """A field that INFO doesn't have, or whose value is no number, leaves its metric out."""
    body = text(NODE, view({"persistence": [("rdb_last_save_time", b"soon"), ("rdb_last_bgsave_time_sec", -1)]}))
    assert "rdb_last_save" not in body


def test_each_section_of_info_is_made_once_per_scrape() -> None:
    """However many rows read a section, it is built once."""
    calls = []
    seen = view()
    seen.engine.services.contributions.add_info("persistence", lambda: calls.append(1) or [("loading", 0)])
    text(NODE, seen)
    assert len(calls) == 1


@pytest.mark.parametrize("value", [None, 0, 5])
def test_gauges_without_a_value_are_left_out(value: int | None) -> None:
    """None means that there is nothing to show; 0 is a value."""
    assert ("understudy_x " in text((gauge("x", "X.", lambda _: value),), None)) == (value is not None)


def test_stalls_are_counted_by_lateness() -> None:
    """A tick that comes late counts into the bucket of its lateness, and the worst is kept."""
    meter = StallMeter()
    due = meter.tick(100.0)
    assert due == pytest.approx(100.0 + PERIOD_S)
    due = meter.tick(due)
    meter.tick(due + 0.03)
    counts = meter.distribution().counts
    assert sum(counts) == 2
    assert counts[BOUNDS_S.index(0.05)] == 1
    assert meter.worst_s == pytest.approx(0.03)


def test_ticks_that_come_early_are_not_late() -> None:
    """A timer that fires a little early counts as on time."""
    meter = StallMeter()
    meter.tick(meter.tick(1.0) - 0.001)
    assert meter.distribution().total == 0.0
