"""The state that MULTI and WATCH give a session, and how it is left (EXEC, DISCARD, RESET, disconnection)."""

from __future__ import annotations

from kvserver.engine.keyspace import OBSERVE_WATCH
from kvserver.engine.session import ATT_MULTI, Session


def discard_queue(c: Session) -> None:
    """Leave the state that MULTI began."""
    c.queue = None
    c.queue_broken = False
    c.attend(ATT_MULTI, False)
    forget_watched(c)


def forget_watched(c: Session) -> None:
    """Take the session off the lists of all keys it watches."""
    c.cas_broken = False
    if c.watched is None:
        return
    for db, key, _ in c.watched:
        watchers = db.watchers.get(key)
        if watchers is not None:
            watchers.discard(c)
            if not watchers:
                del db.watchers[key]
        if not db.watchers:
            db.observers &= ~OBSERVE_WATCH
    c.watched = None


def is_past(c: Session, key: bytes) -> bool:
    """Whether a key's time has passed, though it may not have been deleted."""
    when = c.db.ttl_at(key)
    return 0 <= when <= c.engine.state.now_ms


def watched_expired(c: Session) -> bool:
    """Whether a watched key has expired since; one that had already expired at WATCH counts as absent."""
    now = c.engine.state.now_ms
    for db, key, was_gone in c.watched or ():
        when = db.ttl_at(key)
        if not was_gone and 0 <= when <= now:
            return True
    return False
