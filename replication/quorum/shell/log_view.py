"""The node's command log as its quorum sees it."""

from __future__ import annotations

from kvserver.engine.run.executor import Engine


class LogView:
    """See `replication.quorum.core.Log`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.relaxed = True  # what isn't synced yet may be acknowledged

    @property
    def end(self) -> int:
        """The offset of the last byte."""
        return self._engine.log.offset

    @property
    def kept(self) -> int:
        """Up to where it outlives the process; without an append-only file nothing does, and memory has to do."""
        if not self.relaxed:
            return self.synced
        written = self._engine.services.persistence.written_offset()
        return self.end if written is None else max(0, written)

    @property
    def synced(self) -> int:
        """Up to where the disk has it."""
        return max(0, self._engine.services.persistence.synced_offset() or 0)
