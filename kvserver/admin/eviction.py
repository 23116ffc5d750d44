"""Plugs eviction into a data node: what is measured, when it goes on, and which options steer it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from sys import getsizeof

from kvserver.admin.clients.memory_limit import ClientLimit
from kvserver.admin.context import Admin, NodeView
from kvserver.admin.observe.process import Process
from kvserver.client.outbox import BLOCK_BYTES, FULL_BYTES
from kvserver.config import Config
from kvserver.engine.keys.eviction import NAME, Evictor
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Port

CHUNK_BYTES = 256 * 1024
"""What is read of a socket at a time, at the most; an argument that is larger is gathered, and counts."""
SAMPLES = 200
"""How many of the parts of a batch are looked at to know the size of all."""
FULL_COST = BLOCK_BYTES
"""A full transport has a few objects of its loop's for each of the last small messages; behind it a block grows,
through sizes that the C library keeps for the next one, and counts as in use."""
CHUNK_COPIES = 2
"""A chunk is there as it was read, and behind what was left of the one before it."""
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
    """Bytes that don't count against maxmemory: what waits for replicas and files, or evicting would feed itself.

    Neither does what serving a chunk of requests takes, all of which is given back when the loop's turn is over:
    nothing would be gained by evicting for it. Redis reads 16 kB at a time, we up to 256 kB.
    """
    sessions = list(engine.sessions.values())
    waiting = sum(_waiting_bytes(c.port) for c in sessions if c.kind == "replica")
    serving = sum(_serving_bytes(c.port, c.out) for c in sessions if c.out is not None)
    return waiting + serving + _bytes_of(engine.log.pending) + engine.services.contributions.unlimited_bytes()


def _waiting_bytes(port: Port) -> int:
    """What a replica hasn't taken, and what it takes to keep that."""
    waiting = port.pending_bytes()
    return waiting + FULL_COST if waiting > FULL_BYTES else waiting


def _serving_bytes(port: Port, replies: list[bytes]) -> int:
    """The chunk whose requests are being served, and the replies so far."""
    return min(port.chunk_bytes(), CHUNK_BYTES) * CHUNK_COPIES + _bytes_of(replies)


def _bytes_of(parts: list[bytes]) -> int:
    """Bytes of memory that a list of bytes takes, judged by some of them: Python gives sixteen bytes at a time."""
    every = 1 + len(parts) // SAMPLES
    return getsizeof(parts) + sum((getsizeof(part) + 15 & ~15) for part in parts[::every]) * every


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
