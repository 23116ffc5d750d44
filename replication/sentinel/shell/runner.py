"""The shell around the decisions: sockets, the state file, scripts, one timer. It decides nothing.

Actions are carried out in their order, so a vote leaves only when it is in the state file. If the file can't
be written, what would tell of a vote or seek one is not sent, the file is tried again at the next such
occasion, and until then this sentinel watches but neither votes nor leads.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from kvserver import logs
from kvserver.doors import Doors
from replication.sentinel.mind.messages import (
    Action,
    Answer,
    Cause,
    Close,
    Closed,
    Connect,
    Crash,
    Emit,
    Event,
    Level,
    Lookup,
    Persist,
    Refusal,
    Request,
    RunScript,
    Send,
    Tick,
)
from replication.sentinel.mind.monitor import Monitor
from replication.sentinel.mind.orders import Order
from replication.sentinel.options.directives import render
from replication.sentinel.shell.resolver import Resolver
from replication.sentinel.shell.scripts import Scripts
from replication.sentinel.shell.state_file import StateFile
from replication.sentinel.shell.wire import Outgoing
from replication.sentinel.world.group import Lane

Publish = Callable[[bytes, bytes], object]
_LOGGERS = {Level.DEBUG: "debug", Level.VERBOSE: "debug", Level.NOTICE: "info", Level.WARNING: "warning"}


class NotSaved(Exception):
    """The state file could not be written."""


class Runner:
    """Runs one Monitor in the current event loop."""

    def __init__(
        self, monitor: Monitor, state: StateFile, publish: Publish, doors: Doors, source_ip: str | None,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        self.monitor = monitor
        self.clock = doors.clock
        self._process = doors.process
        self.state = state
        self.scripts = Scripts(monitor.world.periods, doors.clock, self._script_event)
        self.save_failures = 0
        self.events: dict[str, int] = {}
        """How often each event happened, for the metrics."""
        self.last_switch_s: float = 0.0
        self._publish = publish
        self._tls = tls
        self._log = logs.get("sentinel")
        self._source_ip = source_ip or None
        self._saved = True
        self._sockets: dict[tuple[int, Lane], Outgoing] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._inside = False
        self._waiting: list[Event] = []
        self._resolver = Resolver(self.handle)
        self._closed = False

    def close(self) -> None:
        """Stop: connections end, and nothing is decided any more."""
        self._closed = True
        self._resolver.close()
        if self._timer is not None:
            self._timer.cancel()
        for socket in self._sockets.values():
            socket.abandon()
        self._sockets.clear()

    def handle(self, event: Event) -> Answer | Refusal | None:
        """Take one step; the answer, if the event was a question and it may be told."""
        if self._closed:
            return None
        if isinstance(event, Closed):
            self._sockets.pop((event.link, event.lane), None)
        if self._inside:
            self._waiting.append(event)
            return None
        answer = self._perform(self.monitor.step(event, self.clock.boot_ms()))
        while self._waiting:
            self._perform(self.monitor.step(self._waiting.pop(0), self.clock.boot_ms()))
        self._arm()
        return answer

    def order(self, order: Order) -> str | None:
        """Take a step for an operator; why it was refused, None if it was carried out."""
        reply = self.handle(order)
        return reply.text if isinstance(reply, Refusal) else None

    def save(self) -> None:
        """Write the state file now. Raises NotSaved."""
        if not self._persist(render(self.monitor.world)):
            raise NotSaved

    def ensure_saved(self) -> None:
        """Return if what was decided is on disk, or can be written now. Raises NotSaved."""
        if not self._durable():
            raise NotSaved

    def troubles(self) -> list[str]:
        """Why this sentinel is not ready to do its work; nothing when it is."""
        world = self.monitor.world
        return [text for trouble, text in (
            (world.tilt, "judgement is suspended: time jumped"),
            (not self._saved, "the state file can't be written"),
        ) if trouble]

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(0, self.monitor.deadline_ms - self.clock.boot_ms()) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self.scripts.tick()
        self.handle(Tick())

    def _perform(self, actions: list[Action]) -> Answer | Refusal | None:
        answer: Answer | Refusal | None = None
        self._inside = True
        try:
            for action in actions:
                if isinstance(action, Answer):
                    answer = action if action.leader == "*" or self._durable() else None
                elif isinstance(action, Refusal):
                    answer = action
                else:
                    self._do(action)
        finally:
            self._inside = False
        return answer

    def _do(self, action: Action) -> None:
        match action:
            case Send():
                self._send(action)
            case Emit(level, channel, message, script):
                self._emit(level, channel, message)
                if script is not None:
                    self.scripts.add((script, channel, message))
            case Connect(link, lane, address):
                socket = self._sockets[link, lane] = Outgoing(link, lane, self.handle, self._tls())
                socket.connect(address, self._source_ip)
            case Close(link, lane):
                old = self._sockets.pop((link, lane), None)
                if old is not None:
                    old.abandon()
            case Persist(lines):
                self._persist(lines)
            case Lookup(host):
                self._resolver.look_up(host)
            case RunScript(path, args):
                self.scripts.add((path, *args))
            case Crash(status):
                self._log.warning("Sentinel CRASH because of SENTINEL simulate-failure")
                self._process.exit(status)

    def _send(self, action: Send) -> None:
        socket = self._sockets.get((action.link, action.lane))
        if socket is None:
            return
        seeks_vote = action.request is Request.ASK and action.args[-1] != b"*"
        if seeks_vote and not self._durable():
            socket.abandon()
            self._waiting.append(Closed(action.link, action.lane, Cause.LOST, "state not saved"))
            return
        socket.send(action)

    def _durable(self) -> bool:
        return self._saved or self._persist(render(self.monitor.world))

    def _persist(self, lines: tuple[str, ...]) -> bool:
        try:
            self.state.save(lines)
        except OSError as error:
            self._saved = False
            self.save_failures += 1
            self._log.warning("WARNING: Sentinel was not able to save the new configuration on disk!!!",
                        file=self.state.path, error=str(error))
        else:
            self._saved = True
        return self._saved

    def _emit(self, level: Level, channel: str, message: str) -> None:
        getattr(self._log, _LOGGERS[level])(f"{channel} {message}")
        self.events[channel] = self.events.get(channel, 0) + 1
        if channel == "+switch-master":
            self.last_switch_s = self.clock.wall()
        if level is not Level.DEBUG:
            self._publish(channel.encode(), message.encode())

    def _script_event(self, channel: str, text: str) -> None:
        self._emit(Level.WARNING, channel, text)
