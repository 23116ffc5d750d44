"""Geohashes: known places, cells and what they cover."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings, strategies as st

from kvserver.engine.values import geohash
from kvserver.engine.values.geohash import Cell, Shape

PALERMO = (13.361389, 38.115556)
CATANIA = (15.087269, 37.502669)
longitudes = st.floats(-179.9, 179.9)
latitudes = st.floats(-84.9, 84.9)


def test_known_places() -> None:
    """Scores, texts and the distance are those of Redis's documentation."""
    assert geohash.encode(PALERMO, geohash.STEP_MAX) == 3479099956230698
    assert geohash.encode(CATANIA, geohash.STEP_MAX) == 3479447370796909
    here, there = (geohash.decode(float(geohash.encode(place, 26))) for place in (PALERMO, CATANIA))
    assert geohash.standard(here) == b"sqc8b49rny0"
    assert geohash.standard(there) == b"sqdtr74hyu0"
    assert round(geohash.distance(*here, *there), 4) == 166274.1516


@given(longitudes, latitudes)
def test_a_place_comes_back(longitude: float, latitude: float) -> None:
    """Decoding an encoded place gives one at most a metre away."""
    found = geohash.decode(float(geohash.encode((longitude, latitude), geohash.STEP_MAX)))
    assert geohash.distance(longitude, latitude, *found) < 1.0


@given(st.integers(1, 26), longitudes, latitudes)
def test_neighbours_touch(step: int, longitude: float, latitude: float) -> None:
    """Going east and back west, north and back south, leads to the same cell; so does going round the earth."""
    cell = Cell(geohash.encode((longitude, latitude), step), step)
    assert geohash.moved(geohash.moved(cell, 1, 0), -1, 0) == cell
    assert geohash.moved(geohash.moved(cell, 0, -1), 0, 1) == cell
    if step <= 6:
        around = cell
        for _ in range(1 << step):
            around = geohash.moved(around, 1, 1)
        assert around == cell


@settings(max_examples=200)
@given(st.floats(-170, 170), st.floats(-65, 65), st.floats(1, 300_000), st.floats(0, 2 * math.pi), st.floats(0, 1))
def test_cells_cover_the_circle(x: float, y: float, radius_m: float, angle: float, part: float) -> None:
    """Whatever lies within the radius lies in one of the cells that are searched."""
    shape = Shape((x, y), radius_m)
    reach = part * radius_m / 111_320
    place = (x + reach * math.cos(angle) / math.cos(math.radians(y)), y + reach * math.sin(angle))
    assume(shape.measure().distance(*place) >= 0 and abs(place[0]) < 180)
    score = geohash.encode(place, geohash.STEP_MAX)
    assert any(first <= score < behind for first, behind in (c.scores() for c in geohash.cells_around(shape)))


@pytest.mark.parametrize("score", [0.0, -5.0, 3.5, 1e10, 1e19, 1e300, -1e300, math.inf, -math.inf])
def test_any_score_is_decoded(score: float) -> None:
    """A sorted set holds any score; each stands for some place on earth."""
    x, y = geohash.decode(score)
    assert abs(x) <= 180
    assert abs(y) <= 85.06
