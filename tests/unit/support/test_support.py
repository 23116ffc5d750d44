"""The helpers themselves, tried on real Redis."""

from __future__ import annotations

import socket

import pytest
from support import free_port, require_peer, start_prometheus, start_redis, start_redis_sentinel, wait_until
from support.ports import free_ports


def test_redis_answers_and_ends() -> None:
    """A started server answers commands, and leaving its context ends its process and removes its folder."""
    with start_redis(maxmemory="10mb", save=["900", "1"]) as server:
        assert server.command("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"10485760"]
        assert server.client().set("k", "v")
        assert server.info("server")["redis_mode"] == "standalone"
    assert server.returncode == 0
    assert not server.folder.exists()


def test_password_is_used_by_clients() -> None:
    """A server with a password is ready, and its clients know the password."""
    with start_redis(requirepass="secret") as server:
        assert server.command("PING") is True


def test_restart_keeps_port_and_data() -> None:
    """A restarted server finds what it saved, on the port it had."""
    with start_redis() as server:
        server.command("SET", "k", "v")
        server.command("SAVE")
        server.kill()
        server.start_again()
        assert server.command("GET", "k") == b"v"


def test_a_port_is_kept_for_us() -> None:
    """A server can listen on a port chosen for it, again and again, and nobody comes by it without wanting that one."""
    port = free_port()
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    for host in ("127.0.0.1", ""):
        with socket.create_server((host, port)) as server, socket.create_connection(("127.0.0.1", port)):
            assert server.accept()[0].close() is None


def test_neighbouring_ports_are_kept_too() -> None:
    """Ports wanted at distances of each other are free together."""
    first = free_ports(1, 1000)
    for port in (first, first + 1, first + 1000):
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))


def test_failure_at_start_shows_the_log() -> None:
    """A server that refuses to start raises with what it said."""
    with pytest.raises(AssertionError, match="Bad directive"):
        start_redis(no_such_option="1")


def test_sentinel_monitors() -> None:
    """A sentinel started from lines knows the primary they name."""
    with start_redis() as primary:
        line = f"sentinel monitor mymaster 127.0.0.1 {primary.port} 1"
        with start_redis_sentinel(line) as sentinel:
            reply = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
            assert int(reply[1]) == primary.port


def test_prometheus_scrapes() -> None:
    """A started Prometheus answers a query with what it scraped: here, that nobody answers."""
    config = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: nobody
  static_configs: [{{targets: ['127.0.0.1:{free_port()}']}}]
"""
    with start_prometheus(config) as server:
        assert wait_until(lambda: server.query("up"))[0]["value"][1] == "0"


def test_wait_until_names_what_did_not_happen() -> None:
    """A wait that fails says what it waited for and what it last saw."""
    with pytest.raises(AssertionError, match=r"the moon \(last outcome: 0\)"):
        wait_until(lambda: 0, timeout=0.05, what="the moon")


def test_a_missing_peer_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that isn't installed skips a test locally, with the reason, and fails it where CI is set."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-server is not installed"):
        require_peer("no-such-server")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-server is not installed"):
        require_peer("no-such-server")
