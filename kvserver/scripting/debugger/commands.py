"""SCRIPT DEBUG, and EVAL of a client that debugs."""

from __future__ import annotations

from collections.abc import Callable

from kvserver.client.reasons import Reason
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.scripting.host import Host, host_of
from kvserver.wire.resp import OK

_MODES = {b"YES": False, b"SYNC": True, b"NO": None}
_NO_COPY = (
    "ERR this server can't debug a script on a copy of its data: SCRIPT DEBUG SYNC (redis-cli --ldb-sync-mode) does "
    "it on the data itself, and others wait meanwhile"
)


def script_debug(c: Session, a: list[bytes]) -> bytes:
    """Choose whether the next scripts of this client are debugged.

    YES is refused, and the client's scripts too until it chooses anew: run without a debugger they would change
    what the client believes to be a copy.
    """
    host = host_of(c)
    if c.out or c.port.pending_bytes():
        raise CommandError("ERR SCRIPT DEBUG must be called outside a pipeline")
    mode = a[2].upper()
    if mode not in _MODES:
        raise CommandError("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    sync = _MODES[mode]
    host.debug_modes.pop(c.id, None)
    if sync is not None:
        host.debug_modes[c.id] = sync
        if not sync:
            raise CommandError(_NO_COPY)
    return OK


def debug(host: Host, c: Session, source: bytes, evaluate: Callable[[], bytes]) -> bytes:
    """Run a script under the debugger; the connection ends with the session."""
    channel = host.open_channel(c)
    debugger = host.debugger
    debugger.begin(channel, source)
    c.end(Reason.DEBUGGER)
    try:
        if not host.debug_modes.pop(c.id):
            raise CommandError(_NO_COPY)
        host.runtime().debug()
        return evaluate()
    finally:
        host.runtime().rearm()
        debugger.end()
        channel.close()
