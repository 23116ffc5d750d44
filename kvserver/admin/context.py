"""What the admin commands share on one engine, and what they need of the process around it.

`install` (in `kvserver.admin.install`) builds one `Admin` and hangs it on the engine; handlers find it by
`admin_of(c)`. The process is known only as a `Host`, which the composition provides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kvserver.config import Config

if TYPE_CHECKING:
    from kvserver.admin.info import Provider
    from kvserver.admin.latency import LatencyMonitor
    from kvserver.admin.monitor import Monitors
    from kvserver.admin.pause import Pause
    from kvserver.admin.rates import Rates
    from kvserver.admin.slowlog import SlowLog
    from kvserver.engine.executor import Engine
    from kvserver.engine.session import Session

KEY = "admin"


class ShutdownRequest(NamedTuple):
    """How to shut down: `save` True, False or None (when there are save points); the rest as SHUTDOWN has it."""

    save: bool | None = None
    now: bool = False
    force: bool = False


class Traffic(Protocol):
    """Counters of the sockets' shell: connections, bytes, calls."""

    connections_received: int
    connections_rejected: int
    bytes_in: int
    bytes_out: int
    reads: int
    writes: int


class Host(Protocol):
    """The process in which the engine runs."""

    run_id: str
    started_s: float
    """Unix time, seconds."""
    config_file: str
    """Absolute path of the configuration file; empty when there is none."""
    traffic: Traffic

    def shut_down(self, request: ShutdownRequest, failed: Callable[[], None]) -> None:
        """Begin to shut down; `failed` is called when it can't be done and the server goes on."""

    def abort_shutdown(self) -> bool:
        """Give up a shutdown that is waiting for replicas; False when there is none."""

    def log(self, text: str) -> None:
        """Write a line to the server's log at level warning."""


@dataclass
class Admin:
    """The state behind the admin commands."""

    engine: Engine
    config: Config
    host: Host
    slowlog: SlowLog
    latency: LatencyMonitor
    monitors: Monitors
    pause: Pause
    rates: Rates
    info: dict[str, list[Provider]] = field(default_factory=dict)
    """Providers of each INFO section, in order."""
    reset_hooks: list[Callable[[], None]] = field(default_factory=list)
    """Called by CONFIG RESETSTAT."""
    debug: dict[bytes, Callable[[Session, list[bytes]], bytes | None]] = field(default_factory=dict)
    """DEBUG subcommands that other packages bring."""

    def tick(self, now_ms: int) -> None:
        """Background work, some ten times a second: end a pause whose time is over, sample rates."""
        self.pause.tick(self.engine, now_ms)
        self.rates.sample(self.totals(), now_ms)

    def totals(self) -> tuple[int, int, int]:
        """Commands run, bytes received, bytes sent so far: what INFO shows rates of."""
        traffic = self.host.traffic
        return self.engine.commands, traffic.bytes_in, traffic.bytes_out


def admin_of(c: Session) -> Admin:
    """The Admin of the session's engine."""
    admin: Admin = c.engine.extensions[KEY]
    return admin
