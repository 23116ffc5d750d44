"""Times of expiry in RDB files that no clock can have written."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import Server, start_kvserver, start_redis, wait_until

from persistence.rdb import opcodes as op
from persistence.rdb.crc64 import crc64
from persistence.rdb.write.encoder import header, select_db, string_key

TIMES_MS = (-(2**63), -5000, -2, -1, 0, 1, 2**62)
TIMES_S = (-5, -1, 0, 1, 2**31 - 1)


def file_of_keys() -> bytes:
    """A file with a key for each of the times, in milliseconds and in seconds."""
    out = [header([]), select_db(0, len(TIMES_MS) + len(TIMES_S), 0)]
    for when in TIMES_MS:
        out.append(bytes((op.OP_EXPIRETIME_MS,)) + when.to_bytes(8, "little", signed=True))
        out.append(string_key(b"ms%d" % when, b"v", False))
    for when in TIMES_S:
        out.append(bytes((op.OP_EXPIRETIME,)) + when.to_bytes(4, "little", signed=True))
        out.append(string_key(b"s%d" % when, b"v", False))
    out.append(bytes((op.OP_EOF,)))
    data = b"".join(out)
    return data + crc64(data).to_bytes(8, "little")


def content(server: Server) -> dict[bytes, int]:
    """Keys and when they expire."""
    client = server.client()
    return {key: client.execute_command("PEXPIRETIME", key) for key in client.keys("*")}


@pytest.mark.parametrize("as_replica", [False, True], ids=["primary", "replica"])
def test_times_before_1970(tmp_path: Path, as_replica: bool) -> None:
    """A negative time has passed, but for -1 ms, which is none: a primary drops those keys, a replica keeps them.

    What it keeps we hide, as any key past its time; Redis shows those with a negative one.
    """
    found: list[tuple[dict[bytes, int], int]] = []
    for start in (start_kvserver, start_redis):
        folder = tmp_path / start.__name__
        folder.mkdir()
        (folder / "dump.rdb").write_bytes(file_of_keys())
        options = {"replicaof": ["127.0.0.1", 1]} if as_replica else {}
        with start(folder=folder, **options) as server:
            wait_until(lambda server=server: not server.info("persistence")["loading"])
            found.append((content(server), server.command("DBSIZE")))
    (ours, our_size), (theirs, their_size) = found
    assert our_size == their_size
    assert ours == {key: when for key, when in theirs.items() if when}
