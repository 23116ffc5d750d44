"""Logging: structlog, readable on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import Any, TextIO, cast

import structlog

LEVELS = {"debug": 10, "verbose": 20, "notice": 20, "warning": 30}
"""Redis's loglevel names as Python's levels."""


class Output:
    """A file by its name, or the standard output (""), to which lines are added.

    A file that was renamed or removed, by logrotate say, is created anew with the next line. The descriptor stays
    the same, so that a crash's report goes to the file as well. A line that can't be written is dropped, as with
    Redis: a full disk, or a reader that has gone, doesn't stop a server.
    """

    def __init__(self, name: str) -> None:
        """Open the file. Raises OSError."""
        self._path = os.path.abspath(name) if name else ""  # `dir` may change while running
        self._fd = self._open() if name else 1

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Whether a terminal shows the lines."""
        return os.isatty(self._fd)

    def write(self, text: str) -> None:
        """Add a line, or drop it."""
        with contextlib.suppress(OSError):
            if self._path:
                self._follow()
            os.write(self._fd, text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Nothing is kept back."""

    def _follow(self) -> None:
        """Have the descriptor mean the file that bears the name now. Raises OSError."""
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._fd)):
                return
        except FileNotFoundError:
            pass
        opened = self._open()
        os.dup2(opened, self._fd, inheritable=False)
        os.close(opened)


_target: TextIO | Output | None = None


def configure(level: str = "notice", stream: TextIO | Output | None = None) -> None:
    """Set logging up for the process; `level` is one of Redis's names. Without a stream it goes where it went."""
    global _target
    target = _target = stream or _target or sys.stdout
    terminal = target.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, target)),  # an Output has what it uses
        cache_logger_on_first_use=False,
    )


def get(component: str) -> Any:
    """Return the logger of a component ("server", "replication", …), which follows every later `configure`."""
    return structlog.get_logger(component=component)
