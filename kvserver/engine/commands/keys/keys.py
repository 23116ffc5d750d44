"""Commands on keys of any type (https://redis.io/commands/?group=generic)."""

from __future__ import annotations

from kvserver.engine.keys.hash_expiry import enlist
from kvserver.engine.keys.keyspace import EV_GENERIC, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import copy_value, kind_of
from kvserver.errors import NO_KEY, OUT_OF_RANGE, SYNTAX, CommandError
from kvserver.wire.glob import is_literal, matcher
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import MINUS_ONE, MINUS_TWO, OK, ONE, ZERO, array_header, bulk, bulks, integer, null, simple


def del_(c: Session, a: list[bytes]) -> bytes:
    """DEL key [key …]; UNLINK key [key …]: big values are freed in slices either way."""
    db: Db = c.db
    n = 0
    for key in a[1:]:
        if db.expired(key) and not db.keys.has(key):
            continue  # it is gone now; one that is only hidden is deleted, and counts
        if db.remove(key):
            n += 1
            db.changed(key, EV_GENERIC, b"del")
    return integer(n)


def exists(c: Session, a: list[bytes]) -> bytes:
    """EXISTS key [key …]."""
    return integer(sum(c.db.glance(key) is not None for key in a[1:]))


def touch(c: Session, a: list[bytes]) -> bytes:
    """TOUCH key [key …]: EXISTS, and a use of the keys."""
    return integer(sum(c.db.lookup(key) is not None for key in a[1:]))


def type_(c: Session, a: list[bytes]) -> bytes:
    """TYPE key."""
    value = c.db.glance(a[1])
    return simple(b"none" if value is None else kind_of(value))


def keys(c: Session, a: list[bytes]) -> bytes:
    """KEYS pattern."""
    db = c.db
    if is_literal(a[1]):
        return bulks([a[1]] if db.peek(a[1]) is not None else [])
    match = None if a[1] == b"*" else matcher(a[1])
    found = [key for key in db.keys if match is None or match(key)]
    if db.keys.expiring:
        found = [key for key in found if db.peek(key) is not None]
    return bulks(found)


MAX_DIGITS = 64
"""Longer numbers aren't looked at."""


def parse_cursor(raw: bytes) -> int:
    """Read a SCAN cursor as strtoul does: an unsigned 64-bit number; nothing is 0, a minus sign turns it round."""
    text = raw.partition(b"\0")[0]
    digits = text[1:] if text[:1] in (b"+", b"-") else text
    if (text and not digits.isdigit()) or len(text) > MAX_DIGITS or int(digits or b"0") >= 1 << 64:
        raise CommandError("ERR invalid cursor")
    value = int(text or b"0")
    return value & ((1 << 48) - 1)


def scan_options(a: list[bytes], i: int, typed: bool = False) -> tuple[bytes, int, bytes]:
    """Read [MATCH pattern] [COUNT n] [TYPE t] from argument `i` on; return (pattern, count, type)."""
    pattern = b"*"
    count = 10
    kind = b""
    while i < len(a):
        option = a[i].upper()
        if i + 1 >= len(a):
            raise CommandError(SYNTAX)
        if option == b"COUNT":
            count = parse_int(a[i + 1])
            if count < 1:
                raise CommandError(SYNTAX)
        elif option == b"MATCH":
            pattern = a[i + 1]
        elif option == b"TYPE" and typed:
            kind = a[i + 1].lower()
        else:
            raise CommandError(SYNTAX)
        i += 2
    return pattern, count, kind


def scan_reply(cursor: int, items: list[bytes]) -> bytes:
    """Encode what a command of the SCAN family returns."""
    return array_header(2) + bulk(b"%d" % cursor) + bulks(items)


def scan(c: Session, a: list[bytes]) -> bytes:
    """SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]."""
    cursor = parse_cursor(a[1])
    pattern, count, kind = scan_options(a, 2, typed=True)
    db = c.db
    cursor, scanned = db.keys.scan(cursor, min(count, 1 << 20))
    match = None if pattern == b"*" else matcher(pattern)
    found = []
    for key in scanned:
        if match is not None and not match(key):
            continue
        if kind and kind_of(db.keys.get(key)) != kind:
            continue
        if db.keys.expiring and db.peek(key) is None:
            continue
        found.append(key)
    return scan_reply(cursor, found)


def randomkey(c: Session, a: list[bytes]) -> bytes:
    """RANDOMKEY."""
    key = c.db.random_key()
    return null(c.resp) if key is None else bulk(key)


def rename(c: Session, a: list[bytes]) -> bytes:
    """RENAME key newkey."""
    _rename(c.db, a[1], a[2])
    return OK


def renamenx(c: Session, a: list[bytes]) -> bytes:
    """RENAMENX key newkey."""
    if c.db.peek(a[1]) is None:
        raise CommandError(NO_KEY)
    if c.db.lookup_write(a[2]) is not None:
        return ZERO
    _rename(c.db, a[1], a[2])
    return ONE


def _rename(db: Db, source: bytes, target: bytes) -> None:
    value = db.lookup_write(source)
    if value is None:
        raise CommandError(NO_KEY)
    if source == target:
        return
    when = db.ttl_at(source)
    if db.lookup_write(target) is not None:
        db.remove(target)
    db.before_write(source)
    db.keys.pop(source)
    if db.access is not None:
        db.access.forget(source)
    db.put(target, value)
    enlist(db, target, value)
    if when >= 0:
        db.expire_at(target, when)
    db.changed(source, EV_GENERIC, b"rename_from")
    db.state.dirty -= 1  # the two are one change
    db.changed(target, EV_GENERIC, b"rename_to")


def db_index(c: Session, raw: bytes, text: str = OUT_OF_RANGE) -> int:
    """Read the number of a database that exists."""
    index = parse_int(raw)
    if not -(1 << 31) <= index < 1 << 31:
        raise CommandError("ERR value is out of range, value must between -2147483648 and 2147483647")
    if not 0 <= index < len(c.engine.dbs):
        raise CommandError(text)
    return index


def move(c: Session, a: list[bytes]) -> bytes:
    """MOVE key db."""
    source = c.db
    target = c.engine.dbs[db_index(c, a[2], "ERR DB index is out of range")]
    if source is target:
        raise CommandError("ERR source and destination objects are the same")
    value = source.lookup_write(a[1])
    if value is None or target.peek(a[1]) is not None:
        return ZERO
    when = source.ttl_at(a[1])
    source.before_write(a[1])
    source.keys.pop(a[1])
    if source.access is not None:
        source.access.forget(a[1])
    target.put(a[1], value)
    enlist(target, a[1], value)
    if when >= 0:
        target.expire_at(a[1], when)
    source.changed(a[1], EV_GENERIC, b"move_from")
    source.state.dirty -= 1  # the two are one change
    target.changed(a[1], EV_GENERIC, b"move_to")
    return ONE


def copy(c: Session, a: list[bytes]) -> bytes:
    """COPY source destination [DB n] [REPLACE]."""
    target = c.db
    replace = False
    i = 3
    while i < len(a):
        option = a[i].upper()
        if option == b"REPLACE":
            replace = True
        elif option == b"DB" and i + 1 < len(a):
            i += 1
            target = c.engine.dbs[db_index(c, a[i], "ERR DB index is out of range")]
        else:
            raise CommandError(SYNTAX)
        i += 1
    if target is c.db and a[1] == a[2]:
        raise CommandError("ERR source and destination objects are the same")
    value = c.db.lookup(a[1])
    if value is None:
        return ZERO
    if target.peek(a[2]) is not None:
        if not replace:
            return ZERO
        target.remove(a[2])
    twin = copy_value(value)
    target.put(a[2], twin)
    enlist(target, a[2], twin)
    when = c.db.ttl_at(a[1])
    if when >= 0:
        target.expire_at(a[2], when)
    target.changed(a[2], EV_GENERIC, b"copy_to")
    return ONE


def ttl(c: Session, a: list[bytes]) -> bytes:
    """TTL key."""
    return _time_left(c, a[1], 1000, False)


def pttl(c: Session, a: list[bytes]) -> bytes:
    """PTTL key."""
    return _time_left(c, a[1], 1, False)


def expiretime(c: Session, a: list[bytes]) -> bytes:
    """EXPIRETIME key."""
    return _time_left(c, a[1], 1000, True)


def pexpiretime(c: Session, a: list[bytes]) -> bytes:
    """PEXPIRETIME key."""
    return _time_left(c, a[1], 1, True)


def _time_left(c: Session, key: bytes, unit_ms: int, absolute: bool) -> bytes:
    db = c.db
    if db.glance(key) is None:
        return MINUS_TWO
    when = db.ttl_at(key)
    if when < 0:
        return MINUS_ONE
    ms = when if absolute else max(when - db.state.now_ms, 0)
    return integer(ms if unit_ms == 1 else (ms + 500) // 1000)


def persist(c: Session, a: list[bytes]) -> bytes:
    """PERSIST key."""
    if c.db.lookup_write(a[1]) is None or not c.db.persist(a[1]):
        return ZERO
    c.db.changed(a[1], EV_GENERIC, b"persist")
    return ONE


HANDLERS = {
    "COPY": copy,
    "DEL": del_,
    "EXISTS": exists,
    "EXPIRETIME": expiretime,
    "KEYS": keys,
    "MOVE": move,
    "PERSIST": persist,
    "PEXPIRETIME": pexpiretime,
    "PTTL": pttl,
    "RANDOMKEY": randomkey,
    "RENAME": rename,
    "RENAMENX": renamenx,
    "SCAN": scan,
    "TOUCH": touch,
    "TTL": ttl,
    "TYPE": type_,
    "UNLINK": del_,
}
