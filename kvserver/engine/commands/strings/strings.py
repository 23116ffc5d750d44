# cython: boundscheck=False
"""String commands (https://redis.io/commands/?group=string)."""

from __future__ import annotations

import cython

from kvserver.engine.commands.args import expire_time, string_arg
from kvserver.engine.commands.strings.lcs import lcs
from kvserver.engine.keys.keyspace import EV_GENERIC, EV_STRING, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.limits import Limits
from kvserver.errors import NOT_INT, SYNTAX, WRONGTYPE, CommandError, wrong_arity
from kvserver.wire.numbers import INT64_MAX, INT64_MIN, add_decimal, parse_int
from kvserver.wire.resp import EMPTY_BULK, OK, ONE, ZERO

if cython.compiled:
    from cython.cimports.kvserver.wire.resp import bulk, digits, integer, null  # type: ignore
else:
    from kvserver.wire.resp import bulk, digits, integer, null

_event = EV_STRING  # C's copy, declared in the .pxd
WRONG = b"-" + WRONGTYPE.encode() + b"\r\n"
_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"


def get(c: Session, a: list[bytes]) -> bytes:
    """GET key."""
    value = c.db.lookup(a[1])
    if value is None:
        return null(c.resp)
    if type(value) is bytes:
        return bulk(value)
    if type(value) is bytearray:
        return bulk(bytes(value))
    return WRONG


def set_(c: Session, a: list[bytes]) -> bytes:
    """SET key value [NX|XX] [GET] [EX|PX|EXAT|PXAT time|KEEPTTL]."""
    if len(a) != 3:
        return _set_with_options(c, a)
    db: Db = c.db
    db.put(a[1], a[2])
    db.changed(a[1], _event, b"set")
    return OK


def _set_with_options(c: Session, a: list[bytes]) -> bytes:
    condition = b""
    want_old = keep = False
    unit = b""
    amount = b""
    i = 3
    while i < len(a):
        option = a[i].upper()
        if option in (b"NX", b"XX") and not condition:
            condition = option
        elif option == b"GET":
            want_old = True
        elif option == b"KEEPTTL" and not unit:
            keep = True
        elif option in (b"EX", b"PX", b"EXAT", b"PXAT") and not unit and not keep and i + 1 < len(a):
            unit = option
            i += 1
            amount = a[i]
        else:
            raise CommandError(SYNTAX)
        i += 1
    db = c.db
    key = a[1]
    when = expire_time(amount, unit, db.state.now_ms, "set") if unit else -1
    reply = string_arg_reply(c, db.lookup(key)) if want_old else None
    old = db.lookup_write(key)  # what has expired goes now, also on a replica open for writes
    if (condition == b"NX" and old is not None) or (condition == b"XX" and old is None):
        return reply or null(c.resp)
    _store(c, key, a[2], when, keep)
    if want_old and not unit and db.state.logging:  # the answer is nobody's business who repeats it
        db.state.instead(db.index, [word for i, word in enumerate(a) if i < 3 or word.upper() != b"GET"])
    return OK if reply is None else reply


def _store(c: Session, key: bytes, value: bytes, when: int, keep: bool = False) -> None:
    """Set a key with an optional expiry time (Unix ms), and log it as SET … PXAT."""
    db = c.db
    db.put(key, value, keep)
    db.changed(key, EV_STRING, b"set")
    if when >= 0:
        db.expire_at(key, when)
        db.notify(key, EV_GENERIC, b"expire")
        db.state.instead(db.index, [b"SET", key, value, b"PXAT", b"%d" % when])


def string_arg_reply(c: Session, value: object) -> bytes:
    """Reply a string value; the wrong type is an error."""
    raw = string_arg(value)
    return null(c.resp) if raw is None else bulk(raw)


def setnx(c: Session, a: list[bytes]) -> bytes:
    """SETNX key value."""
    if c.db.lookup_write(a[1]) is not None:
        return ZERO
    _store(c, a[1], a[2], -1)
    return ONE


def setex(c: Session, a: list[bytes]) -> bytes:
    """SETEX key seconds value."""
    _store(c, a[1], a[3], expire_time(a[2], b"EX", c.db.state.now_ms, "setex"))
    return OK


def psetex(c: Session, a: list[bytes]) -> bytes:
    """PSETEX key milliseconds value."""
    _store(c, a[1], a[3], expire_time(a[2], b"PX", c.db.state.now_ms, "psetex"))
    return OK


def getset(c: Session, a: list[bytes]) -> bytes:
    """GETSET key value."""
    db = c.db
    reply = string_arg_reply(c, db.lookup(a[1]))
    db.put(a[1], a[2])
    db.changed(a[1], EV_STRING, b"set")
    db.state.instead(db.index, [b"SET", a[1], a[2]])
    return reply


def getdel(c: Session, a: list[bytes]) -> bytes:
    """GETDEL key."""
    db = c.db
    value = db.lookup(a[1])
    reply = string_arg_reply(c, value)
    if db.remove(a[1]):  # also what a replica hides
        db.changed(a[1], EV_GENERIC, b"del")
        db.state.instead(db.index, [b"DEL", a[1]])
    return reply


def getex(c: Session, a: list[bytes]) -> bytes:
    """GETEX key [EX|PX|EXAT|PXAT time|PERSIST]."""
    db = c.db
    key = a[1]
    unit = a[2].upper() if len(a) > 2 else b""
    timed = unit in (b"EX", b"PX", b"EXAT", b"PXAT")
    if len(a) > 4 or len(a) != (4 if timed else 3 if unit == b"PERSIST" else 2):
        raise CommandError(SYNTAX)
    value = db.lookup(key)
    reply = string_arg_reply(c, value)
    if value is None:
        return reply
    if timed:
        when = expire_time(a[3], unit, db.state.now_ms, "getex")
        if when <= db.state.now_ms:
            db.remove(key)
            db.changed(key, EV_GENERIC, b"del")
            db.state.instead(db.index, [b"DEL", key])
        else:
            db.expire_at(key, when)
            db.changed(key, EV_GENERIC, b"expire")
            db.state.instead(db.index, [b"PEXPIREAT", key, b"%d" % when])
    elif unit == b"PERSIST" and db.persist(key):
        db.changed(key, EV_GENERIC, b"persist")
        db.state.instead(db.index, [b"PERSIST", key])
    return reply


def incr(c: Session, a: list[bytes]) -> bytes:
    """INCR key."""
    return _add(c, a[1], 1)


def decr(c: Session, a: list[bytes]) -> bytes:
    """DECR key."""
    return _add(c, a[1], -1)


def incrby(c: Session, a: list[bytes]) -> bytes:
    """INCRBY key increment."""
    return _add(c, a[1], parse_int(a[2]))


def decrby(c: Session, a: list[bytes]) -> bytes:
    """DECRBY key decrement."""
    step = parse_int(a[2])
    if step == INT64_MIN:
        raise CommandError("ERR decrement would overflow")
    return _add(c, a[1], -step)


def _add(c: Session, key: bytes, step: int) -> bytes:
    db: Db = c.db
    value = db.lookup_write(key)
    number = 0
    if value is not None:
        if type(value) is not bytes:
            if type(value) is not bytearray:
                return WRONG
            value = bytes(value)
        number = small_int(value)
        if number == NOT_SMALL or step > STEP_MAX or step < -STEP_MAX:
            return _add_large(db, key, value, step)
    number += step
    db.put(key, digits(number), True)
    db.changed(key, _event, b"incrby")
    return integer(number)


def _add_large(db: Db, key: bytes, value: bytes, step: int) -> bytes:
    """Add where the sum may not fit 64 bits."""
    total = parse_int(value, NOT_INT) + step
    if not INT64_MIN <= total <= INT64_MAX:
        raise CommandError("ERR increment or decrement would overflow")
    db.put(key, b"%d" % total, True)
    db.changed(key, EV_STRING, b"incrby")
    return integer(total)


STEP_MAX = 10**18
"""A step up to this size, added to a number of at most 18 digits, can't overflow 64 bits."""
NOT_SMALL = -(2**62)


def small_int(raw: bytes) -> int:
    """Parse a canonical integer of at most 18 digits, fast; NOT_SMALL for anything else."""
    n = len(raw)
    i = 0
    v = 0
    negative = False
    if n == 0 or n > 18:
        return NOT_SMALL
    if raw[0] == 45:
        negative = True
        i = 1
    if i == n or (raw[i] == 48 and n > 1):
        return NOT_SMALL
    while i < n:
        d = raw[i] - 48
        if d < 0 or d > 9:
            return NOT_SMALL
        v = v * 10 + d
        i += 1
    return -v if negative else v


def incrbyfloat(c: Session, a: list[bytes]) -> bytes:
    """INCRBYFLOAT key increment."""
    db = c.db
    old = string_arg(db.lookup_write(a[1]))
    total = add_decimal(b"0" if old is None else old, a[2])
    db.put(a[1], total, True)
    db.changed(a[1], EV_STRING, b"incrbyfloat")
    db.state.instead(db.index, [b"SET", a[1], total, b"KEEPTTL"])
    return bulk(total)


def append(c: Session, a: list[bytes]) -> bytes:
    """APPEND key value."""
    db = c.db
    value = db.lookup_write(a[1])
    if value is None:
        db.put(a[1], a[2])
        db.changed(a[1], EV_STRING, b"append")
        return integer(len(a[2]))
    raw = mutable(value, len(a[2]), db.state.limits)
    raw += a[2]
    if raw is not value:
        db.put(a[1], raw, True)
    db.changed(a[1], EV_STRING, b"append")
    return integer(len(raw))


def mutable(value: object, more: int, limits: Limits) -> bytearray:
    """Return a string value in a form that can be modified in place, with room checked for `more` bytes."""
    if isinstance(value, bytes | bytearray):
        if len(value) + more > limits.max_string:
            raise CommandError(_TOO_LONG)
        return bytearray(value) if isinstance(value, bytes) else value
    raise CommandError(WRONGTYPE)


def strlen(c: Session, a: list[bytes]) -> bytes:
    """STRLEN key."""
    raw = c.db.lookup(a[1])
    if raw is None:
        return ZERO
    if not isinstance(raw, bytes | bytearray):
        return WRONG
    return integer(len(raw))


def getrange(c: Session, a: list[bytes]) -> bytes:
    """GETRANGE key start end."""
    start = parse_int(a[2])
    end = parse_int(a[3])
    raw = c.db.lookup(a[1])
    if raw is None:
        return EMPTY_BULK
    if not isinstance(raw, bytes | bytearray):
        return WRONG
    n = len(raw)
    if start < 0 and end < 0 and start > end:
        return EMPTY_BULK
    start = max(start + n, 0) if start < 0 else start
    end = max(end + n, 0) if end < 0 else min(end, n - 1)
    if start > end or n == 0:
        return EMPTY_BULK
    return bulk(bytes(raw[start : end + 1]))


def setrange(c: Session, a: list[bytes]) -> bytes:
    """SETRANGE key offset value."""
    db = c.db
    offset = parse_int(a[2])
    patch = a[3]
    if offset < 0:
        raise CommandError("ERR offset is out of range")
    value = db.lookup_write(a[1])
    if value is not None and not isinstance(value, bytes | bytearray):
        return WRONG
    if not patch:
        return ZERO if value is None else integer(len(value))
    if offset + len(patch) > db.state.limits.max_string:
        raise CommandError(_TOO_LONG)
    raw = bytearray() if value is None else mutable(value, 0, db.state.limits)
    if len(raw) < offset:
        raw.extend(bytes(offset - len(raw)))
    raw[offset : offset + len(patch)] = patch
    if raw is not value:
        db.put(a[1], raw, True)
    db.changed(a[1], EV_STRING, b"setrange")
    return integer(len(raw))


def mget(c: Session, a: list[bytes]) -> bytes:
    """MGET key [key …]."""
    out = [b"*%d\r\n" % (len(a) - 1)]
    db: Db = c.db
    for i in range(1, len(a)):
        value = db.lookup(a[i])
        if type(value) is bytes:
            out.append(bulk(value))
        elif type(value) is bytearray:
            out.append(bulk(bytes(value)))
        else:
            out.append(null(c.resp))
    return b"".join(out)


def mset(c: Session, a: list[bytes]) -> bytes:
    """MSET key value [key value …]."""
    if len(a) % 2 == 0:
        raise wrong_arity("mset")
    _set_pairs(c.db, a)
    return OK


def msetnx(c: Session, a: list[bytes]) -> bytes:
    """MSETNX key value [key value …]."""
    if len(a) % 2 == 0:
        raise wrong_arity("msetnx")
    if any(c.db.peek(key) is not None for key in a[1::2]):
        return ZERO
    _set_pairs(c.db, a)
    return ONE


def _set_pairs(db: Db, a: list[bytes]) -> None:
    for i in range(1, len(a), 2):
        db.put(a[i], a[i + 1])
        db.changed(a[i], EV_STRING, b"set")


HANDLERS = {
    "APPEND": append,
    "DECR": decr,
    "DECRBY": decrby,
    "GET": get,
    "GETDEL": getdel,
    "GETEX": getex,
    "GETRANGE": getrange,
    "GETSET": getset,
    "INCR": incr,
    "INCRBY": incrby,
    "INCRBYFLOAT": incrbyfloat,
    "LCS": lcs,
    "MGET": mget,
    "MSET": mset,
    "MSETNX": msetnx,
    "PSETEX": psetex,
    "SET": set_,
    "SETEX": setex,
    "SETNX": setnx,
    "SETRANGE": setrange,
    "STRLEN": strlen,
    "SUBSTR": getrange,
}
