"""The shell around the configuration file, which is also the sentinel's memory.

`save` returns when the new text is on disk under the file's name: written beside it, synced, renamed, and the
folder synced. A crash leaves the old text or the new one, never a part.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from replication.sentinel.options.rewriting import rewrite


class StateFile:
    """One file, kept in memory as text; nobody else may write it while the sentinel runs."""

    def __init__(self, path: str) -> None:
        self.users: Callable[[], Sequence[str]] = tuple
        """The lines that describe the users, which are written with every statement."""
        self.path = os.path.abspath(path)
        with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
            self.text = file.read()

    def writable(self) -> str | None:
        """Why the file could not be replaced, None if it could."""
        if not os.access(self.path, os.W_OK):
            return "Permission denied"
        return None if os.access(os.path.dirname(self.path), os.W_OK) else "its folder can't be written to"

    def save(self, statements: Sequence[str]) -> None:
        """Replace the statements, durably. Raises OSError and leaves the old file if it can't."""
        text = rewrite(self.text, [*statements, *self.users()])
        temporary = f"{self.path}-{os.getpid()}.tmp"
        data = text.encode("utf-8", "surrogateescape")
        try:
            with open(temporary, "wb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(os.path.dirname(self.path))
        self.text = text


def _private(path: str, flags: int) -> int:
    """The file holds passwords: only the owner may read it."""
    return os.open(path, flags, 0o600)


def _sync_folder(path: str) -> None:
    """Make the rename itself durable, where folders can be opened (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
