"""Plugs this package into a data node: commands, gates, INFO, the link and the feeder."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING

from kvserver import logs
from kvserver.services import Services
from kvserver.services.offers import PAUSE_WRITES, Pause
from replication import commands, debugging
from replication.hub import Hub
from replication.info_fields import LinkView, View, replication_fields
from replication.primary.farewell import Farewell
from replication.restart import resume

if TYPE_CHECKING:
    from kvserver.node.node import Node

TICK_S = 0.1
_FOR_EVER_MS = 1 << 62
_SAVING_MS = 5000
"""How much longer than the wait itself writes are held back before a shutdown."""


def attach(node: Node) -> None:
    """Add this package's handlers, gates and work to the node."""
    engine, config = node.engine, node.config
    hub = Hub(engine, config, logs.get("replication"))
    services = node.services
    services.replication = hub
    services.keep(hub)
    services.signals.log_synced.connect(hub.file_synced)
    engine.state.follow(config.replicaof is not None)  # so that it loads as what it will be
    node.handlers.update(commands.HANDLERS)
    pause = services.administration.pause
    hub.failover.hold_writes = lambda: pause.begin(engine, "failover", PAUSE_WRITES, _FOR_EVER_MS)
    hub.failover.let_writes = lambda: pause.end(engine, "failover")
    services.contributions.debug.update(debugging.DEBUG)
    _add_info(hub, services)
    for name in ("replica-serve-stale-data", "replica-read-only", "min-replicas-to-write", "min-replicas-max-lag"):
        config.on_change(name, lambda _: hub.refresh_denials())
    config.on_change("repl-backlog-size", lambda _: hub.resize_backlog())

    async def start() -> None:
        hub.listening_port = node.port
        origin = services.persistence.take_origin()
        await resume(hub, origin.aux, origin.gone)
        await hub.start()

    _add_farewell(node, hub, pause)
    node.starts.append(start)
    node.every(TICK_S, hub.tick)
    node.stops.append(hub.stop)


def _add_farewell(node: Node, hub: Hub, pause: Pause) -> None:
    engine = node.engine

    def hold_writes(seconds: int) -> None:
        pause.begin(engine, "shutdown", PAUSE_WRITES, engine.state.now_ms + seconds * 1000 + _SAVING_MS)

    farewell = Farewell(hub, hold_writes, lambda: pause.end(engine, "shutdown"))
    node.shutdown_hooks.insert(0, farewell.wait)
    node.services.contributions.add_info("server", lambda: _server(farewell))


def _add_info(hub: Hub, services: Services) -> None:
    services.signals.stats_reset.connect(hub.feeder.reset_stats)
    shown = services.contributions
    shown.add_info("replication", lambda: replication_fields(view(hub)))
    shown.add_info("stats", lambda: _stats(hub))
    shown.add_info("memory", lambda: _memory(hub))
    shown.add_info("persistence", lambda: _persistence(hub))
    shown.unlimited.append(lambda: _unlimited(hub))
    shown.readiness.append(lambda: _link_trouble(hub))


def _link_trouble(hub: Hub) -> str:
    """Why a replica isn't ready to serve; "" when it is."""
    return "the link to the primary is down" if hub.link is not None and not hub.link.connected else ""


def _server(farewell: Farewell) -> Iterable[tuple[str, object]]:
    left_ms = farewell.left_ms()
    if left_ms:
        yield "shutdown_in_milliseconds", left_ms


def _stats(hub: Hub) -> Iterable[tuple[str, object]]:
    feeder = hub.feeder
    yield "sync_full", feeder.full_resyncs
    yield "sync_partial_ok", feeder.partial_resyncs
    yield "sync_partial_err", feeder.refused_partials
    yield "stale_link_effects", hub.stale_effects


def _unlimited(hub: Hub) -> int:
    """What is held for replicas beside what their connections hold: the stream during a snapshot, and what the
    backlog's blocks hold beyond its size."""
    feeder = hub.feeder
    beyond = 0 if feeder.backlog is None else max(0, feeder.backlog.histlen - feeder.backlog.size)
    return beyond + _held(hub)


def _held(hub: Hub) -> int:
    """Bytes of the stream kept for replicas that are taking a snapshot; all of them share them."""
    return max((feed.held_bytes for feed in hub.feeder.feeds.values()), default=0)


def _persistence(hub: Hub) -> Iterable[tuple[str, object]]:
    """What is there besides the node's own saves and loads."""
    yield "async_loading", int(hub.link is not None and hub.link.loading)
    if hub.feeder.sending:
        yield "rdb_bgsave_in_progress", 1


def _memory(hub: Hub) -> Iterable[tuple[str, object]]:
    backlog = hub.feeder.backlog
    kept = backlog.histlen if backlog is not None else 0
    feeds = hub.feeder.feeds.values()
    # What is held for several is the same bytes.
    waiting = sum(feed.waiting_bytes() - feed.held_bytes for feed in feeds) + _held(hub)
    yield "mem_replication_backlog", kept
    yield "mem_total_replication_buffers", kept + waiting
    yield "mem_clients_slaves", waiting


def view(hub: Hub) -> View:
    """The node as INFO sees it."""
    now = monotonic()
    link = hub.link
    return View(
        config=hub.config,
        history=hub.history,
        offset=hub.engine.log.offset,
        backlog=hub.feeder.backlog,
        replicas=hub.feeder.records(),
        link=None
        if link is None
        else LinkView(
            host=link.host,
            port=link.port,
            state=link.state,
            io_ago_s=int(now - link.io_at_s),
            down_for_s=int(now - link.down_since_s),
            syncing=link.state == "sync",
            total_bytes=link.payload.length if link.payload is not None else 0,
            read_bytes=link.payload.received if link.payload is not None else 0,
            held_bytes=link.held_bytes,
        ),
        failover=hub.failover.state,
        now_s=now,
    )
