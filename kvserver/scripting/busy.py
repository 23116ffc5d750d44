"""A script that takes long: others are told so, and may end it.

Theory of operation.  Scripts run inside the loop's own turn, which makes short ones cheap.  The Lua machine calls
`tick` every so many instructions.  Once a script has run for busy-reply-threshold, a tick also lets the clients'
sockets be served for a moment, behind a gate that refuses all but the few commands allowed then, so that nothing
but SCRIPT KILL, FUNCTION KILL and SHUTDOWN NOSAVE has an effect.  Timers, expiry, snapshots and the replication
link stand still until the script ends, as they do in Redis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kvserver.client.reasons import Reason
from kvserver.engine.command_table.row import ADMIN, NOT_BUSY, Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.session import Session
from kvserver.scripting.eval_commands import BUSY_FUNCTION, BUSY_SCRIPT
from kvserver.scripting.host import Host
from kvserver.scripting.running import GO_ON, KILLED_SCRIPT, Running
from kvserver.wire.resp import error

NAME = "busy"
_BUSY = {True: error(BUSY_FUNCTION), False: error(BUSY_SCRIPT)}


class Servant(Protocol):
    """Serves sockets outside of the loop."""

    def serve(self, besides: Session) -> None:
        """Serve what has arrived from all clients but one."""

    def finish(self) -> None:
        """Give everything back to the loop."""


class Busy:
    """Watches the running script's time; see the module's theory of operation."""

    def __init__(self, host: Host, servant: Servant) -> None:
        self.host = host
        self.servant = servant
        self.threshold_s = 5.0  # 0 = never
        host.on_end = self.end
        self.on_slow: Callable[[Running, int], None] = _nobody  # hears of a slow script, and for how many ms it runs

    def tick(self, running: Running) -> None:
        """Look at the time; serve the others when it is up."""
        now_s = self.host.clock()
        if running.deadline_s:
            if now_s > running.deadline_s:
                running.stop = running.overdue
            return
        if not self.threshold_s or now_s - running.started_s < self.threshold_s:
            return
        engine = self.host.engine
        if not running.slow:
            running.slow = True
            engine.log.flush()  # replies to those who wrote before may wait for it
            engine.forbid(NAME, NOT_BUSY | ADMIN)
            self.on_slow(running, int((now_s - running.started_s) * 1000))
        self._serve(engine, running)

    def _serve(self, engine: Engine, running: Running) -> None:
        """Let the others be served; what the script relies on is put back afterwards."""
        st = engine.state
        now_ms, depth, current = st.now_ms, engine.depth, engine.current
        batch, engine.batch = engine.batch, []
        try:
            self.servant.serve(running.caller)
        finally:
            st.now_ms, engine.depth, engine.current = now_ms, depth, current
            engine.batch = batch + engine.batch
        if engine.services.administration.shutting_down() and running.stop == GO_ON:
            running.stop = KILLED_SCRIPT
            engine.batch.clear()

    def end(self, running: Running) -> None:
        """The script that was slow is over: everybody is served again."""
        engine = self.host.engine
        engine.forbid(NAME, 0)
        self.servant.finish()
        if running.stop == KILLED_SCRIPT and engine.services.administration.shutting_down():
            running.caller.end(Reason.SHUTDOWN)

    def gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Refuse what isn't allowed while a script is slow."""
        running = self.host.api.running
        if running is None or not running.slow:
            return PASS
        if row.flags & NOT_BUSY or (row.name == "shutdown" and [arg.upper() for arg in args[1:]] != [b"NOSAVE"]):
            return _BUSY[running.is_function]
        return PASS


def _nobody(running: Running, spent_ms: int) -> None:
    """Nobody wants to know."""
