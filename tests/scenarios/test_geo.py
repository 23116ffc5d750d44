"""Places through redis-py."""

from __future__ import annotations

import random

import pytest
import redis

from kvserver.engine.values.geohash import distance


def test_sicily(client: redis.Redis) -> None:
    """The example of Redis's documentation gives what is written there."""
    assert client.geoadd("g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"]) == 2
    assert client.geodist("g", "Palermo", "Catania", "km") == 166.2742
    assert client.geohash("g", "Palermo", "Catania", "none") == ["sqc8b49rny0", "sqdtr74hyu0", None]
    assert client.zscore("g", "Palermo") == 3479099956230698.0
    assert client.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC", withdist=True) == [
        [b"Catania", 56.4413],
        [b"Palermo", 190.4424],
    ]
    raw = client.execute_command("GEORADIUS", "g", 15, 37, 200, "km", "WITHCOORD", "WITHHASH", "COUNT", 1)
    assert raw[0][0] == b"Catania"


def test_searches_against_measuring_each(client: redis.Redis) -> None:
    """A circle finds exactly the places that are near enough, wherever on earth."""
    rng = random.Random(3)
    for i in range(400):
        client.geoadd("g", [rng.uniform(-180, 180), rng.uniform(-85, 85), f"m{i}"])
    places = dict(zip(members := client.zrange("g", 0, -1), client.geopos("g", *members), strict=True))
    for _ in range(25):
        x, y, radius = rng.uniform(-150, 150), rng.uniform(-50, 50), rng.uniform(1e5, 2e6)
        found = client.geosearch("g", longitude=x, latitude=y, radius=radius, unit="m")
        assert sorted(found) == sorted(m for m, (a, b) in places.items() if distance(x, y, a, b) <= radius)


def test_stored_results(client: redis.Redis) -> None:
    """What a search finds is stored with its geohashes or its distances; nothing found removes the target."""
    client.geoadd("g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"])
    assert client.geosearchstore("to", "g", member="Palermo", width=400, height=400, unit="km") == 2
    assert client.zrange("to", 0, -1, withscores=True) == client.zrange("g", 0, -1, withscores=True)
    assert client.geosearchstore("to", "g", member="Palermo", radius=300, unit="km", storedist=True) == 2
    assert client.zrange("to", 0, -1, withscores=True)[1] == (b"Catania", pytest.approx(166.2742, abs=1e-3))
    assert client.geosearchstore("to", "g", longitude=0, latitude=0, radius=1, unit="m") == 0
    assert not client.exists("to")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("GEOADD g 181 0 x", "invalid longitude,latitude pair 181.000000,0.000000"),
        ("GEOADD g NX XX 1 1 x", "syntax error"),
        ("GEOADD g x 1 m", "value is not a valid float"),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS -1 km", "radius cannot be negative"),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 parsec", "unsupported unit provided"),
        ("GEOSEARCH g FROMLONLAT 1 1 ASC COUNT 1", "exactly one of BYRADIUS and BYBOX"),
        ("GEOSEARCH g BYRADIUS 1 km ASC COUNT 1", "exactly one of FROMMEMBER or FROMLONLAT"),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 km ANY", "the ANY argument requires COUNT"),
        ("GEORADIUS_RO g 1 1 1 km STORE to", "syntax error"),
        ("GEORADIUS g 1 1 1 km WITHDIST STORE to", "not compatible with WITHDIST"),
    ],
)
def test_refusals(client: redis.Redis, line: str, text: str) -> None:
    """What makes no sense is refused with Redis's text, and changes nothing."""
    with pytest.raises(redis.ResponseError, match=text):
        client.execute_command(*line.split())
    assert not client.exists("g", "to")
