"""Client-side caching: telling clients that keys which they may have cached have changed (CLIENT TRACKING).

Theory of operation (https://redis.io/docs/manual/client-side-caching/).  In the default mode the tracker
remembers which session has read which key; the first change of the key tells these sessions and forgets the
key, until it is read again.  The table is bounded by tracking-table-max-keys: what is too much is forgotten, and
the sessions are told as if the key had changed.  In broadcast mode (BCAST) nothing is remembered: a session
names prefixes, the changed keys of each prefix gather during a turn of the loop and are told together.

A session with RESP3 gets a push; one with RESP2 has to name another session (REDIRECT) that listens to
`__redis__:invalidate`.  What a request invalidates in its own session's cache follows behind its reply, so that
the two don't mix.

It costs nothing while nobody tracks: sessions that do carry ATT_TRACKING, by which the executor sends their
requests through `Tracker.call`, and only then do the databases carry OBSERVE_TRACKING.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kvserver.engine.command_table.keyspec import positions_of
from kvserver.engine.command_table.row import PUBSUB, READONLY, Row
from kvserver.engine.keys.keyspace import OBSERVE_TRACKING, Db
from kvserver.engine.keys.table import Table
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.session import ATT_REPLY, ATT_SUBSCRIBED, ATT_TRACKING, Session
from kvserver.errors import CommandError
from kvserver.wire.resp import array_header, bulk, bulks, integer, null, push_header

CHANNEL = b"__redis__:invalidate"
EFFORT = 100
"""Keys forgotten at a time when there are too many; more each time that this isn't enough."""
_OVERLAP = ". Prefixes for a single client must not overlap."
_SCRIPTS = frozenset(("eval", "evalsha", "fcall", "eval_ro", "evalsha_ro", "fcall_ro"))


class Mode:
    """How a session tracks."""

    def __init__(self, redirect: int, bcast: bool, optin: bool, optout: bool, noloop: bool) -> None:
        self.redirect = redirect  # id of the session that is told instead, 0 = itself
        self.bcast = bcast
        self.optin = optin
        self.optout = optout
        self.noloop = noloop
        self.caching = False  # CLIENT CACHING has been sent: it holds for the next request
        self.broken = False  # the session to redirect to is gone
        self.prefixes: dict[bytes, None] = {}


class Prefix:
    """What broadcasting knows of a prefix."""

    def __init__(self) -> None:
        self.sessions: dict[Session, None] = {}
        self.changed: dict[bytes, Session | None] = {}  # since they were told; key -> who changed it last


class Tracker:
    """The tables behind CLIENT TRACKING; see the module's theory of operation."""

    def __init__(self, engine: Engine, max_keys: Callable[[], int]) -> None:
        self.engine = engine
        self.max_keys = max_keys
        self.table = Table()  # key -> id of the session that read it, or a dict of ids
        self.items = 0  # pairs of key and session in the table
        self.prefixes: dict[bytes, Prefix] = {}
        self.sessions: dict[Session, None] = {}
        self.on_pending: Callable[[], None] = _nothing  # asks the shell to call `broadcast` soon
        self.pending_broadcast = False
        self.serving: Session | None = None  # the tracking session whose request runs
        self.after_reply: list[bytes | None] = []  # what its request invalidated for itself; None is all keys
        self.overflows = 0
        self.flushed_at = -1

    # -- on and off -------------------------------------------------------------------------------------------

    def enable(self, c: Session, mode: Mode, prefixes: list[bytes]) -> None:
        """Begin to track, or change how; prefixes add to those the session has."""
        old: Mode | None = c.tracking
        if old is not None:
            mode.prefixes, mode.caching = old.prefixes, old.caching
        c.tracking = mode
        c.attend(ATT_TRACKING, True)
        if not self.sessions:
            self.engine.on_key_changed.append(self.changed)
            for db in self.engine.dbs:
                db.observers |= OBSERVE_TRACKING
        self.sessions[c] = None
        if mode.bcast:
            for prefix in prefixes or [b""]:
                mode.prefixes[prefix] = None
                self.prefixes.setdefault(prefix, Prefix()).sessions[c] = None

    def disable(self, c: Session) -> None:
        """Track no more (CLIENT TRACKING OFF, RESET, disconnection); what is in the table goes as keys change."""
        mode: Mode | None = c.tracking
        if mode is None:
            return
        for name in mode.prefixes:
            prefix = self.prefixes[name]
            del prefix.sessions[c]
            if not prefix.sessions:
                del self.prefixes[name]
        c.tracking = None
        c.attend(ATT_TRACKING, False)
        del self.sessions[c]
        if not self.sessions:
            self.engine.on_key_changed.remove(self.changed)
            self._forget_all()
            for db in self.engine.dbs:
                db.observers &= ~OBSERVE_TRACKING

    # -- reading ----------------------------------------------------------------------------------------------

    def call(self, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Run a request of a tracking session: remember what it reads, tell it what it has invalidated."""
        state = self.engine.state
        lookups = state.hits + state.misses
        if self.serving is c:
            reply = self.engine.call(c, row, args)
            self._note(c, row, args, lookups)
            return reply
        outer = self.serving, self.after_reply
        self.serving, self.after_reply = c, []
        try:
            reply = self.engine.call(c, row, args)
            self._note(c, row, args, lookups)
            keys = self.after_reply
        finally:
            self.serving, self.after_reply = outer
        mode: Mode | None = c.tracking
        if mode is None:
            return reply
        if mode.caching and c.queue is None and not row.name.startswith("client"):
            mode.caching = False
        if not keys:
            return reply
        behind = b"".join(self._message(c, _all_keys(c) if key is None else bulks([key])) for key in keys)
        if reply is None or c.attention & ATT_REPLY:
            if behind:
                c.send(behind)
            return reply
        return reply + behind

    def _note(self, c: Session, row: Row, args: list[bytes], lookups: int) -> None:
        """Remember the keys of a request that reads; those that a script declares if it has looked any up."""
        mode: Mode | None = c.tracking
        if mode is None or mode.bcast or (mode.caching if mode.optout else mode.optin and not mode.caching):
            return
        state = self.engine.state
        if row.name in _SCRIPTS:
            if state.hits + state.misses == lookups:
                return
        elif not row.flags & READONLY or row.flags & PUBSUB:
            return
        for position in positions_of(row.facts, args):
            self._remember(args[position], c.id)

    def _remember(self, key: bytes, session_id: int) -> None:
        ids = self.table.get(key)
        if ids is None:
            self.table.set(key, session_id)
        elif ids == session_id:
            return
        elif isinstance(ids, dict):
            if session_id in ids:
                return
            ids[session_id] = None
        else:
            self.table.set(key, {ids: None, session_id: None})
        self.items += 1

    # -- changes ----------------------------------------------------------------------------------------------

    def changed(self, by: Session | None, db: Db, key: bytes) -> None:
        """A key has changed; `by` is None when no request did it."""
        for name, prefix in self.prefixes.items():
            if key.startswith(name):
                prefix.changed[key] = by
                if not self.pending_broadcast:
                    self.pending_broadcast = True
                    self.on_pending()
        if self.table.used:
            self.invalidate(key)

    def invalidate(self, key: bytes) -> None:
        """Tell the sessions that have read a key, and forget it."""
        ids = self.table.pop(key)
        if ids is None:
            return
        ids = ids if isinstance(ids, dict) else (ids,)
        self.items -= len(ids)
        body = bulks([key])
        for session_id in ids:
            c = self.engine.sessions.get(session_id)
            mode: Mode | None = None if c is None else c.tracking
            if c is None or mode is None or mode.bcast:
                continue
            if c is not self.serving:
                self._tell(c, body)
            elif not mode.noloop:
                self.after_reply.append(key)

    def flushed(self, db: Db) -> None:
        """All keys of a database are gone: everybody is told that all keys are; once for one request."""
        if not self.sessions or self.flushed_at == self.engine.commands:
            return
        self.flushed_at = self.engine.commands
        self._forget_all()
        for c in list(self.sessions):
            if c is self.serving:
                self.after_reply.append(None)
            else:
                self._tell(c, _all_keys(c))

    def _forget_all(self) -> None:
        if self.table.used:
            self.engine.state.trash.append(self.table)
            self.table = Table()
        self.items = 0

    def limit(self) -> None:
        """Forget keys, for a bounded time, while the table holds more than it may."""
        allowed = self.max_keys()
        if not allowed or self.table.used <= allowed:
            self.overflows = 0
            return
        self.overflows += 1
        for _ in range(EFFORT * self.overflows):
            key = self.table.random_key(self.engine.state.rng)
            if key is None or self.table.used <= allowed:
                self.overflows = 0
                return
            self.invalidate(key)

    def gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Lets everything through; the time at which the table is kept within its bounds."""
        if self.table.used:
            self.limit()
        return PASS

    def broadcast(self) -> None:
        """Tell the keys that have changed in this turn of the loop, prefix by prefix."""
        self.pending_broadcast = False
        for _, prefix in sorted(self.prefixes.items()):
            changed = prefix.changed
            if not changed:
                continue
            prefix.changed = {}
            keys = sorted(changed)
            body = bulks(keys)
            for c in list(prefix.sessions):
                if c.tracking.noloop:
                    others = [key for key in keys if changed[key] is not c]
                    if others:
                        self._tell(c, bulks(others))
                else:
                    self._tell(c, body)

    # -- messages ---------------------------------------------------------------------------------------------

    def _tell(self, c: Session, body: bytes) -> None:
        message = self._message(c, body)
        if message:
            c.send(message)

    def _message(self, c: Session, body: bytes) -> bytes:
        """Encode an invalidation for a session; empty when it can't get one, or another session got it."""
        mode: Mode = c.tracking
        if not mode.redirect:
            return push_header(2, 3) + bulk(b"invalidate") + body if c.resp == 3 else b""
        other = self.engine.sessions.get(mode.redirect)
        if other is None:
            mode.broken = True
            notice = push_header(2, 3) + bulk(b"tracking-redir-broken") + integer(mode.redirect)
            return notice if c.resp == 3 else b""
        if other.resp == 3:
            other.send(push_header(2, 3) + bulk(b"invalidate") + body)
        elif other.attention & ATT_SUBSCRIBED:
            other.send(array_header(3) + bulk(b"message") + bulk(CHANNEL) + body)
        return b""


def _all_keys(c: Session) -> bytes:
    """What stands for all keys: a null, in the protocol of the session that tracks."""
    return null(c.resp)


def _nothing() -> None:
    """No shell is attached."""


def check_prefixes(own: Iterable[bytes], prefixes: list[bytes]) -> None:
    """Refuse prefixes by which a session would be told of a key twice.

    Raises:
        CommandError: two prefixes overlap.
    """
    own = sorted(own)
    for i, prefix in enumerate(prefixes):
        for other in own:
            if _overlap(prefix, other):
                raise CommandError(_texts(prefix, b"an existing prefix", other))
        for other in prefixes[i + 1 :]:
            if _overlap(prefix, other):
                raise CommandError(_texts(prefix, b"another provided prefix", other))


def _overlap(one: bytes, two: bytes) -> bool:
    return one.startswith(two) or two.startswith(one)


def _texts(prefix: bytes, what: bytes, other: bytes) -> bytes:
    return b"ERR Prefix '%b' overlaps with %b '%b'%b" % (prefix, what, other, _OVERLAP.encode())
