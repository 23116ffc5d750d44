"""The same commands on us and on a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st
from support import start_kvserver, start_redis

from differential.grammar import KEYS, PRELUDE, command
from differential.peers import Peer, comparable, state
from differential.profile import bounded

QUEUING = (b"MULTI", b"EXEC", b"DISCARD")
Pair = tuple[Peer, Peer]
ALL = [*KEYS, b"y1", b"p1", b"p2"]
RESET = [[b"FLUSHALL"], *PRELUDE]


@pytest.fixture(scope="module", params=[2, 3], ids=["resp2", "resp3"])
def peers(request: pytest.FixtureRequest) -> Iterator[Pair]:
    os.environ["LC_ALL"] = "C"  # SORT ALPHA follows it in Redis
    with start_kvserver() as ours, start_redis() as theirs:
        pair = Peer(ours.port, request.param), Peer(theirs.port, request.param)
        yield pair
        for peer in pair:
            peer.close()


@bounded(150)
@given(lines=st.lists(command(), min_size=4, max_size=25))
def test_same_commands_same_answers(peers: Pair, lines: list[list[bytes]]) -> None:
    """Any sequence of commands is answered as Redis answers it, and leaves the same data."""
    ours, theirs = peers
    script = [*RESET, *lines, [b"DISCARD"]]
    mine, real = ours.run(script), theirs.run(script)
    for number, line in enumerate(script):
        assert comparable(line, mine[number]) == comparable(line, real[number]), script[: number + 1]
    assert state(ours, ALL) == state(theirs, ALL)


def changes(peer: Peer) -> int:
    """How many changes the server has counted since it last saved."""
    info: bytes = peer.run([[b"INFO", b"persistence"]])[0]
    return int(info.split(b"rdb_changes_since_last_save:")[1].split()[0])


class Listener:
    """Hears of a server's keyspace events."""

    def __init__(self, port: int) -> None:
        self.peer = Peer(port, 2)
        for channel in (b"__keyevent@0__:*", b"end"):
            self.peer.connection.send_command(b"PSUBSCRIBE", channel)
            self.peer.reply()

    def heard(self) -> list[tuple[bytes, bytes]]:
        """(event, key) up to the next message that ends the round."""
        found = []
        while (message := self.peer.reply())[2] != b"end":
            found.append((message[2].partition(b":")[2], message[3]))
        return found


@pytest.fixture(scope="module")
def listeners() -> Iterator[list[tuple[Peer, Listener]]]:
    with start_kvserver() as ours, start_redis() as theirs:
        pairs = [(Peer(port, 2), Listener(port)) for port in (ours.port, theirs.port)]
        for peer, _ in pairs:
            peer.run([[b"CONFIG", b"SET", b"notify-keyspace-events", b"EA"]])
        yield pairs
        for peer, listener in pairs:
            peer.close()
            listener.peer.close()


@bounded(150)
@given(lines=st.lists(command().filter(lambda line: line[0] not in QUEUING), min_size=4, max_size=20))
def test_same_events(listeners: list[tuple[Peer, Listener]], lines: list[list[bytes]]) -> None:
    """Each command tells subscribers and counts as changes what it does in Redis."""
    end = [b"PUBLISH", b"end", b""]
    for peer, listener in listeners:
        peer.run([*RESET, end])
        listener.heard()
    script = [part for line in lines for part in (line, end, [b"INFO", b"persistence"])]
    outcomes = []
    for peer, listener in listeners:
        before = changes(peer)
        counts = [int(info.split(b"last_save:")[1].split()[0]) - before for info in peer.run(script)[2::3]]
        outcomes.append([(line, n, listener.heard()) for line, n in zip(lines, counts, strict=True)])
    assert outcomes[0] == outcomes[1]
