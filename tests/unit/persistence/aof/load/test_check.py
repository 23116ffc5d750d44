"""The verdict on an append-only file's commands, and what kind of file it is."""

from __future__ import annotations

import pytest

from kvserver.wire.resp import encode_request
from persistence.aof.load.check import check_commands, is_manifest, is_rdb

PING, MULTI, EXEC = (encode_request([name]) for name in (b"PING", b"MULTI", b"EXEC"))


def test_whole() -> None:
    """A whole file is good up to its end, whatever stands before the commands."""
    verdict = check_commands([b"#TS:5\r\n", MULTI + PING, EXEC], 10)
    assert (verdict.error, verdict.valid_up_to, verdict.lines) == ("", 10 + 7 + 15 + 14 + 14, 9)


@pytest.mark.parametrize(
    ("data", "valid", "error", "offset"),
    [
        (PING + PING[:-3], 14, "Expected to read 6 bytes, got 3 bytes", 22),
        (PING + MULTI + PING, 14, "Reached EOF before reading EXEC for MULTI", 37),
        (PING + EXEC + PING, 14, "Unexpected EXEC in AOF a.aof", 22),
        (PING + MULTI + PING + MULTI, 14, "Unexpected MULTI in AOF a.aof", 51),
        (PING + b"x", 14, "Expected a command, got: 'x'", 14),
    ],
)
def test_not_whole(data: bytes, valid: int, error: str, offset: int) -> None:
    """What is wrong is told with its place, and the part before it, transactions undivided, is good."""
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        verdict = check_commands(pieces, 0, 0, "a.aof")
        assert (verdict.valid_up_to, verdict.error, verdict.error_offset) == (valid, error, offset)
        assert verdict.foreign == ("got: 'x'" in error)


def test_a_time_is_looked_for() -> None:
    """Looking ends at the first annotation that is later; in a transaction, the cut is before it."""
    data = b"#TS:5\r\n" + PING + b"#TS:7\r\n" + PING + b"damage"
    assert check_commands([data], until_s=6).late_at == 21
    assert check_commands([data], until_s=7).late_at == -1
    assert check_commands([PING + MULTI + b"#TS:7\r\n" + EXEC], until_s=6).late_at == 14
    assert check_commands([b"#TS:x\r\n"]).error == ""
    with pytest.raises(ValueError, match="Invalid timestamp annotation"):
        check_commands([b"#TS:x\r\n"], until_s=6)


def test_kinds_of_files() -> None:
    """A snapshot begins with its name; a manifest has a line that names a file, and doesn't begin as a log does."""
    assert is_rdb(b"REDIS0010")
    assert not is_rdb(b"REDIS00")
    assert is_manifest(b"# comment\nfile a seq 1 type b\n")
    assert is_manifest(b"filx a\nfile b\n")
    for other in (b"", b"#\n", b"*1\r\n$4\r\nfile\r\n", b"#TS:1\r\n*1\r\n$4\r\nfile\r\n", b"REDIS0010\nfile"):
        assert not is_manifest(other)
