"""Set commands on one key (https://redis.io/commands/?group=set); those that combine sets have a file of their own."""

from __future__ import annotations

from typing import Any

import cython

from kvserver.engine.commands import typed
from kvserver.engine.commands.args import positive_count
from kvserver.engine.commands.picking import pick, scan_value, signed_count
from kvserver.engine.commands.typed import WRONG
from kvserver.engine.keys.keyspace import EV_SET, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import SetValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.resp import EMPTY_ARRAY, ONE, ZERO, array_header, bulks, set_header

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize  # type: ignore
    from cython.cimports.kvserver.engine.commands.typed import (  # type: ignore
        as_set,
        emptied,
        removed,
        removed_all,
    )
    from cython.cimports.kvserver.wire.frames import bulk_size, write_bulk, write_head  # type: ignore
    from cython.cimports.kvserver.wire.resp import bulk, integer, null  # type: ignore
    from cython.cimports.libc.string import memcpy  # type: ignore
else:
    from kvserver.engine.commands.typed import as_set, emptied, removed, removed_all
    from kvserver.wire.resp import bulk, integer, null


def sadd(c: Session, a: list[bytes]) -> bytes:
    """SADD key member [member …]."""
    db: Db = c.db
    key = a[1]
    value = db.lookup_write(key)
    if value is None:
        value = SetValue(db.state.limits)
        db.put(key, value)
    elif type(value) is not SetValue:
        return WRONG
    members: SetValue = value
    new = 0
    i: cython.Py_ssize_t
    for i in range(2, len(a)):
        if members.add(a[i]):
            new += 1
    if new:
        db.changed(key, EV_SET, b"sadd")
        if new > 1:
            db.state.dirty += new - 1
    return integer(new)


def srem(c: Session, a: list[bytes]) -> bytes:
    """SREM key member [member …]."""
    value = as_set(c.db.lookup_write(a[1]))
    if value is None:
        return ZERO
    gone = 0
    i: cython.Py_ssize_t
    for i in range(2, len(a)):
        if value.pop(a[i]) is not None:
            gone += 1
    if gone:
        removed(c.db, a[1], value, EV_SET, b"srem", gone)
    return integer(gone)


def spop(c: Session, a: list[bytes]) -> bytes:
    """SPOP key [count]."""
    if len(a) > 2:
        return _spop_many(c, a)
    db: Db = c.db
    key = a[1]
    value = db.lookup_write(key)
    if value is None:
        return null(c.resp)
    if type(value) is not SetValue:
        return WRONG
    members: SetValue = value
    member: Any = members.random_key(db.state.rng)
    members.pop(member)
    db.changed(key, EV_SET, b"spop")
    if members.used == 0:
        emptied(db, key)
    if db.state.logging:
        db.state.instead(db.index, [b"SREM", key, member])
    return bulk(member)


SREM_BATCH = 1024
"""Members one SREM in the log names at most."""


def _spop_many(c: Session, a: list[bytes]) -> bytes:
    if len(a) > 3:
        raise CommandError(SYNTAX)
    count = positive_count(a[2])
    db = c.db
    key = a[1]
    value = as_set(db.lookup_write(key))
    if value is None or count == 0:
        return set_header(0, c.resp)
    if count >= len(value):
        reply = members_reply(value, c.resp)
        removed_all(db, key, value, EV_SET, b"spop")
        db.state.instead(db.index, [b"DEL", key])
        return reply
    gone: list[bytes] = []
    rng = db.state.rng
    for _ in range(count):
        member = value.random_key(rng)
        assert member is not None
        value.pop(member)
        gone.append(member)
    for i in range(0, count, SREM_BATCH):
        db.state.instead(db.index, [b"SREM", key, *gone[i : i + SREM_BATCH]])
    removed(db, key, value, EV_SET, b"spop", count)
    return set_header(count, c.resp) + b"".join([bulk(member) for member in gone])


def members_reply(value: SetValue | None, proto: int) -> bytes:
    """Encode all members of a set; None is an empty one."""
    if value is None:
        return set_header(0, proto)
    return keys_reply(value.parts, value.used, proto)


def keys_reply(parts: list[dict[bytes, Any]], n: int, proto: int) -> bytes:
    """Encode the `n` keys of some dictionaries as a set, in one buffer."""
    if cython.compiled:
        head = cython.declare(cython.char[24])
        size: cython.Py_ssize_t = write_head(head, 126 if proto == 3 else 42, n)
        total: cython.Py_ssize_t = size
        for part in parts:
            for member in part:
                total += bulk_size(len(member))
        out: bytes = PyBytes_FromStringAndSize(cython.NULL, total)
        d: cython.p_char = PyBytes_AS_STRING(out)
        memcpy(d, head, size)
        d += size
        for part in parts:
            for member in part:
                d += write_bulk(d, member)
        return out
    return set_header(n, proto) + b"".join([bulk(member) for part in parts for member in part])


def smembers(c: Session, a: list[bytes]) -> bytes:
    """SMEMBERS key."""
    return members_reply(as_set(c.db.lookup(a[1])), c.resp)


def sismember(c: Session, a: list[bytes]) -> bytes:
    """SISMEMBER key member."""
    value = as_set(c.db.lookup(a[1]))
    return ONE if value is not None and value.has(a[2]) else ZERO


def smismember(c: Session, a: list[bytes]) -> bytes:
    """SMISMEMBER key member [member …]."""
    value = as_set(c.db.lookup(a[1]))
    found = [ONE if value is not None and value.has(member) else ZERO for member in a[2:]]
    return array_header(len(found)) + b"".join(found)


def scard(c: Session, a: list[bytes]) -> bytes:
    """SCARD key."""
    value = as_set(c.db.lookup(a[1]))
    return ZERO if value is None else integer(len(value))


def srandmember(c: Session, a: list[bytes]) -> bytes:
    """SRANDMEMBER key [count]."""
    rng = c.db.state.rng
    if len(a) == 2:
        value = as_set(c.db.lookup(a[1]))
        member = None if value is None else value.random_key(rng)
        return null(c.resp) if member is None else bulk(member)
    if len(a) > 3:
        raise CommandError(SYNTAX)
    count = signed_count(a[2])
    value = as_set(c.db.lookup(a[1]))
    if value is None:
        return EMPTY_ARRAY
    return bulks([member for member, _ in pick(c, value, count)])


def smove(c: Session, a: list[bytes]) -> bytes:
    """SMOVE source destination member."""
    db = c.db
    source = as_set(db.lookup_write(a[1]))
    if source is None:
        return ZERO
    target = as_set(db.lookup_write(a[2]))
    if source is target:
        return ONE if source.has(a[3]) else ZERO
    if source.pop(a[3]) is None:
        return ZERO
    removed(db, a[1], source, EV_SET, b"srem", 1)
    if target is None:
        target = SetValue(db.state.limits)
        db.put(a[2], target)
    if target.add(a[3]):
        db.changed(a[2], EV_SET, b"sadd")
    return ONE


def sscan(c: Session, a: list[bytes]) -> bytes:
    """SSCAN key cursor [MATCH pattern] [COUNT n]."""
    return scan_value(c, a, typed.as_set, None)


HANDLERS = {
    "SADD": sadd,
    "SCARD": scard,
    "SISMEMBER": sismember,
    "SMEMBERS": smembers,
    "SMISMEMBER": smismember,
    "SMOVE": smove,
    "SPOP": spop,
    "SRANDMEMBER": srandmember,
    "SREM": srem,
    "SSCAN": sscan,
}
