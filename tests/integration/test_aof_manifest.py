"""Which files an append-only file has, through rewrites that succeed, fail or are given up, and through crashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import Server, start_kvserver, wait_until

OPTIONS: dict[str, Any] = {"auto_aof_rewrite_percentage": 0, "enable_debug_command": "local"}


def manifest(folder: Path) -> list[str]:
    return Path(folder, "appendonlydir", "appendonly.aof.manifest").read_text().splitlines()


def line(seq: int, kind: str, suffix: str) -> str:
    return f"file appendonly.aof.{seq}.{suffix} seq {seq} type {kind}"


def base(seq: int) -> str:
    return line(seq, "b", "base.rdb")


def incr(seq: int) -> str:
    return line(seq, "i", "incr.aof")


def files(folder: Path) -> set[str]:
    return {path.name for path in Path(folder, "appendonlydir").iterdir()}


def rewrite(server: Server) -> str:
    """Have the files rewritten; how it ended."""
    server.command("BGREWRITEAOF")
    return rewritten(server)


def rewritten(server: Server) -> str:
    """Wait until no rewrite runs or is to run; how the last ended."""

    def over() -> bool:
        found = server.info("persistence")  # asked once: between two answers what was scheduled may have begun
        return not found["aof_rewrite_in_progress"] and not found["aof_rewrite_scheduled"]

    wait_until(over, what="the rewrite")
    return str(server.info("persistence")["aof_last_bgrewrite_status"])


def obstacle(server: Server) -> Path:
    """Something in the way of the file that a rewrite writes: it fails as on a disk that is full."""
    path = server.folder / f"temp-rewriteaof-bg-{server.pid}.aof"
    path.mkdir()
    return path


def test_rewrites_that_fail(tmp_path: Path) -> None:
    """Each leaves an increment; nothing is lost by a crash; the first that succeeds makes them all superfluous."""
    with start_kvserver(folder=tmp_path, appendonly="yes", **OPTIONS) as server:
        in_the_way = obstacle(server)
        for number in range(1, 4):
            server.command("RPUSH", "list", number)
            assert rewrite(server) == "err"
            assert manifest(tmp_path) == [base(1), *(incr(seq) for seq in range(1, number + 2))]
        server.command("RPUSH", "list", 4)
        server.kill()
    in_the_way.rmdir()
    with start_kvserver(folder=tmp_path, appendonly="yes", **OPTIONS) as server:
        assert server.command("LRANGE", "list", 0, -1) == [b"1", b"2", b"3", b"4"]
        assert rewrite(server) == "ok"
        wait_until(lambda: manifest(tmp_path) == [base(2), incr(5)], what="the history's end")
        assert files(tmp_path) == {
            "appendonly.aof.manifest", "appendonly.aof.2.base.rdb", "appendonly.aof.5.incr.aof",
        }  # fmt: skip
        digest = server.command("DEBUG", "DIGEST")
        server.command("DEBUG", "LOADAOF")
        assert server.command("DEBUG", "DIGEST") == digest


def test_history_is_kept_if_wanted(tmp_path: Path) -> None:
    """With aof-disable-auto-gc the old files stay, named as history, until they may go."""
    with start_kvserver(folder=tmp_path, appendonly="yes", aof_disable_auto_gc="yes", **OPTIONS) as server:
        server.command("SET", "a", 1)
        assert rewrite(server) == "ok"
        history = [line(1, "h", "incr.aof"), line(1, "h", "base.rdb")]
        assert manifest(tmp_path) == [base(2), *history, incr(2)]
        assert len(files(tmp_path)) == 5
        server.command("CONFIG", "SET", "aof-disable-auto-gc", "no")
        wait_until(lambda: manifest(tmp_path) == [base(2), incr(2)], what="the history's end")
        wait_until(lambda: len(files(tmp_path)) == 3, what="its files' end")


def test_rewritten_while_off(tmp_path: Path) -> None:
    """Switched off, a rewrite makes a base alone; switched on, the numbers go on."""
    with start_kvserver(folder=tmp_path, appendonly="yes", **OPTIONS) as server:
        server.command("SET", "a", 1)
        server.command("CONFIG", "SET", "appendonly", "no")
        assert rewrite(server) == "ok"
        wait_until(lambda: manifest(tmp_path) == [base(2)], what="a base alone")
        server.command("CONFIG", "SET", "appendonly", "yes")
        assert rewritten(server) == "ok"
        wait_until(lambda: manifest(tmp_path) == [base(3), incr(2)], what="the log again")
        server.command("SET", "b", 2)
        server.kill()
    with start_kvserver(folder=tmp_path, appendonly="yes", **OPTIONS) as server:
        assert server.client().mget("a", "b") == [b"1", b"2"]


def test_switched_on_during_a_snapshot(tmp_path: Path) -> None:
    """The first base waits until BGSAVE is over; meanwhile there is no file yet."""
    with start_kvserver(folder=tmp_path, rdb_key_save_delay=10_000_000, **OPTIONS) as server:
        server.command("SET", "a", 1)
        server.command("BGSAVE")
        server.command("CONFIG", "SET", "appendonly", "yes")
        assert server.info("persistence")["aof_rewrite_scheduled"] == 1
        assert not Path(tmp_path, "appendonlydir", "appendonly.aof.manifest").exists()
        server.command("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert rewritten(server) == "ok"
        server.command("SET", "b", 2)
        server.kill()
        assert manifest(tmp_path) == [base(1), incr(1)]
    with start_kvserver(folder=tmp_path, appendonly="yes", **OPTIONS) as server:
        assert server.client().mget("a", "b") == [b"1", b"2"]


def test_switched_on_and_slow(tmp_path: Path) -> None:
    """What is written while the first base is made is in a temporary increment, and then in the first one."""
    with start_kvserver(folder=tmp_path, rdb_key_save_delay=10_000_000, **OPTIONS) as server:
        server.command("SET", "a", 1)
        server.command("CONFIG", "SET", "appendonly", "yes")
        temporary = Path(tmp_path, "appendonlydir", "temp-appendonly.aof.incr")
        wait_until(temporary.exists, what="the temporary increment")
        server.command("SET", "b", 2)
        wait_until(lambda: b"SET" in temporary.read_bytes(), what="the write in it")
        assert not Path(tmp_path, "appendonlydir", "appendonly.aof.manifest").exists()
        server.command("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert rewritten(server) == "ok"
        assert manifest(tmp_path) == [base(1), incr(1)]
        assert not temporary.exists()
        server.kill()
    with start_kvserver(folder=tmp_path, appendonly="yes", **OPTIONS) as server:
        assert server.client().mget("a", "b") == [b"1", b"2"]


def test_given_up_before_it_began(tmp_path: Path) -> None:
    """A rewrite, or a save, that is begun and given up by one pipeline is over afterwards."""
    with start_kvserver(folder=tmp_path, appendonly="yes", save="3600 1", **OPTIONS) as server:
        client = server.client()
        with client.pipeline(transaction=False) as pipe:
            pipe.set("a", 1)
            pipe.execute_command("BGREWRITEAOF")
            pipe.config_set("appendonly", "no")
            pipe.execute()
        assert rewritten(server) == "ok"
        with client.pipeline(transaction=False) as pipe:
            pipe.bgsave()
            pipe.flushall()
            pipe.execute()
        wait_until(lambda: not server.info("persistence")["rdb_bgsave_in_progress"], what="the save's end")
        assert rewrite(server) == "ok"


def test_rewrites_that_fail_are_spaced_out(tmp_path: Path) -> None:
    """After three failures in a row a rewrite that nobody asked for waits; one that is asked for doesn't."""
    options = OPTIONS | {"auto_aof_rewrite_min_size": 1024}
    with start_kvserver(folder=tmp_path, appendonly="yes", **options) as server:
        in_the_way = obstacle(server)
        for _ in range(3):
            assert rewrite(server) == "err"
        server.command("SET", "x", "x" * 2000)
        server.command("CONFIG", "SET", "auto-aof-rewrite-percentage", 1)
        wait_until(lambda: "triggered the limit, will retry in 1 minutes" in server.log_text(), what="the limit")
        assert len(manifest(tmp_path)) == 5
        in_the_way.rmdir()
        assert rewrite(server) == "ok"
        wait_until(lambda: manifest(tmp_path) == [base(2), incr(5)], what="the history's end")
