"""Commands on whole databases: DBSIZE, FLUSHDB, FLUSHALL, SWAPDB, TIME."""

from __future__ import annotations

from kvserver.engine.commands.keys.keys import db_index
from kvserver.engine.keys.keyspace import OBSERVE_BLOCKED, Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.engine.run.watching import touch_all
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, bulks, integer


def dbsize(c: Session, a: list[bytes]) -> bytes:
    """DBSIZE."""
    return integer(len(c.db.keys))


def _check_flush(a: list[bytes]) -> None:
    """ASYNC and SYNC are both accepted: the old tables are always freed in slices."""
    if len(a) > 2 or (len(a) == 2 and a[1].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)


def flushdb(c: Session, a: list[bytes]) -> bytes:
    """FLUSHDB [ASYNC|SYNC]."""
    _check_flush(a)
    empty(c.engine, c.db)
    c.db.state.dirty += 1
    return OK


def flushall(c: Session, a: list[bytes]) -> bytes:
    """FLUSHALL [ASYNC|SYNC]."""
    _check_flush(a)
    state = c.db.state
    state.dirty += 1
    for db in c.engine.dbs:
        empty(c.engine, db)  # a saver may count the changes anew, so that they don't tell what is to be logged
    state.instead(c.db.index, a)
    return OK


def empty(engine: Engine, db: Db) -> int:
    """Drop all keys of a database, leaving the freeing to slices; return how many there were."""
    touch_all(db, None)
    keys = db.detach()
    if keys.used:
        db.state.trash.append(keys)
    engine.services.signals.db_emptied.emit(db)
    wake(engine, db)
    return keys.used


def wake(engine: Engine, db: Db) -> None:
    """Let those who wait for a key of a database look at it again: all its keys are others now."""
    if db.observers & OBSERVE_BLOCKED:
        for key in db.blocked:
            engine.ready[(db.index, key)] = None


def swapdb(c: Session, a: list[bytes]) -> bytes:
    """SWAPDB index1 index2."""
    engine = c.engine
    for raw, which in ((a[1], "first"), (a[2], "second")):
        parse_int(raw, f"ERR invalid {which} DB index")
    one, two = (engine.dbs[db_index(c, raw, "ERR DB index is out of range")] for raw in a[1:])
    if one is two:
        c.db.state.dirty += 1
        return OK
    c.db.state.touched = True
    touch_all(one, two)
    touch_all(two, one)
    one.keys, two.keys = two.keys, one.keys
    one.field_expires, two.field_expires = two.field_expires, one.field_expires
    if one.access is not None:
        one.access.swap(two.access)
    for db in (one, two):
        wake(engine, db)
    c.db.state.dirty += 1
    return OK


def time_(c: Session, a: list[bytes]) -> bytes:
    """TIME."""
    seconds, micros = divmod(c.db.state.wall_us(), 10**6)
    return bulks([b"%d" % seconds, b"%d" % micros])


HANDLERS = {
    "DBSIZE": dbsize,
    "FLUSHALL": flushall,
    "FLUSHDB": flushdb,
    "SWAPDB": swapdb,
    "TIME": time_,
}
