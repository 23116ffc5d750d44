"""Intersections, unions and differences of sets."""

from __future__ import annotations

from typing import Any

import cython

from kvserver.engine.commands.args import numkeys
from kvserver.engine.keys.keyspace import EV_SET, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import SetValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import INT64_MAX, parse_range

if cython.compiled:
    from cython.cimports.kvserver.engine.commands.sets.sets import keys_reply, members_reply  # type: ignore
    from cython.cimports.kvserver.engine.commands.typed import as_set, stored  # type: ignore
    from cython.cimports.kvserver.wire.resp import bulks, integer  # type: ignore
else:
    from kvserver.engine.commands.sets.sets import keys_reply, members_reply
    from kvserver.engine.commands.typed import as_set, stored
    from kvserver.wire.resp import bulks, integer


def _common(sets: list[SetValue | None], most: int) -> list[bytes]:
    """Return up to `most` of what all sets have, walking the smallest; all of it for 0."""
    found: list[bytes] = []
    known = [value for value in sets if value is not None]
    if len(known) < len(sets):
        return found
    if len(known) > 1:
        known.sort(key=len)
    first = known[0]
    others = known[1:]
    for part in first.parts:
        for member in part:
            for other in others:
                value: SetValue = other
                if not value.has(member):
                    break
            else:
                found.append(member)
                if len(found) == most:
                    return found
    return found


def _union(sets: list[SetValue | None]) -> dict[bytes, Any]:
    """Return what any set has, as the keys of a dictionary."""
    found: dict[bytes, Any] = {}
    for value in sets:
        if value is not None:
            for part in value.parts:
                found.update(part)
    return found


def _diff(sets: list[SetValue | None]) -> list[bytes]:
    """Return what the first set has and no other."""
    found: list[bytes] = []
    first = sets[0]
    others = [value for value in sets[1:] if value is not None]
    if first is None:
        return found
    for part in first.parts:
        for member in part:
            for other in others:
                value: SetValue = other
                if value.has(member):
                    break
            else:
                found.append(member)
    return found


def _gather(members: list[bytes], limits: Limits) -> SetValue:
    result = SetValue(limits)
    for member in members:
        result.add(member)
    return result


def _read(db: Db, keys: list[bytes]) -> list[SetValue | None]:
    return [as_set(db.lookup(key)) for key in keys]


def _reply(members: list[bytes], proto: int) -> bytes:
    reply = bulks(members)
    return b"~" + reply[1:] if proto == 3 else reply


def _store(c: Session, target: bytes, members: list[bytes], event: bytes) -> bytes:
    return integer(stored(c.db, target, _gather(members, c.db.state.limits), EV_SET, event))


def sinter(c: Session, a: list[bytes]) -> bytes:
    """SINTER key [key …]."""
    return _reply(_common(_read(c.db, a[1:]), 0), c.resp)


def sunion(c: Session, a: list[bytes]) -> bytes:
    """SUNION key [key …]."""
    sets = _read(c.db, a[1:])
    if len(sets) == 1:
        return members_reply(sets[0], c.resp)
    found = _union(sets)
    return keys_reply([found], len(found), c.resp)


def sdiff(c: Session, a: list[bytes]) -> bytes:
    """SDIFF key [key …]."""
    return _reply(_diff(_read(c.db, a[1:])), c.resp)


def sinterstore(c: Session, a: list[bytes]) -> bytes:
    """SINTERSTORE destination key [key …]."""
    return _store(c, a[1], _common(_read(c.db, a[2:]), 0), b"sinterstore")


def sunionstore(c: Session, a: list[bytes]) -> bytes:
    """SUNIONSTORE destination key [key …]."""
    return _store(c, a[1], list(_union(_read(c.db, a[2:]))), b"sunionstore")


def sdiffstore(c: Session, a: list[bytes]) -> bytes:
    """SDIFFSTORE destination key [key …]."""
    return _store(c, a[1], _diff(_read(c.db, a[2:])), b"sdiffstore")


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
    return integer(len(_common(_read(c.db, a[2 : 2 + n]), limit)))


HANDLERS = {
    "SDIFF": sdiff,
    "SDIFFSTORE": sdiffstore,
    "SINTER": sinter,
    "SINTERCARD": sintercard,
    "SINTERSTORE": sinterstore,
    "SUNION": sunion,
    "SUNIONSTORE": sunionstore,
}
