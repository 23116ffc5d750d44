"""Save points: how many changes in how much time make a save due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

RETRY_S = 5
"""After a failed save, this long passes before a save point tries again."""


class Point(Protocol):
    """`changes` within `seconds`."""

    @property
    def seconds(self) -> int:
        """Seconds since the last save."""

    @property
    def changes(self) -> int:
        """Changes since the last save."""


def due(
    save_points: Iterable[Point], dirty: int, now_s: int, last_save_s: int, last_try_s: int, last_ok: bool
) -> Point | None:
    """The first save point that is reached, or None."""
    if not last_ok and now_s - last_try_s <= RETRY_S:
        return None
    for point in save_points:
        if dirty >= point.changes and now_s - last_save_s > point.seconds:
            return point
    return None
