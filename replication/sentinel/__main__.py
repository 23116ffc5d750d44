"""A sentinel put together: `kvsentinel FILE [--option value ...]`, or `kvserver FILE --sentinel`."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from random import SystemRandom

from kvserver import logs
from kvserver.admin import client
from kvserver.cli import handle_signals, run
from kvserver.config import REDIS_VERSION, ConfigError, parse_command_line
from kvserver.engine import pubsub
from kvserver.engine.commands import command
from kvserver.node import Node
from replication.sentinel.commands.seat import KEY, Seat
from replication.sentinel.commands.table import keep_shared, sentinel_rows
from replication.sentinel.directives import render
from replication.sentinel.messages import Level
from replication.sentinel.monitor import Monitor
from replication.sentinel.runner import NotSaved, Runner, now_ms
from replication.sentinel.startup import Started, is_executable, start
from replication.sentinel.state_file import StateFile
from replication.sentinel.turn import Turn

NEEDS_FILE = "Sentinel needs config file on disk to save state. Exiting..."


def main(argv: Sequence[str] | None = None) -> int:
    """Run until told to stop; the exit status. Problems with the configuration go to standard error."""
    try:
        line = parse_command_line(list(sys.argv[1:] if argv is None else argv))
        if not line.config_file:
            raise ConfigError(NEEDS_FILE)
        state = _open(line.config_file)
        started = start(line.config_file, state.text, line.options, now_ms())
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        return 1
    config = started.config
    stream = sys.stdout
    if config.logfile:
        stream = open(config.logfile, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - lives as long as we do
    logs.configure(config.loglevel, stream)
    if config.dir:
        os.chdir(config.dir)
    with contextlib.suppress(KeyboardInterrupt):
        return run(_serve(started, state))
    return 0


def _open(path: str) -> StateFile:
    try:
        state = StateFile(path)
    except OSError as failure:
        raise ConfigError(f"Fatal error, can't open config file '{path}': {failure.strerror}") from None
    problem = state.writable()
    if problem is not None:
        raise ConfigError(f"Sentinel config file {path} is not writable: {problem}. Exiting...")
    return state


async def _serve(started: Started, state: StateFile) -> int:
    log = logs.get("sentinel")
    node = Node(started.config, started.loaded, [_attach], state.path)
    node.engine.rows.update(sentinel_rows())
    monitor = Monitor(started.world, render, SystemRandom(), now_ms())
    runner = Runner(monitor, state, lambda channel, text: pubsub.publish(node.engine, channel, text),
                    started.config.bind_source_addr)
    info = {name: _section(build, node, time.monotonic()) for name, build in _SECTIONS.items()}
    node.engine.extensions[KEY] = Seat(runner, node.stopped.set, is_executable, info)
    for warning in started.loaded.warnings:
        log.warning("configuration", detail=warning)
    try:
        runner.save()
        await node.start()
    except (OSError, NotSaved) as failure:
        log.error("could not start", error=str(failure) or "the state file can't be written")
        await node.stop()
        return 1
    handle_signals(node.stopped.set)
    log.warning(f"Sentinel ID is {started.world.my_id}")
    runner.decide(_announce)
    await node.stopped.wait()
    runner.close()
    await node.stop()
    log.info("bye")
    return 0


def _announce(turn: Turn) -> None:
    for group in turn.world.groups.values():
        turn.emit(Level.WARNING, "+monitor", group, f"quorum {group.quorum}")


def _attach(node: Node) -> None:
    """Make a data node's server a sentinel's: its commands, and how it introduces itself."""
    node.handlers.update({**client.HANDLERS, **command.HANDLERS})
    keep_shared(node.handlers)
    node.engine.extensions["hello"] = {"mode": b"sentinel"}


Pairs = list[tuple[str, object]]


def _section(build: Callable[[Node, float], Pairs], node: Node, started_s: float) -> Callable[[], str]:
    title = build.__name__.removeprefix("_").capitalize().replace("Cpu", "CPU")

    def text() -> str:
        lines = [f"# {title}", *(f"{name}:{value}" for name, value in build(node, started_s))]
        return "".join(f"{line}\r\n" for line in lines)

    return text


def _server(node: Node, started_s: float) -> Pairs:
    uptime_s = int(time.monotonic() - started_s)
    return [
        ("redis_version", REDIS_VERSION), ("redis_mode", "sentinel"),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"), ("arch_bits", 64),
        ("process_id", os.getpid()), ("run_id", node.engine.extensions[KEY].world.my_id),
        ("tcp_port", node.port), ("server_time_usec", time.time_ns() // 1000),
        ("uptime_in_seconds", uptime_s), ("uptime_in_days", uptime_s // 86400), ("hz", node.config.hz),
        ("configured_hz", node.config.hz), ("executable", sys.executable), ("config_file", node.config_file),
    ]


def _clients(node: Node, started_s: float) -> Pairs:
    return [
        ("connected_clients", len(node.server.connections)), ("cluster_connections", 0),
        ("maxclients", node.config.maxclients), ("blocked_clients", node.engine.blocked_count),
    ]


def _stats(node: Node, started_s: float) -> Pairs:
    server = node.server
    return [
        ("total_connections_received", server.accepted), ("total_commands_processed", node.engine.commands),
        ("total_net_input_bytes", server.net_in), ("total_net_output_bytes", server.net_out),
        ("rejected_connections", server.rejected), ("pubsub_channels", len(node.engine.channels)),
        ("pubsub_patterns", len(node.engine.patterns)),
        ("total_error_replies", sum(node.engine.errors.values())),
        ("unexpected_error_replies", node.engine.unexpected_errors),
    ]


def _cpu(node: Node, started_s: float) -> Pairs:
    spent = os.times()
    return [
        ("used_cpu_sys", f"{spent.system:.6f}"), ("used_cpu_user", f"{spent.user:.6f}"),
        ("used_cpu_sys_children", f"{spent.children_system:.6f}"),
        ("used_cpu_user_children", f"{spent.children_user:.6f}"),
    ]


_SECTIONS: dict[str, Callable[[Node, float], Pairs]] = {
    "server": _server, "clients": _clients, "stats": _stats, "cpu": _cpu,
}


if __name__ == "__main__":
    sys.exit(main())
