"""Glob patterns on us and on a real server: KEYS, SCAN, CONFIG GET, PSUBSCRIBE."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from support import start_kvserver, start_redis

from differential.peers import Peer

LETTERS = [bytes((byte,)) for byte in b"[]^-\\abcA1*?\x00\x7f\x80\xff"]
OPTIONS = [
    "[", "max[", "maxmemory[", "m[a", "[m", "[m]axmemory", "maxmemor[y", "[^a", "*[", "\\maxmemory", "maxmemory\\",
    "MAXMEMORY", "MAXM*", "maxmemor[]", "save[", "[a-z", "*[y", "*[^s]e", "[!m]axmemory", "[[]*",
    "appendonl[x-z]", "?ort",
]  # fmt: skip


@pytest.fixture(scope="module")
def peers() -> Iterator[tuple[Peer, Peer]]:
    with start_kvserver() as ours, start_redis() as theirs:
        yield Peer(ours.port, 2), Peer(theirs.port, 2)


def text(rng: random.Random, most: int) -> bytes:
    """Up to so many letters that mean something to a glob."""
    return b"".join(rng.choice(LETTERS) for _ in range(rng.randint(0, most)))


def test_keys_and_scan(peers: tuple[Peer, Peer]) -> None:
    """Any pattern, closed or not, with bytes beyond 127 or without, matches the keys that it matches in Redis."""
    rng = random.Random(7)
    keys = [text(rng, 4) for _ in range(400)]
    lines = [[b"KEYS", text(rng, 7)] for _ in range(4000)]
    scans = [[b"SCAN", b"0", b"COUNT", b"1000", b"MATCH", line[1]] for line in lines[:300]]
    outcomes: list[list[Any]] = []
    for peer in peers:
        peer.run([[b"SET", key, b"1"] for key in keys])
        found = [sorted(reply) for reply in peer.run(lines)]
        outcomes.append(found + [[reply[0], sorted(reply[1])] for reply in peer.run(scans)])
    for line, ours, theirs in zip(lines + scans, *outcomes, strict=True):
        assert ours == theirs, line


@pytest.mark.parametrize("pattern", OPTIONS)
def test_config_get(peers: tuple[Peer, Peer], pattern: str) -> None:
    """CONFIG GET finds by a pattern the options that Redis finds, and perhaps some of ours."""
    found = [set(peer.run([[b"CONFIG", b"GET", pattern.encode()]])[0][::2]) for peer in peers]
    everything = set(peers[1].run([[b"CONFIG", b"GET", b"*"]])[0][::2])
    assert {name for name in found[0] if name in everything or name.isupper()} == found[1]


def test_patterns_of_channels(peers: tuple[Peer, Peer]) -> None:
    """A message reaches the patterns that it reaches in Redis."""
    rng = random.Random(8)
    patterns = [text(rng, 5) for _ in range(300)]
    channels = [text(rng, 3) for _ in range(300)]
    counts = []
    for peer in peers:
        listener = Peer(peer.connection.port, 2)
        listener.connection.send_command(b"PSUBSCRIBE", *patterns)
        for _ in patterns:
            listener.reply()
        counts.append(peer.run([[b"PUBLISH", channel, b"x"] for channel in channels]))
        listener.close()
    for channel, ours, theirs in zip(channels, *counts, strict=True):
        assert ours == theirs, channel
