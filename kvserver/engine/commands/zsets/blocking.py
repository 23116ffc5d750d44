"""Sorted-set commands that wait until there is something to take (https://redis.io/commands/bzpopmin/)."""

from __future__ import annotations

from kvserver.engine.commands.args import timeout_ms
from kvserver.engine.commands.lists.lists import mpop_arguments
from kvserver.engine.commands.typed import as_zset
from kvserver.engine.commands.waiting import candidates, wait_for
from kvserver.engine.commands.zsets.zsets import ENDS, pop_first, take_one
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import ZSetValue
from kvserver.wire.resp import array_header, bulk, double


def bzpopmin(c: Session, a: list[bytes]) -> bytes | None:
    """BZPOPMIN key [key …] timeout."""
    return _pop(c, a, True)


def bzpopmax(c: Session, a: list[bytes]) -> bytes | None:
    """BZPOPMAX key [key …] timeout."""
    return _pop(c, a, False)


def _pop(c: Session, a: list[bytes], lowest: bool) -> bytes | None:
    db = c.db
    timeout = timeout_ms(a[-1], db.state.now_ms)
    keys = a[1:-1]
    for key in candidates(c, keys, ZSetValue):
        value = as_zset(db.lookup_write(key))
        if value is not None:
            score, member = take_one(db, key, value, lowest)
            db.state.instead(db.index, [b"ZPOPMIN" if lowest else b"ZPOPMAX", key])
            return array_header(3) + bulk(key) + bulk(member) + double(score, c.resp)
    return wait_for(c, "zset", keys, timeout)


def bzmpop(c: Session, a: list[bytes]) -> bytes | None:
    """BZMPOP timeout numkeys key [key …] MIN|MAX [COUNT count]."""
    keys, lowest, count = mpop_arguments(a, 2, ENDS)
    timeout = timeout_ms(a[1], c.db.state.now_ms)
    reply = pop_first(c, candidates(c, keys, ZSetValue), lowest, count)
    return wait_for(c, "zset", keys, timeout) if reply is None else reply


HANDLERS = {"BZMPOP": bzmpop, "BZPOPMAX": bzpopmax, "BZPOPMIN": bzpopmin}
