"""Metrics and health over HTTP, of real processes in each of the three roles."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from support.peers import require_peer
from support.ports import free_port
from support.servers import Server, start_kvsentinel, start_kvserver
from support.waiting import wait_until


def get(port: int, path: str, accept: str = "") -> tuple[int, str, str]:
    """(status, content type, body) of an HTTP request."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=10.0) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers["Content-Type"], answer.read().decode()


def samples(port: int) -> dict[str, float]:
    """The samples of a process, by name and labels as they stand in the text."""
    lines = (line for line in get(port, "/metrics")[2].splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[Server, dict[str, int]]]:
    """A primary with a replica and a sentinel; the HTTP port of each."""
    http = {role: free_port() for role in ("primary", "replica", "sentinel")}
    with (
        start_kvserver(http_port=http["primary"], repl_diskless_sync_delay=0) as primary,
        start_kvserver(http_port=http["replica"], replicaof=["127.0.0.1", primary.port]) as replica,
        start_kvsentinel(
            f"http-port {http['sentinel']}", f"sentinel monitor mymaster 127.0.0.1 {primary.port} 1"
        ),
    ):
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up", what="the replica's link is up")
        yield primary, http


@pytest.mark.parametrize("role", ["primary", "replica", "sentinel"])
def test_promtool_accepts_the_exposition(ports: tuple[Server, dict[str, int]], role: str) -> None:
    """promtool finds nothing wrong with the names, types and help texts of any role."""
    _, http = ports
    done = subprocess.run(
        [require_peer("promtool"), "check", "metrics"],
        input=get(http[role], "/metrics")[2], capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("role", ["primary", "replica", "sentinel"])
def test_openmetrics_on_request(ports: tuple[Server, dict[str, int]], role: str) -> None:
    """A client that accepts OpenMetrics gets it, ended by its end mark."""
    _, http = ports
    status, kind, body = get(http[role], "/metrics", "application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


@pytest.mark.parametrize("role", ["primary", "replica", "sentinel"])
def test_health(ports: tuple[Server, dict[str, int]], role: str) -> None:
    """A process that runs is healthy, and one that can serve is ready."""
    _, http = ports
    assert get(http[role], "/healthz")[0] == 200
    wait_until(lambda: get(http[role], "/readyz")[0] == 200, what=f"the {role} is ready")


def test_commands_are_counted(ports: tuple[Server, dict[str, int]]) -> None:
    """Calls, failed calls and errors by their code grow by what a client did."""
    primary, http = ports
    before = samples(http["primary"])
    client = primary.client()
    client.set("counted", "1")
    client.set("counted", "2")
    with pytest.raises(Exception, match="WRONGTYPE"):
        client.execute_command("LPUSH", "counted", "x")
    after = samples(http["primary"])
    grown = {name: after[name] - before.get(name, 0.0) for name in after}
    assert grown['understudy_commands_total{command="set"}'] == 2
    assert grown['understudy_commands_failed_total{command="lpush"}'] == 1
    assert grown['understudy_errors_total{code="WRONGTYPE"}'] == 1
    assert grown["understudy_network_receive_bytes_total"] > 0


def test_roles_and_lag(ports: tuple[Server, dict[str, int]]) -> None:
    """The primary shows its replica's lag, the replica its link, each its own role."""
    _, http = ports
    primary, replica = samples(http["primary"]), samples(http["replica"])
    assert primary['understudy_role{role="primary"}'] == replica['understudy_role{role="replica"}'] == 1
    assert primary["understudy_connected_replicas"] == 1
    assert any(name.startswith("understudy_replica_lag_bytes{") for name in primary)
    assert replica["understudy_primary_link_up"] == 1
    assert primary['understudy_resyncs_total{kind="full"}'] >= 1


def test_subcommands_have_their_own_name(ports: tuple[Server, dict[str, int]]) -> None:
    """CONFIG GET is counted as config|get, and unknown commands create no series."""
    primary, http = ports
    primary.client().config_get("maxmemory")
    with pytest.raises(Exception, match="unknown command"):
        primary.command("NO-SUCH-COMMAND-EVER")
    names = samples(http["primary"])
    assert 'understudy_commands_total{command="config|get"}' in names
    assert not any("no-such" in name.lower() for name in names)


def test_replica_without_its_primary_is_not_ready() -> None:
    """A replica whose primary can't be reached is alive but not ready, and says why."""
    port = free_port()
    with start_kvserver(http_port=port, replicaof=["127.0.0.1", free_port()]):
        wait_until(lambda: get(port, "/healthz")[0] == 200, what="the HTTP port is open")
        status, _, body = get(port, "/readyz")
        assert status == 503
        assert "link to the primary is down" in body


def test_http_is_off_by_default() -> None:
    """Without http-port a server listens on its own port alone."""
    with start_kvserver() as server:
        import psutil

        listening = [c for c in psutil.Process(server.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert {c.laddr.port for c in listening} == {server.port}


def test_taken_http_port_is_an_error_at_start() -> None:
    """A server whose HTTP port is taken ends with an error that names the address."""
    port = free_port()
    with start_kvserver(http_port=port):
        second = start_kvserver(http_port=port, wait=False)
        try:
            assert second.wait(30) == 1
            assert str(port) in second.log_text()
        finally:
            second.close()
