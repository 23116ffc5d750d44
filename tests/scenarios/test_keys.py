"""Keys of any type, their expiry, and whole databases, with the replies that Redis 7.0 gives."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support import Server, start_kvserver, wait_until
from support.story import Steps, play

FAR = 9999999999
KEYS: Steps = (
    ("MSET a 1 b 2 c 3", b"OK"),
    ("EXISTS a b a none", 3),
    ("TOUCH a none", 1),
    ("TYPE a", b"string"),
    ("TYPE none", b"none"),
    ("DEL a none", 1),
    ("UNLINK b c", 2),
    ("RANDOMKEY", None),
    ("SET one 1", b"OK"),
    ("RANDOMKEY", b"one"),
    ("RENAME none x", "-no such key"),
    ("RENAME one one", b"OK"),
    ("RENAME one two", b"OK"),
    ("SET three 3 EX 100", b"OK"),
    ("RENAMENX three two", 0),
    ("RENAMENX three four", 1),
    ("TTL four", 100),
    ("RENAME two four", b"OK"),
    ("TTL four", -1),
    ("COPY four five", 1),
    ("COPY four five", 0),
    ("COPY four five REPLACE", 1),
    ("COPY four four", "-source and destination objects are the same"),
    ("COPY four four DB 1", 1),
    ("COPY four x DB 99", "-DB index is out of range"),
    ("COPY none x", 0),
    ("MOVE four 0", "-source and destination objects are the same"),
    ("MOVE four 1", 0),
    ("MOVE four 99", "-DB index is out of range"),
    ("MOVE four x", "-value is not an integer or out of range"),
    ("MOVE four 2", 1),
    ("EXISTS four", 0),
    ("DBSIZE", 1),
    ("KEYS f?v*", [b"five"]),
    ("KEYS [a-e]*", []),
    ("SCAN 0 MATCH none*", [b"0", []]),
    ("SCAN 0 COUNT 100 TYPE string", [b"0", [b"five"]]),
    ("SCAN 0 TYPE list", [b"0", []]),
    ("SCAN x", "-invalid cursor"),
    ("SCAN 0 COUNT 0", "-syntax error"),
    ("SCAN 0 COUNT", "-syntax error"),
    ("OBJECT FREQ five", "-An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
     "when switching between policies at runtime LRU and LFU data will take some time to adjust."),
    ("OBJECT REFCOUNT none", None),
    ("OBJECT ENCODING none", None),
)  # fmt: skip

EXPIRY: Steps = (
    ("SET k v", b"OK"),
    ("TTL none", -2),
    ("TTL k", -1),
    ("EXPIRETIME k", -1),
    ("PEXPIRETIME none", -2),
    ("EXPIRE none 10", 0),
    ("EXPIRE k 100", 1),
    ("TTL k", 100),
    ("EXPIRE k 200 NX", 0),
    ("EXPIRE k 50 GT", 0),
    ("EXPIRE k 200 GT", 1),
    ("EXPIRE k 300 LT", 0),
    ("EXPIRE k 60 LT", 1),
    ("EXPIRE k 10 NX XX", "-NX and XX, GT or LT options at the same time are not compatible"),
    ("EXPIRE k 10 GT LT", "-GT and LT options at the same time are not compatible"),
    ("EXPIRE k 10 FOO", "-Unsupported option FOO"),
    ("EXPIRE k x", "-value is not an integer or out of range"),
    ("EXPIRE k 9223372036854775807", "-invalid expire time in 'expire' command"),
    ("PEXPIRE k 9223372036854775807", "-invalid expire time in 'pexpire' command"),
    (f"EXPIREAT k {FAR}", 1),
    ("EXPIRETIME k", FAR),
    ("PEXPIRETIME k", FAR * 1000),
    (f"PEXPIREAT k {FAR * 1000 + 1}", 1),
    ("PEXPIRETIME k", FAR * 1000 + 1),
    ("PERSIST k", 1),
    ("PERSIST k", 0),
    ("EXPIRE k 10 GT", 0),
    ("EXPIRE k 10 XX", 0),
    ("EXPIRE k 10 LT", 1),
    ("EXPIRE k -1", 1),
    ("EXISTS k", 0),
    ("SET k v", b"OK"),
    ("EXPIREAT k 1", 1),
    ("GET k", None),
    ("SET k v PXAT 1", b"OK"),
    ("GET k", None),
)  # fmt: skip

DATABASES: Steps = (
    ("SELECT 1", b"OK"),
    ("SET k one", b"OK"),
    ("SELECT 0", b"OK"),
    ("SET k zero", b"OK"),
    ("SWAPDB 0 1", b"OK"),
    ("GET k", b"one"),
    ("SWAPDB 0 99", "-DB index is out of range"),
    ("SWAPDB x 1", "-invalid first DB index"),
    ("SWAPDB 0 x", "-invalid second DB index"),
    ("SELECT 99", "-DB index is out of range"),
    ("SELECT -1", "-DB index is out of range"),
    ("SELECT x", "-value is not an integer or out of range"),
    ("FLUSHDB", b"OK"),
    ("DBSIZE", 0),
    ("SELECT 1", b"OK"),
    ("DBSIZE", 1),
    ("FLUSHALL ASYNC", b"OK"),
    ("DBSIZE", 0),
    ("FLUSHALL NOW", "-syntax error"),
    ("FLUSHDB SYNC", b"OK"),
)


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_kvserver(enable_debug_command="yes") as server:
        yield server


@pytest.mark.parametrize("steps", [KEYS, EXPIRY, DATABASES], ids=["keys", "expiry", "databases"])
def test_a_story(node: Server, steps: Steps) -> None:
    """Each step's reply is Redis's, and so is the state it leaves for the next."""
    node.command("FLUSHALL")
    play(node, steps)


def test_keys_expire_without_being_asked_for(node: Server) -> None:
    """Keys whose time has passed go by themselves, and count as expired."""
    node.command("FLUSHALL")
    before = node.info("stats")["expired_keys"]
    with node.client() as client:
        for i in range(500):
            client.set(f"k{i}", "v", px=50)
        client.set("stays", "v")
    wait_until(lambda: node.command("DBSIZE") == 1)
    assert node.info("stats")["expired_keys"] == before + 500


def test_expired_keys_are_not_there_even_before_they_go(node: Server) -> None:
    """No command sees a key whose time has passed, although nothing has deleted it yet."""
    node.command("FLUSHALL")
    with node.client() as client:
        client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        try:
            client.set("k", "v", pxat=int(time.time() * 1000) + 30)
            wait_until(lambda: client.get("k") is None)
            assert client.exists("k") == 0
            assert client.keys("*") == []
            assert client.scan(0)[1] == []
            assert client.ttl("k") == -2
            assert client.randomkey() is None
        finally:
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "1")


def test_scan_keeps_its_guarantee(node: Server) -> None:
    """Keys that are there from the first call to the last are returned, however the table grows and shrinks."""
    node.command("FLUSHALL")
    with node.client() as client:
        client.mset({f"stay:{i}": i for i in range(2000)})
        seen: set[bytes] = set()
        cursor, turn = 0, 0
        while True:
            cursor, keys = client.scan(cursor, count=100)
            seen.update(keys)
            if cursor == 0:
                break
            turn += 1
            if turn % 2:
                client.mset({f"new:{turn}:{i}": i for i in range(1000)})
            else:
                client.delete(*(f"new:{turn - 1}:{i}" for i in range(1000)))
        assert {b"stay:%d" % i for i in range(2000)} <= seen
