# cython: boundscheck=False, wraparound=False
"""The executor: finds a request's row, asks the gates, runs it, counts it, logs its effect.

Theory of operation.  In the normal case a request costs: a dictionary look-up by name, a comparison of the
number of arguments, one AND of the row's flags with `deny` (the bits of commands that the server's state
forbids or watches) and one test of the session's `attention`; then the handler; then the counters.  Only when
a bit is set do the gates run, an ordered table (`gates.py`).

Effects.  A handler that changed something has raised `State.dirty`; then the request itself is logged, or what
`State.instead` named, after what `State.also` named.  Several effects of one request are wrapped in MULTI/EXEC,
so that a replica applies all or none.  A transaction is one unit of the same kind: `depth` defers logging to
its end.

Errors of ours.  A handler that raises what it shouldn't is answered by "internal error" as long as it has changed
nothing.  Once it may have (`State.touched`), or when an effect can't be put into the log, nobody can say any more what
the others would have to do to have the same data; and what the primary did, or the file says, must be done here as
well.  Then the process ends at once (`broken`), before anybody is told anything, as Redis's does when memory can't be
had.  What is on the disk and on the replicas is consistent, and is
gone on with.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import cython

from kvserver.engine.command_table.row import LATENCY_BUCKETS, WRITE, Row
from kvserver.engine.events import pubsub
from kvserver.engine.keys.keyspace import Db, State
from kvserver.engine.run import blocking, gates, refusing, watching
from kvserver.engine.run.gates import PASS, Answer, Gate
from kvserver.engine.run.log import EXEC, CommandLog
from kvserver.engine.run.session import ATT_RESTRICTED, ATT_TRACKING, REPLAY, STREAM, Blocked, Session
from kvserver.errors import CommandError
from kvserver.services import Services
from kvserver.wire.resp import error

if cython.compiled:
    from cython.cimports.cpython.time import perf_counter_ns
    from cython.cimports.kvserver.engine.command_table.naming import find  # type: ignore
else:
    from time import perf_counter_ns

    from kvserver.engine.command_table.naming import find

BUCKET_S = 4e-6
"""Faster calls aren't entered in a row's histogram one by one: they are those of `calls` that are in no bucket."""
# C's copies of the constants, declared in the .pxd: a global of Python would be an object to look up and compare.
_bucket_s = BUCKET_S
_tracking = ATT_TRACKING
_restricted = ATT_RESTRICTED


class Engine:
    """A whole data set and the way requests reach it; see the module's theory of operation."""

    def __init__(self, databases: int, rows: dict[bytes, Row], services: Services | None = None) -> None:
        self.services = Services() if services is None else services
        self.state = State()
        self.state.rng = self.services.doors.chance.generator()
        self.log = CommandLog()
        self.dbs = [Db(i, self.state) for i in range(databases)]
        self.rows = dict(rows)
        self.rows.update({name.lower(): row for name, row in rows.items()})
        self.state.on_changed = self.key_changed
        self.state.on_event = _no_event
        self.log.on_active = partial(setattr, self.state, "logging")
        self.log.on_broken = self.broken
        self.gates: list[Gate] = gates.build()
        self.deny = 0
        self.deny_masks: dict[str, int] = {}
        self.depth = 0
        self.batch: list[tuple[int, list[bytes]]] = []
        self.sessions: dict[int, Session] = {}
        self.next_id = 1
        self.current: Session | None = None
        self.ready: dict[tuple[int, bytes], None] = {}
        self.serving_ready = False
        self.timeouts: list[tuple[int, int, Session, Blocked]] = []
        self.on_deadline: Callable[[int], None] = _no_deadline
        self.blocked_count = 0
        self.commands = 0
        self.errors: dict[str, int] = {}
        self.unexpected_errors = 0
        self.last_ns = 0  # perf_counter_ns at the end of the last command
        self.slow_s = 1e9  # calls that last longer are shown to on_slow
        self.on_slow: Callable[[Session, Row, list[bytes], float], None] = _not_slow
        self.on_crash: Callable[[str, str], None] = _no_crash
        self.on_broken: Callable[[str, str], None] = _no_crash  # ends the process
        self.may: Callable[[Session, Row, list[bytes]], bool] = _may_not  # whether rights suffice, for certain
        self.call_tracked: Callable[[Session, Row, list[bytes]], bytes | None] = self.call
        self.on_key_changed: list[Callable[[Session | None, Db, bytes], None]] = []
        self.channels: dict[bytes, dict[Session, None]] = {}
        self.patterns: dict[bytes, dict[Session, None]] = {}
        self.shard_channels: dict[bytes, dict[Session, None]] = {}
        self.on_close: list[Callable[[Session], None]] = []

    def open_session(self, port: Any) -> Session:
        """Create the session of a new connection."""
        session = Session(self, self.dbs[0], self.next_id, port)
        self.next_id += 1
        session.created_ms = session.last_ms = self.state.now_ms
        self.sessions[session.id] = session
        return session

    def close_session(self, c: Session) -> None:
        """Forget a session whose connection is gone."""
        self.sessions.pop(c.id, None)
        blocking.forget(self, c)
        watching.discard_queue(c)
        pubsub.unsubscribe_all(c)
        for listener in self.on_close:
            listener(c)

    def internal_session(self, kind: str, port: Any) -> Session:
        """Create a session that isn't listed: a script, the loader, the stream of the primary."""
        session = Session(self, self.dbs[0], 0, port)
        session.become_internal(kind)
        return session

    def set_gate(self, name: str, answer: Answer) -> None:
        """Give a row of the table the function that answers; see `gates.py`."""
        gates.named(self.gates, name).answer = answer

    def forbid(self, name: str, mask: int) -> None:
        """Put a gate in force for commands that have a flag of `mask`; 0 takes that back."""
        gate = gates.named(self.gates, name)
        assert not mask & ~gate.flags, name
        gate.mask = self.deny_masks[name] = mask
        self.deny = 0
        for value in self.deny_masks.values():
            self.deny |= value

    def ask(self, c: Session, row: Row, args: list[bytes], context: int) -> bytes | None:
        """Ask the gates whose business a request is in a context; PASS when all let it through."""
        for gate in self.gates:
            if gate.looks(row.flags, c.attention, context):
                reply = gate.reply(self, c, row, args, context)
                if reply is None or len(reply) > 0:
                    return reply
        return PASS

    def execute(self, c: Session, args: list[bytes]) -> bytes | None:
        """Serve one request; None when the reply comes later or never."""
        row = find(self.rows, args)
        if row is None:
            return refusing.unfound(self, c, args)
        if ((row.flags & self.deny) or c.attention) and not unhindered(self, c, row, args):
            reply = self.ask(c, row, args, c.context)
            if reply is None:
                return None
            if len(reply) > 0:
                return refusing.answered(self, c, row, reply)
            if c.attention & _tracking:
                return self.call_tracked(c, row, args)
        return self.call(c, row, args)

    def call(self, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Run a request that nothing forbids."""
        st: State = self.state
        dirty = st.dirty
        previous = self.current
        self.current = c
        c.row = row
        c.did |= row.flags
        c.args = args
        st.touched = False
        reply: bytes | None = None
        refusal: str | bytes | None = None
        try:
            reply = row.fn(c, args)
        except CommandError as failure:
            refusal = failure.text
        except Exception:
            reply = self.crashed(c, row)
        # What happened goes into the log first: whatever comes behind may fail, too.
        if st.logging and (st.dirty != dirty or st.effects or st.replacements is not None):
            try:
                now = perf_counter_ns()
                self.propagate(c, row, args, st.dirty != dirty)
            except Exception:
                self.broken(row.name)
        else:
            now = perf_counter_ns()
        st.touched = False
        self.current = previous
        if refusal is not None:
            reply = error(refusal)
        spent = (now - self.last_ns) * 1e-9
        self.last_ns = now
        row.calls += 1
        row.seconds += spent
        self.commands += 1
        if spent >= _bucket_s or spent > self.slow_s:
            self.count_slow(c, row, args, spent)
        if reply is not None and len(reply) > 0 and reply[0] == 45:
            row.failed += 1
            self.count_error(reply)
        if self.ready and self.depth == 0 and not self.serving_ready:
            blocking.serve_ready(self)
        return reply

    def count_slow(self, c: Session, row: Row, args: list[bytes], spent: float) -> None:
        """Count a call that took long enough for the histogram; show the really slow ones."""
        if spent >= _bucket_s:
            row.buckets[min((int(spent * 1e6)).bit_length(), LATENCY_BUCKETS - 1)] += 1
        if spent > self.slow_s:
            try:
                self.on_slow(c, row, args, spent)
            except Exception:
                self.report(row)

    def propagate(self, c: Session, row: Row, args: list[bytes], dirty: bool) -> None:
        """Gather the effects of the request that ran; log them unless a transaction goes on."""
        st = self.state
        if self.depth == 0 and not row.flags & WRITE:
            self.log_outside()  # keys a reader found expired: one doesn't depend on the other
        self.batch += st.effects
        st.effects = []
        if st.replacements is not None:
            self.batch += st.replacements
            st.replacements = None
        elif dirty and row.flags & WRITE:
            self.batch.append((c.db.index, args))
        if self.depth == 0:
            self.log_batch()
        c.write_offset = self.log.offset

    def log_batch(self) -> None:
        """Append the gathered effects to the log, as one unit."""
        batch = self.batch
        if not batch:
            return
        try:
            self.batch = []
            if len(batch) == 1:
                self.log.append(batch[0][0], batch[0][1])
                return
            first = batch[0][0]
            self.log.append(first, [b"MULTI"])
            for db, args in batch:
                self.log.append(db, args)
            self.log.append_raw(EXEC)
        except Exception:
            self.broken("logging effects")

    def log_outside(self) -> None:
        """Log what changed outside of any request (the expiry cycle, eviction)."""
        st = self.state
        if st.effects:
            effects = st.effects
            try:
                st.effects = []
                for db, args in effects:
                    self.log.append_outside(db, args)
            except Exception:
                self.broken("expiry or eviction")

    def count_error(self, reply: bytes) -> None:
        """Count an error reply by its code."""
        code = reply[1 : reply.find(b" ") if b" " in reply else -2].decode("latin-1")
        if code in self.errors or len(self.errors) < 128:
            self.errors[code] = self.errors.get(code, 0) + 1

    def crashed(self, c: Session, row: Row) -> bytes:
        """Answer for an error of ours in a handler; the client sees that something went wrong, the log sees what."""
        st = self.state
        if st.touched or c.context & _ELSEWHERE:
            self.broken(row.name)
        st.replacements = None
        self.report(row)
        return error("ERR internal error, see the server's log")

    def report(self, row: Row) -> None:
        """Count an error of ours, and log it."""
        self.unexpected_errors += 1
        self.on_crash(row.name, traceback.format_exc())

    def broken(self, what: str) -> NoReturn:
        """End the process: an error of ours stands between the data and the log. See "Errors of ours"."""
        trace = ""
        with suppress(Exception):  # memory may be short
            trace = traceback.format_exc()
        self.on_broken(what, trace)
        raise SystemExit(f"data and log may differ: {what}")

    def block(
        self, c: Session, kind: str, keys: list[bytes], timeout_ms: int, on_timeout: Callable[[Session], bytes]
    ) -> None:
        """Make a session wait for `keys` (or for `unblock`); `timeout_ms` 0 = for ever.

        When one of the keys is written, the request runs again; it is done when it replies, and goes on waiting
        when it returns None.
        """
        if c.blocked is not None:
            return
        assert c.row is not None
        blocking.block(self, c, Blocked(kind, keys, timeout_ms, on_timeout, c.row, c.args))

    def key_changed(self, db: Db, key: bytes, event_class: int, event: bytes) -> None:
        """Tell who observes a database that a key has changed."""
        blocking.key_changed(self, db, key, event_class, event)


def unhindered(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bool:
    """Whether all that would make the gates look is that the user has less than all rights, and they suffice."""
    return c.attention == _restricted and not row.flags & engine.deny and engine.may(c, row, args)


_ELSEWHERE = STREAM | REPLAY
"""Contexts of what is in somebody's log already: to leave it out is to have other data."""


def _no_event(db: Db, key: bytes, event_class: int, event: bytes) -> None:
    """Nobody asked for keyspace notifications."""


def _no_deadline(when_ms: int) -> None:
    """No shell is attached."""


def _not_slow(c: Session, row: Row, args: list[bytes], spent_s: float) -> None:
    """Nobody collects slow calls."""


def _may_not(c: Session, row: Row, args: list[bytes]) -> bool:
    """Access control isn't there: ask the gates."""
    return False


def _no_crash(name: str, trace: str) -> None:
    """No shell is attached."""
