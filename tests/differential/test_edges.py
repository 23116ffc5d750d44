"""Numbers at the edges of 64 bits on us and on a real server, and the data they leave in every format."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from differential import edges

ROUNDS = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "0")) or 40
SYNCHRONIZED_EVERY = 10


@pytest.fixture(scope="module")
def four() -> Iterator[edges.Servers]:
    with edges.servers() as made:
        yield made


def through_every_format(four: edges.Servers) -> list[str]:
    """What doesn't come back as it was."""
    return [*four.reloaded(), *four.dumped(), *four.replicated()]


def test_distant_ids_in_one_node_are_saved(four: edges.Servers) -> None:
    """Entries 2^63 ms apart and more, neighbours in a node, survive every format: their distance wraps."""
    lines = [[b"FLUSHALL"], [b"XADD", b"x", b"1-1", b"f", b"v"]]
    lines += [[b"XADD", b"x", b"%d-%d" % (2**63 + ms, 2**63 - ms), b"f", b"v"] for ms in range(3)]
    lines += [[b"XADD", b"x", b"18446744073709551615-1", b"f", b"v"], [b"XRANGE", b"x", b"-", b"+"]]
    assert four.replies(lines) == []
    assert through_every_format(four) == []


def test_odd_payloads_of_streams_are_served_and_saved(four: edges.Servers) -> None:
    """A payload's negative times and counts beyond 2^63 are answered as by Redis, and survive every binary format."""
    for seed in range(30):
        payload = edges.stream_payload(random.Random(seed))
        lines = [[b"FLUSHALL"], [b"RESTORE", b"x", b"0", payload]]
        lines += [[b"XINFO", b"STREAM", b"x"], [b"XINFO", b"GROUPS", b"x"]]
        lines += [
            [b"XPENDING", b"x", b"g", b"-", b"+", b"10"],
            [b"XPENDING", b"x", b"k", b"IDLE", b"5", b"-", b"+", b"10"],
        ]
        lines += [[b"XADD", b"x", b"18446744073709551615-18446744073709551615", b"f", b"v"]]
        lines += [[b"XREADGROUP", b"GROUP", b"g", b"bob", b"STREAMS", b"x", b">"], [b"XINFO", b"GROUPS", b"x"]]
        assert four.replies(lines) == []
        assert [*four.reloaded(), *four.dumped()] == []
    assert list(four.replicated()) == []


def test_numbers_at_the_edges(four: edges.Servers) -> None:
    """Commands with numbers at C's edges are answered as by Redis, and what they leave survives every format."""
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        lines = edges.script(rng)
        assert four.replies(lines) == [], lines
        assert four.internal_errors() == 0, lines
        assert [*four.reloaded(), *four.dumped()] == [], lines
        if seed % SYNCHRONIZED_EVERY == 0:
            assert list(four.replicated()) == [], lines
