"""HTTP on `http-port`: /metrics, /healthz and /readyz, in every role of a process.

`Endpoints` is what a process offers; `HttpServer` serves it with aiohttp, which is imported only when the port
is on. A data node plugs in by `attach`; a sentinel makes its own `Endpoints`.

Other packages add rows to a data node's metrics, and conditions for being ready, by
`kvserver.services.contributions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kvserver import logs
from kvserver.config import bind_address
from kvserver.doors import Clock, Machine
from kvserver.engine.run.gates import is_loading
from kvserver.metrics.stalls import StallMeter
from kvserver.metrics.view import NodeView, Process

if TYPE_CHECKING:
    from kvserver.node.node import Node


@dataclass
class Endpoints:
    """What a process shows over HTTP."""

    rows: Callable[[], Sequence[Any]]
    """The catalogue (rows of `kvserver.metrics.rows.Metric`)."""
    view: Callable[[], Any]
    """Makes what the rows read, once per scrape."""
    reasons: Callable[[], Iterable[str]]
    """Why the process isn't ready; nothing when it is."""


@dataclass
class HttpServer:
    """Serves `endpoints` on each of `binds`; also measures the stalls of the event loop."""

    endpoints: Endpoints
    clock: Clock
    stalls: StallMeter = field(default_factory=StallMeter)
    on_tick: Callable[[float], None] | None = None
    """Called with the lateness of each tick, in seconds, a hundred times a second."""
    port: int = 0
    """The port in use, once started."""
    _runner: Any = None
    _timer: asyncio.TimerHandle | None = None

    async def start(self, port: int, binds: Sequence[str]) -> None:
        """Listen.

        Raises:
            OSError: an address is taken or can't be bound; a bind that begins with a dash may be missing.
        """
        from aiohttp import web

        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        for bind in binds:
            host, optional = bind_address(bind)
            try:
                await web.TCPSite(self._runner, host, port).start()
            except OSError:
                if not optional:
                    await self.stop()
                    raise
        self.port = port
        self._tick()

    async def stop(self) -> None:
        """Stop listening; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _tick(self) -> None:
        now_s = self.clock.perf()
        self._timer = asyncio.get_running_loop().call_later(self.stalls.tick(now_s) - now_s, self._tick)
        if self.on_tick is not None:
            self.on_tick(self.stalls.last_s)

    async def _metrics(self, request: Any) -> Any:
        from aiohttp import web

        from kvserver.metrics.exposition import expose  # here, as it takes 20 ms, and few nodes have the port

        body, content_type = expose(
            self.endpoints.rows(), self.endpoints.view(), request.headers.get("Accept", "")
        )
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _healthz(self, request: Any) -> Any:
        from aiohttp import web

        return web.Response(text="ok\n")

    async def _readyz(self, request: Any) -> Any:
        from aiohttp import web

        reasons = list(self.endpoints.reasons())
        text = "".join(f"{reason}\n" for reason in reasons) or "ok\n"
        return web.Response(text=text, status=503 if reasons else 200)


def read_process(machine: Machine) -> Process:
    """Ask the operating system about this process."""
    return Process(machine.created_s(), machine.resident_bytes(), sum(machine.cpu_s()[:2]))


def node_reasons(view: NodeView) -> list[str]:
    """Why a data node isn't ready to serve."""
    checks = view.engine.services.contributions.readiness
    reasons = [reason for check in checks if (reason := check())]
    if is_loading(view.engine) or view.number("persistence", "loading"):
        reasons.append("loading the data set")
    return reasons


def attach(node: Node) -> None:
    """Serve a data node's metrics and health if `http-port` is set."""
    if not node.config.http_port:
        return
    from kvserver.metrics.node import NODE  # here, as it takes 5 ms, and few nodes have the port

    services = node.engine.services

    def view() -> NodeView:
        return NodeView(node.engine, node.server, read_process(services.doors.machine), server.stalls)

    server = HttpServer(
        Endpoints(
            rows=lambda: (*NODE, *services.contributions.metrics),
            view=view,
            reasons=lambda: node_reasons(view()),
        ),
        services.clock,
    )
    # LATENCY shows stalls from its threshold on.
    server.on_tick = lambda late_s: services.administration.note_latency("loop-stall", int(late_s * 1000))

    async def start() -> None:
        await server.start(node.config.http_port, node.config.http_bind)
        logs.get("http").info("metrics are served", port=server.port)

    node.starts.insert(0, start)  # before the data set is loaded, so that /readyz can tell
    node.stops.append(server.stop)
