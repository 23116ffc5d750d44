"""HEXPIRE and its kin: hash fields that expire (Redis 7.4; https://redis.io/commands/?group=hash).

Each command names its fields behind FIELDS and their number, and replies one number a field.  What is logged is
deterministic: HPEXPIREAT of the fields whose time was set, HDEL of those whose time lay in the past.
"""

from __future__ import annotations

from collections.abc import Callable

from kvserver.engine.command_table.row import Handler
from kvserver.engine.commands.typed import as_hash, removed
from kvserver.engine.keys.hash_expiry import expiring, named, settled
from kvserver.engine.keys.keyspace import EV_HASH, EXPIRE_DELETE, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import ExpiringHash
from kvserver.errors import INVALID_EXPIRE, CommandError
from kvserver.wire.numbers import INT64_MAX, parse_int, parse_range
from kvserver.wire.resp import array_header, integer

LATEST_MS = (1 << 46) - 1
"""The latest time at which a field may expire, Unix milliseconds; Redis has no room for later ones."""
NO_FIELD = -2
NO_TIME = -1
UNMET = 0
DONE = 1
DELETED = 2

_NO_FIELDS = "ERR Mandatory argument FIELDS is missing or not at the right position"
_TOO_FEW = "ERR Parameter `numFields` should be greater than 0"
_NOT_POSITIVE = "ERR Number of fields must be a positive integer"
_MISMATCH = "ERR The `numfields` parameter must match the number of arguments"

# What NX, XX, GT and LT ask of the old time (-1 for none) and the new one.
_CONDITIONS: dict[bytes, Callable[[int, int], bool]] = {
    b"NX": lambda old, new: old < 0,
    b"XX": lambda old, new: old >= 0,
    b"GT": lambda old, new: 0 <= old < new,
    b"LT": lambda old, new: old < 0 or new < old,
}


def _fields(a: list[bytes], at: int, text: str) -> list[bytes]:
    """Read "FIELDS number field …" from argument `at` on; `text` is the error for a number that is none."""
    if a[at].upper() != b"FIELDS":
        raise CommandError(_NO_FIELDS)
    count = parse_range(a[at + 1], 1, INT64_MAX, text) if at + 1 < len(a) else 0
    if count != len(a) - at - 2:
        raise CommandError(_MISMATCH)
    return a[at + 2 :]


def _numbers(values: list[int]) -> bytes:
    return array_header(len(values)) + b"".join(map(integer, values))


def _set_time(name: str, unit_ms: int, absolute: bool) -> Handler:
    """Make the handler of HEXPIRE, HPEXPIRE, HEXPIREAT or HPEXPIREAT."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        db = c.db
        value = as_hash(db.lookup_write(a[1]))
        when = _time(a[2], unit_ms, 0 if absolute else db.state.now_ms, name)
        condition = _CONDITIONS.get(a[3].upper())
        fields = _fields(a, 3 if condition is None else 4, _TOO_FEW)
        if value is None:
            return _numbers([NO_FIELD] * len(fields))
        return _numbers(_apply(db, a[1], expiring(db, a[1], value), when, condition, fields))

    handler.__doc__ = f"{name.upper()} key time [NX|XX|GT|LT] FIELDS number field [field …]."
    return handler


def _time(raw: bytes, unit_ms: int, base_ms: int, name: str) -> int:
    """Turn the time of a command into Unix milliseconds."""
    value = parse_int(raw)
    if value < 0:
        raise CommandError("ERR invalid expire time, must be >= 0")
    if value * unit_ms > LATEST_MS - base_ms:
        raise CommandError(INVALID_EXPIRE % name)
    return value * unit_ms + base_ms


def _apply(
    db: Db,
    key: bytes,
    value: ExpiringHash,
    when: int,
    condition: Callable[[int, int], bool] | None,
    fields: list[bytes],
) -> list[int]:
    """Give fields their time; return what became of each."""
    state = db.state
    if settled(db, key, value, fields) is None:
        return [NO_FIELD] * len(fields)
    past = when <= state.now_ms and state.expire_mode == EXPIRE_DELETE
    found: list[int] = []
    changed: list[bytes] = []
    for field in fields:
        if not value.has(field):
            found.append(NO_FIELD)
        elif condition is not None and not condition(value.ttl_at(field), when):
            found.append(UNMET)
        else:
            found.append(DELETED if past else DONE)
            changed.append(field)
            if past:
                value.pop(field)
            else:
                value.expire_at(field, when)
    if not changed:
        return found
    if past:
        state.expired_fields += len(changed)
        state.instead(db.index, [b"HDEL", key, *changed])
        removed(db, key, value, EV_HASH, b"hdel", len(changed))
        return found
    db.field_expires.set(key, value.next_ms())
    state.instead(db.index, [b"HPEXPIREAT", key, b"%d" % when, b"FIELDS", b"%d" % len(changed), *changed])
    db.changed(key, EV_HASH, b"hexpire")
    state.dirty += len(changed) - 1
    return found


def _get_time(unit_ms: int, absolute: bool) -> Handler:
    """Make the handler of HTTL, HPTTL, HEXPIRETIME or HPEXPIRETIME; seconds are rounded up."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        """HTTL … key FIELDS number field [field …]."""
        db = c.db
        value = as_hash(db.lookup(a[1]))
        fields = _fields(a, 2, _NOT_POSITIVE)
        living = None if value is None else named(db, a[1], value, fields)
        base = 0 if absolute else db.state.now_ms
        found = []
        for field in fields:
            when = value.ttl_at(field) if type(value) is ExpiringHash else -1
            if living is None or not living.has(field):
                found.append(NO_FIELD)
            elif when < 0:
                found.append(NO_TIME)
            else:
                found.append((when - base + unit_ms - 1) // unit_ms)
        return _numbers(found)

    return handler


def hpersist(c: Session, a: list[bytes]) -> bytes:
    """HPERSIST key FIELDS number field [field …]."""
    db = c.db
    value = as_hash(db.lookup_write(a[1]))
    fields = _fields(a, 2, _NOT_POSITIVE)
    if type(value) is ExpiringHash:
        value = settled(db, a[1], value, fields)
    found = []
    for field in fields:
        if value is None or not value.has(field):
            found.append(NO_FIELD)
        elif type(value) is not ExpiringHash or not value.ttls.discard(field):
            found.append(NO_TIME)
        else:
            found.append(DONE)
    if DONE in found:
        db.changed(a[1], EV_HASH, b"hpersist")
    return _numbers(found)


HANDLERS: dict[str, Handler] = {
    "HEXPIRE": _set_time("hexpire", 1000, False),
    "HEXPIREAT": _set_time("hexpireat", 1000, True),
    "HEXPIRETIME": _get_time(1000, True),
    "HPERSIST": hpersist,
    "HPEXPIRE": _set_time("hpexpire", 1, False),
    "HPEXPIREAT": _set_time("hpexpireat", 1, True),
    "HPEXPIRETIME": _get_time(1, True),
    "HPTTL": _get_time(1, False),
    "HTTL": _get_time(1000, False),
}
