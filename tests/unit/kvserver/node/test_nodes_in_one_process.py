"""Whole nodes on the test's own loop, each behind its own doors."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hiredis
from support.doors import FakeTime, fake_doors

from kvserver.cli import plugins
from kvserver.config import Config, Loaded
from kvserver.doors import Doors
from kvserver.node.node import Node
from kvserver.wire.resp import encode_request


class Client:
    """One connection to a node's unix socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.replies = hiredis.Reader()

    async def __call__(self, *words: Any) -> Any:
        """Send one request, return its reply."""
        self.writer.write(encode_request([word if isinstance(word, bytes) else str(word).encode() for word in words]))
        while (reply := self.replies.gets()) is False:
            data = await self.reader.read(1 << 16)
            assert data, "the node hung up"
            self.replies.feed(data)
        return reply

    async def until(self, wanted: Any, *words: Any) -> None:
        """Ask until the reply is the one that is wanted."""
        async with asyncio.timeout(20):
            while await self(*words) != wanted:  # noqa: ASYNC110 - the node tells nobody
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(doors: Doors, **options: Any) -> AsyncIterator[tuple[Node, Client]]:
    """A whole data node and a client, which meet at a socket in the node's folder."""
    config = Config()
    for name, value in {"port": 0, "unixsocket": "s", "save": (), "hz": 100, **options}.items():
        config.assign(name.replace("_", "-"), value)
    node = Node(config, Loaded(), plugins(), doors=doors)
    await node.start()
    reader, writer = await asyncio.open_unix_connection(doors.disk.path(config.unixsocket))
    try:
        yield node, Client(reader, writer)
    finally:
        writer.close()
        await node.stop()


async def test_a_key_expires_without_waiting(tmp_path: Path) -> None:
    """Time is what the node's clock says: an hour passes at once, and a key's hour with it."""
    time = FakeTime()
    async with running(fake_doors(tmp_path, time=time)) as (node, ask):
        await ask("SET", "read", "v", "EX", 3600)
        await ask("SET", "left alone", "v", "EX", 3600)
        await ask("SET", "kept", "v", "EX", 7200)
        assert await ask("PTTL", "read") in range(3_599_000, 3_600_001)
        assert (await ask("TIME"))[0] == b"%d" % time.now_s
        time.advance(3601)
        assert await ask("GET", "read") is None
        await ask.until(1, "DBSIZE")  # the cycle finds the one that nobody reads
        assert await ask("GET", "kept") == b"v"
        assert node.engine.state.expired_keys == 2


async def test_what_a_node_tells_comes_through_its_doors(tmp_path: Path) -> None:
    """What LASTSAVE and INFO tell is the node's time, and its run id comes from its own chance."""
    time = FakeTime(1_000_000_000.0)
    async with running(fake_doors(tmp_path, 7, time)) as (_, ask):
        assert await ask("LASTSAVE") == 1_000_000_000
        first = (await ask("INFO", "server")).decode()
        time.advance(86400 * 3)
        later = (await ask("INFO", "server")).decode()
    told = [dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line) for text in (first, later)]
    assert told[0]["uptime_in_seconds"] == "0"
    assert told[1]["uptime_in_days"] == "3"
    (tmp_path / "s").unlink(missing_ok=True)
    async with running(fake_doors(tmp_path, 7)) as (_, ask):
        again = (await ask("INFO", "server")).decode()
    assert told[0]["run_id"] in again


async def test_two_nodes_know_nothing_of_each_other(tmp_path: Path) -> None:
    """Two nodes on one loop have thresholds, times and chance of their own, whatever the other one is told."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    times = [FakeTime(), FakeTime(1_500_000_000.0)]
    small = {"hash_max_listpack_entries": 2, "set_max_intset_entries": 2, "proto_max_bulk_len": 1 << 20}
    async with (
        running(fake_doors(folders[0], 1, times[0]), **small) as (one, ask_one),
        running(fake_doors(folders[1], 2, times[1])) as (two, ask_two),
    ):
        for ask in (ask_one, ask_two):
            await ask("HSET", "hash", *"a1b2c3")
            await ask("SADD", "set", *"123")
            await ask("SET", "key", "v", "PX", 1000)
        assert [await ask_one("OBJECT", "ENCODING", key) for key in ("hash", "set")] == [b"hashtable", b"hashtable"]
        assert [await ask_two("OBJECT", "ENCODING", key) for key in ("hash", "set")] == [b"listpack", b"intset"]
        await ask_two("CONFIG", "SET", "zset-max-listpack-entries", 1)
        for ask in (ask_one, ask_two):
            await ask("ZADD", "zset", *"1a2b")
        assert await ask_one("OBJECT", "ENCODING", "zset") == b"listpack"
        assert await ask_two("OBJECT", "ENCODING", "zset") == b"skiplist"
        assert isinstance(await ask_one("SETRANGE", "long", 1 << 20, "x"), hiredis.ReplyError)
        assert await ask_two("SETRANGE", "long", 1 << 20, "x") == (1 << 20) + 1
        times[0].advance(2)
        assert await ask_one("EXISTS", "key") == 0
        assert await ask_two("EXISTS", "key") == 1
        assert one.engine.state.rng.random() != two.engine.state.rng.random()
        giant = [str(number) for number in range(9000)]
        await ask_one("RPUSH", "giant", *giant)
        assert (one.engine.state.limits.giants, two.engine.state.limits.giants) == (True, False)


async def test_each_node_has_its_files_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """Snapshots, append-only files and relative names of options stay in the node's folder, not in the process's."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "users.acl").write_text("user default on nopass ~* &* +@all\n")
    before = os.getcwd()
    async with (
        running(fake_doors(folders[0], 1), appendonly=True, appendfsync="always", aclfile="users.acl") as (_, ask_one),
        running(fake_doors(folders[1], 2), dbfilename="other.rdb", enable_protected_configs="yes") as (_, ask_two),
    ):
        for name, ask in (("one", ask_one), ("two", ask_two)):
            await ask("SET", "name", name)
            assert await ask("SAVE") == b"OK"
        assert await ask_one("ACL", "SAVE") == b"OK"
        assert await ask_one("CONFIG", "GET", "dir") == [b"dir", str(folders[0]).encode()]
        (folders[1] / "sub").mkdir()
        assert isinstance(await ask_two("CONFIG", "SET", "dir", "nowhere"), hiredis.ReplyError)
        assert await ask_two("CONFIG", "SET", "dir", "sub") == b"OK"
        assert await ask_two("SAVE") == b"OK"
        assert await ask_one("CONFIG", "GET", "dir") == [b"dir", str(folders[0]).encode()]
    assert os.getcwd() == before
    assert {path.name for path in folders[0].iterdir()} == {"appendonlydir", "dump.rdb", "users.acl"}
    assert {path.name for path in folders[1].iterdir()} == {"other.rdb", "sub"}
    assert b"two" in (folders[1] / "sub" / "other.rdb").read_bytes()
    async with running(fake_doors(folders[0], 3), appendonly=True, aclfile="users.acl") as (_, ask):
        assert await ask("GET", "name") == b"one"


async def test_a_node_in_a_shared_process_changes_nothing_of_it(tmp_path: Path) -> None:
    """Collector, title, limits and log level stay as they were while a node comes, is told otherwise, and goes."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    state = gc.isenabled(), gc.get_freeze_count(), logging.getLogger().level
    async with running(fake_doors(tmp_path), maxclients=files[0] * 2) as (node, ask):
        assert await ask("CONFIG", "SET", "loglevel", "debug", "oom-score-adj", "yes") == b"OK"
        assert (await ask("CONFIG", "GET", "maxclients"))[1] == b"%d" % (files[0] * 2)
        told = (await ask("INFO", "everything")).decode()
        assert f"process_id:{node.doors.machine.pid}\r\n" in told
        assert f"executable:{node.doors.machine.executable}\r\n" in told
        assert f"total_system_memory:{node.doors.machine.total_bytes}\r\n" in told
        assert (gc.isenabled(), gc.get_freeze_count(), logging.getLogger().level) == state
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == files
