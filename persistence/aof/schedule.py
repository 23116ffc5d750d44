"""When the append-only file is rewritten by itself, when a rewrite waits, when the time is noted. Pure; seconds."""

from __future__ import annotations

FAILURES_MAX = 3
"""Failures in a row from which on rewrites that nobody asked for are spaced out."""
DELAY_MAX_S = 3600


def growth_percent(size: int, base_size: int) -> int:
    """How much the file has grown since its last rewrite, percent."""
    return size * 100 // (base_size or 1) - 100


def is_due(size: int, base_size: int, percentage: int, min_size: int) -> bool:
    """Whether a file of `size` bytes, which had `base_size` after its last rewrite, is to be rewritten."""
    return bool(percentage) and size > min_size and growth_percent(size, base_size) >= percentage


class BackOff:
    """Spaces rewrites out that fail again and again: a minute, two, four, up to an hour.

    Each attempt leaves an increment behind, so that a disk which is full would fill with them.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._delay_s = 0
        self._until_s = 0.0

    def failed(self) -> None:
        """A rewrite failed."""
        self.failures += 1

    def reset(self) -> None:
        """One succeeded, or somebody asks for one now."""
        self.failures = 0

    def blocks(self, now_s: float) -> tuple[bool, int]:
        """Whether a rewrite must wait; and, when that begins just now, for how many seconds (else 0)."""
        if self.failures < FAILURES_MAX:
            self._delay_s = 0
            self._until_s = 0.0
            return False, 0
        if self._until_s:
            if now_s < self._until_s:
                return True, 0
            self._until_s = 0.0
            return False, 0
        self._delay_s = min(self._delay_s * 2 or 60, DELAY_MAX_S)
        self._until_s = now_s + self._delay_s
        return True, self._delay_s


class Annotator:
    """Notes the time in the log (aof-timestamp-enabled), once in each second in which something is written."""

    def __init__(self) -> None:
        self._last_s = 0

    def annotation(self, now_s: int) -> bytes:
        """What to write before the commands of this second; nothing if that is there already."""
        if now_s <= self._last_s:
            return b""
        self._last_s = now_s
        return b"#TS:%d\r\n" % now_s
