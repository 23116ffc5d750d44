"""Why a connection ended is said: in the log, in INFO, in the metrics."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
from urllib.request import urlopen

import redis
from support import Server, free_port, start_kvserver, wait_until
from support.wire import gone


def ends(client: redis.Redis) -> dict[str, int]:
    """INFO's counts that aren't 0, by reason."""
    return {
        name.removeprefix("client_disconnects_"): count
        for name, count in client.info("stats").items()
        if name.startswith("client_disconnects_") and count
    }


def lines(node: Server) -> list[tuple[str, str]]:
    """Reason and level of each line of the log that tells of an end."""
    told = [json.loads(line) for line in node.log_text().splitlines() if line.startswith("{")]
    return [(line["reason"], line["level"]) for line in told if "reason" in line]


def asked(link: socket.socket, data: bytes) -> bytes:
    """Send, and read some of what comes."""
    link.sendall(data)
    return link.recv(4096)


def test_each_end_is_told() -> None:
    """Each way of ending a connection has its own count in INFO and its own line in a verbose log."""
    with start_kvserver(loglevel="verbose") as node, contextlib.ExitStack() as stack:
        admin = node.client(single_connection_client=True)
        admin.config_resetstat()

        def link() -> socket.socket:
            return stack.enter_context(node.connect())

        asked(link(), b"QUIT\r\n")
        asked(link(), b"*1\r\n+x\r\n")
        link().sendall(b"POST / HTTP/1.1\r\n\r\n")
        peer = link()
        asked(peer, b"PING\r\n")
        peer.shutdown(socket.SHUT_WR)
        peer = link()
        asked(peer, b"PING\r\n")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        killed = link()
        admin.execute_command("CLIENT", "KILL", "ID", asked(killed, b"CLIENT ID\r\n")[1:-2])
        admin.execute_command("ACL", "SETUSER", "bob", "on", "nopass", "+@all", "allkeys")
        asked(link(), b"AUTH bob x\r\n")
        admin.execute_command("ACL", "DELUSER", "bob")
        waiter = link()
        waiter.sendall(b"BLPOP q 0\r\n")
        wait_until(lambda: admin.info("clients")["blocked_clients"] == 1)
        admin.execute_command("REPLICAOF", "127.0.0.1", free_port())
        admin.execute_command("REPLICAOF", "NO", "ONE")
        admin.set("big", b"x" * 100_000)
        admin.config_set("client-output-buffer-limit", "normal 100000 0 0")
        link().sendall(b"GET big\r\n" * 3)
        expected = {
            "quit": 1, "protocol_error": 1, "http_attack": 1, "peer_closed": 1, "peer_reset": 1, "client_kill": 1,
            "access_lost": 1, "role_change": 1, "output_hard_limit": 1,
        }  # fmt: skip
        wait_until(lambda: sum(ends(admin).values()) >= len(expected))
        assert ends(admin) == expected
        told = dict(lines(node))
        assert {reason: told[reason] for reason in expected} == {
            reason: "warning" if reason in ("http_attack", "output_hard_limit") else "info" for reason in expected
        }
        admin.config_resetstat()
        assert ends(admin) == {}


def test_the_usual_ends_are_no_noise() -> None:
    """At the usual level the log doesn't tell of clients that come and go."""
    with start_kvserver() as node:
        with node.connect() as link:
            asked(link, b"QUIT\r\n")
        with node.connect() as link:
            asked(link, b"*1\r\n+x\r\n")
        wait_until(lambda: ends(node.client()).get("protocol_error") == 1)
        assert lines(node) == []


def test_a_limit_leaves_a_line() -> None:
    """A client that is cut off at a limit leaves a warning with its address, whatever the level."""
    with start_kvserver(client_query_buffer_limit="1mb", loglevel="warning") as node, node.connect() as link:
        with contextlib.suppress(OSError):
            link.sendall(b"*2\r\n$4\r\nECHO\r\n$3000000\r\n" + b"x" * 2_900_000)
        wait_until(lambda: gone(link))
        assert lines(node) == [("query_buffer_limit", "warning")]
        assert f"127.0.0.1:{link.getsockname()[1]}" in node.log_text()


def test_metrics() -> None:
    """Prometheus gets each reason, those that haven't happened too."""
    http = free_port()
    with start_kvserver(http_port=http) as node:
        with node.connect() as link:
            asked(link, b"QUIT\r\n")
        text = urlopen(f"http://127.0.0.1:{http}/metrics").read().decode()
        counts = dict(re.findall(r'understudy_client_disconnections_total\{reason="(\w+)"\} (\S+)', text))
        assert float(counts["quit"]) == 1
        assert float(counts["client_kill"]) == 0
