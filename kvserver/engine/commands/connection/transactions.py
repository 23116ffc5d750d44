"""MULTI, EXEC, DISCARD, WATCH, UNWATCH (https://redis.io/docs/interact/transactions/)."""

from __future__ import annotations

from kvserver.engine.keys.keyspace import OBSERVE_WATCH
from kvserver.engine.run.session import ATT_MULTI, ATT_REPLY, ATT_RESTRICTED, ATT_TRACKING, Session
from kvserver.engine.run.watching import discard_queue, forget_watched, is_stale, watched_expired
from kvserver.errors import CommandError
from kvserver.wire.resp import OK, array_header, error, null_array


def multi(c: Session, a: list[bytes]) -> bytes:
    """Begin to queue."""
    if c.queue is not None:
        raise CommandError("ERR MULTI calls can not be nested")
    c.queue = []
    c.multi_from = c.bytes_in
    c.queue_broken = False
    c.attend(ATT_MULTI, True)
    return OK


def exec_(c: Session, a: list[bytes]) -> bytes:
    """Run the queue as one unit, unless a watched key has changed or a queued request was refused.

    Messages that the client sends to itself stand between the replies, where its commands put them, as in Redis.
    """
    queue = c.queue
    if queue is None:
        raise CommandError("ERR EXEC without MULTI")
    broken = c.queue_broken
    stale = c.cas_broken or watched_expired(c)
    discard_queue(c)
    if broken:
        return error("EXECABORT Transaction discarded because of previous errors.")
    if stale:
        return null_array(c.resp)
    engine = c.engine
    row, args = c.row, c.args
    engine.depth += 1
    c.no_block = True
    replies: list[bytes] = []
    outer = c.out
    if not c.attention & ATT_REPLY:  # else the replies are dropped, and messages aren't
        c.out = replies
    try:
        for queued, queued_args in queue:
            if c.attention & ATT_RESTRICTED:
                refusal = engine.services.access.since_queued(c, queued, queued_args)
                if refusal:
                    engine.count_error(refusal)
                    replies.append(refusal)
                    continue
            call = engine.call_tracked if c.attention & ATT_TRACKING else engine.call
            replies.append(call(c, queued, queued_args) or b"")
    finally:
        c.out = outer
        c.no_block = False
        engine.depth -= 1
        c.row, c.args = row, args
        if engine.state.logging and engine.depth == 0:
            engine.log_batch()  # also what was done before an error of ours
            c.write_offset = engine.log.offset
    return array_header(len(queue)) + b"".join(replies)


def discard(c: Session, a: list[bytes]) -> bytes:
    """Forget the queue."""
    if c.queue is None:
        raise CommandError("ERR DISCARD without MULTI")
    discard_queue(c)
    return OK


def watch(c: Session, a: list[bytes]) -> bytes:
    """Make the next EXEC depend on keys that nobody changes until then."""
    if c.queue is not None:
        raise CommandError("ERR WATCH inside MULTI is not allowed")
    if c.watched is None:
        c.watched = []
    for key in a[1:]:
        watchers = c.db.watchers.setdefault(key, {})
        if c not in watchers:
            watchers[c] = is_stale(c.db, key)
            c.db.observers |= OBSERVE_WATCH
            c.watched.append((c.db, key))
    return OK


def unwatch(c: Session, a: list[bytes]) -> bytes:
    """Depend on nothing any more."""
    forget_watched(c)
    return OK


HANDLERS = {"MULTI": multi, "EXEC": exec_, "DISCARD": discard, "WATCH": watch, "UNWATCH": unwatch}
