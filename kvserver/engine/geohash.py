"""Geohashes: places on earth as integers, near ones often alike, and the areas in which to look for neighbours.

Theory of operation.  Longitude and latitude are each cut in halves `step` times; the choices, interleaved with
the longitude's first, make an integer of 2 * step bits.  With 26 steps that is the score of a place in a sorted
set, so all places of a cell of fewer steps have scores in one range.  A search takes the cell of a size like the
circle or box wanted and its eight neighbours, and measures each place in them.  Latitudes end at 85.05 degrees
(EPSG:3857); a geohash as others write it ends at 90 and is made from the decoded place.

All arithmetic follows Redis's step by step: doubles rounded otherwise would give other replies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

STEP_MAX = 26
LONGITUDE = (-180.0, 180.0)
LATITUDE = (-85.05112878, 85.05112878)
STANDARD_LATITUDE = (-90.0, 90.0)
EARTH_RADIUS_M = 6372797.560856
MERCATOR_MAX_M = 20037726.37
_RADIAN = math.pi / 180.0
_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"
_EVEN_8 = bytes(i & 1 | i >> 1 & 2 | i >> 2 & 4 | i >> 3 & 8 for i in range(256))
_EVEN = bytes(low | high << 4 for high in _EVEN_8 for low in _EVEN_8)
"""Of 16 bits, those at even places, drawn together."""
_ODD_BITS = 0xAAAAAAAAAAAAAAAA
_EVEN_BITS = 0x5555555555555555

_SCORES = float(1 << 2 * STEP_MAX)
_CELLS = float(1 << STEP_MAX)
_WEST, _WIDTH = LONGITUDE[0], LONGITUDE[1] - LONGITUDE[0]
_SOUTH, _HEIGHT = LATITUDE[0], LATITUDE[1] - LATITUDE[0]

Position = tuple[float, float]
"""Longitude, latitude."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its bits and of how many halvings."""

    bits: int
    step: int

    def scores(self) -> tuple[int, int]:
        """The scores of the places in it: (first, behind)."""
        shift = 2 * (STEP_MAX - self.step)
        return self.bits << shift, self.bits + 1 << shift


@dataclass(frozen=True, slots=True)
class Area:
    """The edges of a cell, degrees."""

    west: float
    east: float
    south: float
    north: float


@dataclass(frozen=True, slots=True)
class Shape:
    """What is searched: a circle (radius_m) or a box (width_m, height_m) around a centre."""

    centre: Position
    radius_m: float = -1.0
    width_m: float = 0.0
    height_m: float = 0.0

    def measure(self) -> Callable[[Position], float | None]:
        """Make a function that returns the distance in metres of a place, or None when it lies outside."""
        if self.radius_m < 0:
            return self._in_box
        radius_m = self.radius_m
        x, y = self.centre[0] * _RADIAN, self.centre[1] * _RADIAN
        north = math.cos(y)
        sin, cos, asin, sqrt = math.sin, math.cos, math.asin, math.sqrt

        def in_circle(place: Position) -> float | None:
            latitude = place[1] * _RADIAN
            v = sin((place[0] * _RADIAN - x) / 2)
            if v == 0.0:
                found = EARTH_RADIUS_M * abs(latitude - y)
            else:
                u = sin((latitude - y) / 2)
                found = 2.0 * EARTH_RADIUS_M * asin(sqrt(min(u * u + north * cos(latitude) * v * v, 1.0)))
            return None if found > radius_m else found

        return in_circle

    def _in_box(self, place: Position) -> float | None:
        longitude, latitude = place
        x, y = self.centre
        if _north_south(latitude, y) > self.height_m / 2:
            return None
        if distance(longitude, latitude, x, latitude) > self.width_m / 2:
            return None
        return distance(x, y, longitude, latitude)

    def bounds(self) -> Area:
        """The box around the shape."""
        x, y = self.centre
        half_height = self.radius_m if self.radius_m >= 0 else self.height_m / 2
        half_width = self.radius_m if self.radius_m >= 0 else self.width_m / 2
        up = half_height / EARTH_RADIUS_M / _RADIAN
        narrow = y - up if y < 0 else y + up
        aside = half_width / EARTH_RADIUS_M / _cos(narrow * _RADIAN) / _RADIAN
        return Area(x - aside, x + aside, y - up, y + up)

    def reach(self) -> float:
        """The distance in metres from the centre to the farthest point."""
        if self.radius_m >= 0:
            return self.radius_m
        return math.sqrt((self.width_m / 2) * (self.width_m / 2) + (self.height_m / 2) * (self.height_m / 2))


def _cos(angle: float) -> float:
    return math.cos(angle) if math.isfinite(angle) else math.nan


def _spread(number: int) -> int:
    """Put the 32 low bits of a number to the even places of 64."""
    number &= 0xFFFFFFFF
    number = (number | number << 16) & 0x0000FFFF0000FFFF
    number = (number | number << 8) & 0x00FF00FF00FF00FF
    number = (number | number << 4) & 0x0F0F0F0F0F0F0F0F
    number = (number | number << 2) & 0x3333333333333333
    return (number | number << 1) & _EVEN_BITS


def _gather(bits: int) -> int:
    """Draw the even places of 64 bits together."""
    return (
        _EVEN[bits & 0xFFFF]
        | _EVEN[bits >> 16 & 0xFFFF] << 8
        | _EVEN[bits >> 32 & 0xFFFF] << 16
        | _EVEN[bits >> 48 & 0xFFFF] << 24
    )


def encode(place: Position, step: int, latitudes: tuple[float, float] = LATITUDE) -> int:
    """The bits of the cell in which a place lies."""
    longitude, latitude = place
    low, high = latitudes
    y = (latitude - low) / (high - low) * (1 << step)
    x = (longitude - LONGITUDE[0]) / (LONGITUDE[1] - LONGITUDE[0]) * (1 << step)
    return _spread(int(y)) | _spread(int(x)) << 1


def area_of(bits: int, step: int) -> Area:
    """The edges of a cell."""
    scale = float(1 << step)
    y, x = _gather(bits), _gather(bits >> 1)
    low, high = LATITUDE
    height = high - low
    west, east = LONGITUDE
    width = east - west
    return Area(
        west + (x / scale) * width, west + ((x + 1) / scale) * width,
        low + (y / scale) * height, low + ((y + 1) / scale) * height,
    )  # fmt: skip


def score_bits(score: float) -> int:
    """A score as 64 bits; of what is no geohash, what a conversion in C makes of it on common machines."""
    if -(2.0**63) <= score < 2.0**64:
        return int(score) & 0xFFFFFFFFFFFFFFFF
    return 0 if score > 0 else 1 << 63


def decode(score: float) -> Position:
    """The place that a score stands for: the middle of its cell."""
    bits = int(score) if 0 <= score < _SCORES else score_bits(score)
    y = _EVEN[bits & 0xFFFF] | _EVEN[bits >> 16 & 0xFFFF] << 8
    y |= _EVEN[bits >> 32 & 0xFFFF] << 16 | _EVEN[bits >> 48] << 24
    bits >>= 1
    x = _EVEN[bits & 0xFFFF] | _EVEN[bits >> 16 & 0xFFFF] << 8
    x |= _EVEN[bits >> 32 & 0xFFFF] << 16 | _EVEN[bits >> 48] << 24
    west, east = _WEST + x / _CELLS * _WIDTH, _WEST + (x + 1) / _CELLS * _WIDTH
    south, north = _SOUTH + y / _CELLS * _HEIGHT, _SOUTH + (y + 1) / _CELLS * _HEIGHT
    longitude, latitude = (west + east) / 2, (south + north) / 2
    if x >= _CELLS:
        longitude = min(longitude, LONGITUDE[1])
    if y >= _CELLS:
        latitude = min(latitude, LATITUDE[1])
    return longitude, latitude


def standard(place: Position) -> bytes:
    """The geohash of a place as text, 11 letters of which the last is always 0."""
    bits = encode(place, STEP_MAX, STANDARD_LATITUDE)
    return bytes(_ALPHABET[bits >> 52 - 5 * i & 31] for i in range(1, 11)) + b"0"


def _north_south(latitude: float, other: float) -> float:
    return EARTH_RADIUS_M * abs(latitude * _RADIAN - other * _RADIAN)


def distance(x1: float, y1: float, x2: float, y2: float) -> float:
    """The distance of two places in metres, along a great circle (haversine)."""
    v = math.sin((x2 * _RADIAN - x1 * _RADIAN) / 2)
    if v == 0.0:
        return _north_south(y2, y1)
    lat1, lat2 = y1 * _RADIAN, y2 * _RADIAN
    u = math.sin((lat2 - lat1) / 2)
    a = u * u + math.cos(lat1) * math.cos(lat2) * v * v
    return 2.0 * EARTH_RADIUS_M * math.asin(math.sqrt(min(a, 1.0)))


def moved(cell: Cell, east: int, north: int) -> Cell:
    """The cell so many (-1, 0, 1) to the east and north; at an edge it comes in at the other side."""
    mask = (1 << 2 * cell.step) - 1
    x, y = cell.bits & _ODD_BITS, cell.bits & _EVEN_BITS
    x_fill, y_fill = _EVEN_BITS & mask, _ODD_BITS & mask
    if east:
        x = x + x_fill + 1 if east > 0 else (x | x_fill) - (x_fill + 1)
        x &= y_fill
    if north:
        y = y + y_fill + 1 if north > 0 else (y | y_fill) - (y_fill + 1)
        y &= x_fill
    return replace(cell, bits=x | y)


def estimate_step(reach_m: float, latitude: float) -> int:
    """Of how many halvings a cell about as large as the area searched is; wider ones near the poles."""
    if reach_m == 0:
        return STEP_MAX
    step = -1
    while reach_m < MERCATOR_MAX_M:
        reach_m *= 2
        step += 1
    if abs(latitude) > 66:
        step -= 2 if abs(latitude) > 80 else 1
    return min(max(step, 1), STEP_MAX)


_AROUND = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""The cells looked at, as (east, north), in Redis's order."""


def cells_around(shape: Shape) -> list[Cell]:
    """The cells in which to look for what lies in a shape, in Redis's order."""
    bounds = shape.bounds()
    step = estimate_step(shape.reach(), shape.centre[1])
    if step > 1 and not _covered(Cell(encode(shape.centre, step), step), bounds):
        step -= 1
    cell = Cell(encode(shape.centre, step), step)
    area = area_of(cell.bits, step)
    useless = {
        (0, -1): area.south < bounds.south, (0, 1): area.north > bounds.north,
        (-1, 0): area.west < bounds.west, (1, 0): area.east > bounds.east,
    }  # fmt: skip
    found: list[Cell] = []
    for number, (east, north) in enumerate(_AROUND):
        if step >= 2 and ((east and useless[east, 0]) or (north and useless[0, north])):
            continue
        other = moved(cell, east, north)
        # Where the cells are huge, one may come up again; Redis compares only with the last one.
        if len(found) > 1 and other == found[-1] and number > 1:
            continue
        found.append(other)
    return found


def _covered(cell: Cell, bounds: Area) -> bool:
    """Whether the cell and its neighbours cover the bounds."""
    edges = {way: area_of(moved(cell, *way).bits, cell.step) for way in _AROUND[1:5]}
    return not (
        edges[0, 1].north < bounds.north
        or edges[0, -1].south > bounds.south
        or edges[1, 0].east < bounds.east
        or edges[-1, 0].west > bounds.west
    )
