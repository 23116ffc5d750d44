"""Intersections, unions and differences of sets."""

from __future__ import annotations

from collections.abc import Iterator

from kvserver.engine.commands.args import numkeys
from kvserver.engine.commands.sets.sets import members_reply
from kvserver.engine.commands.typed import as_set, stored
from kvserver.engine.keys.keyspace import EV_SET, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import SetValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import INT64_MAX, parse_range
from kvserver.wire.resp import integer


def _common(sets: list[SetValue | None]) -> Iterator[bytes]:
    """Yield what all sets have, walking the smallest."""
    known = [value for value in sets if value is not None]
    if len(known) < len(sets):
        return
    known.sort(key=len)
    others = known[1:]
    for member in known[0]:
        if all(value.has(member) for value in others):
            yield member


def _inter(sets: list[SetValue | None], limits: Limits) -> SetValue:
    return _gather(_common(sets), limits)


def _union(sets: list[SetValue | None], limits: Limits) -> SetValue:
    return _gather((member for value in sets if value is not None for member in value), limits)


def _diff(sets: list[SetValue | None], limits: Limits) -> SetValue:
    first = sets[0]
    others = [value for value in sets[1:] if value is not None]
    if first is None:
        return SetValue(limits)
    return _gather((member for member in first if not any(value.has(member) for value in others)), limits)


def _gather(members: Iterator[bytes], limits: Limits) -> SetValue:
    result = SetValue(limits)
    for member in members:
        result.add(member)
    return result


def _read(db: Db, keys: list[bytes]) -> list[SetValue | None]:
    return [as_set(db.lookup(key)) for key in keys]


def sinter(c: Session, a: list[bytes]) -> bytes:
    """SINTER key [key …]."""
    return members_reply(_inter(_read(c.db, a[1:]), c.db.state.limits), c.resp)


def sunion(c: Session, a: list[bytes]) -> bytes:
    """SUNION key [key …]."""
    return members_reply(_union(_read(c.db, a[1:]), c.db.state.limits), c.resp)


def sdiff(c: Session, a: list[bytes]) -> bytes:
    """SDIFF key [key …]."""
    return members_reply(_diff(_read(c.db, a[1:]), c.db.state.limits), c.resp)


def sinterstore(c: Session, a: list[bytes]) -> bytes:
    """SINTERSTORE destination key [key …]."""
    return integer(stored(c.db, a[1], _inter(_read(c.db, a[2:]), c.db.state.limits), EV_SET, b"sinterstore"))


def sunionstore(c: Session, a: list[bytes]) -> bytes:
    """SUNIONSTORE destination key [key …]."""
    return integer(stored(c.db, a[1], _union(_read(c.db, a[2:]), c.db.state.limits), EV_SET, b"sunionstore"))


def sdiffstore(c: Session, a: list[bytes]) -> bytes:
    """SDIFFSTORE destination key [key …]."""
    return integer(stored(c.db, a[1], _diff(_read(c.db, a[2:]), c.db.state.limits), EV_SET, b"sdiffstore"))


def sintercard(c: Session, a: list[bytes]) -> bytes:
    """SINTERCARD numkeys key [key …] [LIMIT limit]."""
    n = numkeys(a[1])
    if n > len(a) - 2:
        raise CommandError("ERR Number of keys can't be greater than number of args")
    limit = 0
    for i in range(2 + n, len(a), 2):
        if a[i].upper() != b"LIMIT" or i + 1 >= len(a):
            raise CommandError(SYNTAX)
        limit = parse_range(a[i + 1], 0, INT64_MAX, "ERR LIMIT can't be negative")
    count = 0
    for _ in _common(_read(c.db, a[2 : 2 + n])):
        count += 1
        if count == limit:
            break
    return integer(count)


HANDLERS = {
    "SDIFF": sdiff,
    "SDIFFSTORE": sdiffstore,
    "SINTER": sinter,
    "SINTERCARD": sintercard,
    "SINTERSTORE": sinterstore,
    "SUNION": sunion,
    "SUNIONSTORE": sunionstore,
}
