"""Places on earth, kept as a sorted set (https://redis.io/commands/?group=geo); searches are in geo_search.py."""

from __future__ import annotations

from kvserver.engine.commands.typed import as_zset
from kvserver.engine.commands.zsets.zsets import zadd
from kvserver.engine.run.session import Session
from kvserver.engine.values import geohash
from kvserver.engine.values.geohash import Position
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_float
from kvserver.wire.resp import array, bulk, null, null_array

UNITS = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
_OPTIONS = (b"NX", b"XX", b"CH")


def parse_place(longitude: bytes, latitude: bytes) -> Position:
    """Read a longitude and a latitude.

    Raises:
        CommandError: no numbers, or outside of what can be told.
    """
    x, y = parse_float(longitude), parse_float(latitude)
    if not (abs(x) <= geohash.LONGITUDE[1] and abs(y) <= geohash.LATITUDE[1]):
        raise CommandError(f"ERR invalid longitude,latitude pair {x:f},{y:f}")
    return x, y


def parse_unit(raw: bytes) -> float:
    """Read a unit; return it in metres."""
    metres = UNITS.get(raw.upper())
    if metres is None:
        raise CommandError("ERR unsupported unit provided. please use M, KM, FT, MI")
    return metres


def coordinate(value: float, proto: int) -> bytes:
    """Encode a longitude or latitude: up to 17 decimals."""
    text = b"%.17f" % value
    text = text.rstrip(b"0").rstrip(b".")
    text = b"0" if text == b"-0" else text
    return b",%b\r\n" % text if proto == 3 else bulk(text)


def position_reply(place: Position, proto: int) -> bytes:
    """Encode a place."""
    return b"*2\r\n%b%b" % (coordinate(place[0], proto), coordinate(place[1], proto))


def distance_reply(value: float) -> bytes:
    """Encode a distance: always 4 decimals."""
    scaled = round(value * 10000.0)
    sign = b"-" if scaled < 0 else b""
    return bulk(b"%b%d.%04d" % (sign, abs(scaled) // 10000, abs(scaled) % 10000))


def geoadd(c: Session, a: list[bytes]) -> bytes:
    """GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member …]: a ZADD of geohashes."""
    i = 2
    while i < len(a) and a[i].upper() in _OPTIONS:
        i += 1
    options = [word.upper() for word in a[2:i]]
    if (len(a) - i) % 3 or (b"NX" in options and b"XX" in options):
        raise CommandError(SYNTAX)
    line = [b"zadd", *a[1:i]]
    for j in range(i, len(a), 3):
        bits = geohash.encode(parse_place(a[j], a[j + 1]), geohash.STEP_MAX)
        line += [b"%d" % bits, a[j + 2]]
    state = c.db.state
    before = state.dirty
    reply = zadd(c, line)
    if state.dirty != before:
        state.instead(c.db.index, line)
    return reply


def _scores(c: Session, key: bytes, members: list[bytes]) -> list[float | None]:
    value = as_zset(c.db.lookup(key))
    return [None if value is None else value.get(member) for member in members]


def geopos(c: Session, a: list[bytes]) -> bytes:
    """GEOPOS key [member …]."""
    return array(
        [
            null_array(c.resp) if score is None else position_reply(geohash.decode(score), c.resp)
            for score in _scores(c, a[1], a[2:])
        ]
    )


def geohash_(c: Session, a: list[bytes]) -> bytes:
    """GEOHASH key [member …]."""
    return array(
        [
            null(c.resp) if score is None else bulk(geohash.standard(geohash.decode(score)))
            for score in _scores(c, a[1], a[2:])
        ]
    )


def geodist(c: Session, a: list[bytes]) -> bytes:
    """GEODIST key member1 member2 [M|KM|FT|MI]."""
    if len(a) > 5:
        raise CommandError(SYNTAX)
    metres = parse_unit(a[4]) if len(a) == 5 else 1.0
    one, other = _scores(c, a[1], a[2:4])
    if one is None or other is None:
        return null(c.resp)
    return distance_reply(geohash.distance(*geohash.decode(one), *geohash.decode(other)) / metres)


HANDLERS = {"GEOADD": geoadd, "GEODIST": geodist, "GEOHASH": geohash_, "GEOPOS": geopos}
