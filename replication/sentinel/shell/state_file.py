"""The shell around the configuration file, which is also the sentinel's memory.

`save` returns when the new text is on disk under the file's name: written beside it, synced, renamed, and the
folder synced. A crash leaves the old text or the new one, never a part.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from kvserver.doors import Disk
from replication.sentinel.options.rewriting import rewrite


class StateFile:
    """One file, kept in memory as text; nobody else may write it while the sentinel runs."""

    def __init__(self, path: str, disk: Disk) -> None:
        self._disk = disk
        self.users: Callable[[], Sequence[str]] = tuple
        """The lines that describe the users, which are written with every statement."""
        file = disk.path(path).absolute()
        self.path = str(file)
        self.text = file.read_text(encoding="utf-8", errors="surrogateescape")

    def writable(self) -> str | None:
        """Why the file could not be replaced, None if it could."""
        if not os.access(self.path, os.W_OK):
            return "Permission denied"
        return None if os.access(os.path.dirname(self.path), os.W_OK) else "its folder can't be written to"

    def save(self, statements: Sequence[str]) -> None:
        """Replace the statements, durably. Raises OSError and leaves the old file if it can't."""
        text = rewrite(self.text, [*statements, *self.users()])
        self._disk.replace(self._disk.path(self.path), text.encode("utf-8", "surrogateescape"), private=True)
        self.text = text
