"""When a client has to go because it doesn't take what it is sent: client-output-buffer-limit. Pure; `now` comes in.

So many bytes waiting are too many at once (the hard limit), fewer are when they wait for too long (the soft limit).
Who watches an output keeps the time since when it has been above the soft limit, and hands it in again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvserver.client.reasons import Reason

if TYPE_CHECKING:
    from kvserver.config import BufferLimit

BELOW = -1.0
"""In place of a time: the soft limit isn't reached."""


def judge(limit: BufferLimit, waiting: int, since_s: float, now_s: float) -> tuple[Reason | None, float]:
    """Why an output with so many bytes waiting has to end, None if it hasn't, and its new `since_s`.

    `since_s` is when the soft limit was reached, by the clock of `now_s`, or BELOW. A limit of 0 bytes is none.
    """
    if limit.hard_bytes and waiting >= limit.hard_bytes:
        return Reason.OUTPUT_HARD, since_s
    if not limit.soft_bytes or waiting < limit.soft_bytes:
        return None, BELOW
    if since_s < 0:
        return None, now_s
    return (Reason.OUTPUT_SOFT if now_s - since_s > limit.soft_seconds else None), since_s
