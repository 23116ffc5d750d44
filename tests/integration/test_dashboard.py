"""The dashboards and the alert rules, against a real Prometheus that scrapes a real cluster."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import redis
from support.peers import require_peer
from support.ports import free_port
from support.prometheus import Prometheus, start_prometheus
from support.servers import Server, start_kvsentinel, start_kvserver
from support.waiting import wait_until

from grafana.build import BOARDS, board_json
from grafana.panel import Panel

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "ops" / "deploy"
FOLDER = ROOT / "grafana" / "dashboards"
PROVISIONING = ROOT / "grafana" / "provisioning"
PANELS = [panel for board in BOARDS for section in board.sections for panel in section.panels]
SCRAPE_CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: understudy
    static_configs: [{{targets: [{targets}]}}]
"""


def work(primary: Server, replica: Server) -> None:
    """A little of everything that the panels show."""
    client = primary.client()
    client.set("a", "1")
    client.set("b", "1", px=50)
    client.get("a")
    client.get("missing")
    with suppress(redis.ResponseError):
        client.execute_command("LPUSH", "a", "x")
    client.execute_command("BGSAVE")
    wait_until(lambda: primary.info("persistence")["rdb_bgsave_in_progress"] == 0, what="the snapshot is done")
    wait_until(lambda: replica.client().get("a") == b"1", what="the replica has the key")


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    """A Prometheus that has scraped a primary, a replica and two sentinels several times, through a failover."""
    http = [free_port() for _ in range(4)]
    with ExitStack() as stack:
        primary = stack.enter_context(start_kvserver(http_port=http[0], repl_diskless_sync_delay=0))
        replica = stack.enter_context(
            start_kvserver(http_port=http[1], replicaof=["127.0.0.1", primary.port], repl_diskless_sync_delay=0)
        )
        watch = f"sentinel monitor mymaster 127.0.0.1 {primary.port} 2"
        sentinels = [stack.enter_context(start_kvsentinel(f"http-port {port}", watch)) for port in http[2:]]
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up", what="the replica's link is up")
        work(primary, replica)
        targets = ", ".join(f'"127.0.0.1:{port}"' for port in http)
        server = stack.enter_context(start_prometheus(SCRAPE_CONFIG.format(targets=targets)))
        wait_until(lambda: all(t["health"] == "up" for t in server.targets()), 30.0, "every target is scraped")
        wait_until(lambda: knows_everybody(sentinels), 30.0, "the sentinels know everybody")
        sentinels[0].command("SENTINEL", "FAILOVER", "mymaster")
        wait_until(lambda: replica.info("replication")["role"] == "master", 30.0, "the replica is promoted")
        wait_until(lambda: replica.info("replication")["connected_slaves"] == 1, 30.0, "the other one follows")
        work(replica, primary)
        wait_until(lambda: scrapes(server) >= 5, 30.0, "every target was scraped often enough for rates")
        replica.connect().close()  # between two scrapes: a connection that ended before the first is in no rate
        yield server


def knows_everybody(sentinels: list[Server]) -> bool:
    """Whether each sentinel knows a replica and another sentinel."""
    for each in sentinels:
        flat = each.command("SENTINEL", "MASTER", "mymaster")
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        if (fields[b"num-slaves"], fields[b"num-other-sentinels"]) != (b"1", b"1"):
            return False
    return True


def scrapes(server: Prometheus) -> int:
    """How often the target scraped least often was scraped."""
    return min((int(r["value"][1]) for r in server.query("count_over_time(up[5m])")), default=0)


@pytest.mark.parametrize("panel", PANELS, ids=[panel.title for panel in PANELS])
def test_every_query_returns_data(prometheus: Prometheus, panel: Panel) -> None:
    """Each query of each panel returns at least one series from a cluster that was used."""
    for query in panel.queries:
        expr = query.expr.replace("$job", ".*").replace("$__rate_interval", "1m")
        wait_until(lambda expr=expr: prometheus.query(expr), 30.0, f"data for {query.expr}")


def test_who_leads(prometheus: Prometheus) -> None:
    """After a failover one node is primary, and the sentinels' switch is counted."""
    wait_until(
        lambda: [r["value"][1] for r in prometheus.query('sum(understudy_role{role="primary"})')] == ["1"],
        30.0,
        "one primary",
    )
    switches = prometheus.query("max(understudy_sentinel_switches_total)")
    assert float(switches[0]["value"][1]) >= 1


@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
def test_json_is_what_the_code_writes(board) -> None:  # type: ignore[no-untyped-def]
    """The JSON beside the code is the code's output, and has every panel with its queries."""
    text = (FOLDER / f"{board.uid}.json").read_text()
    assert text == board_json(board)
    drawn = [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]
    assert [panel["title"] for panel in drawn] == [p.title for s in board.sections for p in s.panels]
    assert all(panel["targets"] for panel in drawn)
    assert len({panel["id"] for panel in json.loads(text)["panels"]}) == len(drawn) + len(board.sections)


def test_alert_rules() -> None:
    """promtool accepts the example configuration and its alert rules."""
    done = subprocess.run(
        [require_peer("promtool"), "check", "config", str(DEPLOY / "prometheus.yml")],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_alert_expressions_use_metrics_that_exist(prometheus: Prometheus) -> None:
    """Each metric that an alert rule names is exposed by some role."""
    with urllib.request.urlopen(prometheus.url + "/api/v1/label/__name__/values", timeout=10) as answer:
        known = set(json.load(answer)["data"])
    words = (DEPLOY / "alerts.yml").read_text().replace("(", " ").replace("{", " ").replace("[", " ").split()
    used = {word.rstrip(")") for word in words if word.startswith("understudy_")}
    assert used
    assert used - known - {"understudy_aof_last_write_success"} == set()


def test_provisioning_files_are_there() -> None:
    """Grafana's provisioning files name the data source and the folder of the dashboards."""
    assert "type: prometheus" in (PROVISIONING / "datasources" / "prometheus.yml").read_text()
    assert "path:" in (PROVISIONING / "dashboards" / "understudy.yml").read_text()
