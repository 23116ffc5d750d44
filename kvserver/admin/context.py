"""What the admin commands share on one engine, and what they need of the node around it.

`attach` builds one `Admin` and hangs it on the engine; handlers find it by `admin_of(c)`. Other packages don't
import this one: what they bring or need goes through `engine.extensions`, by these names:

- "info": section name (lower case) -> list of providers, each returning (field, value) pairs; a later provider's
  field replaces an earlier one's of the same name;
- "debug": upper-case DEBUG subcommand -> handler;
- "reset_stats": list of callables that CONFIG RESETSTAT calls;
- "pause": the `Pause`, for a failover or a shutdown that must hold writes back;
- "monitor": the `Monitors`, for requests that run without passing the gates (scripts);
- "used_memory": returns the bytes in use, as INFO tells them;
- "unlimited": list of callables that return bytes which don't count against maxmemory;
- "run_id": this process's forty random hexadecimal digits;
- "latency": `note(event, milliseconds)`, for spikes of named events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
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
    from kvserver.client.handshake import Handshakes, TlsListener
    from kvserver.client.server import Server
    from kvserver.client.tls import Tls
    from kvserver.engine.command_table.row import Handler
    from kvserver.engine.keys.eviction import Evictor
    from kvserver.engine.run.executor import Engine
    from kvserver.engine.run.session import Session

KEY = "admin"
Provider = Callable[[], Iterable[tuple[str, object]]]


class Housekeeping(Protocol):
    """The node's periodic work, as far as it is steered from here."""

    active_expire: bool
    hz: int
    hold_freeing: int


class NodeView(Protocol):
    """A data node, as far as it is known here (`kvserver.node.node.Node` fits)."""

    engine: Engine
    server: Server
    config: Config
    config_file: str
    handlers: dict[str, Handler]
    listeners: list[asyncio.AbstractServer]
    tls_listeners: list[TlsListener]
    starts: list[Callable[[], Awaitable[None]]]
    tls: Tls
    handshakes: Handshakes
    port: int
    log: Any

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
    info: dict[str, list[Provider]]
    debug: dict[bytes, Callable[[Session, list[bytes]], bytes | None]]
    reset_hooks: list[Callable[[], None]]

    @property
    def config(self) -> Config:
        """The options in force."""
        return self.node.config

    def tick(self) -> None:
        """Background work, ten times a second: end a pause whose time is over, sample rates, watch memory."""
        engine, server = self.node.engine, self.node.server
        now_ms = engine.state.now_ms
        self.pause.tick(engine, now_ms)
        self.rates.sample((engine.commands, server.net_in, server.net_out), now_ms)
        self.client_limit.tick()
        self.evictor.tick()


def admin_of(c: Session) -> Admin:
    """The Admin of the session's engine."""
    admin: Admin = c.engine.extensions[KEY]
    return admin
