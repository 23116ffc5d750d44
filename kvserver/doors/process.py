"""What there is once in a process: for a node that has one to itself, and for one that lives with others."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from kvserver import logs

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None

setproctitle: Any
try:
    from setproctitle import setproctitle
except ImportError:
    setproctitle = None

OOM_SCORE = Path("/proc/self/oom_score_adj")
YOUNG_MAX = 4000
"""Containers created since the last collection that a collection may still look at; more are just frozen."""


class WholeProcess:
    """The node is all there is in the process."""

    titled = setproctitle is not None

    def begin_serving(self) -> None:
        """Set everything aside, and switch the collector off."""
        gc.freeze()  # without a look at the whole program first, which takes 20 ms and finds next to nothing
        gc.disable()

    def look_for_cycles(self) -> None:
        """Look for garbage cycles among recently created objects only, then set them aside.

        A full collection walks every container and stalls the loop for milliseconds per hundred thousand; nothing of
        ours makes cycles in number, so what survives one look is never looked at again.
        """
        if gc.get_count()[0] <= YOUNG_MAX:
            gc.collect(0)
        gc.freeze()

    def end_serving(self) -> None:
        """Switch the collector on."""
        gc.enable()

    def allow_files(self, count: int) -> int:
        """Raise the soft limit as far as is needed and may be; how many files it allows."""
        if resource is None:
            return count
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < count:
            soft = count if hard == resource.RLIM_INFINITY else min(count, hard)
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return int(soft)

    def give_back_memory(self) -> None:
        """Ask the C library to return free memory to the system, where it knows how."""
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)

    def set_title(self, title: str) -> None:
        """Name the process, if a package for that is installed."""
        if setproctitle is not None:
            setproctitle(title)

    def set_log_level(self, level: str) -> None:
        """Log what is at least as important."""
        logs.configure(level)

    def oom_score(self) -> int:
        """The score in force. Raises OSError where there is none."""
        return int(OOM_SCORE.read_text())

    def set_oom_score(self, score: int) -> None:
        """Change the score. Raises OSError when the system doesn't let us."""
        OOM_SCORE.write_text(f"{score}\n")

    def exit(self, status: int) -> NoReturn:
        """End the process at once."""
        os._exit(status)


class Exited(Exception):
    """A node in a shared process ended itself."""


class SharedProcess:
    """Others live in the process as well: the node changes nothing of it, and ends by itself.

    `gone(status)` is told when the node would have ended the process.
    """

    titled = True  # nothing is missing that a user could install

    def __init__(self, gone: Callable[[int], None]) -> None:
        self._gone = gone

    def begin_serving(self) -> None:
        """The collector is everybody's."""

    def look_for_cycles(self) -> None:
        """The collector is everybody's."""

    def end_serving(self) -> None:
        """The collector is everybody's."""

    def allow_files(self, count: int) -> int:
        """Whoever runs the process sees to its limits."""
        return count

    def give_back_memory(self) -> None:
        """The memory is everybody's."""

    def set_title(self, title: str) -> None:
        """The title is everybody's."""

    def set_log_level(self, level: str) -> None:
        """The log is everybody's."""

    def oom_score(self) -> int:
        """The process's, for which the node has no part."""
        return 0

    def set_oom_score(self, score: int) -> None:
        """The process's score stays."""

    def exit(self, status: int) -> NoReturn:
        """Tell that the node is gone. Raises Exited: nothing that called this goes on."""
        self._gone(status)
        raise Exited(f"status {status}")
