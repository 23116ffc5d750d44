"""FLUSHALL where there are save points: the file is empty, durably, before anybody is told."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import Server, start_kvserver, wait_until

SAVES = {"save": "3600 1"}

WAYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "alone": (("FLUSHALL",),),
    "sync": (("FLUSHALL", "SYNC"),),
    "exec": (("MULTI",), ("SET", "old:9", "x"), ("FLUSHALL",), ("EXEC",)),
    "script": (("EVAL", "redis.call('SET', 'old:8', 'x'); return redis.call('FLUSHALL')", "0"),),
    "twice": (("FLUSHALL",), ("SET", "old:7", "x"), ("FLUSHALL",)),
    "during a save": (("BGSAVE",), ("FLUSHALL",)),
}


def requests(*commands: tuple[str, ...]) -> bytes:
    return b"".join(
        b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w.encode()) for w in words) for words in commands
    )


def fill(node: Server) -> None:
    with node.client() as client:
        client.mset({f"old:{i}": random.randbytes(64) for i in range(300)})
        client.save()


def kill_when_told(node: Server, way: str) -> None:
    """Send the requests of a way in one piece, and kill the node as soon as the last reply is there."""
    commands = WAYS[way]
    data = b""
    with node.connect() as link:
        link.sendall(requests(*commands, ("ECHO", "told")))
        while not data.endswith(b"$4\r\ntold\r\n"):
            chunk = link.recv(65536)
            assert chunk, data
            data += chunk
        node.kill()
    assert b"-" not in data, data


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_behind_the_reply_brings_nothing_back(tmp_path: Path, way: str) -> None:
    """Whichever way FLUSHALL is run, a node killed right after the reply comes back empty, each time."""
    with start_kvserver(folder=tmp_path, **SAVES) as node:
        for _ in range(3):
            fill(node)
            kill_when_told(node, way)
            node.start_again()
            assert node.command("DBSIZE") == 0
            assert sorted(path.name for path in tmp_path.glob("*.rdb")) == ["dump.rdb"]


@pytest.mark.parametrize("command", ["BGSAVE", "SAVE"])
def test_a_save_may_follow_at_once(tmp_path: Path, command: str) -> None:
    """A save right behind FLUSHALL isn't refused, and what it saves is what there was when it was asked for."""
    with start_kvserver(folder=tmp_path, **SAVES) as node:
        for round_number in range(3):
            fill(node)
            with node.client() as client:
                pipe = client.pipeline(transaction=False)
                pipe.execute_command("BGSAVE")
                pipe.execute_command("FLUSHALL")
                pipe.execute_command("SET", "new", round_number)
                pipe.execute_command(command)
                replies = pipe.execute(raise_on_error=False)
            assert not any(isinstance(reply, Exception) for reply in replies), replies
            wait_until(lambda: node.info("persistence")["rdb_bgsave_in_progress"] == 0)
            node.kill()
            node.start_again()
            assert node.client().keys() == [b"new"]
            assert node.client().get("new") == b"%d" % round_number


def test_it_is_no_background_save(tmp_path: Path) -> None:
    """As in Redis, nobody sees a save in progress, and there is nothing left to save behind FLUSHALL."""
    with start_kvserver(folder=tmp_path, **SAVES) as node:
        fill(node)
        with node.client() as client:
            pipe = client.pipeline(transaction=False)
            pipe.set("k", "v")
            pipe.flushall()
            pipe.execute_command("INFO", "persistence")
            info = pipe.execute()[-1]
        assert info["rdb_bgsave_in_progress"] == 0
        assert info["rdb_changes_since_last_save"] == 0


def test_a_disk_that_fails_keeps_nobody_waiting(tmp_path: Path) -> None:
    """If the file can't be written FLUSHALL replies all the same, writes go on, and what changed is yet to be saved."""
    with start_kvserver(folder=tmp_path, **SAVES) as node:
        with node.client() as client:
            client.set("k", "v")
            (tmp_path / "dump.rdb").mkdir()
            assert client.flushall() is True
            assert client.set("k", "w") is True
            assert client.info("persistence")["rdb_changes_since_last_save"] > 1
            assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"
        assert "the file of FLUSHALL could not be written" in node.log_text()
        (tmp_path / "dump.rdb").rmdir()
