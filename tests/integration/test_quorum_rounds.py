"""What linearizable reads cost between the nodes of a group."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from support.quorums import start_group
from support.wire import read_exactly


@pytest.mark.parametrize("reader", [0, 1], ids=["leader", "follower"])
def test_linearizable_reads_share_rounds(stack: ExitStack, reader: int) -> None:
    """A hundred clients that read at once cost a few messages between the nodes, not some for each."""
    nodes = start_group(stack, reads="linearizable", quorum_timeout_ms=5_000)
    leader = nodes[0]
    leader.command("SET", "k", "v")
    links = [stack.enter_context(nodes[reader].connect()) for _ in range(100)]
    for link in links:
        link.sendall(b"GET k\r\n")
        assert read_exactly(link, 7) == b"$1\r\nv\r\n"
    before = leader.info("commandstats")["cmdstat_replconf"]["calls"]
    for link in links:
        link.sendall(b"GET k\r\n")
    for link in links:
        assert read_exactly(link, 7) == b"$1\r\nv\r\n"
    assert leader.info("commandstats")["cmdstat_replconf"]["calls"] - before < 100
