"""The INFO sections about the process itself: server, clients, stats, cpu; field names are Redis's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from kvserver.config import REDIS_VERSION

Node = Any
"""The server this sentinel answers by (a `kvserver.node.node.Node`, which only the composition may know)."""
Pairs = list[tuple[str, object]]


def _section(build: Callable[[Node, float, str], Pairs], node: Node, started_s: float, my_id: str) -> Callable[[], str]:
    title = build.__name__.removeprefix("_").capitalize().replace("Cpu", "CPU")

    def text() -> str:
        lines = [f"# {title}", *(f"{name}:{value}" for name, value in build(node, started_s, my_id))]
        return "".join(f"{line}\r\n" for line in lines)

    return text


def _server(node: Node, started_s: float, my_id: str) -> Pairs:
    uptime_s = int(node.services.clock.monotonic() - started_s)
    return [
        ("redis_version", REDIS_VERSION), ("redis_mode", "sentinel"),
        ("os", node.doors.machine.system), ("arch_bits", 64),
        ("process_id", node.doors.machine.pid), ("run_id", my_id),
        ("tcp_port", node.port or node.config.tls_port), ("server_time_usec", int(node.services.clock.wall() * 1e6)),
        ("uptime_in_seconds", uptime_s), ("uptime_in_days", uptime_s // 86400), ("hz", node.config.hz),
        ("configured_hz", node.config.hz), ("executable", sys.executable), ("config_file", node.config_file),
    ]


def _clients(node: Node, started_s: float, my_id: str) -> Pairs:
    return [
        ("connected_clients", len(node.server.connections)), ("cluster_connections", 0),
        ("maxclients", node.config.maxclients), ("blocked_clients", node.engine.blocked_count),
    ]


def _stats(node: Node, started_s: float, my_id: str) -> Pairs:
    server = node.server
    return [
        ("total_connections_received", server.accepted), ("total_commands_processed", node.engine.commands),
        ("total_net_input_bytes", server.net_in), ("total_net_output_bytes", server.net_out),
        ("rejected_connections", server.rejected), ("pubsub_channels", len(node.engine.channels)),
        ("pubsub_patterns", len(node.engine.patterns)),
        ("total_error_replies", sum(node.engine.errors.values())),
        ("unexpected_error_replies", node.engine.unexpected_errors),
    ]


def _cpu(node: Node, started_s: float, my_id: str) -> Pairs:
    names = ("used_cpu_sys", "used_cpu_user", "used_cpu_sys_children", "used_cpu_user_children")
    return [(name, f"{spent:.6f}") for name, spent in zip(names, node.doors.machine.cpu_s(), strict=True)]


_SECTIONS: dict[str, Callable[[Node, float, str], Pairs]] = {
    "server": _server, "clients": _clients, "stats": _stats, "cpu": _cpu,
}


def sections(node: Node, my_id: str) -> dict[str, Callable[[], str]]:
    """Functions that render each section, by lower-case name, in INFO's order. `my_id` is the sentinel's."""
    started_s = node.services.clock.monotonic()
    return {name: _section(build, node, started_s, my_id) for name, build in _SECTIONS.items()}
