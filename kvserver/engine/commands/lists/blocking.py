"""List commands that wait until there is something to take (https://redis.io/commands/blpop/)."""

from __future__ import annotations

from kvserver.engine.commands.args import timeout_ms
from kvserver.engine.commands.lists.lists import ENDS, is_left, move, mpop_arguments, pop_first
from kvserver.engine.commands.typed import as_list, removed
from kvserver.engine.commands.waiting import candidates, wait_for
from kvserver.engine.keys.keyspace import EV_LIST
from kvserver.engine.run.session import Session
from kvserver.engine.values.list_value import ListValue
from kvserver.wire.resp import array_header, bulk, null


def blpop(c: Session, a: list[bytes]) -> bytes | None:
    """BLPOP key [key …] timeout."""
    return _pop(c, a, True)


def brpop(c: Session, a: list[bytes]) -> bytes | None:
    """BRPOP key [key …] timeout."""
    return _pop(c, a, False)


def _pop(c: Session, a: list[bytes], head: bool) -> bytes | None:
    db = c.db
    timeout = timeout_ms(a[-1], db.state.now_ms)
    keys = a[1:-1]
    for key in candidates(c, keys, ListValue):
        value = as_list(db.lookup_write(key))
        if value is not None:
            element = value.pop_head() if head else value.pop_tail()
            removed(db, key, value, EV_LIST, b"lpop" if head else b"rpop", 1)
            db.state.instead(db.index, [b"LPOP" if head else b"RPOP", key])
            return array_header(2) + bulk(key) + bulk(element)
    return wait_for(c, "list", keys, timeout)


def blmpop(c: Session, a: list[bytes]) -> bytes | None:
    """BLMPOP timeout numkeys key [key …] LEFT|RIGHT [COUNT count]."""
    keys, head, count = mpop_arguments(a, 2, ENDS)
    timeout = timeout_ms(a[1], c.db.state.now_ms)
    reply = pop_first(c.db, candidates(c, keys, ListValue), head, count)
    return wait_for(c, "list", keys, timeout) if reply is None else reply


def blmove(c: Session, a: list[bytes]) -> bytes | None:
    """BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout."""
    from_head, to_head = is_left(a[3]), is_left(a[4])
    timeout = timeout_ms(a[5], c.db.state.now_ms)
    return _move(c, a, from_head, to_head, timeout, [b"LMOVE", *a[1:5]])


def brpoplpush(c: Session, a: list[bytes]) -> bytes | None:
    """BRPOPLPUSH source destination timeout."""
    timeout = timeout_ms(a[3], c.db.state.now_ms)
    return _move(c, a, False, True, timeout, [b"RPOPLPUSH", a[1], a[2]])


def _move(
    c: Session, a: list[bytes], from_head: bool, to_head: bool, timeout: int, effect: list[bytes]
) -> bytes | None:
    db = c.db
    element = None
    if candidates(c, [a[1]], ListValue):
        element = move(db, a[1], a[2], from_head, to_head)
    if element is None:
        return wait_for(c, "list", [a[1]], timeout, nothing=_nothing)
    db.state.instead(db.index, effect)
    return bulk(element)


def _nothing(c: Session) -> bytes:
    return null(c.resp)


HANDLERS = {
    "BLMOVE": blmove,
    "BLMPOP": blmpop,
    "BLPOP": blpop,
    "BRPOP": brpop,
    "BRPOPLPUSH": brpoplpush,
}
