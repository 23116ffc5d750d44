"""MULTI, EXEC and WATCH, with the replies that Redis 7.0 gives."""

from __future__ import annotations

import pytest
import redis
from support import Server
from support.story import Steps, play

STEPS: Steps = (
    ("EXEC", "-EXEC without MULTI"),
    ("DISCARD", "-DISCARD without MULTI"),
    ("MULTI", b"OK"),
    ("MULTI", "-MULTI calls can not be nested"),
    ("SET a 1", b"QUEUED"),
    ("INCR a", b"QUEUED"),
    ("PING", b"QUEUED"),
    ("BLPOP none 0", b"QUEUED"),
    ("EXEC", [b"OK", 2, b"PONG", None]),
    ("MULTI", b"OK"),
    ("EXEC", []),
    ("MULTI", b"OK"),
    ("SET a", "-wrong number of arguments for 'set' command"),
    ("SET b 1", b"QUEUED"),
    ("EXEC", "-Transaction discarded because of previous errors."),
    ("EXISTS b", 0),
    ("MULTI", b"OK"),
    ("NOSUCH", "-unknown command 'NOSUCH', with args beginning with: "),
    ("EXEC", "-Transaction discarded because of previous errors."),
    ("MULTI", b"OK"),
    ("WATCH a", "-WATCH inside MULTI is not allowed"),
    ("SET b 1", b"QUEUED"),
    ("EXEC", [b"OK"]),
    ("MULTI", b"OK"),
    ("SET c 1", b"QUEUED"),
    ("DISCARD", b"OK"),
    ("EXISTS c", 0),
    ("WATCH a", b"OK"),
    ("SET a 5", b"OK"),
    ("MULTI", b"OK"),
    ("GET a", b"QUEUED"),
    ("EXEC", None),
    ("MULTI", b"OK"),
    ("GET a", b"QUEUED"),
    ("EXEC", [b"5"]),
    ("WATCH a", b"OK"),
    ("SET a 6", b"OK"),
    ("UNWATCH", b"OK"),
    ("MULTI", b"OK"),
    ("EXEC", []),
    ("MULTI", b"OK"),
    ("SELECT 2", b"QUEUED"),
    ("SET there 1", b"QUEUED"),
    ("EXEC", [b"OK", b"OK"]),
    ("EXISTS there", 1),
    ("SELECT 0", b"OK"),
    ("MULTI", b"OK"),
    ("SHUTDOWN NOSAVE", "-Command not allowed inside a transaction"),
    ("DISCARD", b"OK"),
    ("MULTI x", "-wrong number of arguments for 'multi' command"),
)


def test_a_story_of_transactions(node: Server) -> None:
    """Each step's reply is Redis's, and so is the state it leaves for the next."""
    node.command("FLUSHALL")
    play(node, STEPS)


CHANGES = {
    "set": (("SET", "w", "2"),),
    "deleted": (("DEL", "w"),),
    "expired at once": (("EXPIRE", "w", "-1"),),
    "renamed over": (("SET", "x", "1"), ("RENAME", "x", "w")),
    "flushed": (("FLUSHALL",),),
    "time to live set": (("EXPIRE", "w", "100"),),
    "swapped away": (("SWAPDB", "0", "1"),),
    "set to the same": (("SET", "w", "1"),),
}


@pytest.mark.parametrize("change", CHANGES)
def test_watch_sees_every_change(node: Server, change: str) -> None:
    """Whatever changes a watched key between WATCH and EXEC makes EXEC do nothing."""
    node.command("FLUSHALL")
    node.command("SET", "w", "1")
    with node.client() as client, client.pipeline() as pipe:
        pipe.watch("w")
        for command in CHANGES[change]:
            node.command(*command)
        pipe.multi()
        pipe.set("done", 1)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert node.command("EXISTS", "done") == 0


def test_watch_ignores_what_changes_nothing(node: Server) -> None:
    """A command that fails or finds nothing to do leaves watchers alone."""
    node.command("FLUSHALL")
    node.command("SET", "w", "text")
    with node.client() as client, client.pipeline() as pipe:
        pipe.watch("w", "absent")
        for command in (
            ("SETNX", "w", "x"),
            ("DEL", "absent"),
            ("PERSIST", "w"),
            ("GET", "w"),
            ("EXPIRE", "absent", "1"),
        ):
            node.command(*command)
        with pytest.raises(redis.ResponseError):
            node.command("INCR", "w")
        pipe.multi()
        pipe.set("done", 1)
        assert pipe.execute() == [True]


def test_errors_inside_do_not_stop_the_rest(node: Server) -> None:
    """A request that fails inside EXEC leaves its error among the replies, and the others run."""
    node.command("FLUSHALL")
    with node.client() as client, client.pipeline() as pipe:
        pipe.set("s", "x").lpush("s", "y").set("t", "z")
        first, second, third = pipe.execute(raise_on_error=False)
    assert first is True
    assert third is True
    assert isinstance(second, redis.ResponseError)
