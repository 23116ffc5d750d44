"""MONITOR: every request the server runs, shown to those who ask.

While nobody watches, the executor knows nothing of it. With a watcher a gate sees each request that passed all
others; what EXEC is about to run is shown right before it, as it runs without passing gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kvserver.admin.context import admin_of
from kvserver.admin.observe.redact import redact
from kvserver.config.quoting import quote_bytes
from kvserver.engine.command_table.row import ADMIN, ANY, SKIP_MONITOR, Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.session import ATT_MONITOR, Session
from kvserver.errors import CommandError
from kvserver.wire.resp import OK


class Monitors:
    """The sessions that watch, in the order in which they came."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._sessions: dict[Session, None] = {}
        self._clock_us = clock_us

    def add(self, engine: Engine, c: Session) -> None:
        """Let a session watch."""
        self._sessions[c] = None
        c.attend(ATT_MONITOR, True)
        engine.forbid("monitor", ANY)

    def remove(self, engine: Engine, c: Session) -> None:
        """A session watches no longer."""
        self._sessions.pop(c, None)
        c.attend(ATT_MONITOR, False)
        if not self._sessions:
            engine.forbid("monitor", 0)

    def __len__(self) -> int:
        return len(self._sessions)

    def gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Show a request that is about to run."""
        if row.name == "quit":
            return PASS  # Redis answers QUIT before it looks at who watches
        if row.name == "reset":
            self.remove(engine, c)  # as it will anyway: the client isn't shown its own RESET
        if row.name == "exec" and c.queue and not c.queue_broken and not c.cas_broken:
            for queued, queued_args in c.queue:
                self.feed(engine, c, queued, queued_args)
        if row.name in _SHOW_ANYWAY:
            self._send(engine, line(self._clock_us(), c.db.index, source(c), redact(row.name, args)))
        else:
            self.feed(engine, c, row, args)
        return PASS

    def feed(self, engine: Engine, c: Session, row: Row, args: Sequence[bytes]) -> None:
        """Show one request, unless its kind is never shown."""
        if self._sessions and not row.flags & (SKIP_MONITOR | ADMIN):
            self._send(engine, line(self._clock_us(), c.db.index, source(c), redact(row.name, args)))

    def _send(self, engine: Engine, data: bytes) -> None:
        for session in list(self._sessions):
            if engine.sessions.get(session.id) is session and session.attention & ATT_MONITOR:
                session.send(data)
            else:
                self.remove(engine, session)


_SHOW_ANYWAY = frozenset(("eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"))
"""Flagged skip_monitor because their kind shows itself before what it runs."""


def source(c: Session) -> str:
    """Where a request came from, as MONITOR writes it."""
    if c.kind == "script":
        return "lua"
    if c.address.startswith("/"):
        return f"unix:{c.address.removesuffix(':0')}"
    return c.address


def line(now_us: int, db: int, where: str, args: Sequence[bytes]) -> bytes:
    """One line of MONITOR's output."""
    seconds, micros = divmod(now_us, 1_000_000)
    shown = b" ".join(quote_bytes(arg) for arg in args)
    origin = where.encode("utf-8", "surrogateescape")
    return b"+%d.%06d [%d %b] %b\r\n" % (seconds, micros, db, origin, shown)


def monitor(c: Session, a: list[bytes]) -> bytes:
    """MONITOR."""
    if c.no_block:
        raise CommandError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    if c.attention & ATT_MONITOR:
        return OK
    admin_of(c).monitors.add(c.engine, c)
    return OK


HANDLERS = {"MONITOR": monitor}
