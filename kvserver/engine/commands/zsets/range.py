"""Ranges of sorted sets: by place, by score, by name; read, counted, removed, stored.

Every form comes down to one: bounds are read into a `Bounds`, whose `places` turns them into the places
[start, stop) in ascending order; a reversed range mirrors the places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cython

from kvserver.engine.commands.typed import as_zset, clamp, removed, removed_all, stored
from kvserver.engine.commands.zsets.zsets import scores_reply
from kvserver.engine.keys.keyspace import EV_ZSET
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import BOTTOM, TOP, ZSetValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int, read_double
from kvserver.wire.resp import EMPTY_ARRAY, ZERO

if cython.compiled:
    from cython.cimports.kvserver.engine.commands.strings.strings import small_int  # type: ignore
    from cython.cimports.kvserver.wire.resp import bulks, integer  # type: ignore
else:
    from kvserver.engine.commands.strings.strings import small_int
    from kvserver.wire.resp import bulks, integer

Bounds = Callable[[ZSetValue], tuple[int, int]]
"""Turns a value into the places (start, stop) of a range, ascending; empty when start >= stop."""

_NOT_SMALL = -(1 << 62)
_NOT_FLOAT = "ERR min or max is not a float"
_NOT_LEX = "ERR min or max not valid string range item"


def by_rank(low: bytes, high: bytes, reverse: bool = False) -> Bounds:
    """A range of places, negative ones counted from the end."""
    first = parse_int(low)
    last = parse_int(high)

    def places(value: ZSetValue) -> tuple[int, int]:
        size = len(value)
        start, stop = clamp(first, last, size)
        return (size - stop, size - start) if reverse else (start, stop)

    return places


def by_score(low: bytes, high: bytes) -> Bounds:
    """A range of scores, each bound exclusive behind a parenthesis."""
    lower, lower_name = _score_bound(low, False)
    upper, upper_name = _score_bound(high, True)

    def places(value: ZSetValue) -> tuple[int, int]:
        order = value.order
        return order.bisect(lower, lower_name), order.bisect(upper, upper_name)

    return places


def _score_bound(raw: bytes, upper: bool) -> tuple[float, Any]:
    exclusive = raw[:1] == b"("
    number = (raw[1:] if exclusive else raw).partition(b"\0")[0].lstrip()  # a text of C ends there
    score = read_double(number, _NOT_FLOAT) if number else 0.0
    return score, TOP if exclusive != upper else BOTTOM


def by_lex(low: bytes, high: bytes, reverse: bool = False) -> Bounds:
    """A range of names, among members that all have the same score: -, +, [inclusive, (exclusive."""
    lower = _lex_bound(low, False)
    upper = _lex_bound(high, True)

    def places(value: ZSetValue) -> tuple[int, int]:
        size = len(value)
        score = value.slice(0, 1)[0][0]
        if not value.big and value.slice(size - 1, size)[0][0] != score:
            return _walk([member for _, member in value.order], lower, upper, reverse)
        ends = [bound if type(bound) is int else value.bisect(score, bound) for bound in (lower, upper)]
        return min(ends[0], size), min(ends[1], size)

    return places


def _walk(names: list[bytes], lower: int | bytes, upper: int | bytes, reverse: bool) -> tuple[int, int]:
    """Find a range of names where scores differ, so that the names aren't in order.

    What Redis promises nothing about, but does in its compact encoding: the first name (or last, in reverse)
    within one bound, and those that follow it within the other.
    """
    reaches = [lower <= name if type(lower) is bytes else lower == 0 for name in names]
    within = [name < upper if type(upper) is bytes else upper != 0 for name in names]
    if not reaches[-1] or not within[0]:
        return 0, 0
    if reverse:
        stop = max((i + 1 for i, fits in enumerate(within) if fits), default=0)
        start = stop
        while start and reaches[start - 1]:
            start -= 1
        return start, stop
    start = reaches.index(True)
    stop = start
    while stop < len(names) and within[stop]:
        stop += 1
    return start, stop


def _lex_bound(raw: bytes, upper: bool) -> int | bytes:
    """Return a place beyond either end, or the smallest name above the bound's edge."""
    if raw == b"-":
        return 0
    if raw == b"+":
        return 1 << 62
    if raw[:1] not in (b"[", b"("):
        raise CommandError(_NOT_LEX)
    exclusive = raw[:1] == b"("
    return raw[1:] + b"\0" if exclusive != upper else raw[1:]


class Options:
    """What stands behind the bounds of a range."""

    def __init__(self) -> None:
        self.scores = False
        self.reverse = False
        self.by = b""  # BYSCORE, BYLEX, or by rank
        self.offset = 0
        self.limit = -1


def _options(a: list[bytes], i: int, found: Options, words: tuple[bytes, ...]) -> Options:
    """Read options from argument `i` on; `words` are those this command takes."""
    while i < len(a):
        word = a[i].upper()
        if word not in words or (word.startswith(b"BY") and found.by):
            raise CommandError(SYNTAX)
        if word == b"LIMIT":
            if i + 2 >= len(a):
                raise CommandError(SYNTAX)
            found.offset = _number(a[i + 1])
            found.limit = _number(a[i + 2])
            i += 2
        elif word == b"WITHSCORES":
            found.scores = True
        elif word == b"REV":
            if found.reverse:
                raise CommandError(SYNTAX)
            found.reverse = True
        else:
            found.by = word
        i += 1
    return found


def _number(raw: bytes) -> int:
    """Parse an integer, a short one fast."""
    number = small_int(raw)
    return parse_int(raw) if number <= _NOT_SMALL else number


def _bounds(options: Options, low: bytes, high: bytes) -> Bounds:
    if options.limit != -1 and not options.by:
        raise CommandError(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
        )
    if options.scores and options.by == b"BYLEX":
        raise CommandError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    if not options.by:
        return by_rank(low, high, options.reverse)
    if options.reverse:
        low, high = high, low
    return by_lex(low, high, options.reverse) if options.by == b"BYLEX" else by_score(low, high)


def _part(value: ZSetValue, options: Options, places: Bounds) -> tuple[int, int]:
    """Return the places (start, stop) of what LIMIT leaves of a range, ascending; nothing when start >= stop."""
    start, stop = places(value)
    if not options.by:
        return start, stop
    if options.offset < 0:
        return 0, 0
    count = stop - start - options.offset
    if 0 <= options.limit < count:
        count = options.limit
    if count <= 0:
        return 0, 0
    if options.reverse:
        stop -= options.offset
        return stop - count, stop
    start += options.offset
    return start, start + count


def _select(value: ZSetValue, options: Options, places: Bounds) -> list[tuple[float, bytes]]:
    """Return the (score, member) of the range, in its order."""
    start, stop = _part(value, options, places)
    found = value.order.slice(start, stop)
    if options.reverse:
        found.reverse()
    return found


def _range(c: Session, a: list[bytes], options: Options) -> bytes:
    places = _bounds(options, a[2], a[3])
    value = as_zset(c.db.lookup(a[1]))
    if value is None:
        return EMPTY_ARRAY
    if options.scores:
        return scores_reply(_select(value, options, places), c.resp)
    start, stop = _part(value, options, places)
    names = value.order.names(start, stop)
    if options.reverse:
        names.reverse()
    return bulks(names)


_ALL_WORDS = (b"WITHSCORES", b"LIMIT", b"REV", b"BYLEX", b"BYSCORE")


def zrange(c: Session, a: list[bytes]) -> bytes:
    """ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]."""
    return _range(c, a, _options(a, 4, Options(), _ALL_WORDS))


def _fixed(by: bytes, reverse: bool) -> Callable[[Session, list[bytes]], bytes]:
    """Make the handler of one of the older range commands."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        options = Options()
        options.by = by
        options.reverse = reverse
        return _range(c, a, _options(a, 4, options, (b"WITHSCORES", b"LIMIT")))

    return handler


def zrangestore(c: Session, a: list[bytes]) -> bytes:
    """ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]."""
    options = _options(a, 5, Options(), (b"LIMIT", b"REV", b"BYLEX", b"BYSCORE"))
    places = _bounds(options, a[3], a[4])
    value = as_zset(c.db.lookup(a[2]))
    pairs = [] if value is None else _select(value, options, places)
    if options.reverse:
        pairs.reverse()
    return integer(stored(c.db, a[1], ZSetValue.of(pairs, c.db.state.limits), EV_ZSET, b"zrangestore"))


def zcount(c: Session, a: list[bytes]) -> bytes:
    """ZCOUNT key min max."""
    return _count(c, a[1], by_score(a[2], a[3]))


def zlexcount(c: Session, a: list[bytes]) -> bytes:
    """ZLEXCOUNT key min max."""
    return _count(c, a[1], by_lex(a[2], a[3]))


def _count(c: Session, key: bytes, places: Bounds) -> bytes:
    value = as_zset(c.db.lookup(key))
    if value is None:
        return ZERO
    start, stop = places(value)
    return integer(max(stop - start, 0))


def zremrangebyrank(c: Session, a: list[bytes]) -> bytes:
    """ZREMRANGEBYRANK key start stop."""
    return _remove(c, a[1], by_rank(a[2], a[3]), b"zremrangebyrank")


def zremrangebyscore(c: Session, a: list[bytes]) -> bytes:
    """ZREMRANGEBYSCORE key min max."""
    return _remove(c, a[1], by_score(a[2], a[3]), b"zremrangebyscore")


def zremrangebylex(c: Session, a: list[bytes]) -> bytes:
    """ZREMRANGEBYLEX key min max."""
    return _remove(c, a[1], by_lex(a[2], a[3]), b"zremrangebylex")


def _remove(c: Session, key: bytes, places: Bounds, event: bytes) -> bytes:
    value = as_zset(c.db.lookup_write(key))
    if value is None:
        return ZERO
    start, stop = places(value)
    if start >= stop:
        return ZERO
    if stop - start == len(value):
        removed_all(c.db, key, value, EV_ZSET, event)
        return integer(stop - start)
    value.cut(start, stop)
    removed(c.db, key, value, EV_ZSET, event, stop - start)
    return integer(stop - start)


HANDLERS = {
    "ZCOUNT": zcount,
    "ZLEXCOUNT": zlexcount,
    "ZRANGE": zrange,
    "ZRANGEBYLEX": _fixed(b"BYLEX", False),
    "ZRANGEBYSCORE": _fixed(b"BYSCORE", False),
    "ZRANGESTORE": zrangestore,
    "ZREMRANGEBYLEX": zremrangebylex,
    "ZREMRANGEBYRANK": zremrangebyrank,
    "ZREMRANGEBYSCORE": zremrangebyscore,
    "ZREVRANGE": _fixed(b"", True),
    "ZREVRANGEBYLEX": _fixed(b"BYLEX", True),
    "ZREVRANGEBYSCORE": _fixed(b"BYSCORE", True),
}
