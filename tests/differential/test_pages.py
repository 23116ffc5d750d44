"""Pages of the SCAN family on us and on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import start_kvserver, start_redis

from differential.peers import Peer

COMMANDS = {b"SCAN": b"", b"HSCAN": b"h", b"SSCAN": b"s", b"ZSCAN": b"z"}


@pytest.fixture(scope="module")
def peers() -> Iterator[tuple[Peer, Peer]]:
    with start_kvserver() as ours, start_redis() as theirs:
        yield Peer(ours.port, 2), Peer(theirs.port, 2)


def pages(peer: Peer, command: bytes, count: int) -> list[list[bytes]]:
    """The elements of each page, values left out."""
    found, cursor = [], b"0"
    while True:
        key = [COMMANDS[command]] if COMMANDS[command] else []
        cursor, page = peer.run([[command, *key, cursor, b"COUNT", b"%d" % count]])[0]
        found.append(page[:: 2 if command in (b"HSCAN", b"ZSCAN") else 1])
        if cursor == b"0":
            return found


def fill(peer: Peer, size: int, length: int) -> None:
    """A hash, a set and a sorted set of so many elements of such a length, and keys."""
    names = [b"%0*d" % (length, i) for i in range(size)]
    lines = [[b"FLUSHALL"], *([b"SET", name, b"v"] for name in names)]
    lines += [part for name in names for part in ([b"HSET", b"h", name, b"v"], [b"ZADD", b"z", b"1", name])]
    lines += [[b"SADD", b"s", b"x" + name] for name in names]
    peer.run(lines)


@pytest.mark.parametrize(("size", "length"), [(72, 4), (72, 70), (2000, 4)])
@pytest.mark.parametrize("command", COMMANDS, ids=bytes.decode)
def test_pages_are_no_larger_than_those_of_redis(
    peers: tuple[Peer, Peer], command: bytes, size: int, length: int
) -> None:
    """Each page has about COUNT elements, or all where Redis has them in a compact form; each comes exactly once."""
    for peer in peers:
        fill(peer, size, length)
    for count in (1, 10, 50, 500):
        ours, theirs = (pages(peer, command, count) for peer in peers)
        everything = sorted(element for page in ours for element in page)
        assert everything == sorted({element for page in theirs for element in page})
        if len(theirs) == 1:
            assert len(ours) <= size // count + 1
            assert len(ours) == 1 or command in (b"SCAN", b"SSCAN")
        else:
            assert max(map(len, ours)) <= count + 2
