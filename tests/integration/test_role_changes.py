"""Roles that change while nodes serve: nobody applies a stream who leads, and nobody guesses the role."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from support import wait_until
from support.replicas import field, pair
from support.servers import Server

TIMES = 6
"""How often the role goes to and fro in one test."""


def _hand_over(old: Server, new: Server) -> None:
    """Have `old` hand over to `new`, until the roles have changed and the link is up."""
    wait_until(lambda: field(old, "connected_slaves") == 1, what="the replica attached")
    old.command("FAILOVER")
    wait_until(lambda: field(new, "role") == "master", what="the new primary")
    wait_until(lambda: field(old, "role") == "slave" and field(old, "master_link_status") == "up", what="the link")


def _flags(server: Server) -> list[str]:
    return [client["flags"] for client in server.client().client_list()]


@pytest.mark.parametrize("attempt", range(3))
def test_two_nodes_never_feed_each_other(stack: ExitStack, attempt: int) -> None:
    """However often the role goes to and fro, each INCR is applied once, and a primary follows nobody."""
    old, new = pair(stack, enable_debug_command="local")
    old.command("SET", "n", 0)
    for turn in range(1, TIMES + 1):
        _hand_over(old, new)
        assert new.command("INCR", "n") == turn
        assert not [flags for flags in _flags(new) if "M" in flags], "a primary has a stream coming in"
        wait_until(lambda turn=turn, follower=old: follower.command("GET", "n") == b"%d" % turn, what="the write")
        assert field(old, "connected_slaves") == 0
        old, new = new, old
    wait_until(lambda: field(old, "master_repl_offset") == field(new, "master_repl_offset"), what="equal offsets")
    assert old.command("GET", "n") == new.command("GET", "n") == b"%d" % TIMES
    assert old.command("DEBUG", "DIGEST") == new.command("DEBUG", "DIGEST")
