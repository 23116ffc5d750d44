"""Unions, intersections and differences of sorted sets; plain sets take part with a score of 1 a member."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

from kvserver.engine.commands.typed import stored
from kvserver.engine.commands.zsets.zsets import scores_reply
from kvserver.engine.keys.keyspace import EV_ZSET, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import SetValue, ZSetValue
from kvserver.errors import SYNTAX, WRONGTYPE, CommandError
from kvserver.wire.numbers import INT64_MAX, parse_float, parse_int, parse_range
from kvserver.wire.resp import bulks, integer

Source = SetValue | ZSetValue | None
Aggregate = Callable[[float, float], float]


def _total(one: float, other: float) -> float:
    total = one + other
    return total if total == total else 0.0  # inf - inf counts as 0


def _sum(one: float, other: float) -> float:
    return _total(one, other)


_AGGREGATES: dict[bytes, Aggregate] = {b"SUM": _sum, b"MIN": min, b"MAX": max}


class Request:
    """A combining command as it was asked."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.weights: list[float] = []
        self.aggregate: Aggregate = _sum
        self.scores = False
        self.limit = 0

    def weighted(self) -> list[tuple[Source, float]]:
        """The sources with their weights, the smallest first, the order in which Redis adds scores up."""
        pairs = list(zip(self.sources, self.weights, strict=True))
        return sorted(pairs, key=lambda pair: 0 if pair[0] is None else len(pair[0]))


_OPTIONS = (b"WEIGHTS", b"AGGREGATE", b"WITHSCORES", b"LIMIT")


def _read(db: Db, a: list[bytes], i: int, name: str, options: tuple[bytes, ...]) -> Request:
    """Read "numkeys key … [options]" from argument `i` on; `options` are those the command takes."""
    n = parse_int(a[i])
    if n < 1:
        raise CommandError(f"ERR at least 1 input key is needed for '{name}' command")
    if n > len(a) - i - 1:
        raise CommandError(SYNTAX)
    request = Request()
    for key in a[i + 1 : i + 1 + n]:
        value = db.lookup(key)
        if value is not None and type(value) is not ZSetValue and type(value) is not SetValue:
            raise CommandError(WRONGTYPE)
        request.sources.append(value)
    request.weights = [1.0] * n
    _read_options(request, a[i + 1 + n :], options)
    return request


def _read_options(request: Request, rest: list[bytes], options: tuple[bytes, ...]) -> None:
    i = 0
    n = len(request.sources)
    while i < len(rest):
        word = rest[i].upper()
        room = len(rest) - i - 1
        if word not in options or room < {b"WEIGHTS": n, b"AGGREGATE": 1, b"LIMIT": 1}.get(word, 0):
            raise CommandError(SYNTAX)
        if word == b"WEIGHTS":
            text = "ERR weight value is not a float"
            request.weights = [parse_float(raw, text) for raw in rest[i + 1 : i + 1 + n]]
            i += n
        elif word == b"AGGREGATE":
            aggregate = _AGGREGATES.get(rest[i + 1].upper())
            if aggregate is None:
                raise CommandError(SYNTAX)
            request.aggregate = aggregate
            i += 1
        elif word == b"LIMIT":
            request.limit = parse_range(rest[i + 1], 0, INT64_MAX, "ERR LIMIT can't be negative")
            i += 1
        else:
            request.scores = True
        i += 1


def _weigh(score: float, weight: float) -> float:
    product = score * weight
    return product if product == product else 0.0  # 0 * inf counts as 0


def _union(request: Request) -> dict[bytes, float]:
    found: dict[bytes, float] = {}
    aggregate = request.aggregate
    adds = aggregate is _sum
    for value, weight in request.weighted():
        if value is None:
            continue
        for part in value.parts:
            for member, raw in part.items():
                score = 1.0 if raw is True else raw
                if weight != 1.0:
                    score = _weigh(score, weight)
                old = found.get(member)
                if old is None:
                    found[member] = score
                elif adds:
                    found[member] = _total(old, score)
                else:
                    found[member] = aggregate(old, score)
    return found


def _inter(request: Request) -> dict[bytes, float]:
    found: dict[bytes, float] = {}
    sources = request.weighted()
    first, first_weight = sources[0]
    if first is None:
        return found
    for member, raw in first.items():
        total = _weigh(1.0 if raw is True else raw, first_weight)
        for value, weight in sources[1:]:
            score = None if value is None else value.get(member)
            if score is None:
                break
            # Unlike the first product, one that is no number reaches the sum, which becomes 0 then.
            total = request.aggregate(total, (1.0 if score is True else score) * weight)
        else:
            found[member] = total
    return found


def _diff(request: Request) -> dict[bytes, float]:
    first = request.sources[0]
    if first is None:
        return {}
    others = [value for value in request.sources[1:] if value is not None]
    return {
        member: 1.0 if raw is True else raw
        for member, raw in first.items()
        if not any(value.has(member) for value in others)
    }


def _ordered(found: dict[bytes, float], to_store: bool) -> list[tuple[float, bytes]]:
    """Return (score, member) in ascending order, without negative zeros if they are to be stored.

    Numbers alone are sorted much faster than pairs are; where scores are equal, the members are sorted afterwards.
    """
    members = sorted(found, key=found.__getitem__)
    if to_store:
        pairs = [(found[member] + 0.0, member) for member in members]
    else:
        pairs = [(found[member], member) for member in members]
    if _tied(pairs):
        pairs.sort()
    return pairs


def _tied(pairs: list[tuple[float, bytes]]) -> bool:
    """Whether neighbours have the same score."""
    last = nan
    for pair in pairs:
        score = pair[0]
        if score == last:
            return True
        last = score
    return False


Operation = Callable[[Request], dict[bytes, float]]
Handler = Callable[[Session, list[bytes]], bytes]


def _reader(name: str, operation: Operation, options: tuple[bytes, ...]) -> Handler:
    """Make the handler of ZUNION, ZINTER or ZDIFF."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        request = _read(c.db, a, 1, name, options)
        found = _ordered(operation(request), False)
        if request.scores:
            return scores_reply(found, c.resp)
        return bulks([member for _, member in found])

    return handler


def _storer(name: str, operation: Operation, options: tuple[bytes, ...]) -> Handler:
    """Make the handler of ZUNIONSTORE, ZINTERSTORE or ZDIFFSTORE."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        request = _read(c.db, a, 2, name, options)
        result = ZSetValue.of(_ordered(operation(request), True), c.db.state.limits)
        return integer(stored(c.db, a[1], result, EV_ZSET, name.encode()))

    return handler


def zintercard(c: Session, a: list[bytes]) -> bytes:
    """ZINTERCARD numkeys key [key …] [LIMIT limit]."""
    request = _read(c.db, a, 1, "zintercard", (b"LIMIT",))
    sources = [value for value, _ in request.weighted()]
    first = sources[0]
    if first is None:
        return integer(0)
    others = [value for value in sources[1:] if value is not None]
    count = 0
    for member in first:
        if all(value.has(member) for value in others):
            count += 1
            if count == request.limit:
                break
    return integer(count)


_COMBINE = (b"WEIGHTS", b"AGGREGATE")
_COMBINE_READ = (*_COMBINE, b"WITHSCORES")

HANDLERS = {
    "ZDIFF": _reader("zdiff", _diff, (b"WITHSCORES",)),
    "ZDIFFSTORE": _storer("zdiffstore", _diff, ()),
    "ZINTER": _reader("zinter", _inter, _COMBINE_READ),
    "ZINTERCARD": zintercard,
    "ZINTERSTORE": _storer("zinterstore", _inter, _COMBINE),
    "ZUNION": _reader("zunion", _union, _COMBINE_READ),
    "ZUNIONSTORE": _storer("zunionstore", _union, _COMBINE),
}
