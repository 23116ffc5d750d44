"""List commands that never wait (https://redis.io/commands/?group=list)."""

from __future__ import annotations

from itertools import islice

import cython

from kvserver.engine.commands.args import numkeys, positive_count
from kvserver.engine.commands.typed import WRONG, clamp
from kvserver.engine.keys.keyspace import BIG, EV_LIST, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.list_value import CHUNK, ListValue
from kvserver.errors import INDEX_RANGE, NO_KEY, SYNTAX, CommandError, wrong_arity
from kvserver.wire.numbers import INT64_MAX, parse_int, parse_range
from kvserver.wire.resp import EMPTY_ARRAY, MINUS_ONE, OK, ZERO, array_header, null_array

if cython.compiled:
    from cython.cimports.kvserver.engine.commands.typed import (  # type: ignore
        as_list,
        emptied,
        removed,
        removed_all,
    )
    from cython.cimports.kvserver.wire.resp import bulk, bulks, integer, null  # type: ignore
else:
    from kvserver.engine.commands.typed import as_list, emptied, removed, removed_all
    from kvserver.wire.resp import bulk, bulks, integer, null


def lpush(c: Session, a: list[bytes]) -> bytes:
    """LPUSH key element [element …]."""
    return _push(c.db, a, True, True)


def rpush(c: Session, a: list[bytes]) -> bytes:
    """RPUSH key element [element …]."""
    return _push(c.db, a, False, True)


def lpushx(c: Session, a: list[bytes]) -> bytes:
    """LPUSHX key element [element …]."""
    return _push(c.db, a, True, False)


def rpushx(c: Session, a: list[bytes]) -> bytes:
    """RPUSHX key element [element …]."""
    return _push(c.db, a, False, False)


def _push(db: Db, a: list[bytes], head: bool, create: bool) -> bytes:
    key = a[1]
    value = db.lookup_write(key)
    if value is None:
        if not create:
            return ZERO
        value = ListValue(db.state.limits)
        db.put(key, value)
    elif type(value) is not ListValue:
        return WRONG
    elements: ListValue = value
    n = len(a)
    i: cython.Py_ssize_t
    for i in range(2, n):
        if head:
            elements.push_head(a[i])
        else:
            elements.push_tail(a[i])
    db.changed(key, EV_LIST, b"lpush" if head else b"rpush")
    if n > 3:
        db.state.dirty += n - 3
    return integer(elements.size)


def lpop(c: Session, a: list[bytes]) -> bytes:
    """LPOP key [count]."""
    if len(a) > 2:
        return _pop_many(c, a, True)
    return _pop(c, a[1], True)


def rpop(c: Session, a: list[bytes]) -> bytes:
    """RPOP key [count]."""
    if len(a) > 2:
        return _pop_many(c, a, False)
    return _pop(c, a[1], False)


def _pop(c: Session, key: bytes, head: bool) -> bytes:
    db: Db = c.db
    value = db.lookup_write(key)
    if value is None:
        return null(c.resp)
    if type(value) is not ListValue:
        return WRONG
    elements: ListValue = value
    element = elements.pop_head() if head else elements.pop_tail()
    db.changed(key, EV_LIST, b"lpop" if head else b"rpop")
    if elements.size == 0:
        emptied(db, key)
    return bulk(element)


def _pop_many(c: Session, a: list[bytes], head: bool) -> bytes:
    if len(a) > 3:
        raise wrong_arity("lpop" if head else "rpop")
    count = positive_count(a[2])
    value = as_list(c.db.lookup_write(a[1]))
    if value is None:
        return null_array(c.resp)
    if count == 0:
        return EMPTY_ARRAY
    return bulks(take(c.db, a[1], value, head, count))


def take(db: Db, key: bytes, value: ListValue, head: bool, count: int) -> list[bytes]:
    """Remove up to `count` > 0 elements from one end, nearest first, and report the change."""
    size = len(value)
    count = min(count, size)
    if head:
        found = value.slice(0, count)
    else:
        found = value.slice(size - count, size)
        found.reverse()
    if count == size:
        value.clear()
    elif head:
        value.trim(count, size)
    else:
        value.trim(0, size - count)
    removed(db, key, value, EV_LIST, b"lpop" if head else b"rpop", count)
    return found


def llen(c: Session, a: list[bytes]) -> bytes:
    """LLEN key."""
    value = as_list(c.db.lookup(a[1]))
    return ZERO if value is None else integer(len(value))


def lrange(c: Session, a: list[bytes]) -> bytes:
    """LRANGE key start stop."""
    start = parse_int(a[2])
    end = parse_int(a[3])
    value = c.db.lookup(a[1])
    if value is None:
        return EMPTY_ARRAY
    if type(value) is not ListValue:
        return WRONG
    start, stop = clamp(start, end, value.size)
    return bulks(value.slice(start, stop))


def lindex(c: Session, a: list[bytes]) -> bytes:
    """LINDEX key index."""
    value = as_list(c.db.lookup(a[1]))
    if value is None:
        return null(c.resp)
    index = parse_int(a[2])
    if index < 0:
        index += len(value)
    return bulk(value.at(index)) if 0 <= index < len(value) else null(c.resp)


def lset(c: Session, a: list[bytes]) -> bytes:
    """LSET key index element."""
    value = as_list(c.db.lookup_write(a[1]))
    if value is None:
        raise CommandError(NO_KEY)
    index = parse_int(a[2])
    if index < 0:
        index += len(value)
    if not 0 <= index < len(value):
        raise CommandError(INDEX_RANGE)
    value.put(index, a[3])
    c.db.changed(a[1], EV_LIST, b"lset")
    return OK


def lrem(c: Session, a: list[bytes]) -> bytes:
    """LREM key count element."""
    count = parse_int(a[2])
    value = as_list(c.db.lookup_write(a[1]))
    if value is None:
        return ZERO
    gone = value.remove(a[3], abs(count), count >= 0)
    if gone:
        removed(c.db, a[1], value, EV_LIST, b"lrem", gone)
    return integer(gone)


def ltrim(c: Session, a: list[bytes]) -> bytes:
    """LTRIM key start stop."""
    start = parse_int(a[2])
    end = parse_int(a[3])
    value = as_list(c.db.lookup_write(a[1]))
    if value is None:
        return OK
    size = len(value)
    start, stop = clamp(start, end, size)
    if start >= stop:
        removed_all(c.db, a[1], value, EV_LIST, b"ltrim")
        return OK
    rest = ListValue(value.limits)
    rest.chunks = value.trim(start, stop)
    if len(rest.chunks) > BIG // CHUNK:
        c.db.state.trash.append(rest)
    removed(c.db, a[1], value, EV_LIST, b"ltrim", size - len(value))
    return OK


def linsert(c: Session, a: list[bytes]) -> bytes:
    """LINSERT key BEFORE|AFTER pivot element."""
    side = a[2].upper()
    if side not in (b"BEFORE", b"AFTER"):
        raise CommandError(SYNTAX)
    value = as_list(c.db.lookup_write(a[1]))
    if value is None:
        return ZERO
    place = value.find(a[3])
    if place < 0:
        return MINUS_ONE
    value.insert(place + (side == b"AFTER"), a[4])
    c.db.changed(a[1], EV_LIST, b"linsert")
    return integer(len(value))


_RANK_ZERO = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)


def lpos(c: Session, a: list[bytes]) -> bytes:
    """LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]."""
    rank, count, maxlen = _lpos_options(a)
    value = as_list(c.db.lookup(a[1]))
    if value is None:
        return null(c.resp) if count is None else EMPTY_ARRAY
    size = len(value)
    skip = abs(rank) - 1
    want = 1 if count is None else min(count or size, size)
    places = value.places(a[2], rank > 0, maxlen or size)
    found = list(islice(places, min(skip, size), min(skip, size) + want))
    if count is None:
        return integer(found[0]) if found else null(c.resp)
    return array_header(len(found)) + b"".join([integer(i) for i in found])


def _lpos_options(a: list[bytes]) -> tuple[int, int | None, int]:
    """Return (rank, count or None, maxlen or 0 for all)."""
    rank = 1
    count: int | None = None
    maxlen = 0
    for i in range(3, len(a), 2):
        option = a[i].upper()
        if i + 1 >= len(a):
            raise CommandError(SYNTAX)
        if option == b"RANK":
            rank = parse_int(a[i + 1])
            if rank == -(2**63):  # has no opposite; in Redis it counts from the end and finds any match
                rank = -1
            if rank == 0:
                raise CommandError(_RANK_ZERO)
        elif option == b"COUNT":
            count = parse_range(a[i + 1], 0, INT64_MAX, "ERR COUNT can't be negative")
        elif option == b"MAXLEN":
            maxlen = parse_range(a[i + 1], 0, INT64_MAX, "ERR MAXLEN can't be negative")
        else:
            raise CommandError(SYNTAX)
    return rank, count, maxlen


def is_left(raw: bytes) -> bool:
    """Read LEFT or RIGHT; True for LEFT."""
    side = raw.upper()
    if side == b"LEFT":
        return True
    if side == b"RIGHT":
        return False
    raise CommandError(SYNTAX)


def lmove(c: Session, a: list[bytes]) -> bytes:
    """LMOVE source destination LEFT|RIGHT LEFT|RIGHT."""
    from_head, to_head = is_left(a[3]), is_left(a[4])
    element = move(c.db, a[1], a[2], from_head, to_head)
    return null(c.resp) if element is None else bulk(element)


def rpoplpush(c: Session, a: list[bytes]) -> bytes:
    """RPOPLPUSH source destination."""
    element = move(c.db, a[1], a[2], False, True)
    return null(c.resp) if element is None else bulk(element)


def move(db: Db, source: bytes, target: bytes, from_head: bool, to_head: bool) -> bytes | None:
    """Move an element from one list's end to another's; None when the source has none.

    Raises:
        CommandError: WRONGTYPE, of either key; nothing has moved then.
    """
    origin = as_list(db.lookup_write(source))
    if origin is None:
        return None
    goal = as_list(db.lookup_write(target))
    element = origin.pop_head() if from_head else origin.pop_tail()
    if goal is None:
        goal = ListValue(db.state.limits)
        db.put(target, goal)
    if to_head:
        goal.push_head(element)
    else:
        goal.push_tail(element)
    db.changed(target, EV_LIST, b"lpush" if to_head else b"rpush")
    db.state.dirty -= 1
    removed(db, source, origin, EV_LIST, b"lpop" if from_head else b"rpop", 1)
    return element


ENDS = (b"LEFT", b"RIGHT")


def mpop_arguments(a: list[bytes], i: int, ends: tuple[bytes, bytes]) -> tuple[list[bytes], bool, int]:
    """Read "numkeys key … END [COUNT n]" from argument `i` on; return (keys, END is the first of `ends`, count)."""
    n = numkeys(a[i])
    behind = i + 1 + n
    if behind >= len(a):
        raise CommandError(SYNTAX)
    end = a[behind].upper()
    if end not in ends:
        raise CommandError(SYNTAX)
    count = 1
    if len(a) > behind + 1:
        if len(a) < behind + 3 or a[behind + 1].upper() != b"COUNT":
            raise CommandError(SYNTAX)
        count = parse_range(a[behind + 2], 1, INT64_MAX, "ERR count should be greater than 0")
        if len(a) > behind + 3:
            raise CommandError(SYNTAX)
    return a[i + 1 : behind], end == ends[0], count


def lmpop(c: Session, a: list[bytes]) -> bytes:
    """LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count]."""
    keys, head, count = mpop_arguments(a, 1, ENDS)
    reply = pop_first(c.db, keys, head, count)
    return null_array(c.resp) if reply is None else reply


def pop_first(db: Db, keys: list[bytes], head: bool, count: int) -> bytes | None:
    """Take up to `count` elements from the first list that has any; the reply, or None when none has."""
    for key in keys:
        value = as_list(db.lookup_write(key))
        if value is not None:
            found = take(db, key, value, head, count)
            db.state.instead(db.index, [b"LPOP" if head else b"RPOP", key, b"%d" % len(found)])
            return array_header(2) + bulk(key) + bulks(found)
    return None


HANDLERS = {
    "LINDEX": lindex,
    "LINSERT": linsert,
    "LLEN": llen,
    "LMOVE": lmove,
    "LMPOP": lmpop,
    "LPOP": lpop,
    "LPOS": lpos,
    "LPUSH": lpush,
    "LPUSHX": lpushx,
    "LRANGE": lrange,
    "LREM": lrem,
    "LSET": lset,
    "LTRIM": ltrim,
    "RPOP": rpop,
    "RPOPLPUSH": rpoplpush,
    "RPUSH": rpush,
    "RPUSHX": rpushx,
}
