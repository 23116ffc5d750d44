"""Strings over the wire, with the replies that Redis 7.0 gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import Server, start_kvserver
from support.story import Steps, play

NOT_INT = "value is not an integer or out of range"
STEPS: Steps = (
    ("SET k v", b"OK"),
    ("GET k", b"v"),
    ("SET k w NX", None),
    ("SET k w XX GET", b"v"),
    ("SET none w XX", None),
    ("SET none x GET", None),
    ("GETSET none y", b"x"),
    ("GETDEL none", b"y"),
    ("GET none", None),
    ("SET k v EX 0", "-invalid expire time in 'set' command"),
    ("SET k v EX -1", "-invalid expire time in 'set' command"),
    ("SET k v PX 9223372036854775807", "-invalid expire time in 'set' command"),
    ("SET k v EX 10 PX 10", "-syntax error"),
    ("SET k v NX XX", "-syntax error"),
    ("SET k v EX 10 KEEPTTL", "-syntax error"),
    ("SET k v EX", "-syntax error"),
    ("SET k v EX 1_0", "-" + NOT_INT),
    ("SET k v PX 100000", b"OK"),
    ("SET k v2 KEEPTTL", b"OK"),
    ("TTL k", 100),
    ("SET k v3", b"OK"),
    ("TTL k", -1),
    ("SETEX k 100 v", b"OK"),
    ("SETEX k 0 v", "-invalid expire time in 'setex' command"),
    ("PSETEX k 100000 v", b"OK"),
    ("GETEX k PERSIST", b"v"),
    ("TTL k", -1),
    ("GETEX k EX 100", b"v"),
    ("TTL k", 100),
    ("SETNX k z", 0),
    ("DEL k", 1),
    ("SETNX k z", 1),
    ("APPEND k ab", 3),
    ("STRLEN k", 3),
    ("GETRANGE k 0 -1", b"zab"),
    ("GETRANGE k -2 -1", b"ab"),
    ("GETRANGE k 5 9", b""),
    ("SUBSTR k 0 0", b"z"),
    ("SETRANGE k 5 x", 6),
    ("GET k", b"zab\x00\x00x"),
    ("SETRANGE k -1 x", "-offset is out of range"),
    ("SETRANGE k 536870911 xx", "-string exceeds maximum allowed size (proto-max-bulk-len)"),
    ("SETRANGE empty 0 ", 0),
    ("INCR n", 1),
    ("INCRBY n 41", 42),
    ("DECR n", 41),
    ("DECRBY n 2", 39),
    ("INCRBY n 1.5", "-" + NOT_INT),
    ("INCRBY n 9223372036854775807", "-increment or decrement would overflow"),
    ("DECRBY n -9223372036854775808", "-decrement would overflow"),
    ("SET n 9223372036854775807", b"OK"),
    ("INCR n", "-increment or decrement would overflow"),
    ("SET n  1", "-syntax error"),
    ("INCR k", "-" + NOT_INT),
    ("INCRBYFLOAT f 0.1", b"0.1"),
    ("INCRBYFLOAT f 0.2", b"0.3"),
    ("INCRBYFLOAT f 5e2", b"500.29999999999999999"),
    ("INCRBYFLOAT f nan", "-value is not a valid float"),
    ("INCRBYFLOAT f inf", "-increment would produce NaN or Infinity"),
    ("MSET a 1 b 2", b"OK"),
    ("MSET a 1 b", "-wrong number of arguments for 'mset' command"),
    ("MGET a b c", [b"1", b"2", None]),
    ("MSETNX a 9 c 9", 0),
    ("MSETNX c 3 d 4", 1),
    ("RPUSH l x", 1),
    ("GET l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("MGET a l", [b"1", None]),
    ("SET l s GET", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("GETDEL l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("STRLEN l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("SET l s", b"OK"),
    ("SET x ohmytext", b"OK"),
    ("SET y mynewtext", b"OK"),
    ("LCS x y", b"mytext"),
    ("LCS x y LEN", 6),
    ("LCS x y IDX MINMATCHLEN 4 WITHMATCHLEN", [b"matches", [[[4, 7], [5, 8], 4]], b"len", 6]),
    ("LCS x y LEN IDX", "-If you want both the length and indexes, please just use IDX."),
    ("SET i 12345", b"OK"),
    ("OBJECT ENCODING i", b"int"),
    ("OBJECT ENCODING y", b"embstr"),
    ("APPEND y more", 13),
    ("OBJECT ENCODING y", b"raw"),
)  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_kvserver() as server:
        yield server


def test_a_story_of_strings(node: Server) -> None:
    """Each step's reply is Redis's, and so is the state it leaves for the next."""
    play(node, STEPS)
