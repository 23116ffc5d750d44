"""Sorted-set commands on single members (https://redis.io/commands/?group=sorted-set)."""

from __future__ import annotations

import cython

from kvserver.engine.commands import typed
from kvserver.engine.commands.args import positive_count
from kvserver.engine.commands.lists.lists import mpop_arguments
from kvserver.engine.commands.picking import pairs_reply, pick, pick_arguments, scan_value
from kvserver.engine.commands.typed import WRONG
from kvserver.engine.keys.keyspace import EV_ZSET, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import NEW, SAME, ZSetValue
from kvserver.errors import SYNTAX, CommandError, wrong_arity
from kvserver.wire import numbers
from kvserver.wire.resp import EMPTY_ARRAY, ONE, ZERO, array_header, bulks, double, null_array

if cython.compiled:
    from cython.cimports.kvserver.engine.commands.strings.strings import small_int  # type: ignore
    from cython.cimports.kvserver.engine.commands.typed import as_zset, emptied, removed  # type: ignore
    from cython.cimports.kvserver.wire.numbers import parse_float, plain  # type: ignore
    from cython.cimports.kvserver.wire.resp import bulk, integer, null  # type: ignore
else:
    from kvserver.engine.commands.strings.strings import small_int
    from kvserver.engine.commands.typed import as_zset, emptied, removed
    from kvserver.wire.numbers import parse_float, plain
    from kvserver.wire.resp import bulk, integer, null

EXACT = 1 << 53
"""Integers up to here are exact as doubles."""
_NUMBERS = b"0123456789.+-"
"""What a score that is no word begins with."""
_SAME, _NEW = SAME, NEW  # C's copies, declared in the .pxd


def zadd(c: Session, a: list[bytes]) -> bytes:
    """ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member …]."""
    if len(a) == 4:
        number = plain(a[2])
        if number < 0:
            number = small_int(a[2])
        if -EXACT < number < EXACT:
            return _add_one(c.db, a[1], float(number), a[3])
        if a[2][:1] in _NUMBERS:
            return _add_one(c.db, a[1], parse_float(a[2]) + 0.0, a[3])  # no negative zero
    return _add_with_options(c, a)


def _add_one(db: Db, key: bytes, score: float, member: bytes) -> bytes:
    value = db.lookup_write(key)
    if value is None:
        value = ZSetValue(db.state.limits)
        db.put(key, value)
    elif type(value) is not ZSetValue:
        return WRONG
    scores: ZSetValue = value
    done = scores.place(member, score)
    if done == _SAME:
        return ZERO
    db.changed(key, EV_ZSET, b"zadd")
    return ONE if done == _NEW else ZERO


NX, XX, GT, LT, CH, INCR = 1, 2, 4, 8, 16, 32
_OPTIONS = {b"NX": NX, b"XX": XX, b"GT": GT, b"LT": LT, b"CH": CH, b"INCR": INCR}
_NOT_A_NUMBER = "ERR resulting score is not a number (NaN)"


def _add_with_options(c: Session, a: list[bytes]) -> bytes:
    flags = 0
    i = 2
    while i < len(a):
        bit = _OPTIONS.get(a[i].upper(), 0)
        if not bit:
            break
        flags |= bit
        i += 1
    pairs = a[i:]
    if not pairs or len(pairs) % 2:
        raise CommandError(SYNTAX)
    if flags & NX and flags & XX:
        raise CommandError("ERR XX and NX options at the same time are not compatible")
    if (flags & NX and flags & (GT | LT)) or (flags & GT and flags & LT):
        raise CommandError("ERR GT, LT, and/or NX options at the same time are not compatible")
    if flags & INCR and len(pairs) > 2:
        raise CommandError("ERR INCR option supports a single increment-element pair")
    return _add_pairs(c, a[1], pairs, flags)


def _add_pairs(c: Session, key: bytes, pairs: list[bytes], flags: int) -> bytes:
    given = [parse_float(raw) + 0.0 for raw in pairs[::2]]  # no negative zero
    db = c.db
    value = as_zset(db.lookup_write(key))
    fresh = value is None
    if value is None:
        value = ZSetValue(db.state.limits)
    added = updated = 0
    result: float | None = None
    for score, member in zip(given, pairs[1::2], strict=True):
        old = value.get(member)
        result = _decide(old, score, flags)
        if result is None:
            continue
        if old is None:
            value.put(member, result)
            added += 1
        elif old != result:
            value.put(member, result)
            updated += 1
    if fresh and added:
        db.put(key, value)
    if added or updated:
        db.changed(key, EV_ZSET, b"zincr" if flags & INCR else b"zadd")
        db.state.dirty += added + updated - 1
    if flags & INCR:
        return null(c.resp) if result is None else double(result, c.resp)
    return integer(added + updated if flags & CH else added)


def _decide(old: float | None, score: float, flags: int) -> float | None:
    """Return the score a member gets, or None to leave it (or its absence) alone."""
    if old is None:
        return None if flags & XX else score
    if flags & NX:
        return None
    if flags & INCR:
        score += old
        if score != score:
            raise CommandError(_NOT_A_NUMBER)
    if (flags & LT and score >= old) or (flags & GT and score <= old):
        return None
    return score


def zincrby(c: Session, a: list[bytes]) -> bytes:
    """ZINCRBY key increment member."""
    return _add_pairs(c, a[1], a[2:], INCR)


def zrem(c: Session, a: list[bytes]) -> bytes:
    """ZREM key member [member …]."""
    value = as_zset(c.db.lookup_write(a[1]))
    if value is None:
        return ZERO
    gone = 0
    for member in a[2:]:
        if value.discard(member):
            gone += 1
    if gone:
        removed(c.db, a[1], value, EV_ZSET, b"zrem", gone)
    return integer(gone)


def zcard(c: Session, a: list[bytes]) -> bytes:
    """ZCARD key."""
    value = as_zset(c.db.lookup(a[1]))
    return ZERO if value is None else integer(len(value))


def zscore(c: Session, a: list[bytes]) -> bytes:
    """ZSCORE key member."""
    value = as_zset(c.db.lookup(a[1]))
    score = None if value is None else value.get(a[2])
    return null(c.resp) if score is None else double(score, c.resp)


def zmscore(c: Session, a: list[bytes]) -> bytes:
    """ZMSCORE key member [member …]."""
    value = as_zset(c.db.lookup(a[1]))
    out = [array_header(len(a) - 2)]
    for member in a[2:]:
        score = None if value is None else value.get(member)
        out.append(null(c.resp) if score is None else double(score, c.resp))
    return b"".join(out)


def zrank(c: Session, a: list[bytes]) -> bytes:
    """ZRANK key member [WITHSCORE]."""
    if len(a) > 3:
        return _rank_and_score(c, a, "zrank", False)
    value = as_zset(c.db.lookup(a[1]))
    score = None if value is None else value.get(a[2])
    if value is None or score is None:
        return null(c.resp)
    return integer(value.order.bisect(score, a[2]))


def zrevrank(c: Session, a: list[bytes]) -> bytes:
    """ZREVRANK key member [WITHSCORE]."""
    if len(a) > 3:
        return _rank_and_score(c, a, "zrevrank", True)
    value = as_zset(c.db.lookup(a[1]))
    score = None if value is None else value.get(a[2])
    if value is None or score is None:
        return null(c.resp)
    return integer(value.used - 1 - value.order.bisect(score, a[2]))


def _rank_and_score(c: Session, a: list[bytes], name: str, reverse: bool) -> bytes:
    """The form of ZRANK and ZREVRANK since Redis 7.2; before, there was no more than a member to name."""
    if len(a) > 4 or a[3].upper() != b"WITHSCORE":
        raise wrong_arity(name)
    value = as_zset(c.db.lookup(a[1]))
    if value is None or not value.has(a[2]):
        return null_array(c.resp)
    rank = value.rank(a[2])
    place = len(value) - 1 - rank if reverse else rank
    return array_header(2) + integer(place) + double(value.get(a[2]), c.resp)


def zpopmin(c: Session, a: list[bytes]) -> bytes:
    """ZPOPMIN key [count]."""
    return _pop(c, a, True)


def zpopmax(c: Session, a: list[bytes]) -> bytes:
    """ZPOPMAX key [count]."""
    return _pop(c, a, False)


def _pop(c: Session, a: list[bytes], lowest: bool) -> bytes:
    n = len(a)
    if n > 3:
        raise CommandError(SYNTAX)
    count = 1 if n == 2 else positive_count(a[2])
    value = c.db.lookup_write(a[1])
    if value is None:
        return EMPTY_ARRAY
    if type(value) is not ZSetValue:
        return WRONG
    if count == 0:
        return EMPTY_ARRAY
    if n == 2:
        score, member = take_one(c.db, a[1], value, lowest)
        return b"*2\r\n%b%b" % (bulk(member), double(score, c.resp))
    found = take(c.db, a[1], value, lowest, count)
    return scores_reply(found, c.resp)


def take_one(db: Db, key: bytes, value: ZSetValue, lowest: bool) -> tuple[float, bytes]:
    """Remove the (score, member) at one end and report the change."""
    pair = value.pop_edge(lowest)
    db.changed(key, EV_ZSET, b"zpopmin" if lowest else b"zpopmax")
    if value.used == 0:
        emptied(db, key)
    return pair


def take(db: Db, key: bytes, value: ZSetValue, lowest: bool, count: int) -> list[tuple[float, bytes]]:
    """Remove up to `count` > 0 members from one end, the outermost first, and report the change."""
    size = value.used
    if count > size:
        count = size
    if lowest:
        found = value.cut(0, count)
    else:
        found = value.cut(size - count, size)
        found.reverse()
    removed(db, key, value, EV_ZSET, b"zpopmin" if lowest else b"zpopmax", count)
    return found


def scores_reply(pairs: list[tuple[float, bytes]], proto: int) -> bytes:
    """Encode (score, member) as members with their scores."""
    return pairs_reply([(member, double(score, proto)) for score, member in pairs], proto)


ENDS = (b"MIN", b"MAX")


def zmpop(c: Session, a: list[bytes]) -> bytes:
    """ZMPOP numkeys key [key …] MIN|MAX [COUNT count]."""
    keys, lowest, count = mpop_arguments(a, 1, ENDS)
    reply = pop_first(c, keys, lowest, count)
    return null_array(c.resp) if reply is None else reply


def pop_first(c: Session, keys: list[bytes], lowest: bool, count: int) -> bytes | None:
    """Take up to `count` members from the first sorted set that has any; the reply, or None when none has."""
    db = c.db
    for key in keys:
        value = as_zset(db.lookup_write(key))
        if value is not None:
            found = take(db, key, value, lowest, count)
            db.state.instead(db.index, [b"ZPOPMIN" if lowest else b"ZPOPMAX", key, b"%d" % len(found)])
            pairs = [b"*2\r\n%b%b" % (bulk(member), double(score, c.resp)) for score, member in found]
            return array_header(2) + bulk(key) + array_header(len(pairs)) + b"".join(pairs)
    return None


def zrandmember(c: Session, a: list[bytes]) -> bytes:
    """ZRANDMEMBER key [count [WITHSCORES]]."""
    rng = c.db.state.rng
    if len(a) == 2:
        value = as_zset(c.db.lookup(a[1]))
        entry = None if value is None else value.random_entry(rng)
        return null(c.resp) if entry is None else bulk(entry[0])
    count, with_scores = pick_arguments(a, b"WITHSCORES")
    value = as_zset(c.db.lookup(a[1]))
    if value is None:
        return EMPTY_ARRAY
    entries = pick(c, value, count)
    if with_scores:
        return scores_reply([(score, member) for member, score in entries], c.resp)
    return bulks([member for member, _ in entries])


def zscan(c: Session, a: list[bytes]) -> bytes:
    """ZSCAN key cursor [MATCH pattern] [COUNT n]."""
    return scan_value(c, a, typed.as_zset, numbers.format_double)


HANDLERS = {
    "ZADD": zadd,
    "ZCARD": zcard,
    "ZINCRBY": zincrby,
    "ZMPOP": zmpop,
    "ZMSCORE": zmscore,
    "ZPOPMAX": zpopmax,
    "ZPOPMIN": zpopmin,
    "ZRANDMEMBER": zrandmember,
    "ZRANK": zrank,
    "ZREM": zrem,
    "ZREVRANK": zrevrank,
    "ZSCAN": zscan,
    "ZSCORE": zscore,
}
