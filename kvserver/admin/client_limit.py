"""maxmemory-clients: when all clients' buffers together are too large, the largest clients are cut off.

Counted are requests not yet served and replies not yet taken, of all clients but replicas and the primary;
CLIENT NO-EVICT spares a client from being cut off, not from being counted.
"""

from __future__ import annotations

from kvserver.config import Config
from kvserver.engine.executor import Engine
from kvserver.engine.session import Session


class ClientLimit:
    """Keeps the clients of one engine below the limit, and counts whom it has cut off."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self.engine = engine
        self.config = config
        self.evicted = 0
        self.ending: set[int] = set()  # ids of sessions that are cut off and not yet gone

    def reset(self) -> None:
        """Forget what was counted."""
        self.evicted = 0

    def limit(self) -> int:
        """Bytes that all clients may hold together; 0 is no limit."""
        limit = self.config.maxmemory_clients
        return limit if limit >= 0 else self.config.maxmemory * -limit // 100

    def enforce(self) -> bool:
        """Cut off the largest clients until the rest is below the limit; True when any was."""
        limit = self.limit()
        if not limit:
            return False
        sessions = self.engine.sessions
        self.ending &= sessions.keys()
        sizes = {c: held_by(c) for c in list(sessions.values()) if c.kind == "normal" and c.id not in self.ending}
        total = sum(sizes.values())
        if total <= limit:
            return False
        before = self.evicted
        for c in sorted(sizes, key=lambda c: sizes[c], reverse=True):
            if total <= limit:
                break
            if not c.no_evict and sizes[c]:
                total -= sizes[c]
                self.evicted += 1
                self.ending.add(c.id)
                c.port.close("client eviction")
        return self.evicted > before


def held_by(c: Session) -> int:
    """Bytes of a client's buffers."""
    queued = sum(len(arg) for _, args in c.queue or () for arg in args)
    return c.buffered() + c.port.pending_bytes() + queued
