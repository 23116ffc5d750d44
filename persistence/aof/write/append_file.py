"""One file that is only appended to: whole or not at all. Every call blocks."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class AppendFile:
    """An open file. `size` is what it holds, bytes; `unsynced` says that some of it may not be on the disk yet."""

    def __init__(self, path: Path, fresh: bool) -> None:
        """Open it, emptied if `fresh`.

        Raises:
            OSError: it can't be opened.
        """
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._handle = os.open(path, flags | (os.O_TRUNC if fresh else 0), 0o644)
        self.size = os.fstat(self._handle).st_size
        self.unsynced = False

    def append(self, data: bytes) -> int:
        """Append all of `data`; return how many bytes were written.

        That is fewer than all of them only after an error, if what had been written can't be taken back.

        Raises:
            OSError: nothing of it is in the file.
        """
        view = memoryview(data)
        done = 0
        try:
            while done < len(view):
                done += os.write(self._handle, view[done:])
        except OSError:
            if done and not self._cut():
                self.size += done
                self.unsynced = True
                return done
            raise
        self.size += done
        self.unsynced = True
        return done

    def _cut(self) -> bool:
        """Take back what was written beyond `size`; whether that worked."""
        try:
            os.ftruncate(self._handle, self.size)
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Have the disk hold everything appended so far."""
        self.unsynced = False
        try:
            os.fsync(self._handle)
        except OSError:
            self.unsynced = True
            raise

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            os.close(self._handle)
