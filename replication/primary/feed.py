"""A replica's connection as its primary feeds it. Pure: the session's port does the sending."""

from __future__ import annotations

from kvserver.engine.run.session import Session
from replication.primary.attached import Attached


class Feed:
    """The connection of one replica, and the stream held for it until its snapshot is through.

    `live`: the stream goes to it as it is logged. `held`: chunks of the stream kept back, None when none are
    being kept. `sent`: the whole snapshot was written; an acknowledgement will bring the replica on line.
    `sync`: it asked by SYNC, so no status line precedes the snapshot. Times are seconds.
    """

    __slots__ = ("acked", "drained_at_s", "held", "held_bytes", "live", "pending", "record", "sent", "session", "sync")

    def __init__(self, session: Session, record: Attached, sync: bool = False) -> None:
        self.session = session
        self.record = record
        self.sync = sync
        self.live = False
        self.sent = False
        self.acked = False  # an acknowledgement was as quick as our noticing that all is sent
        self.held: list[bytes] | None = None
        self.held_bytes = 0
        self.pending = 0
        self.drained_at_s = record.acked_at_s

    @property
    def name(self) -> str:
        """Address and port for people."""
        return f"{self.record.ip}:{self.record.port}"

    def hold(self, data: bytes) -> None:
        """Keep bytes of the stream for later."""
        if self.held is not None:
            self.held.append(data)
            self.held_bytes += len(data)

    def waiting_bytes(self) -> int:
        """Bytes of memory that what the replica hasn't taken yet needs."""
        return self.session.port.pending_bytes() + self.held_bytes

    def begin_holding(self) -> None:
        """The snapshot's instant: what comes now isn't in it."""
        self.held = []
        self.held_bytes = 0

    def release(self) -> None:
        """Send what was held; from now on the stream goes out as it is logged."""
        held = self.held or []
        self.held = None
        self.held_bytes = 0
        self.live = True
        for chunk in held:
            self.session.send(chunk)

    def is_full(self, limit_bytes: int, timeout_s: float, now_s: float) -> tuple[bool, bool]:
        """Whether more than `limit_bytes` wait to be taken, and whether nothing was taken for `timeout_s`."""
        pending = self.session.port.pending_bytes()
        full = pending > limit_bytes
        if pending < self.pending or not full:
            self.drained_at_s = now_s
        self.pending = pending
        return full, full and now_s - self.drained_at_s > timeout_s
