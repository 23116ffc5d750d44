"""Holding clients back: CLIENT PAUSE, and whoever needs the same (a failover, a shutdown).

A pause has a reason, a mode and an end. The strictest mode of all reasons holds, and it lasts until the last
of that mode ends. A request that a pause forbids waits as a blocked client does, and runs when the pause is
over, in the order of arrival; replicas and internal sessions are never held back.
"""

from __future__ import annotations

from kvserver.engine.command_table.row import ANY, MAY_REPLICATE, WRITE, Row
from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.session import Session
from kvserver.services.offers import PAUSE_ALL, PAUSE_NONE, PAUSE_WRITES
from kvserver.wire.resp import error

MODE_NONE, MODE_WRITE, MODE_ALL = PAUSE_NONE, PAUSE_WRITES, PAUSE_ALL
BLOCKED_KIND = "pause"
_WRITES = WRITE | MAY_REPLICATE


class Pause:
    """Which pauses are in force, and who waits for their end."""

    def __init__(self) -> None:
        self._reasons: dict[str, tuple[int, int]] = {}
        self._waiting: dict[Session, None] = {}
        self.mode = MODE_NONE
        self.until_ms = 0

    def begin(self, engine: Engine, reason: str, mode: int, until_ms: int) -> None:
        """Pause, or lengthen and tighten a pause of the same reason; times are Unix milliseconds."""
        old_mode, old_end = self._reasons.get(reason, (MODE_NONE, 0))
        self._reasons[reason] = max(mode, old_mode), max(until_ms, old_end)
        self._update(engine)

    def end(self, engine: Engine, reason: str) -> None:
        """End the pause of a reason; what waited runs, unless another reason still holds it back."""
        self._reasons.pop(reason, None)
        self._update(engine)
        self._resume(engine)

    def tick(self, engine: Engine, now_ms: int) -> None:
        """End the pauses whose time is over."""
        if self.mode and now_ms >= self.until_ms:
            over = [reason for reason, (_, end_ms) in self._reasons.items() if end_ms <= now_ms]
            for reason in over:
                del self._reasons[reason]
            self._update(engine)
            self._resume(engine)

    def gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Hold a request back if a pause forbids it."""
        if self.mode == MODE_NONE or c.kind == "replica" or c.no_block:
            return PASS
        if self.mode == MODE_WRITE and not _may_write(engine, c, row, args):
            return PASS
        c.row, c.args = row, args
        engine.block(c, BLOCKED_KIND, [], 0, _given_up)
        self._waiting[c] = None
        return None

    def _update(self, engine: Engine) -> None:
        self.mode = max((mode for mode, _ in self._reasons.values()), default=MODE_NONE)
        ends = [end_ms for mode, end_ms in self._reasons.values() if mode == self.mode]
        self.until_ms = max(ends, default=0)
        engine.forbid("pause", (0, _WRITES, ANY)[self.mode])
        engine.state.pause(self.mode != MODE_NONE)

    def _resume(self, engine: Engine) -> None:
        """Run what waits and may go on; what is still forbidden waits again, behind nobody new."""
        waiting, self._waiting = self._waiting, {}
        for c in waiting:
            wait = c.blocked
            if wait is None or wait.kind != BLOCKED_KIND or engine.sessions.get(c.id) is not c:
                continue
            blocking.forget(engine, c)
            reply = engine.execute(c, wait.args)
            if c.blocked is not None:
                continue
            if reply:
                c.send(reply)
            c.port.resume()


def _may_write(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bool:
    if row.name == "exec":
        return any(_may_write(engine, c, queued, queued_args) for queued, queued_args in c.queue or ())
    if not row.flags & _WRITES:
        return False
    return not engine.services.scripting.promises_no_writes(row, args)


def _given_up(c: Session) -> bytes:
    """CLIENT UNBLOCK of a client that a pause holds back: its request doesn't run."""
    return error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
