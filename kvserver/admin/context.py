"""What the admin commands share on one engine, and what they need of the node around it.

`attach` builds one `Admin`; handlers find it by `admin_of(c)`. Other packages don't import this one: they know it
as `kvserver.services.offers.Administration`, and bring what it shows to `kvserver.services.contributions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kvserver.config import Config

if TYPE_CHECKING:
    from kvserver.admin.clients.memory_limit import ClientLimit
    from kvserver.admin.clients.pause import Pause
    from kvserver.admin.observe.latency import LatencyMonitor
    from kvserver.admin.observe.monitor import Monitors
    from kvserver.admin.observe.process import Process
    from kvserver.admin.observe.rates import Rates
    from kvserver.admin.observe.slowlog import SlowLog
    from kvserver.admin.shutdown import Shutdown
    from kvserver.client.handshake import Handshakes, TlsListener
    from kvserver.client.server import Server
    from kvserver.client.tls import Tls
    from kvserver.engine.command_table.row import Handler
    from kvserver.engine.commands.keys.expiry import ExpiryCycle
    from kvserver.engine.events.tracking import Tracker
    from kvserver.engine.keys.eviction import Evictor
    from kvserver.engine.run.executor import Engine
    from kvserver.engine.run.session import Session
    from kvserver.node.supervisor import Supervisor
    from kvserver.services import Services
    from kvserver.services.offers import ShutdownWish


class Housekeeping(Protocol):
    """The node's periodic work, as far as it is steered from here."""

    active_expire: bool
    cycle: ExpiryCycle
    hz: int
    hold_freeing: int


class NodeView(Protocol):
    """A data node, as far as it is known here (`kvserver.node.node.Node` fits)."""

    engine: Engine
    server: Server
    services: Services
    config: Config
    config_file: str
    handlers: dict[str, Handler]
    listeners: list[asyncio.AbstractServer]
    tls_listeners: list[TlsListener]
    starts: list[Callable[[], Awaitable[None]]]
    tls: Tls
    handshakes: Handshakes
    supervisor: Supervisor
    port: int
    log: Any
    crash: Callable[[str], None]

    @property
    def housekeeper(self) -> Housekeeping:
        """The periodic work."""

    def every(self, seconds: float, work: Callable[[], Any]) -> None:
        """Call `work` every so often while the node runs."""

    def shutdown(self, force: bool = False) -> Coroutine[Any, Any, str]:
        """Stop cleanly; the result is "" or why the node goes on."""


@dataclass
class Admin:
    """The state behind the admin commands."""

    node: NodeView
    process: Process
    slowlog: SlowLog
    latency: LatencyMonitor
    monitors: Monitors
    pause: Pause
    rates: Rates
    evictor: Evictor
    client_limit: ClientLimit
    shutdown: Shutdown
    tracker: Tracker

    @property
    def config(self) -> Config:
        """The options in force."""
        return self.node.config

    @property
    def wish(self) -> ShutdownWish:
        """How to shut down."""
        return self.shutdown.wish

    def shutting_down(self) -> bool:
        """Whether the node is on its way to stop."""
        return self.shutdown.in_progress

    def used_bytes(self) -> int:
        """Memory in use, as INFO tells it."""
        return self.process.used_bytes()

    def note_latency(self, event: str, spent_ms: int) -> None:
        """Keep a spike that reaches latency-monitor-threshold."""
        threshold_ms = self.config.latency_monitor_threshold
        if threshold_ms and spent_ms >= threshold_ms:
            self.latency.add(event, self.node.engine.state.now_ms // 1000, spent_ms)

    def tick(self) -> None:
        """Background work, ten times a second: end a pause whose time is over, sample rates, watch memory."""
        engine, server = self.node.engine, self.node.server
        now_ms = engine.state.now_ms
        self.pause.tick(engine, now_ms)
        traffic = (server.net_in, server.net_out, server.net_repl_in, server.net_repl_out)
        self.rates.sample((engine.commands, *traffic), now_ms)
        self.client_limit.tick()
        self.evictor.tick()


def admin_of(c: Session) -> Admin:
    """The Admin of the session's engine."""
    return admin_on(c.engine)


def admin_on(engine: Engine) -> Admin:
    """The Admin of an engine."""
    return engine.services.kept(Admin)
