"""Keyspace notifications: events about keys, published on channels named after the key or the event.

notify-keyspace-events chooses: K and E the two kinds of channels, the other letters the classes of events
(https://redis.io/docs/manual/keyspace-notifications/). With nothing chosen the keyspace doesn't even look.
"""

from __future__ import annotations

from functools import partial

from kvserver.engine.events import pubsub
from kvserver.engine.keys.keyspace import (
    EV_EVICTED,
    EV_EXPIRED,
    EV_GENERIC,
    EV_HASH,
    EV_LIST,
    EV_MISS,
    EV_NEW,
    EV_SET,
    EV_STREAM,
    EV_STRING,
    EV_ZSET,
    OBSERVE_NOTIFY,
    Db,
)
from kvserver.engine.run.executor import Engine

KEYSPACE = 1 << 0
KEYEVENT = 1 << 1
LETTERS = {
    "K": KEYSPACE,
    "E": KEYEVENT,
    "g": EV_GENERIC,
    "$": EV_STRING,
    "l": EV_LIST,
    "s": EV_SET,
    "h": EV_HASH,
    "z": EV_ZSET,
    "x": EV_EXPIRED,
    "e": EV_EVICTED,
    "t": EV_STREAM,
    "m": EV_MISS,
    "n": EV_NEW,
    "d": 0,  # events of modules: there are none
}
ALL = "g$lshzxetd"
"""What the letter A stands for."""


def flags_of(letters: str) -> int:
    """The bits of some letters; 0 when they choose no channel, or no event."""
    flags = 0
    for letter in letters.replace("A", ALL):
        flags |= LETTERS[letter]
    chosen = flags & (KEYSPACE | KEYEVENT)
    return flags if chosen and flags != chosen else 0


def configure(engine: Engine, letters: str) -> None:
    """Publish from now on what notify-keyspace-events says."""
    flags = flags_of(letters)
    engine.state.notify_flags = flags
    engine.state.on_event = partial(publish, engine)
    for db in engine.dbs:
        if flags:
            db.observers |= OBSERVE_NOTIFY
        else:
            db.observers &= ~OBSERVE_NOTIFY


def publish(engine: Engine, db: Db, key: bytes, event_class: int, event: bytes) -> None:
    """Publish one event that the flags have chosen."""
    flags = engine.state.notify_flags
    if flags & KEYSPACE:
        pubsub.publish(engine, b"__keyspace@%d__:%b" % (db.index, key), event)
    if flags & KEYEVENT:
        pubsub.publish(engine, b"__keyevent@%d__:%b" % (db.index, event), key)
