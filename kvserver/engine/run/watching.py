"""The state that MULTI and WATCH give a session, and how it is left (EXEC, DISCARD, RESET, disconnection).

A watched key that had expired by the time of WATCH, but was still there, is *stale*: it counts as absent, so that
its deletion is no change.
"""

from __future__ import annotations

from kvserver.engine.keys.keyspace import OBSERVE_WATCH, Db
from kvserver.engine.run.session import ATT_MULTI, Session


def discard_queue(c: Session) -> None:
    """Leave the state that MULTI began."""
    c.queue = None
    c.queue_broken = False
    c.attend(ATT_MULTI, False)
    forget_watched(c)


def abort(c: Session, refusal: bytes) -> bytes:
    """End the transaction because its EXEC is refused; return what the refusal becomes."""
    discard_queue(c)
    return b"-EXECABORT Transaction discarded because of: " + refusal[1:]


def forget_watched(c: Session) -> None:
    """Take the session off the lists of all keys it watches."""
    c.cas_broken = False
    if c.watched is None:
        return
    for db, key in c.watched:
        watchers = db.watchers.get(key)
        if watchers is not None:
            watchers.pop(c, None)
            if not watchers:
                del db.watchers[key]
        if not db.watchers:
            db.observers &= ~OBSERVE_WATCH
    c.watched = None


def is_stale(db: Db, key: bytes) -> bool:
    """Whether a key's time has passed and it is still there."""
    return 0 <= db.ttl_at(key) <= db.state.now_ms


def touch(db: Db, key: bytes) -> None:
    """Break the WATCHes on a key that has changed."""
    for session, stale in list(db.watchers.get(key, {}).items()):
        if stale and not db.keys.has(key):
            db.watchers[key][session] = False
        else:
            session.cas_broken = True


def touch_all(db: Db, other: Db | None) -> None:
    """Break the WATCHes on keys of `db` that change when it is emptied or gets the content of `other`."""
    for key, sessions in db.watchers.items():
        here = db.keys.has(key)
        coming = other is not None and other.keys.has(key)
        stale_then = other is not None and coming and is_stale(other, key)
        if not here and not coming:
            continue
        for session, stale in list(sessions.items()):
            if (stale or not here) and (stale_then or not coming):
                sessions[session] = stale_then
            else:
                session.cas_broken = True


def watched_expired(c: Session) -> bool:
    """Whether a watched key has expired since WATCH."""
    return any(is_stale(db, key) and not db.watchers[key][c] for db, key in c.watched or ())
