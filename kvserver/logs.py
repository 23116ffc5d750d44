"""Logging: lines to read on a terminal, one JSON object a line elsewhere.

A line says what happened ("event"), where ("component"), and the facts as values of their own. It is made here, of the
standard library alone: a logging library took a quarter of a server's time to start.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import traceback
from typing import Any, TextIO

LEVELS = {"debug": 10, "verbose": 20, "notice": 20, "warning": 30}
"""Redis's values of `loglevel`, as the least rank of what is written."""
_RANKS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_COLOURS = {"debug": 36, "info": 32, "warning": 33, "error": 31}
"""For terminals, as ECMA-48 numbers them: cyan, green, yellow, red."""


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


class Logger:
    """Writes lines that bear the same values, such as the component; follows every later `configure`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def bind(self, **values: Any) -> Logger:
        """A logger whose lines bear these values as well."""
        return Logger({**self._values, **values})

    def debug(self, event: str, **values: Any) -> None:
        """Something for who looks for a fault."""
        self._write("debug", event, values)

    def info(self, event: str, **values: Any) -> None:
        """Something that happens in good order (Redis's verbose and notice)."""
        self._write("info", event, values)

    def warning(self, event: str, **values: Any) -> None:
        """Something an operator should know."""
        self._write("warning", event, values)

    def error(self, event: str, *, exc_info: bool = False, **values: Any) -> None:
        """Something went wrong; `exc_info` adds the exception that is being handled."""
        if exc_info:
            values["exception"] = traceback.format_exc().rstrip()
        self._write("error", event, values)

    def _write(self, level: str, event: str, values: dict[str, Any]) -> None:
        if _RANKS[level] < _Target.rank:
            return
        when = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
        render = _readable if _Target.terminal else _json
        stream = _Target.stream or sys.stdout
        if stream is not None:  # it is None in a process whose standard output was closed
            stream.write(render(level, event, {**self._values, **values}, when))
            stream.flush()


class _Target:
    """Where the lines of the process go, and which."""

    stream: TextIO | Output | None = None
    terminal = False
    rank = LEVELS["notice"]


def _json(level: str, event: str, values: dict[str, Any], when: str) -> str:
    return json.dumps({**values, "event": event, "level": level, "timestamp": when}, default=repr) + "\n"


def _readable(level: str, event: str, values: dict[str, Any], when: str) -> str:
    trace = values.pop("exception", "")
    facts = "".join(f" \x1b[36m{name}\x1b[0m={value}" for name, value in values.items())
    line = f"\x1b[2m{when}\x1b[0m \x1b[{_COLOURS[level]}m{level:7}\x1b[0m \x1b[1m{event}\x1b[0m{facts}\n"
    return line + f"{trace}\n" if trace else line


def configure(level: str = "notice", stream: TextIO | Output | None = None) -> None:
    """Set logging up for the process; `level` is one of Redis's names. Without a stream it goes where it went."""
    _Target.stream = stream or _Target.stream or sys.stdout
    _Target.terminal = _Target.stream is not None and _Target.stream.isatty()
    _Target.rank = LEVELS.get(level, LEVELS["notice"])


def get(component: str) -> Any:
    """The logger of a component ("server", "replication", …)."""
    return Logger({"component": component})
