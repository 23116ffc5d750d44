"""Plugs scripting into a data node."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from kvserver import logs
from kvserver.scripting.commands import HANDLERS
from kvserver.scripting.host import KEY, Host

if TYPE_CHECKING:
    from kvserver.node import Node

_LEVELS = ("debug", "debug", "info", "warning")


def attach(node: Node) -> None:
    """Add the scripting engine and its commands to the node."""
    engine = node.engine
    host = Host(engine, perf_counter)
    engine.extensions[KEY] = host
    engine.extensions["function_sources"] = host.libraries.sources
    engine.extensions["restore_functions"] = partial(_restore, host)
    node.handlers.update(HANDLERS)
    log = logs.get("script")
    host.api.on_log = lambda level, text: getattr(log, _LEVELS[level])(text)


def _restore(host: Host, codes: list[bytes]) -> None:
    """Take over the libraries of a snapshot in place of those that are there."""
    host.libraries.restore(codes, b"FLUSH")
