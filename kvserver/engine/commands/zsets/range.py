"""Ranges of sorted sets: by place, by score, by name; read, counted, removed, stored.

Every form comes down to one: bounds are read into `Bounds`, whose `find` turns them into the places [start, stop) in
ascending order; a reversed range mirrors the places.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import cython

from kvserver.engine.commands.typed import clamp
from kvserver.engine.commands.zsets.zsets import scores_reply
from kvserver.engine.keys.keyspace import EV_ZSET
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import BOTTOM, TOP, ZSetValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.resp import EMPTY_ARRAY, ZERO

if cython.compiled:
    from cython.cimports.kvserver.engine.commands.strings.strings import small_int  # type: ignore
    from cython.cimports.kvserver.engine.commands.typed import as_zset, removed, removed_all, stored  # type: ignore
    from cython.cimports.kvserver.wire.numbers import parse_int, plain, read_double  # type: ignore
    from cython.cimports.kvserver.wire.resp import bulks, integer  # type: ignore
else:
    from kvserver.engine.commands.strings.strings import small_int
    from kvserver.engine.commands.typed import as_zset, removed, removed_all, stored
    from kvserver.wire.numbers import parse_int, plain, read_double
    from kvserver.wire.resp import bulks, integer

_NOT_SMALL = -(1 << 62)
_NOT_FLOAT = "ERR min or max is not a float"
_NOT_LEX = "ERR min or max not valid string range item"
_RANK, _SCORE, _LEX = 0, 1, 2


class Bounds:
    """The bounds of a range as they were given, and the places `start` to `stop` - 1 that `find` has found.

    By rank, `first` and `last` are places; by score, `lower` and `upper` are scores with names at the edge of all that
    have them; by name, the names are bounds that `_lex_bound` has made.
    """

    def __init__(self, kind: int, reverse: bool) -> None:
        self.kind = kind
        self.reverse = reverse
        self.first = self.last = 0
        self.lower = self.upper = 0.0
        self.lower_name: Any = None
        self.upper_name: Any = None
        self.start = self.stop = 0

    def find(self, value: ZSetValue) -> None:
        """Find the places in a sorted set, ascending; the range is empty when start >= stop."""
        if self.kind == _SCORE:
            order = value.order
            self.start = order.bisect(self.lower, self.lower_name)
            self.stop = value.used if self.upper == inf and self.upper_name is TOP else order.bisect(
                self.upper, self.upper_name
            )  # fmt: skip
        elif self.kind == _RANK:
            size = value.used
            self.start, self.stop = clamp(self.first, self.last, size)
            if self.reverse:
                self.start, self.stop = size - self.stop, size - self.start
        else:
            self.start, self.stop = _named(value, self.lower_name, self.upper_name, self.reverse)


def by_rank(low: bytes, high: bytes, reverse: bool = False) -> Bounds:
    """A range of places, negative ones counted from the end."""
    bounds = Bounds(_RANK, reverse)
    bounds.first = _number(low)
    bounds.last = _number(high)
    return bounds


def by_score(low: bytes, high: bytes) -> Bounds:
    """A range of scores, each bound exclusive behind a parenthesis."""
    bounds = Bounds(_SCORE, False)
    bounds.lower = _score(low)
    bounds.lower_name = TOP if low[:1] == b"(" else BOTTOM
    bounds.upper = _score(high)
    bounds.upper_name = BOTTOM if high[:1] == b"(" else TOP
    return bounds


def _score(raw: bytes) -> float:
    digits = plain(raw)
    if digits >= 0:
        return float(digits)
    number = (raw[1:] if raw[:1] == b"(" else raw).partition(b"\0")[0].lstrip()  # a text of C ends there
    return read_double(number, _NOT_FLOAT) if number else 0.0


def by_lex(low: bytes, high: bytes, reverse: bool = False) -> Bounds:
    """A range of names, among members that all have the same score: -, +, [inclusive, (exclusive."""
    bounds = Bounds(_LEX, reverse)
    bounds.lower_name = _lex_bound(low, False)
    bounds.upper_name = _lex_bound(high, True)
    return bounds


def _named(value: ZSetValue, lower: int | bytes, upper: int | bytes, reverse: bool) -> tuple[int, int]:
    size = len(value)
    score = value.slice(0, 1)[0][0]
    if not value.big and value.slice(size - 1, size)[0][0] != score:
        return _walk([member for _, member in value.order], lower, upper, reverse)
    ends = [bound if type(bound) is int else value.bisect(score, bound) for bound in (lower, upper)]
    return min(ends[0], size), min(ends[1], size)


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


def _cut(options: Options, bounds: Bounds) -> None:
    """Leave of the places found what LIMIT leaves, ascending; nothing when start >= stop."""
    if not options.by:
        return
    count = bounds.stop - bounds.start - options.offset
    if 0 <= options.limit < count:
        count = options.limit
    if options.offset < 0 or count <= 0:
        bounds.start = bounds.stop = 0
    elif options.reverse:
        bounds.stop -= options.offset
        bounds.start = bounds.stop - count
    else:
        bounds.start += options.offset
        bounds.stop = bounds.start + count


def _select(value: ZSetValue, options: Options, bounds: Bounds) -> list[tuple[float, bytes]]:
    """Return the (score, member) of the range, in its order."""
    bounds.find(value)
    _cut(options, bounds)
    found = value.order.slice(bounds.start, bounds.stop)
    if options.reverse:
        found.reverse()
    return found


def _range(c: Session, a: list[bytes], options: Options) -> bytes:
    bounds = _bounds(options, a[2], a[3])
    value = as_zset(c.db.lookup(a[1]))
    if value is None:
        return EMPTY_ARRAY
    if options.scores:
        return scores_reply(_select(value, options, bounds), c.resp)
    bounds.find(value)
    _cut(options, bounds)
    names = value.order.names(bounds.start, bounds.stop)
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
    bounds = _bounds(options, a[3], a[4])
    value = as_zset(c.db.lookup(a[2]))
    pairs = [] if value is None else _select(value, options, bounds)
    if options.reverse:
        pairs.reverse()
    return integer(stored(c.db, a[1], ZSetValue.of(pairs, c.db.state.limits), EV_ZSET, b"zrangestore"))


def zcount(c: Session, a: list[bytes]) -> bytes:
    """ZCOUNT key min max."""
    return _count(c, a[1], by_score(a[2], a[3]))


def zlexcount(c: Session, a: list[bytes]) -> bytes:
    """ZLEXCOUNT key min max."""
    return _count(c, a[1], by_lex(a[2], a[3]))


def _count(c: Session, key: bytes, bounds: Bounds) -> bytes:
    value = as_zset(c.db.lookup(key))
    if value is None:
        return ZERO
    bounds.find(value)
    return integer(max(bounds.stop - bounds.start, 0))


def zremrangebyrank(c: Session, a: list[bytes]) -> bytes:
    """ZREMRANGEBYRANK key start stop."""
    return _remove(c, a[1], by_rank(a[2], a[3]), b"zremrangebyrank")


def zremrangebyscore(c: Session, a: list[bytes]) -> bytes:
    """ZREMRANGEBYSCORE key min max."""
    return _remove(c, a[1], by_score(a[2], a[3]), b"zremrangebyscore")


def zremrangebylex(c: Session, a: list[bytes]) -> bytes:
    """ZREMRANGEBYLEX key min max."""
    return _remove(c, a[1], by_lex(a[2], a[3]), b"zremrangebylex")


def _remove(c: Session, key: bytes, bounds: Bounds, event: bytes) -> bytes:
    value = as_zset(c.db.lookup_write(key))
    if value is None:
        return ZERO
    bounds.find(value)
    start, stop = bounds.start, bounds.stop
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
