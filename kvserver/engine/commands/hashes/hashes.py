"""Hash commands (https://redis.io/commands/?group=hash)."""

from __future__ import annotations

from math import inf

import cython

from kvserver.engine.commands import typed
from kvserver.engine.commands.picking import pairs_reply, pick, pick_arguments, scan_value
from kvserver.engine.commands.typed import WRONG
from kvserver.engine.keys.hash_expiry import named, settled, whole
from kvserver.engine.keys.keyspace import EV_HASH, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import ExpiringHash, HashValue
from kvserver.errors import CommandError, wrong_arity
from kvserver.wire.numbers import INT64_MAX, INT64_MIN, add_decimal
from kvserver.wire.resp import EMPTY_ARRAY, OK, ONE, ZERO, array_header, bulks, map_header

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize  # type: ignore
    from cython.cimports.kvserver.engine.commands.strings.strings import small_int  # type: ignore
    from cython.cimports.kvserver.engine.commands.typed import as_hash, removed  # type: ignore
    from cython.cimports.kvserver.wire.frames import bulk_size, write_bulk, write_head  # type: ignore
    from cython.cimports.kvserver.wire.numbers import parse_int, read_double  # type: ignore
    from cython.cimports.kvserver.wire.resp import bulk, digits, integer, null  # type: ignore
    from cython.cimports.libc.string import memcpy  # type: ignore
else:
    from kvserver.engine.commands.strings.strings import small_int
    from kvserver.engine.commands.typed import as_hash, removed
    from kvserver.wire.numbers import parse_int, read_double
    from kvserver.wire.resp import bulk, digits, integer, null

_MOST = 1 << 60
"""Numbers up to here are added without a thought of 64 bits."""


def hset(c: Session, a: list[bytes]) -> bytes:
    """HSET key field value [field value …]."""
    n = len(a)
    if n % 2:
        raise wrong_arity("hset")
    new = _set_fields(c.db, a)
    return WRONG if new < 0 else integer(new)


def hmset(c: Session, a: list[bytes]) -> bytes:
    """HMSET key field value [field value …]."""
    if len(a) % 2:
        raise wrong_arity("hmset")
    return WRONG if _set_fields(c.db, a) < 0 else OK


def _set_fields(db: Db, a: list[bytes]) -> int:
    """Store the fields; return how many were new, or -2 for a key of another type."""
    key = a[1]
    value = db.lookup_write(key)
    if value is None:
        value = HashValue(db.state.limits)
        db.put(key, value)
    elif type(value) is not HashValue and type(value) is not ExpiringHash:
        return -2
    fields: HashValue = value
    n = len(a)
    new = 0
    i: cython.Py_ssize_t
    for i in range(2, n, 2):
        if fields.put(a[i], a[i + 1]):
            new += 1
    db.changed(key, EV_HASH, b"hset")
    if n > 4:
        db.state.dirty += n // 2 - 2
    return new


def hsetnx(c: Session, a: list[bytes]) -> bytes:
    """HSETNX key field value."""
    value = as_hash(c.db.lookup_write(a[1]))
    if value is not None and _has(c.db, a[1], value, a[2]):
        return ZERO
    _set_fields(c.db, a)
    return ONE


def hget(c: Session, a: list[bytes]) -> bytes:
    """HGET key field."""
    value = c.db.lookup(a[1])
    if value is None:
        return null(c.resp)
    if type(value) is not HashValue:
        if type(value) is not ExpiringHash:
            return WRONG
        value = named(c.db, a[1], value, a[2:]) or _NONE
    fields: HashValue = value
    found = fields.get(a[2])
    return null(c.resp) if found is None else bulk(found)


def hmget(c: Session, a: list[bytes]) -> bytes:
    """HMGET key field [field …]."""
    value = as_hash(c.db.lookup(a[1]))
    if type(value) is ExpiringHash:
        value = named(c.db, a[1], value, a[2:])
    nothing = null(c.resp)
    out = [array_header(len(a) - 2)]
    i: cython.Py_ssize_t
    for i in range(2, len(a)):
        found = None if value is None else value.get(a[i])
        out.append(nothing if found is None else bulk(found))
    return b"".join(out)


def hgetall(c: Session, a: list[bytes]) -> bytes:
    """HGETALL key."""
    value = c.db.lookup(a[1])
    if value is None:
        return map_header(0, c.resp)
    if type(value) is not HashValue:
        if type(value) is not ExpiringHash:
            return WRONG
        value = whole(c.db, a[1], value) or _NONE
    fields: HashValue = value
    return _pairs_reply(fields, c.resp)


def _pairs_reply(fields: HashValue, proto: int) -> bytes:
    """Encode all fields and their values, in one buffer."""
    if cython.compiled:
        head = cython.declare(cython.char[24])
        n = fields.used
        size: cython.Py_ssize_t = write_head(head, 37, n) if proto == 3 else write_head(head, 42, 2 * n)
        total: cython.Py_ssize_t = size
        for part in fields.parts:
            for field, content in part.items():
                total += bulk_size(len(field)) + bulk_size(len(content))
        out: bytes = PyBytes_FromStringAndSize(cython.NULL, total)
        d: cython.p_char = PyBytes_AS_STRING(out)
        memcpy(d, head, size)
        d += size
        for part in fields.parts:
            for field, content in part.items():
                d += write_bulk(d, field)
                d += write_bulk(d, content)
        return out
    pairs = [bulk(field) + bulk(content) for field, content in fields.items()]
    return map_header(fields.used, proto) + b"".join(pairs)


def hkeys(c: Session, a: list[bytes]) -> bytes:
    """HKEYS key."""
    value = _all(c.db, a[1])
    return EMPTY_ARRAY if value is None else bulks(list(value))


def hvals(c: Session, a: list[bytes]) -> bytes:
    """HVALS key."""
    value = _all(c.db, a[1])
    return EMPTY_ARRAY if value is None else bulks(list(value.values()))


def hlen(c: Session, a: list[bytes]) -> bytes:
    """HLEN key."""
    value = as_hash(c.db.lookup(a[1]))
    return ZERO if value is None else integer(len(value))


def hexists(c: Session, a: list[bytes]) -> bytes:
    """HEXISTS key field."""
    value = as_hash(c.db.lookup(a[1]))
    return ONE if value is not None and _has(c.db, a[1], value, a[2]) else ZERO


def hstrlen(c: Session, a: list[bytes]) -> bytes:
    """HSTRLEN key field."""
    value = as_hash(c.db.lookup(a[1]))
    if type(value) is ExpiringHash:
        value = named(c.db, a[1], value, a[2:])
    found = None if value is None else value.get(a[2])
    return ZERO if found is None else integer(len(found))


def hdel(c: Session, a: list[bytes]) -> bytes:
    """HDEL key field [field …]."""
    value = as_hash(c.db.lookup_write(a[1]))
    if value is None:
        return ZERO
    gone = 0
    for field in a[2:]:
        if value.pop(field) is not None:
            gone += 1
    if gone:
        removed(c.db, a[1], value, EV_HASH, b"hdel", gone)
    return integer(gone)


def _all(db: Db, key: bytes) -> HashValue | None:
    """Return the hash in order to read all its fields."""
    value = as_hash(db.lookup(key))
    return whole(db, key, value) if type(value) is ExpiringHash else value


def _has(db: Db, key: bytes, value: HashValue, field: bytes) -> bool:
    """Whether a hash that was looked up has a field, and one that lives."""
    if type(value) is ExpiringHash:
        value = named(db, key, value, [field]) or _NONE
    return value.has(field)


def _number(db: Db, key: bytes, field: bytes) -> tuple[HashValue | None, bytes | None]:
    """Return the hash to write to and what its field holds, None for what isn't there."""
    value = as_hash(db.lookup_write(key))
    if type(value) is ExpiringHash:
        value = settled(db, key, value, [field])
    return value, None if value is None else value.get(field)


def _store_number(db: Db, key: bytes, value: HashValue | None, field: bytes, number: bytes) -> None:
    """Put a number in a field, which goes on living as long as before."""
    if type(value) is ExpiringHash:
        value.keep(field, number)
        return
    if value is None:
        value = HashValue(db.state.limits)
        db.put(key, value)
    value.put(field, number)


def hincrby(c: Session, a: list[bytes]) -> bytes:
    """HINCRBY key field increment."""
    db = c.db
    number = small_int(a[3])
    if not -_MOST < number < _MOST:
        return _hincrby(c, a)
    found = db.lookup_write(a[1])
    if found is None:
        found = HashValue(db.state.limits)
        db.put(a[1], found)
    if type(found) is HashValue:
        fields: HashValue = found
        now = fields.get(a[2])
        held = 0 if now is None else small_int(now)
        if -_MOST < held < _MOST:
            fields.put(a[2], digits(number + held))
            db.changed(a[1], EV_HASH, b"hincrby")
            return integer(number + held)
    return _hincrby(c, a)


def _hincrby(c: Session, a: list[bytes]) -> bytes:
    step = parse_int(a[3])
    db = c.db
    value, old = _number(db, a[1], a[2])
    total = step + (0 if old is None else parse_int(old, "ERR hash value is not an integer"))
    if not INT64_MIN <= total <= INT64_MAX:
        raise CommandError("ERR increment or decrement would overflow")
    _store_number(db, a[1], value, a[2], b"%d" % total)
    db.changed(a[1], EV_HASH, b"hincrby")
    return integer(total)


def hincrbyfloat(c: Session, a: list[bytes]) -> bytes:
    """HINCRBYFLOAT key field increment."""
    if read_double(a[3]) in (inf, -inf) and b"n" in a[3].lower():
        raise CommandError("ERR value is NaN or Infinity")
    db = c.db
    value, old = _number(db, a[1], a[2])
    if old is None:
        old = b"0"
    read_double(old, "ERR hash value is not a float")
    total = add_decimal(old, a[3])
    _store_number(db, a[1], value, a[2], total)
    db.changed(a[1], EV_HASH, b"hincrbyfloat")
    db.state.instead(db.index, [b"HSET", a[1], a[2], total])
    when = value.ttl_at(a[2]) if type(value) is ExpiringHash else -1
    if when >= 0:
        db.state.instead(db.index, [b"HPEXPIREAT", a[1], b"%d" % when, b"FIELDS", b"1", a[2]])
    return bulk(total)


def hrandfield(c: Session, a: list[bytes]) -> bytes:
    """HRANDFIELD key [count [WITHVALUES]]."""
    rng = c.db.state.rng
    if len(a) == 2:
        value = _all(c.db, a[1])
        entry = None if value is None else value.random_entry(rng)
        return null(c.resp) if entry is None else bulk(entry[0])
    count, with_values = pick_arguments(a, b"WITHVALUES")
    value = _all(c.db, a[1])
    if value is None:
        return EMPTY_ARRAY
    entries = pick(c, value, count)
    if with_values:
        return pairs_reply([(field, bulk(content)) for field, content in entries], c.resp)
    return bulks([field for field, _ in entries])


def hscan(c: Session, a: list[bytes]) -> bytes:
    """HSCAN key cursor [MATCH pattern] [COUNT n] [NOVALUES]."""
    at = next((i for i in range(3, len(a), 2) if a[i].upper() == b"NOVALUES"), 0)
    return scan_value(c, a[:at] + a[at + 1 :], typed.as_hash, None) if at else scan_value(c, a, typed.as_hash, _itself)


def _itself(content: bytes) -> bytes:
    return content


_NONE = HashValue(Limits())  # what commands read where a hash turns out to be gone


HANDLERS = {
    "HDEL": hdel,
    "HEXISTS": hexists,
    "HGET": hget,
    "HGETALL": hgetall,
    "HINCRBY": hincrby,
    "HINCRBYFLOAT": hincrbyfloat,
    "HKEYS": hkeys,
    "HLEN": hlen,
    "HMGET": hmget,
    "HMSET": hmset,
    "HRANDFIELD": hrandfield,
    "HSCAN": hscan,
    "HSET": hset,
    "HSETNX": hsetnx,
    "HSTRLEN": hstrlen,
    "HVALS": hvals,
}
