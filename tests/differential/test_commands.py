"""The same commands on us and on a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import start_kvserver, start_redis

from differential.grammar import KEYS, PRELUDE, command
from differential.peers import Peer, comparable, state

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "150"))
"""Sequences tried for each protocol; a night's worth is some ten thousand."""

Pair = tuple[Peer, Peer]
ALL = [*KEYS, b"y1"]
RESET = [[b"FLUSHALL"], *PRELUDE]


@pytest.fixture(scope="module", params=[2, 3], ids=["resp2", "resp3"])
def peers(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with start_kvserver() as ours, start_redis() as theirs:
        pair = Peer(ours.port, request.param), Peer(theirs.port, request.param)
        yield pair
        for peer in pair:
            peer.close()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(lines=st.lists(command(), min_size=4, max_size=25))
def test_same_commands_same_answers(peers: Pair, lines: list[list[bytes]]) -> None:
    """Any sequence of commands is answered as Redis answers it, and leaves the same data."""
    ours, theirs = peers
    script = [*RESET, *lines, [b"DISCARD"]]
    mine, real = ours.run(script), theirs.run(script)
    for number, line in enumerate(script):
        assert comparable(line, mine[number]) == comparable(line, real[number]), script[: number + 1]
    assert state(ours, ALL) == state(theirs, ALL)
