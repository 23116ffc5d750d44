"""`kvops up`: start a cluster, show it until told to stop, stop it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from ops.cluster.cluster import Cluster
from ops.cluster.cut_off import cut_off
from ops.cluster.demo import Report, Writer, demonstrate, writing
from ops.cluster.layout import LayoutError, Wanted
from ops.cluster.processes import StartError, prepare
from ops.cluster.status import ClusterStatus, changes
from ops.cluster.view import how_to_connect, render

REFRESH_S = 0.5


@dataclass
class Options:
    """The command line of `kvops up`."""

    folder: Path
    wanted: Wanted
    demo: bool = False
    seconds: float = 0.0
    """Stop by itself after this long (and after the demonstration); 0 = when told to."""
    restart_after_s: float = 5.0
    plain: bool = False
    redis: bool = False
    """Start Redis's own servers instead of ours."""


class Screen:
    """Where the cluster is shown: a live view on a terminal, plain lines elsewhere."""

    def __init__(self, options: Options, console: Console) -> None:
        self.console = console
        self.live: Live | None = None
        self.plain = options.plain or not console.is_terminal
        self.title = f"understudy · data in {options.folder}"
        self._last: ClusterStatus | None = None
        self._events_shown = 0

    def say(self, line: str) -> None:
        """Tell the operator something that stays on the screen."""
        stamped = f"{time.strftime('%H:%M:%S')} {line}"
        if self.plain:
            print(stamped, flush=True)
        else:
            self.console.print(stamped, highlight=False, markup=False)

    def show(self, status: ClusterStatus, heard: int) -> None:
        """Show a status; `heard` is how many events there have been so far."""
        if not self.plain:
            if self.live is not None:
                self.live.update(render(status, self.title, self.console.width), refresh=True)
            return
        fresh = min(heard - self._events_shown, len(status.events))
        for event in status.events[len(status.events) - fresh :]:
            print(event, flush=True)
        self._events_shown = heard
        for line in changes(self._last, status):
            self.say(line)
        self._last = status

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Take the terminal while the block runs."""
        if self.plain:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as self.live:
            yield
        self.live = None


async def up(options: Options, console: Console) -> int:
    """Run the command; return the exit code."""
    screen = Screen(options, console)
    try:
        layout = prepare(options.folder.resolve(), options.wanted, with_http=not options.redis)
        cluster = Cluster(layout, options.folder.resolve(), screen.say, options.redis)
    except (LayoutError, StartError, OSError) as failure:
        print(f"kvops up: {failure}", file=sys.stderr)
        return 1
    cluster.restart_after_s = options.restart_after_s
    stop = asyncio.Event()
    _on_signals(stop)
    try:
        screen.say(f"starting {len(layout.nodes)} nodes and {len(layout.sentinels)} sentinels")
        if not await _unless(stop, cluster.start()):
            return 0
        for line in how_to_connect(layout, with_http=not options.redis):
            screen.say(line)
        return await _run(cluster, options, screen, stop)
    except StartError as failure:
        print(f"kvops up: {failure}", file=sys.stderr)
        return 1
    finally:
        screen.say("stopping")
        await cluster.stop()
        screen.say("stopped")


async def _run(cluster: Cluster, options: Options, screen: Screen, stop: asyncio.Event) -> int:
    started_s = time.monotonic()
    code = 0
    with screen.open():
        async with _shown(cluster, screen):
            if options.demo:
                code = await _demo(cluster, screen, stop)
            if not options.seconds:
                await stop.wait()
            elif (left_s := started_s + options.seconds - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await stop.wait()
    return code


async def _demo(cluster: Cluster, screen: Screen, stop: asyncio.Event) -> int:
    """Run the demonstration; 1 when it failed. It ends early when the operator stops us."""
    writer = Writer(cluster.layout)
    reports: list[Report] = []

    async def whole() -> None:
        async with writing(writer):
            reports.append(await demonstrate(cluster, writer, screen.say))

    try:
        await _unless(stop, whole())
    except TimeoutError as failure:
        screen.say(f"the demonstration failed: {failure or 'no failover in time'}")
        return 1
    for report in reports:
        for line in report.lines():
            screen.say(line)
    if cluster.layout.durability != "async" and not stop.is_set():
        await _unless(stop, _cut(cluster.layout.durability, screen))
    return 0


async def _cut(durability: str, screen: Screen) -> None:
    for line in await cut_off(durability, screen.say):
        screen.say(line)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Await `work`, or give it up when `stop` is set first; True when it was done."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False
    await task
    return True


@contextlib.asynccontextmanager
async def _shown(cluster: Cluster, screen: Screen) -> AsyncIterator[None]:
    """Show the cluster's status again and again while the block runs."""
    heard = 0

    def count(*_: object) -> None:
        nonlocal heard
        heard += 1

    async def repeat() -> None:
        while True:
            status = await cluster.watcher.status()
            screen.show(status, heard)
            await asyncio.sleep(REFRESH_S)

    cluster.watcher.on_event.append(count)
    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
