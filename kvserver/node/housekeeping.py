"""What a node does besides serving: expiry, freeing, timeouts, the cyclic garbage collector; all in slices."""

from __future__ import annotations

import asyncio

from kvserver.client import limits
from kvserver.client.server import Server
from kvserver.doors.pacing import Slice
from kvserver.engine.commands.keys.expiry import ExpiryCycle
from kvserver.engine.keys.freeing import free_some
from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine

SLICE_S = 0.0015
"""How long one slice of background work may hold the loop."""
AGAIN_S = 0.005
"""Pause before the next slice when there is more to do."""


class Housekeeper:
    """Runs the periodic work of a node `hz` times a second."""

    def __init__(self, engine: Engine, server: Server) -> None:
        self.engine = engine
        self.server = server
        self._clock = engine.services.clock
        self._process = engine.services.doors.process
        self.cycle = ExpiryCycle()
        self.active_expire = True
        self.hold_freeing = 0  # > 0 while a snapshot still reads tables that were let go
        self.ticks = 0
        self.hz = 10
        self._timer: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._process.begin_serving()
        self.engine.on_deadline = self._arm_deadline
        self._tick()

    def stop(self) -> None:
        """End."""
        for timer in (self._timer, self._again, self._deadline):
            if timer is not None:
                timer.cancel()
        self._process.end_serving()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(1 / self.hz, self._tick)
        self.ticks += 1
        self.engine.state.now_ms = int(self._clock.wall() * 1000)
        if self._again is None:  # else the next slice is due in a moment anyway
            self._slice()
        self._process.look_for_cycles()
        if self.ticks % self.hz == 0:
            limits.sweep(self.server)

    def _slice(self) -> None:
        """Expire and free for one slice; come back soon when that wasn't all."""
        self._again = None
        clock = self._clock
        work = Slice(clock.perf, SLICE_S)
        gone = 0
        if self.active_expire:
            began = clock.perf()
            gone = self.cycle.run(self.engine, work.left)
            spent_s = clock.perf() - began
            self.cycle.spent_s += spent_s
            spent_ms = int(spent_s * 1000)
            if spent_ms and gone:
                self.engine.services.administration.note_latency("expire-cycle", spent_ms)
        unfinished = gone > 200 and not work.left()
        if self.engine.state.trash and not self.hold_freeing:
            work.extend()
            free_some(self.engine.state, work.left)
        if unfinished or (self.engine.state.trash and not self.hold_freeing):
            self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._again_slice)

    def _again_slice(self) -> None:
        self.engine.state.now_ms = int(self._clock.wall() * 1000)
        self._slice()

    def _arm_deadline(self, when_ms: int) -> None:
        """Wake up when the next blocked session's time is over."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if when_ms:
            delay_s = max(when_ms / 1000 - self._clock.wall(), 0) + 0.001
            self._deadline = asyncio.get_running_loop().call_later(delay_s, self._deadline_passed)

    def _deadline_passed(self) -> None:
        self._deadline = None
        self.engine.state.now_ms = int(self._clock.wall() * 1000)
        blocking.expire_waits(self.engine)
        self._arm_deadline(blocking.next_timeout_ms(self.engine))
