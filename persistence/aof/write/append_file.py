"""One file that is only appended to: whole or not at all. Every call blocks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from kvserver.doors import Disk


class AppendFile:
    """An open file. `size` is what it holds, bytes; `unsynced` says that some of it may not be on the disk yet."""

    def __init__(self, disk: Disk, path: Path, fresh: bool) -> None:
        """Open it, emptied if `fresh`.

        Raises:
            OSError: it can't be opened.
        """
        self.path = path
        self._disk = disk
        self._file = disk.append_to(path, fresh)
        self.size = self._file.tell()
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
                done += self._file.write(view[done:])
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
            self._file.truncate(self.size)
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Have the disk hold everything appended so far."""
        self.unsynced = False
        try:
            self._disk.sync(self._file)
        except OSError:
            self.unsynced = True
            raise

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._file.close()
