"""The command log: every effect, encoded once, in the order it happened.

The log numbers bytes, not commands: `offset` is the count of bytes ever appended, and it is the replication
offset.  Sinks (the backlog and its replicas) get the same bytes object once per loop turn, by `flush`.  With no
sink the log is inactive, and nothing is encoded.

A keeper is a sink that records effects (the append-only file): it comes before the others, and what concerns
replicas alone, which still counts in the offset, isn't shown to it.  With `whole` there is no such difference: all
that counts in the offset is kept, and nothing else, so that the file says at which offset it ends.
"""

from __future__ import annotations

from collections.abc import Callable

import cython

if cython.compiled:
    from cython.cimports.kvserver.wire.resp import encode_request  # type: ignore
else:
    from kvserver.wire.resp import encode_request

Sink = Callable[[bytes], None]

PASSING = frozenset((b"PUBLISH", b"SPUBLISH"))
"""Commands that change nothing: replicas repeat them, and nobody keeps them."""
KEPT_ONLY = 1 << 28
"""Added to the number of an effect's database: it is for the keepers alone (redis.set_repl)."""
REPLICAS_ONLY = 1 << 29
"""Added likewise: it is for the replicas alone."""
_kept_only = KEPT_ONLY  # C's copy, declared in the .pxd
MULTI = encode_request([b"MULTI"])
EXEC = encode_request([b"EXEC"])


class CommandLog:
    """Appends effects, counts their bytes, hands them to the sinks in batches."""

    def __init__(self) -> None:
        self.offset = 0  # bytes
        self.sinks: list[Sink] = []
        self.keepers: list[Sink] = []
        self.pending: list[bytes] = []
        self.kept: list[bytes] = []  # those of `pending` that are for the keepers, too
        self.whole = False
        self.uneven = False  # `kept` also has some that aren't in `pending`
        self.selected = -1  # database the stream stands at; -1 = unknown, the next effect selects
        self.on_pending: Callable[[], None] = _nothing  # called when the first bytes of a batch arrive
        self.on_active: Callable[[bool], None] = _active
        self.on_broken: Callable[[str], None] = _broken  # ends the process: the log isn't what it says any more

    @property
    def active(self) -> bool:
        """Whether anybody wants the effects."""
        return bool(self.sinks or self.keepers)

    def attach(self, sink: Sink, keeper: bool = False) -> None:
        """Plug a sink in; it sees all bytes appended from now on.

        A keeper gets no bytes when a flush was of nothing but what is for replicas: only the offset has moved.
        """
        self.flush()
        (self.keepers if keeper else self.sinks).append(sink)
        self.on_active(True)

    def detach(self, sink: Sink) -> None:
        """Unplug a sink."""
        self.flush()
        (self.keepers if sink in self.keepers else self.sinks).remove(sink)
        self.on_active(self.active)

    def append(self, db: int, args: list[bytes]) -> None:
        """Append one effect, preceded by a SELECT when it concerns another database than the last one."""
        if db >= _kept_only:
            self.append_partly(db, args)
            return
        data = encode_request(args)
        if db != self.selected and db >= 0:
            self.selected = db
            data = encode_request([b"SELECT", b"%d" % db]) + data
        self.append_raw(data)

    def append_plain(self, db: int, data: bytes) -> None:
        """Append effects on one database that are encoded already: plain requests, as they came."""
        if db != self.selected:
            self.selected = db
            data = encode_request([b"SELECT", b"%d" % db]) + data
        self.append_raw(data)

    def append_partly(self, db: int, args: list[bytes]) -> None:
        """Append one effect for the keepers or the replicas alone, as what was added to `db` says."""
        where = db & ~(KEPT_ONLY | REPLICAS_ONLY)
        if self.whole:
            self.append(where, args)
            return
        if where != self.selected:
            self.selected = where
            self.append_raw(encode_request([b"SELECT", b"%d" % where]))
        if db & REPLICAS_ONLY:
            self.append_passing(encode_request(args))
        elif self.keepers:
            data = encode_request(args)
            try:
                if not self.pending and not self.kept:
                    self.on_pending()
                self.kept.append(data)
            except Exception:
                self.on_broken("appending to the log")
            self.uneven = True

    def append_raw(self, data: bytes) -> None:
        """Append bytes as they are (a replica repeats its primary's stream verbatim)."""
        try:
            if not self.pending:
                self.on_pending()
            self.pending.append(data)
            if self.keepers:
                self.kept.append(data)
        except Exception:
            self.on_broken("appending to the log")
        self.offset += len(data)

    def append_passing(self, data: bytes) -> None:
        """Append bytes that replicas need and nobody keeps (PING, a published message)."""
        if self.whole:
            self.append_raw(data)
            return
        try:
            if not self.pending:
                self.on_pending()
            self.pending.append(data)
        except Exception:
            self.on_broken("appending to the log")
        self.offset += len(data)

    def append_outside(self, db: int, args: list[bytes]) -> None:
        """Append what no request that writes brought about: an expiry, or a published message, which passes."""
        if args[0].upper() not in PASSING:
            self.append(db, args)
            return
        if db != self.selected:
            self.selected = db
            self.append_raw(encode_request([b"SELECT", b"%d" % db]))
        self.append_passing(encode_request(args))

    def flush(self) -> None:
        """Give all sinks what has gathered. One that raises has all end: the others would have other bytes."""
        if self.pending or self.kept:
            try:
                self._hand_over()
            except Exception:
                self.on_broken("handing the log over")

    def _hand_over(self) -> None:
        pending = self.pending
        kept = self.kept
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        self.pending = []
        if self.keepers:
            self.kept = []
            same = len(kept) == len(pending) and not self.uneven
            self.uneven = False
            for keeper in self.keepers:
                keeper(data if same else b"".join(kept))
        for sink in self.sinks if data else ():
            sink(data)


def _nothing() -> None:
    """No shell is attached: whoever appends flushes."""


def _broken(what: str) -> None:
    """No engine: the error goes on to whoever appends."""
    raise


def _active(active: bool) -> None:
    """Nobody asks."""
