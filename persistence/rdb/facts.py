"""The auxiliary fields that begin a file, named as Redis names them."""

from __future__ import annotations

import struct

from kvserver.config import REDIS_VERSION


def aux_fields(
    now_s: int,
    used_memory: int,
    replication: tuple[bytes, int, int] | None = None,
    aof_base: bool = False,
) -> list[tuple[bytes, bytes]]:
    """The fields of a snapshot begun at `now_s`.

    `replication` is (id of the history, offset in it, database the stream stands at), for files that a
    restarted replica may go on from; `aof_base` says that an append-only file continues this one.
    """
    fields = [
        (b"redis-ver", REDIS_VERSION.encode()),
        (b"redis-bits", b"%d" % (struct.calcsize("P") * 8)),
        (b"ctime", b"%d" % now_s),
        (b"used-mem", b"%d" % used_memory),
    ]
    if replication is not None:
        history, offset, stream_db = replication
        fields += [
            (b"repl-stream-db", b"%d" % stream_db),
            (b"repl-id", history),
            (b"repl-offset", b"%d" % offset),
        ]
    fields.append((b"aof-base", b"%d" % aof_base))
    return fields
