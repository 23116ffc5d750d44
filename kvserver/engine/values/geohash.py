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
from dataclasses import dataclass
from typing import NamedTuple

import cython

if cython.compiled:
    from cython.cimports.libc.math import asin, cos, sin, sqrt  # type: ignore
else:
    from math import asin, cos, sin, sqrt

STEP_MAX = 26
LONGITUDE = (-180.0, 180.0)
LATITUDE = (-85.05112878, 85.05112878)
STANDARD_LATITUDE = (-90.0, 90.0)
EARTH_RADIUS_M = 6372797.560856
MERCATOR_MAX_M = 20037726.37
_EARTH_M = EARTH_RADIUS_M
"""As all numbers here with an underscore, one of C's where this is compiled (geohash.pxd)."""
_CAUTION = 1.000001
"""A distance in one direction that is so many times greater than the radius is beyond it, however it was rounded."""
_RADIAN = math.pi / 180.0
_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"
_EVEN_8 = bytes(i & 1 | i >> 1 & 2 | i >> 2 & 4 | i >> 3 & 8 for i in range(256))
_EVEN = b"".join(_EVEN_8.translate(bytes(low | high << 4 for low in range(16)) + bytes(240)) for high in _EVEN_8)
"""Of 16 bits, those at even places, drawn together."""
_LOW_BITS = 0xFFFFFFFF
_ODD_BITS = 0xAAAAAAAAAAAAAAAA
_EVEN_BITS = 0x5555555555555555

_SCORES = float(1 << 2 * STEP_MAX)
_CELLS = float(1 << STEP_MAX)
_WEST, _WIDTH = LONGITUDE[0], LONGITUDE[1] - LONGITUDE[0]
_SOUTH, _HEIGHT = LATITUDE[0], LATITUDE[1] - LATITUDE[0]
_EAST, _NORTH = LONGITUDE[1], LATITUDE[1]

Position = tuple[float, float]
"""Longitude, latitude."""


class Cell(NamedTuple):
    """A cell: its bits and of how many halvings."""

    bits: int
    step: int

    def scores(self) -> tuple[int, int]:
        """The scores of the places in it: (first, behind)."""
        shift = 2 * (STEP_MAX - self.step)
        return self.bits << shift, self.bits + 1 << shift


class Area(NamedTuple):
    """The edges of an area, degrees."""

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

    def measure(self) -> Measure:
        """What tells how far a place is, and whether it lies in the shape."""
        if self.radius_m >= 0:
            return Circle(self.centre, self.radius_m)
        return Box(self.centre, self.width_m, self.height_m)

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


class Measure:
    """A circle or a box, with what is worked out once for all places that are measured."""

    def __init__(self, centre: Position) -> None:
        self.longitude, self.latitude = centre

    def distance(self, longitude: float, latitude: float) -> float:
        """The distance of a place from the centre in metres, -1 when the place lies outside."""
        raise NotImplementedError


class Circle(Measure):
    """All places up to a distance."""

    def __init__(self, centre: Position, radius_m: float) -> None:
        super().__init__(centre)
        self.radius_m = radius_m
        self.x = centre[0] * _RADIAN
        self.y = centre[1] * _RADIAN
        self.north = cos(self.y)
        self.high_m = radius_m * _CAUTION

    def distance(self, longitude: float, latitude: float) -> float:
        """The distance of a place from the centre in metres, -1 when the place lies outside."""
        phi = latitude * _RADIAN
        apart_m = _EARTH_M * abs(phi - self.y)
        if apart_m > self.high_m:
            return -1.0  # no place is nearer than the difference of latitudes
        v = sin((longitude * _RADIAN - self.x) / 2)
        if v != 0.0:
            u = sin((phi - self.y) / 2)
            apart_m = 2.0 * _EARTH_M * asin(sqrt(min(u * u + self.north * cos(phi) * v * v, 1.0)))
        return -1.0 if apart_m > self.radius_m else apart_m


class Box(Measure):
    """All places up to a distance to the north and south, and up to another to the west and east."""

    def __init__(self, centre: Position, width_m: float, height_m: float) -> None:
        super().__init__(centre)
        self.aside_m = width_m / 2
        self.up_m = height_m / 2

    def distance(self, longitude: float, latitude: float) -> float:
        """The distance of a place from the centre in metres, -1 when the place lies outside."""
        if _north_south(latitude, self.latitude) > self.up_m:
            return -1.0
        if distance(longitude, latitude, self.longitude, latitude) > self.aside_m:
            return -1.0
        return distance(self.longitude, self.latitude, longitude, latitude)


def _cos(angle: float) -> float:
    return math.cos(angle) if math.isfinite(angle) else math.nan


def _spread(number: int) -> int:
    """Put a number of 32 bits to the even places of 64."""
    number = (number | number << 16) & 0x0000FFFF0000FFFF
    number = (number | number << 8) & 0x00FF00FF00FF00FF
    number = (number | number << 4) & 0x0F0F0F0F0F0F0F0F
    number = (number | number << 2) & 0x3333333333333333
    return (number | number << 1) & _EVEN_BITS


def _gather(bits: int) -> int:
    """Draw the even places of 64 bits together."""
    a = _EVEN[bits & 0xFFFF]
    b = _EVEN[bits >> 16 & 0xFFFF]
    c = _EVEN[bits >> 32 & 0xFFFF]
    d = _EVEN[bits >> 48 & 0xFFFF]
    return a | b << 8 | c << 16 | d << 24


def encode(place: Position, step: int, latitudes: tuple[float, float] = LATITUDE) -> int:
    """The bits of the cell in which a place lies."""
    longitude, latitude = place
    low, high = latitudes
    y = (latitude - low) / (high - low) * (1 << step)
    x = (longitude - LONGITUDE[0]) / (LONGITUDE[1] - LONGITUDE[0]) * (1 << step)
    return _spread(int(y) & _LOW_BITS) | _spread(int(x) & _LOW_BITS) << 1


def _longitude_at(x: float, step: int) -> float:
    """The longitude behind so many columns of cells."""
    return _WEST + x / float(1 << step) * _WIDTH


def _latitude_at(y: float, step: int) -> float:
    """The latitude above so many rows of cells."""
    return _SOUTH + y / float(1 << step) * _HEIGHT


def score_bits(score: float) -> int:
    """A score as 64 bits; of what is no geohash, what a conversion in C makes of it on common machines."""
    if -(2.0**63) <= score < 2.0**64:
        return int(score) & 0xFFFFFFFFFFFFFFFF
    return 0 if score > 0 else 1 << 63


def decode(score: float) -> Position:
    """The place that a score stands for: the middle of its cell."""
    bits = int(score) if 0 <= score < _SCORES else score_bits(score)
    return longitude_of(bits), latitude_of(bits)


def longitude_of(bits: int) -> float:
    """The longitude of a score, given as bits: the middle of its cell."""
    x = _gather(bits >> 1)
    west, east = _WEST + x / _CELLS * _WIDTH, _WEST + (x + 1) / _CELLS * _WIDTH
    longitude = (west + east) / 2
    return longitude if longitude < _EAST else _EAST


def latitude_of(bits: int) -> float:
    """The latitude of a score, given as bits: the middle of its cell."""
    y = _gather(bits)
    south, north = _SOUTH + y / _CELLS * _HEIGHT, _SOUTH + (y + 1) / _CELLS * _HEIGHT
    latitude = (south + north) / 2
    return latitude if latitude < _NORTH else _NORTH


def standard(place: Position) -> bytes:
    """The geohash of a place as text, 11 letters of which the last is always 0."""
    bits = encode(place, STEP_MAX, STANDARD_LATITUDE)
    return bytes(_ALPHABET[bits >> 52 - 5 * i & 31] for i in range(1, 11)) + b"0"


def _north_south(latitude: float, other: float) -> float:
    return _EARTH_M * abs(latitude * _RADIAN - other * _RADIAN)


def distance(x1: float, y1: float, x2: float, y2: float) -> float:
    """The distance of two places in metres, along a great circle (haversine)."""
    v = sin((x2 * _RADIAN - x1 * _RADIAN) / 2)
    if v == 0.0:
        return _north_south(y2, y1)
    lat1, lat2 = y1 * _RADIAN, y2 * _RADIAN
    u = sin((lat2 - lat1) / 2)
    a = u * u + cos(lat1) * cos(lat2) * v * v
    return 2.0 * _EARTH_M * asin(sqrt(min(a, 1.0)))


def moved(cell: Cell, east: int, north: int) -> Cell:
    """The cell so many (-1, 0, 1) to the east and north; at an edge it comes in at the other side."""
    return Cell(_moved(cell.bits, cell.step, east, north), cell.step)


def _moved(bits: int, step: int, east: int, north: int) -> int:
    one = 1
    mask = (one << 2 * step) - 1
    x, y = bits & _ODD_BITS, bits & _EVEN_BITS
    x_fill, y_fill = _EVEN_BITS & mask, _ODD_BITS & mask
    if east:
        x = x + x_fill + 1 if east > 0 else (x | x_fill) - (x_fill + 1)
        x &= y_fill
    if north:
        y = y + y_fill + 1 if north > 0 else (y | y_fill) - (y_fill + 1)
        y &= x_fill
    return x | y


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
    step, cells = _around(shape)
    return [Cell(bits, step) for bits in cells]


def scores_around(shape: Shape) -> list[tuple[float, float]]:
    """The scores of the places in those cells: of each cell (first, behind)."""
    step, cells = _around(shape)
    width = float(1 << 2 * (STEP_MAX - step))
    return [(bits * width, (bits + 1) * width) for bits in cells]


def _around(shape: Shape) -> tuple[int, list[int]]:
    """Of how many halvings the cells are in which to look for what lies in a shape, and their bits."""
    bounds = shape.bounds()
    step = estimate_step(shape.reach(), shape.centre[1])
    bits = encode(shape.centre, step)
    if step > 1 and not _covered(bits, step, bounds):
        step -= 1
        bits = encode(shape.centre, step)
    x, y = _gather(bits >> 1), _gather(bits)
    without_west = step >= 2 and _longitude_at(x, step) < bounds.west
    without_east = step >= 2 and _longitude_at(x + 1, step) > bounds.east
    without_south = step >= 2 and _latitude_at(y, step) < bounds.south
    without_north = step >= 2 and _latitude_at(y + 1, step) > bounds.north
    found: list[int] = []
    for number in range(len(_AROUND)):
        east, north = _AROUND[number]
        if (east and (without_east if east > 0 else without_west)) or (
            north and (without_north if north > 0 else without_south)
        ):
            continue
        other = _moved(bits, step, east, north)
        # Where the cells are huge, one may come up again; Redis compares only with the last one.
        if len(found) > 1 and other == found[-1] and number > 1:
            continue
        found.append(other)
    return step, found


def _covered(bits: int, step: int, bounds: Area) -> bool:
    """Whether the cell and its neighbours cover the bounds."""
    return not (
        _latitude_at(_gather(_moved(bits, step, 0, 1)) + 1, step) < bounds.north
        or _latitude_at(_gather(_moved(bits, step, 0, -1)), step) > bounds.south
        or _longitude_at(_gather(_moved(bits, step, 1, 0) >> 1) + 1, step) < bounds.east
        or _longitude_at(_gather(_moved(bits, step, -1, 0) >> 1), step) > bounds.west
    )
