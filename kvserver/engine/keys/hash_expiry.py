"""Hash fields that expire: what is read of them, and who deletes them when (Redis 7.4's hash-field expiration).

Theory of operation.  An `ExpiringHash` knows when each of its fields expires.  A field whose time has come is
treated as keys are:

- a primary deletes it, and logs the HDEL: when a command names it (`named`, `settled`), when a command reads the
  whole hash (`whole`), or else when the expiry cycle comes along (`expire_due`);
- a replica hides it and waits for that HDEL;
- the primary's own stream, and loading, see it as if it were there.

As in Redis, HLEN and the SCAN cursor's size of a hash count fields that nobody has deleted yet.

`Db.field_expires` tells the cycle which keys to look at, and from when on.  It is a hint: whoever puts such a hash
at a key enters it (`enlist`), nobody takes it out but the cycle, when it finds that the key holds no such hash any
more.  So deleting and replacing keys costs nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from kvserver.engine.keys.keyspace import EV_GENERIC, EV_HASH, EXPIRE_DELETE, EXPIRE_IGNORE, Db
from kvserver.engine.values.types import ExpiringHash, HashValue

AT_ONCE = 64
"""Fields that the cycle deletes between two looks at the clock."""
_LOOKS = 4096
"""Entries of `field_expires` that `present` looks at before it takes the rest to be true."""


def enlist(db: Db, key: bytes, value: Any) -> None:
    """Tell the expiry cycle of a value that a key has just got, if it is a hash with fields that expire."""
    if type(value) is ExpiringHash and value.ttls.used:
        db.field_expires.set(key, value.next_ms())


def expiring(db: Db, key: bytes, value: HashValue) -> ExpiringHash:
    """Return the hash at `key`, found for writing, in the form whose fields can expire."""
    if type(value) is ExpiringHash:
        return value
    found = ExpiringHash.of(value)
    db.keys.set(key, found)
    return found


def is_due(db: Db, value: ExpiringHash, field: bytes) -> bool:
    """Whether a field's time has come, as far as this node judges that."""
    when = value.ttls.get(field)
    return when is not None and when <= db.state.now_ms and db.state.expire_mode != EXPIRE_IGNORE


def named(db: Db, key: bytes, value: HashValue, fields: Iterable[bytes]) -> HashValue | None:
    """For reading some fields of the hash at `key`: a hash that holds those of them which live, or None for none."""
    if type(value) is not ExpiringHash:
        return value
    left = settled(db, key, value, fields)
    if left is None or db.state.expire_mode == EXPIRE_DELETE:
        return left
    living = HashValue(value.limits)
    for field in fields:
        content = left.get(field)
        if content is not None and not is_due(db, left, field):
            living.put(field, content)
    return living


def settled(db: Db, key: bytes, value: ExpiringHash, fields: Iterable[bytes]) -> ExpiringHash | None:
    """Delete those of some fields whose time has come, on a primary; None when the hash is gone with them."""
    if value.ttls.used and db.state.expire_mode == EXPIRE_DELETE:
        late = [field for field in dict.fromkeys(fields) if is_due(db, value, field)]
        if late:
            return delete(db, key, value, late)
    return value


def whole(db: Db, key: bytes, value: HashValue) -> HashValue | None:
    """For reading all fields of the hash at `key`: a hash that holds those which live, or None for none."""
    if type(value) is not ExpiringHash or db.state.expire_mode == EXPIRE_IGNORE:
        return value
    count = value.due(db.state.now_ms)
    if not count:
        return value
    late = [field for _, field in value.ttls.slice(0, count)]
    if db.state.expire_mode == EXPIRE_DELETE:
        return delete(db, key, value, late)
    living = HashValue(value.limits)
    value.share_with(living)
    living.big = value.big
    for field in late:
        living.pop(field)
    return living if len(living) else None


def delete(db: Db, key: bytes, value: ExpiringHash, late: list[bytes]) -> ExpiringHash | None:
    """Delete fields whose time has come, log their HDEL, tell who observes; None when the hash is gone with them."""
    state = db.state
    db.before_write(key)
    state.also(db.index, [b"HDEL", key, *late])  # first: what is deleted has to be in the log, whatever happens
    for field in late:
        value.pop(field)
    state.expired_fields += len(late)
    if db.observers:
        state.on_changed(db, key, EV_HASH, b"hexpired")
    if len(value):
        return value
    db.remove(key)
    db.notify(key, EV_GENERIC, b"del")
    return None


def expire_due(db: Db, key: bytes, value: ExpiringHash, most: int) -> int:
    """Delete up to `most` fields of a hash whose time has come; return how many."""
    count = min(value.due(db.state.now_ms), most)
    if count:
        delete(db, key, value, [field for _, field in value.ttls.slice(0, count)])
    return count


def expire_part(db: Db, number: int, more: Callable[[], bool]) -> int:
    """Delete what is due in the hashes of one part of `field_expires`, until `more()` says that the time is up."""
    now = db.state.now_ms
    gone = 0
    for key, hint in list(db.field_expires.parts[number].items()):
        value = db.keys.get(key)
        if type(value) is not ExpiringHash or not value.ttls.used:
            db.field_expires.pop(key)
            continue
        if hint > now:
            continue
        while count := expire_due(db, key, value, AT_ONCE):
            gone += count
            if not more():
                return gone
        if value.ttls.used:
            db.field_expires.set(key, value.next_ms())
        else:
            db.field_expires.pop(key)
    return gone


def present(db: Db) -> bool:
    """Whether some field of the database expires; that may be said too soon after very many have gone."""
    for key in islice(db.field_expires, _LOOKS):
        value = db.keys.get(key)
        if type(value) is ExpiringHash and value.ttls.used:
            return True
    return db.field_expires.used > _LOOKS
