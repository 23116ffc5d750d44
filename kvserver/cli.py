"""The command line of `kvserver` and `kvsentinel`: redis-server's, argument for argument."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TextIO

from kvserver import logs
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
from kvserver.node.crash import CrashReports
from kvserver.node.node import Node, Plugin

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
    try:
        stream = settle(config)
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        return 1
    reports = CrashReports(stream, logs.get("server"))
    reports.start()
    with contextlib.suppress(KeyboardInterrupt):
        return run(_serve(config, loaded, path, reports))
    return 0


def settle(config: Config) -> TextIO:
    """Go to the working folder, and send the log where it belongs (a relative name: in that folder); return it.

    Raises:
        ConfigError: the folder or the file can't be used; the text for the operator.
    """
    stream = sys.stdout
    try:
        if config.dir:
            os.chdir(config.dir)
        if config.logfile:
            stream = open(config.logfile, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - lives as long as we do
    except OSError as failure:
        raise ConfigError(f"Can't use '{failure.filename}': {failure.strerror}") from None
    logs.configure(config.loglevel, stream)
    return stream


def run(main_coroutine: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on uvloop where that exists, on asyncio's own loop elsewhere."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main_coroutine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main_coroutine)


async def _serve(config: Config, loaded: Loaded, config_file: str, reports: CrashReports) -> int:
    log = logs.get("server")
    try:
        node = Node(config, loaded, plugins(), config_file)
    except ConfigError as failure:
        print(failure, file=sys.stderr)
        return 1
    node.crash = reports.crash
    reports.switch(config.crash_log_enabled)
    config.on_change("crash-log-enabled", lambda changed: reports.switch(changed.crash_log_enabled))
    for warning in loaded.warnings:
        log.warning("configuration", detail=warning)
    pidfile = Path(config.pidfile) if config.pidfile else None
    try:
        await node.start()
    except OSError as failure:
        log.error("could not start", error=str(failure))
        await node.stop()
        return 1
    if pidfile is not None:
        with contextlib.suppress(OSError):
            pidfile.write_text(f"{os.getpid()}\n")
    handle_signals(
        lambda: by_signal(node, config.shutdown_on_sigterm),
        lambda: by_signal(node, config.shutdown_on_sigint),
        node.services.administration.shutting_down,
        node.services.persistence.abandon,
    )
    await node.stopped.wait()
    await node.stop()
    if pidfile is not None:
        pidfile.unlink(missing_ok=True)
    log.info("Understudy is now ready to exit, bye bye...")
    return 0


def handle_signals(
    stop: Any,
    interrupt: Any = None,
    stopping: Callable[[], bool] | None = None,
    abandon: Callable[[], None] | None = None,
) -> None:
    """Have SIGTERM call `stop`, SIGINT `interrupt` (or `stop`).

    Another signal while the process is `stopping` (without that: any second one) ends it at once, behind `abandon`.
    """
    loop = asyncio.get_running_loop()
    seen = 0

    def arrived(action: Any) -> None:
        nonlocal seen
        seen += 1
        if stopping() if stopping is not None else seen > 1:
            if abandon is not None:
                abandon()
            os._exit(1)
        action()

    for number, action in ((signal.SIGTERM, stop), (signal.SIGINT, interrupt or stop)):
        try:
            loop.add_signal_handler(number, arrived, action)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_, action=action: loop.call_soon_threadsafe(arrived, action))


if __name__ == "__main__":
    sys.exit(main())
