"""A node that starts with a snapshot which says where in which history it stands."""

from __future__ import annotations

import asyncio

from replication.history import is_replid, stream_database
from replication.shell import Replication

OFFSET_DIGITS = 18
SOME = 1000
"""Deletions logged between two looks at everything else."""


async def resume(node: Replication, aux: dict[bytes, bytes], gone: list[tuple[int, bytes]]) -> None:
    """Go on in the history that the snapshot's fields tell of, if they do.

    A primary left out the keys that had expired (`gone`: database and key); replicas that continue hear of it.
    """
    saved_id = aux.get(b"repl-id", b"")
    text = aux.get(b"repl-offset", b"")
    if not is_replid(saved_id) or not text.isdigit() or len(text) > OFFSET_DIGITS:
        return
    log = node.engine.log
    node.restarted(saved_id, int(text))
    if node.config.replicaof is not None:
        log.selected = stream_database(aux, len(node.engine.dbs))
        return
    for number, (db, key) in enumerate(gone):
        log.append(db, [b"DEL", key])
        if number % SOME == SOME - 1:
            log.flush()
            await asyncio.sleep(0)
    log.flush()
