"""Sessions that wait: for a key to be written, for a time, for an event of another package.

Theory of operation (Redis's, section by section).  A request that can't be served yet registers the keys it
waits for, in each key's queue behind those who came earlier.  A write to such a key marks it ready; when the
writing request (or the whole transaction) is over, the ready keys are served in the order in which they became
ready, and their waiting sessions in the order in which they came: each runs its request again, and is done when
that replies.  What it takes is logged right behind the write that made it possible.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from kvserver.engine.keys.keyspace import (
    EV_EVICTED,
    EV_EXPIRED,
    OBSERVE_BLOCKED,
    OBSERVE_NOTIFY,
    OBSERVE_WATCH,
    Db,
)
from kvserver.engine.run import watching
from kvserver.engine.run.session import ATT_TRACKING, Blocked, Session

if TYPE_CHECKING:
    from kvserver.engine.run.executor import Engine

_NOBODYS = (EV_EXPIRED, EV_EVICTED)
"""Classes of events that no request causes, though one may run at the time."""

_turns = itertools.count()
"""Whose time is over in the same millisecond are answered in the order in which they began to wait."""

_STALE_TIMEOUTS = 1024
"""How many timeouts of waits that are over may be kept beside as many as are in force."""


def block(engine: Engine, c: Session, wait: Blocked) -> None:
    """Make a session wait; `wait.deadline_ms` holds the timeout in ms (0 = none) and becomes its time."""
    now = engine.state.now_ms
    wait.since_ms = now
    if wait.deadline_ms:
        wait.deadline_ms += now
    c.blocked = wait
    engine.blocked_count += 1
    for key in wait.keys:
        c.db.blocked.setdefault(key, {})[c] = None
    if wait.keys:
        c.db.observers |= OBSERVE_BLOCKED
    if wait.deadline_ms:
        if len(engine.timeouts) > 2 * engine.blocked_count + _STALE_TIMEOUTS:
            engine.timeouts = [entry for entry in engine.timeouts if entry[2].blocked is entry[3]]
            heapq.heapify(engine.timeouts)
        heapq.heappush(engine.timeouts, (wait.deadline_ms, next(_turns), c, wait))
        engine.on_deadline(next_timeout_ms(engine))


def next_timeout_ms(engine: Engine) -> int:
    """When the next waiting session times out (Unix milliseconds), or 0."""
    while engine.timeouts and engine.timeouts[0][2].blocked is not engine.timeouts[0][3]:
        heapq.heappop(engine.timeouts)
    return engine.timeouts[0][0] if engine.timeouts else 0


def forget(engine: Engine, c: Session) -> None:
    """Take a session out of all queues; it waits no more."""
    wait = c.blocked
    if wait is None:
        return
    c.blocked = None
    engine.blocked_count -= 1
    for key in wait.keys:
        queue = c.db.blocked.get(key)
        if queue is not None:
            queue.pop(c, None)
            if not queue:
                del c.db.blocked[key]
    if not c.db.blocked:
        c.db.observers &= ~OBSERVE_BLOCKED


def unblock(engine: Engine, c: Session, reply: bytes | None) -> None:
    """End a session's waiting: send the reply, let it go on with the requests behind."""
    forget(engine, c)
    if reply:
        c.send(reply)
    c.port.resume()


def expire_waits(engine: Engine) -> None:
    """Answer the sessions whose time is over."""
    now = engine.state.now_ms
    while engine.timeouts and engine.timeouts[0][0] <= now:
        _, _, c, wait = heapq.heappop(engine.timeouts)
        if c.blocked is wait:
            unblock(engine, c, wait.on_timeout(c))


def key_changed(engine: Engine, db: Db, key: bytes, event_class: int, event: bytes) -> None:
    """A key changed in a database that somebody observes."""
    observers = db.observers
    if observers & OBSERVE_WATCH:
        watching.touch(db, key)
    if engine.on_key_changed:
        by = None if event_class in _NOBODYS else engine.current
        for listener in engine.on_key_changed:
            listener(by, db, key)
    if observers & OBSERVE_NOTIFY and engine.state.notify_flags & event_class:
        engine.state.on_event(db, key, event_class, event)
    if observers & OBSERVE_BLOCKED and key in db.blocked:
        engine.ready[(db.index, key)] = None


def serve_ready(engine: Engine) -> None:
    """Serve the keys that became ready, until none is left."""
    engine.serving_ready = True
    # A key may have expired since the request began that wrote it.
    engine.state.now_ms = engine.state.wall_us() // 1000
    try:
        while engine.ready:
            ready = engine.ready
            engine.ready = {}
            for index, key in ready:
                _serve_key(engine, engine.dbs[index], key)
    finally:
        engine.serving_ready = False


def _serve_key(engine: Engine, db: Db, key: bytes) -> None:
    """Let those who wait for `key` try again, first come first served."""
    for c in list(db.blocked.get(key, ())):
        wait = c.blocked
        if wait is None or key not in wait.keys:
            continue
        if db.keys.get(key) is None and wait.kind != "stream":
            return
        wait.ready = key
        call = engine.call_tracked if c.attention & ATT_TRACKING else engine.call
        reply = call(c, wait.row, wait.args)
        wait.row.calls -= 1  # it was counted when it began to wait
        engine.commands -= 1
        if reply is not None:
            unblock(engine, c, reply)
