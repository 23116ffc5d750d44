"""From a configuration file and options to a world: what `main` needs before the event loop runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kvserver.config import Config, Directive, Loaded, fatal, load
from kvserver.doors import Doors
from replication.sentinel.options.directives import apply_directive, host_in, order
from replication.sentinel.options.kinds import DirectiveError
from replication.sentinel.shell.resolver import look_up_at_once
from replication.sentinel.world.world import World

DEFAULT_PORT = 26379


@dataclass(frozen=True, slots=True)
class Started:
    """Options for the server, and the world for the decisions."""

    config: Config
    loaded: Loaded
    world: World


def is_executable(path: str) -> bool:
    """Whether the path is a program that this process may run."""
    return os.path.isfile(path) and os.access(path, os.X_OK)


def start(
    source: str, text: str, options: Sequence[str], doors: Doors, settle: Callable[[Config], object]
) -> Started:
    """Read everything. Raises ConfigError with the text for the operator, which names file and line.

    `settle` is called with the options before the sentinel's statements are read: names of scripts are
    relative to the working folder.
    """
    config = Config()
    config.assign("port", DEFAULT_PORT)
    config.assign("protected-mode", False)
    loaded = load(config, [(source, text)], options, read_file=_no_includes, sentinel_mode=True)
    settle(config)
    world = World(doors.chance.token(20))
    statements = sorted(loaded.sentinel, key=lambda each: order(each[1]) if each[1] else 0)
    for where, words in statements:
        _apply(world, where, words, doors.clock.boot_ms())
    world.port = (config.tls_replication and config.tls_port) or config.port
    world.own_pass = config.requirepass.decode("utf-8", "surrogateescape") or None
    return Started(config, loaded, world)


def _apply(world: World, where: Directive, words: list[str], now_ms: int) -> None:
    try:
        if not words:
            raise DirectiveError("Unrecognized sentinel configuration statement.")
        _know_host(world, host_in(words))
        apply_directive(world, words, now_ms, is_executable)
    except DirectiveError as problem:
        raise fatal(where, str(problem)) from None


def _know_host(world: World, host: str | None) -> None:
    found = look_up_at_once(world, host) if host is not None else None
    if found is not None and found.ip is not None:
        world.learn_name(found.host, found.ip)


def _no_includes(pattern: str) -> list[tuple[str, str]]:
    raise OSError(f"a sentinel's file can't include '{pattern}': its state would be in two places")
