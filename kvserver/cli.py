"""The command line of `kvserver` and `kvsentinel`: redis-server's, argument for argument."""

from __future__ import annotations

import glob
import sys
from collections.abc import Sequence
from pathlib import Path

from kvserver.admin.shutdown import by_signal
from kvserver.config import (
    REDIS_VERSION,
    CommandLine,
    Config,
    ConfigError,
    Loaded,
    example_config,
    load,
    parse_command_line,
)
from kvserver.doors import Doors, real_doors
from kvserver.node.crash import CrashReports
from kvserver.node.node import Node, Plugin
from kvserver.node.process import ProcessShell
from kvserver.node.running import be_a_process, run
from kvserver.node.signals import Stop

USAGE = """\
Usage: kvserver [/path/to/redis.conf] [options] [-]
       kvserver - (read the configuration from standard input)
       kvserver --print-config | -v | --version | -h | --help
       kvserver /path/to/sentinel.conf --sentinel

Examples:
       kvserver                    (default options)
       kvserver --port 7777 --replicaof 127.0.0.1 6379
       kvserver /etc/redis/redis.conf --loglevel verbose
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kvserver`."""
    be_a_process()
    args = list(sys.argv[1:] if argv is None else argv)
    if args and args[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if args and args[0] in ("-v", "--version"):
        from kvserver import version

        print(f"Understudy server v={version()} compatible with Redis {REDIS_VERSION}")
        return 0
    if args == ["--print-config"]:
        print(example_config(), end="")
        return 0
    try:
        line = parse_command_line(args)
        if line.sentinel or Path(sys.argv[0]).name in ("redis-sentinel", "kvsentinel"):
            return _sentinel(line, args)
        config, loaded = read_config(line)
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        return 1
    return serve(config, loaded, line.config_file)


def sentinel_main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kvsentinel FILE [--option value …]`."""
    be_a_process()
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        return _sentinel(parse_command_line(args), args)
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        return 1


def _sentinel(line: CommandLine, args: list[str]) -> int:
    from replication.sentinel.__main__ import main as run

    return int(run([arg for arg in args if arg != "--sentinel"]))


def read_config(line: CommandLine) -> tuple[Config, Loaded]:
    """Read files, standard input and options into a configuration.

    Raises:
        ConfigError: with the whole text for the operator.
    """
    config = Config()
    texts: list[tuple[str, str]] = []
    if line.config_file:
        try:
            texts += read_file(line.config_file)
        except OSError as failure:
            raise ConfigError(f"Fatal error, can't open config file '{line.config_file}': {failure.strerror}")
    if line.from_stdin:
        texts.append(("standard input", sys.stdin.read()))
    loaded = load(config, texts, line.options, read_file=read_file)
    return config, loaded


def read_file(pattern: str) -> list[tuple[str, str]]:
    """Return (path, text) of each file a pattern means; a plain name must exist."""
    paths = sorted(glob.glob(pattern)) if any(c in pattern for c in "*?[") else [pattern]
    return [(path, Path(path).read_text(encoding="utf-8", errors="surrogateescape")) for path in paths]


def plugins() -> list[Plugin]:
    """What a data node is made of besides the engine and the server, in the order of attaching."""
    from kvserver.acl.plugin import attach as acl
    from kvserver.admin import attach as admin
    from kvserver.node.http import attach as http
    from kvserver.scripting.plugin import attach as scripting
    from persistence.plugin import attach as persistence
    from replication.plugin import attach as replication

    return [admin, scripting, persistence, replication, http, acl]


def serve(config: Config, loaded: Loaded, config_file: str = "") -> int:
    """Run a data node until it is told to stop; return the exit code."""
    path = str(Path(config_file).resolve()) if config_file else ""
    process = ProcessShell()
    try:
        process.settle(config)
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        return 1
    process.detach()
    reports = CrashReports(process.output, process.log)
    reports.start()
    return run(serve_until_told(config, loaded, path, process, reports, real_doors()))


async def serve_until_told(
    config: Config, loaded: Loaded, config_file: str, process: ProcessShell, reports: CrashReports, doors: Doors
) -> int:
    """Run a data node behind its doors until it is told to stop; return the exit code."""
    log = process.log
    try:
        node = Node(config, loaded, plugins(), config_file, doors=doors)
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        if config.logfile:  # a process in the background has no standard error
            log.error("could not start", error=str(failure))
        return 1
    node.supervisor = process.supervisor
    node.crash = reports.crash
    reports.switch(config.crash_log_enabled)
    config.on_change("crash-log-enabled", lambda changed: reports.switch(changed.crash_log_enabled))
    for warning in loaded.warnings:
        log.warning("configuration", detail=warning)
    _watch_signals(node, process)
    node.on_listening = process.write_pid
    try:
        await node.start()
    except OSError as failure:
        log.error("could not start", error=str(failure))
        await node.stop()
        process.remove_pid()
        return 1
    await node.stopped.wait()
    await node.stop()
    process.remove_pid()
    log.info("Understudy is now ready to exit, bye bye...")
    return 0


def _watch_signals(node: Node, process: ProcessShell) -> None:
    """Have SIGTERM and SIGINT stop the node."""

    def begin(name: str) -> None:
        config = node.config
        by_signal(node, config.shutdown_on_sigint if name == "SIGINT" else config.shutdown_on_sigterm)

    def last_act() -> None:
        node.services.persistence.abandon()
        process.remove_pid()

    stopping = node.services.administration.shutting_down
    Stop(begin, lambda: node.serving, stopping, last_act, node.doors.process, process.log).watch()


if __name__ == "__main__":
    sys.exit(main())
