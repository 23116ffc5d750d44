"""Plugs this package into a data node: commands, gates, INFO, the link and the feeder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kvserver import logs
from kvserver.node.supervisor import CONTINUED, SYNCHRONIZED
from kvserver.services import Services
from kvserver.services.offers import PAUSE_WRITES, Pause
from replication import commands, debugging
from replication.info_fields import LinkView, View, replication_fields
from replication.primary.farewell import Farewell
from replication.quorum.shell import commands as quorum_commands
from replication.quorum.shell.start import begin as start_quorum, may_be_member
from replication.restart import resume
from replication.role_states import State
from replication.shell import Replication

if TYPE_CHECKING:
    from kvserver.node.node import Node

TICK_S = 0.1
_FOR_EVER_MS = 1 << 62
_SAVING_MS = 5000
"""How much longer than the wait itself writes wait before a shutdown."""


def attach(node: Node) -> None:
    """Add this package's handlers, gates and work to the node."""
    engine, config = node.engine, node.config
    ours = Replication(engine, config, logs.get("replication"))
    services = node.services
    services.replication = ours
    services.keep(ours)
    services.signals.log_synced.connect(ours.file_synced)
    services.signals.data_loaded.connect(lambda origin: start_quorum(node, ours, origin))
    engine.state.follow(config.replicaof is not None or may_be_member(node))  # so that it loads as what it will be
    services.signals.role_changed.emit()
    ours.on_synchronized = lambda partial: node.supervisor.tell(CONTINUED if partial else SYNCHRONIZED)
    ours.received = node.server.replicated
    node.handlers.update(commands.HANDLERS)
    node.handlers.update(quorum_commands.HANDLERS)
    pause = services.administration.pause
    ours.hands.hold_writes = lambda: pause.begin(engine, "failover", PAUSE_WRITES, _FOR_EVER_MS)
    ours.hands.let_writes = lambda: pause.end(engine, "failover")
    services.contributions.debug.update(debugging.DEBUG)
    _add_info(ours, services)
    for name in (
        "replica-serve-stale-data", "replica-read-only", "min-replicas-to-write", "min-replicas-max-lag",
        "async-max-unreplicated-ms", "async-max-unreplicated-bytes",
    ):  # fmt: skip
        config.on_change(name, lambda _: ours.refresh_denials())
    config.on_change("repl-backlog-size", lambda _: ours.resize_backlog())

    async def start() -> None:
        ours.listening_port = node.port
        origin = services.persistence.take_origin()
        if ours.voting.rests():
            ours.begin_as_member()
        else:
            await resume(ours, origin.aux, origin.gone)
        await ours.start()

    _add_farewell(node, ours, pause)
    node.starts.append(start)
    node.every(TICK_S, ours.tick)
    node.stops.append(ours.stop)


def _add_farewell(node: Node, ours: Replication, pause: Pause) -> None:
    engine = node.engine

    def hold_writes(seconds: int) -> None:
        pause.begin(engine, "shutdown", PAUSE_WRITES, engine.state.now_ms + seconds * 1000 + _SAVING_MS)

    farewell = Farewell(ours, hold_writes, lambda: pause.end(engine, "shutdown"))
    node.shutdown_hooks.insert(0, farewell.wait)
    node.services.contributions.add_info("server", lambda: _server(farewell))


def _add_info(ours: Replication, services: Services) -> None:
    services.signals.stats_reset.connect(ours.feeder.reset_stats)
    shown = services.contributions
    shown.add_info("replication", lambda: replication_fields(view(ours)))
    shown.add_info("replication", lambda: _unreplicated(ours))
    shown.add_info("stats", lambda: _stats(ours))
    shown.add_info("memory", lambda: _memory(ours))
    shown.add_info("persistence", lambda: _persistence(ours))
    shown.unlimited.append(lambda: _unlimited(ours))
    shown.readiness.append(lambda: _link_trouble(ours))


def _link_trouble(ours: Replication) -> str:
    """Why a replica isn't ready to serve; "" when it is."""
    return "the link to the primary is down" if ours.role.link_up is False else ""


def _unreplicated(ours: Replication) -> Iterable[tuple[str, object]]:
    """What a primary may lose at the most, where a bound on it is stated."""
    if ours.engine.deny_masks.get("unreplicated"):
        bound = ours.hands.bound
        yield "async_unreplicated_ms", bound.age_ms(ours.engine)
        yield "async_unreplicated_bytes", bound.unreplicated.length(ours.engine.log.offset)


def _server(farewell: Farewell) -> Iterable[tuple[str, object]]:
    left_ms = farewell.left_ms()
    if left_ms:
        yield "shutdown_in_milliseconds", left_ms


def _stats(ours: Replication) -> Iterable[tuple[str, object]]:
    feeder = ours.feeder
    yield "sync_full", feeder.full_resyncs
    yield "sync_partial_ok", feeder.partial_resyncs
    yield "sync_partial_err", feeder.refused_partials
    yield "stale_link_effects", ours.role.stale


def _unlimited(ours: Replication) -> int:
    """What is kept for replicas beside what their connections have: the stream during a snapshot, and what the
    backlog's blocks hold beyond its size."""
    feeder = ours.feeder
    beyond = 0 if feeder.backlog is None else feeder.backlog.beyond()
    return beyond + _kept(ours)


def _kept(ours: Replication) -> int:
    """Bytes of the stream kept for replicas that are taking a snapshot; all of them share them."""
    return max((feed.kept_bytes for feed in ours.feeder.feeds.values()), default=0)


def _persistence(ours: Replication) -> Iterable[tuple[str, object]]:
    """What is there besides the node's own saves and loads."""
    yield "async_loading", int(ours.link is not None and ours.link.loading)
    if ours.feeder.sending:
        yield "rdb_bgsave_in_progress", 1


def _memory(ours: Replication) -> Iterable[tuple[str, object]]:
    backlog = ours.feeder.backlog
    kept = backlog.histlen if backlog is not None else 0
    feeds = ours.feeder.feeds.values()
    # What is kept for several is the same bytes.
    waiting = sum(feed.waiting_bytes() - feed.kept_bytes for feed in feeds) + _kept(ours)
    yield "mem_replication_backlog", kept
    yield "mem_total_replication_buffers", kept + waiting
    yield "mem_clients_slaves", waiting


_NOBODY = LinkView("?", 0, "none", -1, 0, False, 0, 0, 0)
"""Whom a member of a quorum follows that rests."""


def view(ours: Replication) -> View:
    """The node as INFO sees it."""
    now = ours.engine.services.clock.monotonic()
    link = ours.link
    resting = ours.role.state is State.RESTING
    return View(
        config=ours.config,
        follows=ours.engine.state.follows,
        history=ours.history,
        offset=ours.engine.log.offset,
        backlog=ours.feeder.backlog,
        replicas=ours.feeder.records(),
        link=_NOBODY
        if resting
        else None
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
            unapplied_bytes=link.unapplied_bytes,
        ),
        failover=ours.role.failover,
        now_s=now,
    )
