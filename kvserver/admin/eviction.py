"""Plugs eviction into a data node: what is measured, when it goes on, and which options steer it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from kvserver.admin.clients.memory_limit import ClientLimit
from kvserver.admin.context import Admin, NodeView
from kvserver.admin.observe.process import Process
from kvserver.config import Config
from kvserver.engine.keys.eviction import NAME, Evictor
from kvserver.engine.run.executor import Engine

OPTIONS = (
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "maxmemory-eviction-tenacity",
    "lfu-log-factor",
    "lfu-decay-time",
    "replica-ignore-maxmemory",
)


def make(node: NodeView, process: Process) -> Evictor:
    """Make the evictor of a node."""
    engine = node.engine

    def measure() -> int:
        return process.measure() - unlimited_bytes(engine)

    clock = node.services.clock
    return Evictor(engine, node.config, measure, clock.perf, clock.thread)


def unlimited_bytes(engine: Engine) -> int:
    """Bytes that don't count against maxmemory: what waits for replicas, or evicting would feed itself."""
    waiting = sum(c.port.pending_bytes() for c in list(engine.sessions.values()) if c.kind == "replica")
    return waiting + engine.services.contributions.unlimited_bytes()


def plug_in(admin: Admin, limit: ClientLimit) -> None:
    """Connect the evictor to the node."""
    node, evictor = admin.node, admin.evictor
    engine = node.engine
    evictor.may_free = lambda: not node.housekeeper.hold_freeing
    evictor.on_hold = lambda: bool(admin.pause.mode)
    _plug_in_clients(admin, limit)
    evictor.on_more = partial(_soon, evictor)
    evictor.on_cycle = partial(_spike, admin)
    engine.set_gate(NAME, evictor.gate)
    for name in OPTIONS:
        node.config.on_change(name, lambda config: evictor.configure())
    node.services.signals.role_changed.connect(evictor.watch)  # a replica leaves the limit to its primary
    evictor.configure()


def _plug_in_clients(admin: Admin, limit: ClientLimit) -> None:
    """Connect maxmemory-clients to the server; without a limit the server shows it no client."""
    server, config = admin.node.server, admin.config

    def configure(config: Config) -> None:
        limit.configure()
        server.watch = limit if limit.limit else None

    admin.evictor.cut_clients = limit.cut_lately
    limit.on_over = partial(_settle_soon, limit)
    server.engine.on_close.append(limit.forget)
    admin.node.services.signals.stats_reset.connect(limit.reset)
    for name in ("maxmemory-clients", "maxmemory"):
        config.on_change(name, configure)
    configure(config)


def _settle_soon(limit: ClientLimit) -> None:
    """Have clients cut off when this turn of the loop is over; before the loop runs there are none."""
    with suppress(RuntimeError):
        asyncio.get_running_loop().call_soon(limit.settle)


def _soon(evictor: Evictor) -> None:
    """Go on in the next turn of the loop; before it runs there is nothing to evict."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        evictor.more = False
    else:
        loop.call_soon(evictor.go_on)


def _spike(admin: Admin, seconds: float) -> None:
    """Tell the latency monitor."""
    admin.note_latency("eviction-cycle", int(seconds * 1000))
