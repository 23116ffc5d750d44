"""Logging: lines to read on a terminal, one JSON object a line elsewhere.

A line says what happened ("event"), where ("component"), and the facts as values of their own; structlog makes it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, TextIO


@contextlib.contextmanager
def _without(module: str) -> Iterator[None]:
    """Have an import do without a module that it can use but needn't have."""
    there = module in sys.modules
    if not there:
        sys.modules[module] = None  # type: ignore[assignment]
    yield
    if not there:
        del sys.modules[module]


with _without("rich"):  # wanted for coloured tracebacks alone, and 55 ms of a start's 300
    import structlog

LEVELS = {"debug": 10, "verbose": 20, "notice": 20, "warning": 30}
"""Redis's values of `loglevel`, as the least rank of what is written."""
_RANKS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "exception": 40, "critical": 50}

Facts = MutableMapping[str, Any]


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


class _Target:
    """Where the lines of the process go, and which."""

    stream: TextIO | Output | None = None
    terminal = False
    rank = LEVELS["notice"]

    @staticmethod
    def write(text: str) -> None:
        """Add a line to whatever is the target now."""
        stream = _Target.stream or sys.stdout
        if stream is not None:  # it is None in a process whose standard output was closed
            stream.write(text)

    @staticmethod
    def flush() -> None:
        """See to it that the line is there."""
        stream = _Target.stream or sys.stdout
        if stream is not None:
            stream.flush()


_json = structlog.processors.JSONRenderer()
_readable = structlog.dev.ConsoleRenderer()


def _enough(logger: object, method: str, facts: Facts) -> Facts:
    """Drop what the level leaves out; looked up for each line, so that loggers made before it changed follow it."""
    if _RANKS[method] < _Target.rank:
        raise structlog.DropEvent
    return facts


def _render(logger: object, method: str, facts: Facts) -> str | bytes:
    return (_readable if _Target.terminal else _json)(logger, method, facts)


structlog.configure(
    processors=[
        _enough,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _render,
    ],
    wrapper_class=structlog.make_filtering_bound_logger(0),
    logger_factory=structlog.WriteLoggerFactory(_Target),  # type: ignore[arg-type]
    cache_logger_on_first_use=False,
)


def configure(level: str = "notice", stream: TextIO | Output | None = None) -> None:
    """Set logging up for the process; `level` is one of Redis's names. Without a stream it goes where it went."""
    _Target.stream = stream or _Target.stream or sys.stdout
    _Target.terminal = _Target.stream is not None and _Target.stream.isatty()
    _Target.rank = LEVELS.get(level, LEVELS["notice"])


def get(component: str) -> Any:
    """The logger of a component ("server", "replication", …); it follows every later `configure`."""
    return structlog.get_logger(component=component)
