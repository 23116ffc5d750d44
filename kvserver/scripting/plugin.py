"""Plugs scripting into a data node."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from kvserver import logs
from kvserver.engine.gates import ORDER_BUSY
from kvserver.scripting.busy import Busy
from kvserver.scripting.commands import HANDLERS
from kvserver.scripting.host import KEY, Host
from kvserver.scripting.pump import Pump

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
    busy = Busy(host, Pump(node.server, lambda: node.listeners))
    engine.add_gate(ORDER_BUSY, "busy", busy.gate)
    host.api.on_tick = busy.tick
    config = node.config

    def follow(changed: object) -> None:
        busy.threshold_s = config.busy_reply_threshold / 1000

    config.on_change("busy-reply-threshold", follow)
    follow(config)
    log = logs.get("script")
    host.api.on_log = lambda level, text: getattr(log, _LEVELS[level])(text)


def _restore(host: Host, codes: list[bytes], policy: bytes = b"FLUSH") -> None:
    """Take over the libraries of a snapshot: in place of all that are there (FLUSH), APPEND or REPLACE."""
    host.libraries.restore(codes, policy)
