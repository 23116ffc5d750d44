"""A replica's connection as its primary feeds it. Pure: the session's port does the sending."""

from __future__ import annotations

from kvserver.engine.run.session import Session
from replication.primary.attached import Attached


class Feed:
    """The connection of one replica, and the stream kept for it until its snapshot is through.

    `live`: the stream goes to it as it is logged. `kept`: chunks of the stream that wait, None when none are
    being kept. `sent`: the whole snapshot was written; an acknowledgement will bring the replica on line.
    `sync`: it asked by SYNC, so no status line precedes the snapshot. Times are seconds.
    """

    __slots__ = ("acked", "drained_at_s", "kept", "kept_bytes", "live", "pending", "record", "sent", "session", "sync")

    def __init__(self, session: Session, record: Attached, sync: bool = False) -> None:
        self.session = session
        self.record = record
        self.sync = sync
        self.live = False
        self.sent = False
        self.acked = False  # an acknowledgement was as quick as our noticing that all is sent
        self.kept: list[bytes] | None = None
        self.kept_bytes = 0
        self.pending = 0
        self.drained_at_s = record.acked_at_s

    @property
    def name(self) -> str:
        """Address and port for people."""
        return f"{self.record.ip}:{self.record.port}"

    def keep(self, data: bytes) -> None:
        """Keep bytes of the stream for later."""
        if self.kept is not None:
            self.kept.append(data)
            self.kept_bytes += len(data)

    def waiting_bytes(self) -> int:
        """Bytes of memory that what the replica hasn't taken yet needs."""
        return self.session.port.pending_bytes() + self.kept_bytes

    def begin_keeping(self) -> None:
        """The snapshot's instant: what comes now isn't in it."""
        self.kept = []
        self.kept_bytes = 0

    def release(self) -> None:
        """Send what was kept; from now on the stream goes out as it is logged."""
        kept = self.kept or []
        self.kept = None
        self.kept_bytes = 0
        self.live = True
        for chunk in kept:
            self.session.send(chunk)

    def is_full(self, limit_bytes: int, timeout_s: float, now_s: float) -> tuple[bool, bool]:
        """Whether more than `limit_bytes` wait to be taken, and whether nothing was taken for `timeout_s`."""
        pending = self.session.port.pending_bytes()
        full = pending > limit_bytes
        if pending < self.pending or not full:
            self.drained_at_s = now_s
        self.pending = pending
        return full, full and now_s - self.drained_at_s > timeout_s
