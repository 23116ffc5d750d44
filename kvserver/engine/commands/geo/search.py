"""Searches for places: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS family.

All are one command with the arguments in another order: a `Query` is read, its places are found cell by cell
(engine/geohash.py), and they are replied or stored.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

import cython

from kvserver.engine.commands.geo.geo import distance_reply, parse_place, parse_unit, position_reply
from kvserver.engine.commands.typed import as_zset, stored
from kvserver.engine.keys.keyspace import EV_ZSET
from kvserver.engine.run.session import Session
from kvserver.engine.values import geohash
from kvserver.engine.values.geohash import Measure, Position, Shape
from kvserver.engine.values.ordering import Chunk
from kvserver.engine.values.types import BOTTOM, ZSetValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_float, parse_int
from kvserver.wire.resp import EMPTY_ARRAY, array_header, bulk, bulks, integer

if cython.compiled:
    from cython.cimports.kvserver.engine.values.geohash import latitude_of, longitude_of, score_bits  # type: ignore
else:
    from kvserver.engine.values.geohash import latitude_of, longitude_of, score_bits

Found = tuple[float, bytes, float]
"""A place found: its distance in metres, the member, its score."""
_SCORES = float(1 << 2 * geohash.STEP_MAX)
_distance = itemgetter(0)


class Query:
    """What a search asks for, read word by word; `radius_m` and the box are in metres."""

    def __init__(self, name: bytes, value: ZSetValue | None, modern: bool, may_store: bool) -> None:
        self.name = name.decode("utf-8", "surrogateescape")
        self.value = value
        self.modern = modern  # GEOSEARCH, GEOSEARCHSTORE
        self.may_store = may_store
        self.target: bytes | None = None
        self.distances = False  # store distances, not geohashes
        self.shown: set[bytes] = set()  # WITHDIST, WITHHASH, WITHCOORD
        self.sort = b""
        self.count = 0
        self.any = False
        self.centre: Position | None = None
        self.by_member = False
        self.unit_m = 1.0
        self.radius = -1.0
        self.box: tuple[float, float] | None = None

    def read(self, words: list[bytes]) -> None:
        """Read the options.

        Raises:
            CommandError: one that isn't known or doesn't fit here.
        """
        i = 0
        while i < len(words):
            word = words[i].upper()
            option = _STOREDIST if word == b"STOREDIST" and self.modern else _OPTIONS.get(word)
            if option is None or i + option.operands >= len(words) or not option.fits(self):
                raise CommandError(SYNTAX)
            option.take(self, word, words[i + 1 : i + 1 + option.operands])
            i += 1 + option.operands

    def check(self) -> None:
        """Refuse what doesn't go together."""
        if self.target is not None and self.shown:
            who = "GEOSEARCHSTORE" if self.modern else "STORE option in GEORADIUS"
            raise CommandError(f"ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        if self.modern and self.centre is None and not self.by_member:
            raise CommandError(f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {self.name}")
        if self.modern and self.radius < 0 and self.box is None:
            raise CommandError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {self.name}")
        if self.any and not self.count:
            raise CommandError("ERR the ANY argument requires COUNT argument")

    def around_member(self, member: bytes) -> None:
        """Search around a member; without a key there is nothing to find anyway."""
        self.by_member = True
        if self.value is None:
            return
        score = self.value.get(member)
        if score is None:
            raise CommandError("ERR could not decode requested zset member")
        self.centre = geohash.decode(score)

    def within_radius(self, radius: bytes, unit: bytes) -> None:
        """Search in a circle."""
        self.radius = parse_float(radius, "ERR need numeric radius")
        if self.radius < 0:
            raise CommandError("ERR radius cannot be negative")
        self.unit_m = parse_unit(unit)

    def within_box(self, width: bytes, height: bytes, unit: bytes) -> None:
        """Search in a box."""
        self.box = (parse_float(width, "ERR need numeric width"), parse_float(height, "ERR need numeric height"))
        if min(self.box) < 0:
            raise CommandError("ERR height or width cannot be negative")
        self.unit_m = parse_unit(unit)

    def shape(self) -> Shape:
        """What is searched; a centre is known."""
        assert self.centre is not None
        if self.box is None:
            return Shape(self.centre, self.radius * self.unit_m)
        return Shape(self.centre, -1.0, self.box[0] * self.unit_m, self.box[1] * self.unit_m)


class Option(NamedTuple):
    """A word: how many operands follow, where it is allowed, what it does."""

    operands: int
    fits: Callable[[Query], bool]
    take: Callable[[Query, bytes, list[bytes]], None]


def _show(q: Query, word: bytes, _: list[bytes]) -> None:
    q.shown.add(word)


def _sort(q: Query, word: bytes, _: list[bytes]) -> None:
    q.sort = word


def _any(q: Query, word: bytes, _: list[bytes]) -> None:
    q.any = True


def _count(q: Query, word: bytes, operands: list[bytes]) -> None:
    q.count = parse_int(operands[0])
    if q.count <= 0:
        raise CommandError("ERR COUNT must be > 0")


def _store(q: Query, word: bytes, operands: list[bytes]) -> None:
    q.target = operands[0]
    q.distances = word == b"STOREDIST"


def _store_distances(q: Query, word: bytes, _: list[bytes]) -> None:
    q.distances = True


def _from_place(q: Query, word: bytes, operands: list[bytes]) -> None:
    q.centre = parse_place(*operands)


def _always(q: Query) -> bool:
    return True


def _stores(q: Query) -> bool:
    return q.may_store and not q.modern


_OPTIONS = {
    b"WITHDIST": Option(0, _always, _show),
    b"WITHHASH": Option(0, _always, _show),
    b"WITHCOORD": Option(0, _always, _show),
    b"ANY": Option(0, _always, _any),
    b"ASC": Option(0, _always, _sort),
    b"DESC": Option(0, _always, _sort),
    b"COUNT": Option(1, _always, _count),
    b"STORE": Option(1, _stores, _store),
    b"STOREDIST": Option(1, _stores, _store),
    b"FROMMEMBER": Option(
        1, lambda q: q.modern and (q.centre is None or q.by_member), lambda q, _, a: q.around_member(a[0])
    ),
    b"FROMLONLAT": Option(2, lambda q: q.modern and not q.by_member, _from_place),
    b"BYRADIUS": Option(
        2, lambda q: q.modern and q.box is None, lambda q, _, a: q.within_radius(a[0], a[1])
    ),
    b"BYBOX": Option(3, lambda q: q.modern and q.radius < 0, lambda q, _, a: q.within_box(a[0], a[1], a[2])),
}

_STOREDIST = Option(0, lambda q: q.may_store, _store_distances)
"""STOREDIST of GEOSEARCHSTORE, which has its target elsewhere."""


def find(value: ZSetValue, shape: Shape, most: int) -> list[Found]:
    """All places in a shape, cell by cell; with `most` > 0 no more than so many."""
    found: list[Found] = []
    measure = shape.measure()
    order = value.order
    for first, behind in geohash.scores_around(shape):
        start = order.bisect(first, BOTTOM)
        left = order.bisect(behind, BOTTOM) - start
        if left <= 0:
            continue
        i, place = order.locate(start)
        while left > 0:
            chunk: Chunk = order.chunks[i]
            size = min(len(chunk.names) - place, left)
            _pick(found, chunk, place, place + size, measure, most)
            if most and len(found) == most:
                return found
            left -= size
            place = 0
            i += 1
    return found


def _pick(found: list[Found], chunk: Chunk, start: int, stop: int, measure: Measure, most: int) -> None:
    """Gather those of the places number start to stop - 1 of a chunk that lie in a shape, until there are `most`."""
    scores = chunk.scores
    for i in range(start, stop):
        if cython.compiled:
            score = scores.data.as_doubles[i]
        else:
            score = scores[i]
        bits = int(score) if 0 <= score < _SCORES else score_bits(score)
        metres = measure.distance(longitude_of(bits), latitude_of(bits))
        if metres >= 0:
            found.append((metres, chunk.names[i], score))
            if len(found) == most:
                return


def _search(c: Session, q: Query) -> bytes:
    q.check()
    found: list[Found] = []
    if q.value is not None:
        found = find(q.value, q.shape(), q.count if q.any else 0)
        if q.sort or (q.count and not q.any):
            found.sort(key=_distance, reverse=q.sort == b"DESC")
        if q.count:
            del found[q.count :]
    if q.target is None:
        return _reply(q, found, c.resp) if found else EMPTY_ARRAY
    pairs = sorted([(metres / q.unit_m if q.distances else score, member) for metres, member, score in found])
    event = b"geosearchstore" if q.modern else b"georadiusstore"
    count = stored(c.db, q.target, ZSetValue.of(pairs, c.db.state.limits), EV_ZSET, event)
    c.db.state.dirty += max(count - 1, 0)
    return integer(count)


def _reply(q: Query, found: list[Found], proto: int) -> bytes:
    if not q.shown:
        return bulks([member for _, member, _ in found])
    out: list[bytes] = []
    for metres, member, score in found:
        out += [array_header(len(q.shown) + 1), bulk(member)]
        if b"WITHDIST" in q.shown:
            out.append(distance_reply(metres / q.unit_m))
        if b"WITHHASH" in q.shown:
            out.append(integer(int(score)))
        if b"WITHCOORD" in q.shown:
            out.append(position_reply(geohash.decode(score), proto))
    return array_header(len(found)) + b"".join(out)


def geosearch(c: Session, a: list[bytes]) -> bytes:
    """GEOSEARCH key FROMMEMBER m|FROMLONLAT x y BYRADIUS r unit|BYBOX w h unit [ASC|DESC] [COUNT n [ANY]] [WITH…]."""
    q = Query(a[0], as_zset(c.db.lookup(a[1])), True, False)
    q.read(a[2:])
    return _search(c, q)


def geosearchstore(c: Session, a: list[bytes]) -> bytes:
    """GEOSEARCHSTORE destination source … [STOREDIST]."""
    q = Query(a[0], as_zset(c.db.lookup(a[2])), True, True)
    q.target = a[1]
    q.read(a[3:])
    return _search(c, q)


def _georadius(may_store: bool) -> Callable[[Session, list[bytes]], bytes]:
    """Make GEORADIUS key longitude latitude radius unit …, or its read-only form."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        q = Query(a[0], as_zset(c.db.lookup(a[1])), False, may_store)
        q.centre = parse_place(a[2], a[3])
        q.within_radius(a[4], a[5])
        q.read(a[6:])
        return _search(c, q)

    return handler


def _georadiusbymember(may_store: bool) -> Callable[[Session, list[bytes]], bytes]:
    """Make GEORADIUSBYMEMBER key member radius unit …, or its read-only form."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        q = Query(a[0], as_zset(c.db.lookup(a[1])), False, may_store)
        if q.value is not None:
            q.around_member(a[2])
            q.within_radius(a[3], a[4])
        q.read(a[5:])
        return _search(c, q)

    return handler


HANDLERS = {
    "GEORADIUS": _georadius(True),
    "GEORADIUS_RO": _georadius(False),
    "GEORADIUSBYMEMBER": _georadiusbymember(True),
    "GEORADIUSBYMEMBER_RO": _georadiusbymember(False),
    "GEOSEARCH": geosearch,
    "GEOSEARCHSTORE": geosearchstore,
}
