"""oom-score-adj: how early the kernel ends this process when the machine is out of memory (Linux)."""

from __future__ import annotations

from collections.abc import Callable

from kvserver.config import Config, ConfigError
from kvserver.doors import Process

LIMIT = 1000


def wanted_score(config: Config, base: int, follows: bool) -> int:
    """The score for a primary or a replica; `base` is the one the process started with."""
    if config.oom_score_adj == "no":
        return base
    score = config.oom_score_adj_values[1 if follows else 0]
    if config.oom_score_adj == "relative":
        score += base
    return max(-LIMIT, min(LIMIT, score))


class OomScore:
    """Keeps the process's score as the options and the role want it."""

    def __init__(self, process: Process, follows: Callable[[], bool]) -> None:
        """`follows` tells whether the node is a replica now."""
        self._process = process
        self._follows = follows
        self._base: int | None = None
        self._current: int | None = None

    def apply(self, config: Config) -> None:
        """Put the score in force; ConfigError when the system doesn't let us."""
        if self._base is None and config.oom_score_adj == "no":
            return
        try:
            if self._base is None:
                self._base = self._current = self._process.oom_score()
            wanted = wanted_score(config, self._base, self._follows())
            if wanted != self._current:
                self._process.set_oom_score(wanted)
                self._current = wanted
            if config.oom_score_adj == "no":
                self._base = None
        except OSError:
            raise ConfigError("Failed to set current oom_score_adj. Check server logs.") from None
