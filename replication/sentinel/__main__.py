"""A sentinel put together: `kvsentinel FILE [--option value ...]`, or `kvserver FILE --sentinel`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kvserver import logs
from kvserver.acl.plugin import attach as acl
from kvserver.admin import attach as admin
from kvserver.config import ConfigError, parse_command_line
from kvserver.doors import Disk, Doors, real_doors
from kvserver.engine.events import pubsub
from kvserver.metrics.view import NodeView
from kvserver.node.http import Endpoints, HttpServer, read_process
from kvserver.node.node import Node
from kvserver.node.proc_title import ProcTitle
from kvserver.node.process import ProcessShell
from kvserver.node.running import be_a_process, run
from kvserver.node.signals import Stop
from kvserver.node.supervisor import STOPPING
from replication.sentinel.commands.seat import Seat
from replication.sentinel.commands.table import keep_shared, sentinel_rows, served_facts, shared_handlers
from replication.sentinel.mind.monitor import Monitor
from replication.sentinel.mind.orders import Announce
from replication.sentinel.options.directives import render
from replication.sentinel.shell.metrics import SENTINEL, SentinelView
from replication.sentinel.shell.process_info import sections
from replication.sentinel.shell.runner import NotSaved, Runner
from replication.sentinel.shell.startup import Started, is_executable, start
from replication.sentinel.shell.state_file import StateFile

NEEDS_FILE = "Sentinel needs config file on disk to save state. Exiting..."


def main(argv: Sequence[str] | None = None) -> int:
    """Run until told to stop; the exit status. Problems with the configuration go to standard error."""
    be_a_process()
    try:
        line = parse_command_line(list(sys.argv[1:] if argv is None else argv))
        if not line.config_file:
            raise ConfigError(NEEDS_FILE)
        doors = real_doors()
        state = _open(line.config_file, doors.disk)
        process = ProcessShell()
        started = start(line.config_file, state.text, line.options, doors, process.settle)
        process.detach()
        return run(serve_until_told(started, state, real_doors(), process))
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        return 1


def _open(path: str, disk: Disk) -> StateFile:
    try:
        state = StateFile(path, disk)
    except OSError as failure:
        raise ConfigError(f"Fatal error, can't open config file '{path}': {failure.strerror}") from None
    problem = state.writable()
    if problem is not None:
        raise ConfigError(f"Sentinel config file {path} is not writable: {problem}. Exiting...")
    return state


async def serve_until_told(started: Started, state: StateFile, doors: Doors, process: ProcessShell) -> int:
    """Run a sentinel behind its doors until it is told to stop; return the exit code."""
    log = logs.get("sentinel")
    node = Node(started.config, started.loaded, [admin, _attach], state.path, shared_handlers, doors)
    node.services.kept(ProcTitle).mode = "[sentinel]"
    state.users = node.services.access.configuration_lines
    node.engine.rows.update(sentinel_rows())
    monitor = Monitor(started.world, render, doors.chance.generator(), doors.clock.boot_ms())
    runner = Runner(monitor, state, lambda channel, text: pubsub.publish(node.engine, channel, text), doors,
                    started.config.bind_source_addr, node.tls.for_replication)
    node.services.keep(Seat(runner, node.stopped.set, is_executable, sections(node, started.world.my_id)))
    _serve_metrics(node, runner)
    for warning in started.loaded.warnings:
        log.warning("configuration", detail=warning)
    node.supervisor = process.supervisor
    node.on_listening = process.write_pid
    Stop(lambda name: node.stopped.set(), lambda: node.serving, node.stopped.is_set, process.remove_pid, doors.process,
         log).watch()
    try:
        runner.save()
        await node.start()
    except (OSError, NotSaved) as failure:
        log.error("could not start", error=str(failure) or "the state file can't be written")
        await node.stop()
        process.remove_pid()
        return 1
    log.warning(f"Sentinel ID is {started.world.my_id}")
    runner.order(Announce())
    await node.stopped.wait()
    node.supervisor.tell(STOPPING)
    runner.close()
    await node.stop()
    process.remove_pid()
    log.info("bye")
    return 0


def _serve_metrics(node: Node, runner: Runner) -> None:
    """Metrics and health over HTTP, if `http-port` is set."""
    if not node.config.http_port:
        return

    def view() -> SentinelView:
        inner = NodeView(node.engine, node.server, read_process(node.doors.machine), server.stalls)
        return SentinelView(runner.monitor.world, runner.clock.boot_ms(), runner.events, runner.save_failures,
                            runner.last_switch_s, inner)

    server = HttpServer(Endpoints(rows=lambda: SENTINEL, view=view, reasons=runner.troubles), runner.clock)

    async def start() -> None:
        await server.start(node.config.http_port, node.config.http_bind)
        logs.get("http").info("metrics are served", port=server.port)

    node.starts.append(start)
    node.stops.append(server.stop)


def _attach(node: Node) -> None:
    """Make a data node's server a sentinel's: its commands and users, and how it introduces itself."""
    keep_shared(node.handlers)
    acl(node, served_facts())
    node.services.mode = b"sentinel"


if __name__ == "__main__":
    sys.exit(main())
