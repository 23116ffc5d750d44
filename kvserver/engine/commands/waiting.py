"""What the commands share that wait for a key to be written (see engine/blocking.py).

A blocked request runs again when one of its keys has been written. It is served from that key alone, as in
Redis, and a key that has come to hold another type keeps it waiting.
"""

from __future__ import annotations

from collections.abc import Callable

from kvserver.engine.run.session import Session
from kvserver.wire.resp import null_array


def candidates(c: Session, keys: list[bytes], kind: type) -> list[bytes]:
    """Return the keys to look at: all, or when the request runs again the one written, if it is of that type."""
    wait = c.blocked
    if wait is None:
        return keys
    return [wait.ready] if type(c.db.peek(wait.ready)) is kind else []


def no_array(c: Session) -> bytes:
    """The reply of most waiting commands when there is nothing."""
    return null_array(c.resp)


def wait_for(
    c: Session,
    kind: str,
    keys: list[bytes],
    timeout_ms: int,
    on_timeout: Callable[[Session], bytes] = no_array,
    nothing: Callable[[Session], bytes] = no_array,
) -> bytes | None:
    """Block the client (None), or reply `nothing` where it can't wait: in a transaction or script."""
    if c.no_block:
        return nothing(c)
    c.engine.block(c, kind, keys, timeout_ms, on_timeout)
    return None
