"""The command log: every effect, encoded once, in the order it happened.

The log numbers bytes, not commands: `offset` is the count of bytes ever appended, and it is the replication
offset.  Sinks (backlog, replicas, AOF) get the same bytes object once per loop turn, by `flush`.  With no sink
the log is inactive, and nothing is encoded.
"""

from __future__ import annotations

from collections.abc import Callable

from kvserver.resp import encode_request

Sink = Callable[[bytes], None]

MULTI = encode_request([b"MULTI"])
EXEC = encode_request([b"EXEC"])


class CommandLog:
    """Appends effects, counts their bytes, hands them to the sinks in batches."""

    def __init__(self) -> None:
        self.offset = 0  # bytes
        self.sinks: list[Sink] = []
        self.pending: list[bytes] = []
        self.selected = -1  # database the stream stands at; -1 = unknown, the next effect selects
        self.on_pending: Callable[[], None] = _nothing  # called when the first bytes of a batch arrive
        self.on_active: Callable[[bool], None] = _active

    def attach(self, sink: Sink) -> None:
        """Plug a sink in; it sees all bytes appended from now on."""
        self.flush()
        self.sinks.append(sink)
        self.on_active(True)

    def detach(self, sink: Sink) -> None:
        """Unplug a sink."""
        self.flush()
        self.sinks.remove(sink)
        self.on_active(bool(self.sinks))

    def append(self, db: int, args: list[bytes]) -> None:
        """Append one effect, preceded by a SELECT when it concerns another database than the last one."""
        data = encode_request(args)
        if db != self.selected and db >= 0:
            self.selected = db
            data = encode_request([b"SELECT", b"%d" % db]) + data
        self.append_raw(data)

    def append_raw(self, data: bytes) -> None:
        """Append bytes as they are (a replica repeats its primary's stream verbatim)."""
        if not self.pending:
            self.on_pending()
        self.pending.append(data)
        self.offset += len(data)

    def flush(self) -> None:
        """Give all sinks what has gathered."""
        if self.pending:
            data = self.pending[0] if len(self.pending) == 1 else b"".join(self.pending)
            self.pending = []
            for sink in self.sinks:
                sink(data)


def _nothing() -> None:
    """No shell is attached: whoever appends flushes."""


def _active(active: bool) -> None:
    """Nobody asks."""
