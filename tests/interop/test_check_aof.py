"""`kvops check-aof` and redis-check-aof, on the same files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings, strategies as st
from support import require_peer, start_redis, wait_until

from kvserver.wire.resp import encode_request
from ops.check_aof import check_aof

SET = encode_request([b"SET", b"k", b"v" * 20])
MULTI, EXEC = encode_request([b"MULTI"]), encode_request([b"EXEC"])
LOG = encode_request([b"SELECT", b"0"]) + SET + b"#TS:1628217470\r\n" + MULTI + SET + EXEC + b"#TS:1628217480\r\n" + SET
MANIFEST = b"file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n"

# Lines about snapshots are our own, as is the word for an end between two arguments; Redis's log lines bear times;
# what follows a cut line is what memory held.
OTHERS = re.compile(
    r"^(\[(offset|info|additional info)\b.*|--- RDB ERROR.*|.* Reached EOF inside a command|)\n", re.MULTILINE
)
STAMP = re.compile(r"^\d+:C .*? # ", re.MULTILINE)
EXTENSIONS = {"yes": "rdb", "no": "aof"}
STALE = re.compile(r"got: 00..$", re.MULTILINE)


def ours(*args: str, answer: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(check_aof, list(args), input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, plain(result.output)


def theirs(*args: str, answer: str = "") -> tuple[int, str]:
    tool = [require_peer("redis-check-aof"), *args]
    result = subprocess.run(tool, input=answer.encode(), capture_output=True, timeout=20, check=False)
    return result.returncode, plain(result.stdout.decode("latin-1"))


def plain(output: str) -> str:
    return STALE.sub("got: 00", OTHERS.sub("", STAMP.sub("", output)))


def both(folder: Path, files: dict[str, bytes], args: list[str], answer: str = "") -> dict[str, bytes]:
    """Run both tools, each on its own copy of the files, and compare everything; return the files after."""
    outcomes = []
    for tool in (theirs, ours):
        for name, content in files.items():
            (folder / name).write_bytes(content)
        paths = [str(folder / arg) if arg in files else arg for arg in args]
        outcomes.append((tool(*paths, answer=answer), {name: (folder / name).read_bytes() for name in files}))
    assert outcomes[1] == outcomes[0]
    return outcomes[1][1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        LOG,
        LOG[:-5],
        LOG + b"*",
        LOG + b"*2\r",
        LOG + b"*2\r\n",
        LOG + b"*2\r\n$3\r\nGET",
        LOG + b"!!!",
        LOG + b"\0" * 100,
        LOG + b"*1\r\n:4\r\n",
        LOG + b"*1\r\n$4\r\nPINGxx",
        LOG + MULTI + SET,
        LOG + MULTI + b"#TS:1628217490\r\n",
        LOG + MULTI + SET + b"*2\r\n$3\r\nGET",
        LOG + MULTI + SET + MULTI + EXEC,
        LOG + SET + EXEC + SET,
        LOG + b"#note\r\n",
        b"PING\r\n",
        b"*1\r\n$4\r\nfile\r\n",
    ],
)
@pytest.mark.parametrize("args", [[], ["--truncate-to-timestamp", "1628217475"]])
def test_one_file(tmp_path: Path, content: bytes, args: list[str]) -> None:
    """A single file gets the same verdict, in the same words, and the same cut."""
    if content.startswith(b"*1\r\n$4\r\nfile"):
        (tmp_path / "a").write_bytes(content)
        assert ours(str(tmp_path / "a"))[0] == 0  # redis-check-aof takes the value for a line of a manifest
        return
    both(tmp_path, {"a.aof": content}, [*args, "a.aof"])


@pytest.mark.parametrize("seconds", ["1", "1628217469", "1628217470", "1628217479", "1628217480", "0", "x", "1x"])
def test_cutting_by_time(tmp_path: Path, seconds: str) -> None:
    """What was written after a given second is cut off, in a single file and in the last one of many."""
    both(tmp_path, {"a.aof": LOG}, ["--truncate-to-timestamp", seconds, "a.aof"])
    many = {"m": MANIFEST, "a.1.base.aof": SET, "a.1.incr.aof": SET, "a.2.incr.aof": LOG}
    both(tmp_path, many, ["--truncate-to-timestamp", seconds, "m"])
    nothing = {"a.aof": b"#TS:1628217470\r\n" + SET}
    both(tmp_path, nothing, ["--truncate-to-timestamp", seconds, "a.aof"])


@pytest.mark.parametrize("answer", ["", "n\n", "y\n", "Y\n", "yes\n"])
def test_fixing(tmp_path: Path, answer: str) -> None:
    """A file is shortened when that is confirmed, and no other way."""
    for tail in (b"*2\r\n$3\r\nGET", MULTI + SET, b"!!!"):
        after = both(tmp_path, {"a.aof": LOG + tail}, ["--fix", "a.aof"], answer)
        assert after["a.aof"] == (LOG if answer[:1] in ("y", "Y") else LOG + tail)


@pytest.mark.parametrize(
    ("files", "args"),
    [
        ({}, []),
        ({"a.1.incr.aof": b""}, []),
        ({"a.2.incr.aof": LOG[:-4]}, []),
        ({"a.2.incr.aof": LOG[:-4]}, ["--fix"]),
        ({"a.1.incr.aof": LOG[:-4]}, ["--fix"]),
        ({"a.1.base.aof": LOG[:-4]}, ["--fix"]),
        ({"a.1.incr.aof": LOG}, ["--truncate-to-timestamp", "1628217475"]),
        ({"m": b"# a comment\n" + MANIFEST}, []),
        ({"m": MANIFEST + b"file x seq 1 type b\n"}, []),
        ({"m": MANIFEST + b"\n"}, []),
        ({"m": MANIFEST + b"file x seq 2 type i\n"}, []),
        ({"m": MANIFEST + b"file x seq 9 type q\n"}, []),
        ({"m": MANIFEST + b"file missing seq 9 type i\n"}, []),
        ({"m": b"file missing seq 1 type b\n" + MANIFEST[31:]}, []),
        ({"m": MANIFEST + b"file ../x seq 3 type i\n"}, []),
        ({"m": MANIFEST + b"file x seq 3 type i"}, []),
        ({"m": MANIFEST[31:]}, []),
        ({"m": MANIFEST[:31]}, []),
    ],
)
def test_manifests(tmp_path: Path, files: dict[str, bytes], args: list[str]) -> None:
    """The files of a manifest are checked in their order; what is wrong in any of them, or in it, is told alike."""
    base = {"m": MANIFEST, "a.1.base.aof": LOG, "a.1.incr.aof": LOG, "a.2.incr.aof": LOG}
    if args[:1] == ["--truncate-to-timestamp"]:
        with_hint = ours_and_theirs_until_hint(tmp_path, base | files, [*args, "m"])
        assert "because it is not the last file." in with_hint
        return
    both(tmp_path, base | files, [*args, "m"], "y\n")


def ours_and_theirs_until_hint(folder: Path, files: dict[str, bytes], args: list[str]) -> str:
    """As `both`, but for the advice at the end, which each gives in its own words."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths = [str(folder / arg) if arg in files else arg for arg in args]
    (code, output), (their_code, their_output) = ours(*paths), theirs(*paths)
    assert code == their_code
    assert output.splitlines()[:-1] == their_output.splitlines()[:-1]
    return output


def test_files_of_a_real_server(tmp_path: Path) -> None:
    """A real server's files, with snapshots and without, as several or as one, are found as valid as they are."""
    for preamble in ("yes", "no"):
        folder = real_log(tmp_path / preamble, preamble)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        both(tmp_path, files, ["appendonly.aof.manifest"])
        base, incr = (next(name for name in files if part in name) for part in (".base.", ".incr."))
        one = files[base] + files[incr]
        both(tmp_path, {"old.aof": one}, ["old.aof"])
        both(tmp_path, {"old.aof": one[:-3]}, ["--fix", "old.aof"], "y\n")
        both(tmp_path, {"old.aof": one[: len(files[base]) // 2]}, ["old.aof"])
        flipped = bytearray(one)
        flipped[len(files[base]) // 2] ^= 0x5A
        path = tmp_path / "old.aof"
        path.write_bytes(flipped)
        assert (ours(str(path))[0], theirs(str(path))[0]) == (1, 1)


def real_log(folder: Path, preamble: str) -> Path:
    """The folder of files that a real server wrote; it is stopped."""
    folder.mkdir()
    with start_redis(folder=folder, appendonly="yes", aof_use_rdb_preamble=preamble) as server:
        client = server.client()
        client.rpush("list", *range(200))
        client.hset("hash", mapping={"a": "1", "b": "x" * 100})
        client.bgrewriteaof()
        wait_until(lambda: Path(folder, f"appendonlydir/appendonly.aof.2.base.{EXTENSIONS[preamble]}").exists())
        client.set("after", "y")
    return folder / "appendonlydir"


@given(st.integers(0, len(LOG)), st.sampled_from([b"", b"*", b"#", b"\r\n", b"$3\r\n", SET, MULTI, EXEC, b"x"]))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cut(tmp_path: Path, at: int, tail: bytes) -> None:
    """A log cut anywhere, with anything behind, is good up to the same byte; half notes and no digits we refuse."""
    content = LOG[:at] + tail
    if content.rpartition(b"\n")[2].startswith(b"#") or b"*\r\n" in content or b"$\r\n" in content:
        return
    both(tmp_path, {"a.aof": content}, ["a.aof"])


@given(st.integers(0, len(LOG) - 1), st.integers(1, 255))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage(tmp_path: Path, at: int, flip: int) -> None:
    """What we find valid with one byte changed, redis-check-aof finds valid too."""
    content = bytearray(LOG)
    content[at] ^= flip
    path = tmp_path / "a.aof"
    path.write_bytes(content)
    code, output = ours(str(path))
    if code == 0:
        assert theirs(str(path))[0] == 0
    else:
        assert "is not valid" in output
