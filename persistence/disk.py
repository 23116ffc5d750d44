"""Files that are either whole or not there. Every call blocks: run it on a thread."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from kvserver.doors import Disk
from kvserver.doors.disk import finish

SYNC_EVERY = 4 << 20
"""Bytes after which a growing file is synced, so that the last sync is not a long one."""


class AtomicFile:
    """A file being written under a temporary name; `commit` makes it durable and gives it its own."""

    def __init__(self, disk: Disk, path: Path, temporary: Path, incremental_sync: bool = True) -> None:
        self._disk = disk
        self.path = path
        self.temporary = temporary
        self.size = 0
        self._incremental = incremental_sync
        self._unsynced = 0
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Append; the first write creates the file."""
        if self._file is None:
            self._file = self.temporary.open("wb", buffering=0)
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            view = view[written:]
        self.size += len(data)
        self._unsynced += len(data)
        if self._incremental and self._unsynced >= SYNC_EVERY:
            self._disk.sync(self._file)
            self._unsynced = 0

    def commit(self) -> None:
        """Put the file in place, durably. Raises OSError."""
        if self._file is None:
            self.write(b"")
        assert self._file is not None
        finish(self._disk, self._file, self.temporary, self.path)
        self._file = None

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):
            self.temporary.unlink(missing_ok=True)
