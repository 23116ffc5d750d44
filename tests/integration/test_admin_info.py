"""INFO, compared section by section with a real server's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import Server, start_kvserver, start_redis

SECTIONS = ("server", "clients", "memory", "persistence", "stats", "replication", "cpu", "cluster")


@pytest.fixture(scope="module")
def ours() -> Iterator[Server]:
    with start_kvserver() as server:
        yield server


@pytest.fixture(scope="module")
def real() -> Iterator[Server]:
    with start_redis() as server:
        yield server


def raw_info(server: Server, *sections: str) -> str:
    client = server.client()
    client.set_response_callback("INFO", lambda reply, **_: reply)
    reply = client.execute_command("INFO", *sections)
    return (reply if isinstance(reply, bytes) else str(reply).encode()).decode()


def names(text: str) -> list[str]:
    return [line.split(":")[0] for line in text.split("\r\n") if ":" in line]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_has_the_fields_of_redis(ours: Server, real: Server, section: str) -> None:
    """Every field of the real server is there, or stands on the list of those left out, with a reason."""
    told = set(names(raw_info(ours, section)))
    assert set(names(raw_info(real, section))) - told == set()


def test_the_sections_are_those_of_redis(ours: Server, real: Server) -> None:
    """By default, with all and with everything the same headings appear in the same order."""
    for sections in ((), ("all",), ("everything",), ("SERVER", "keyspace"), ("nosuch",), ("cpu", "default")):
        heads = [
            [line for line in raw_info(server, *sections).split("\r\n") if line.startswith("#")]
            for server in (ours, real)
        ]
        assert heads[0] == heads[1], sections


def test_numbers_are_true(ours: Server) -> None:
    """Commands, hits, misses, keys and errors are counted as they happen, and RESETSTAT forgets them."""
    client = ours.client()
    client.flushall()
    client.config_resetstat()
    client.set("a", 1, ex=100)
    client.set("b", 2)
    client.get("a")
    client.get("nothing")
    with pytest.raises(Exception, match="not an integer"):
        client.incrby("a", "x")
    info = client.info("everything")
    assert info["keyspace_hits"] == 1
    assert info["keyspace_misses"] == 1
    assert info["db0"]["keys"] == 2
    assert info["db0"]["expires"] == 1
    assert 90_000 < info["db0"]["avg_ttl"] <= 100_000
    assert info["errorstat_ERR"] == {"count": 1}
    assert info["cmdstat_set"]["calls"] == 2
    assert info["cmdstat_incrby"]["failed_calls"] == 1
    assert "p50" in str(raw_info(ours, "latencystats"))
    assert info["connected_clients"] >= 1
    assert 100_000 < info["used_memory"] < 10_000_000
    assert len(info["run_id"]) == 40
    client.config_resetstat()
    after = client.info("everything")
    assert after["keyspace_hits"] == 0
    assert "errorstat_ERR" not in after


def test_percentiles_can_be_chosen_and_tracking_turned_off(ours: Server) -> None:
    """latency-tracking-info-percentiles names what is shown; without latency-tracking nothing is."""
    client = ours.client()
    client.config_set("latency-tracking-info-percentiles", "0 12.5 100")
    client.ping()
    assert "latency_percentiles_usec_ping:p0=" in raw_info(ours, "latencystats")
    assert ",p12.5=" in raw_info(ours, "latencystats")
    client.config_set("latency-tracking", "no")
    assert "usec_ping" not in raw_info(ours, "latencystats")
    client.config_set("latency-tracking", "yes")
