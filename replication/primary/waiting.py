"""Clients that wait, in WAIT and WAITAOF, for what they wrote to be elsewhere too, or on disks."""

from __future__ import annotations

from collections.abc import Callable

from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.wire.resp import array, error, integer
from replication.primary.attached import Attached, Released, Waiter, Waiters, acked_count, on_disk_count

NO_FILE = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."


class Waiting:
    """Blocks clients, and lets them go as acknowledgements come. `records` are the attached replicas."""

    def __init__(self, engine: Engine, records: Callable[[], list[Attached]]) -> None:
        self._engine = engine
        self._records = records
        self._waiters = Waiters()

    def synced_offset(self) -> int | None:
        """Up to which offset this node's append-only file is on the disk.

        None when it keeps none, -1 while its first file is being written.
        """
        return self._engine.services.persistence.synced_offset()

    def copies(self, offset: int) -> int:
        """How many replicas have acknowledged `offset`."""
        return acked_count(self._records(), offset)

    def on_disk(self, offset: int) -> tuple[int, int]:
        """How many files here, 0 or 1, and how many replicas' files hold the log up to `offset`."""
        synced = self.synced_offset()
        return int(synced is not None and synced >= offset), on_disk_count(self._records(), offset)

    def for_copies(self, c: Session, needed: int, timeout_ms: int) -> None:
        """Block a client until so many replicas have what it wrote."""
        offset = c.write_offset
        self._engine.block(c, "wait", [], timeout_ms, lambda session: self._copied(session, offset))
        self._waiters.add(Waiter(c.id, needed, offset, 0))

    def for_disks(self, c: Session, local: int, needed: int, timeout_ms: int) -> None:
        """Block a client until what it wrote is in this node's file (`local` is 1) and in those of so many replicas."""
        offset = c.write_offset
        self._engine.block(c, "wait", [], timeout_ms, lambda session: self._stored(session, offset))
        self._waiters.add(Waiter(c.id, needed, offset, 0, local))

    def _copied(self, c: Session, offset: int) -> bytes:
        self.forget(c)
        return integer(self.copies(offset))

    def _stored(self, c: Session, offset: int) -> bytes:
        self.forget(c)
        return array([integer(count) for count in self.on_disk(offset)])

    def forget(self, c: Session) -> None:
        """A client is gone, or waits no more."""
        self._waiters.forget(c.id)

    def look(self) -> None:
        """A replica acknowledged, or this node's file has got further: let those go who have what they wait for."""
        if not self._waiters:
            return
        engine = self._engine
        for entry in self._waiters.release(self._records(), engine.state.now_ms, self.synced_offset()):
            c = engine.sessions.get(entry.client_id)
            if c is not None and c.blocked is not None:
                blocking.unblock(engine, c, _reply(entry))


def _reply(entry: Released) -> bytes:
    if entry.refused:
        return error(NO_FILE)
    if entry.local < 0:
        return integer(entry.count)
    return array([integer(entry.local), integer(entry.count)])
