"""DEBUG REPLICATE and CHANGE-REPL-ID: tools for tests."""

from __future__ import annotations

from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.resp import OK, encode_request
from replication.shell import replication_of


def replicate(c: Session, a: list[bytes]) -> bytes:
    """DEBUG REPLICATE argument ...: a request that the replicas alone get."""
    if len(a) < 3:
        raise CommandError(SYNTAX)
    log = c.engine.log
    if log.sinks:
        log.append_passing(encode_request(a[2:]))
    return OK


def change_id(c: Session, a: list[bytes]) -> bytes:
    """DEBUG CHANGE-REPL-ID: nobody who followed so far may continue."""
    replication_of(c).begin_history()
    return OK


DEBUG = {b"CHANGE-REPL-ID": change_id, b"REPLICATE": replicate}
