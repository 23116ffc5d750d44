"""Where a node's files are: in the working folder of its process, or in a folder that is the node's alone.

And how a file takes the place of another, which is done in one way everywhere: what it holds is synced, it gets the
name, and the folder, where names are, is synced.  After that a power cut leaves the new file, before it the old one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

from kvserver.doors.kinds import Disk

_sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # all but when the file was changed

class WorkingFolder:
    """The folder that names are relative to is the process's own."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def folder(self) -> str:
        """The working folder, an absolute path."""
        return os.getcwd()

    def enter(self, folder: str) -> None:
        """Make another the working folder. Raises OSError."""
        os.chdir(folder)

    def path(self, name: str) -> Path:
        """The path of a name that an option gives."""
        return Path(name)

    def temporary(self, path: Path) -> Path:
        """What a file is called that will take the place of `path`: as Redis has it, by the process's id."""
        return path.with_name(f"temp-{self._pid}{path.suffix}")

    def replace(self, path: Path, content: bytes, private: bool = False) -> None:
        """Put `content` in place of a file, durably. Raises OSError; the old one is there then."""
        import tempfile  # brings compressors, which no start needs

        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                if not private and path.exists():
                    temporary.chmod(path.stat().st_mode & 0o777)
                finish(self, file, temporary, path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def append_to(self, path: Path, fresh: bool) -> FileIO:
        """Open a file to append to; if it is made, others may read it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        return FileIO(os.open(path, flags | (os.O_TRUNC if fresh else 0), 0o644), "ab")

    def scratch(self) -> BinaryIO:
        """A file where the system has its temporary ones."""
        import tempfile  # see above

        return cast(BinaryIO, tempfile.TemporaryFile())

    def sync(self, file: BinaryIO | FileIO) -> None:
        """Have the disk hold what was written to an open file."""
        _sync(file.fileno())

    def sync_folder(self, folder: Path) -> None:
        """Have the disk hold the names in a folder, where the system can."""
        if os.name == "nt":
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.EINVAL):  # file systems that don't sync folders say one of these
                raise
        finally:
            os.close(handle)


def finish(disk: Disk, file: BinaryIO, temporary: Path, path: Path) -> None:
    """Close a file that was written under the name `temporary`, and put it in place of `path`, durably.

    Raises:
        OSError: what was written isn't on the disk, or its name isn't; the file may be open still.
    """
    file.flush()
    disk.sync(file)
    file.close()
    rename(disk, temporary, path)


def rename(disk: Disk, old: Path, new: Path) -> None:
    """Give a file that is on the disk another name, durably; what had that name is gone. Raises OSError."""
    old.replace(new)
    disk.sync_folder(new.parent)


def make_folder(disk: Disk, path: Path) -> None:
    """Create a folder if it isn't there, durably. Raises OSError."""
    try:
        path.mkdir()
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        disk.sync_folder(path.parent)


class OwnFolder(WorkingFolder):
    """The folder is one node's, in a process where others live as well: names are made absolute by it."""

    def __init__(self, pid: int, folder: str) -> None:
        super().__init__(pid)
        self._folder = Path(folder).resolve()

    def folder(self) -> str:
        """The node's folder, an absolute path."""
        return str(self._folder)

    def enter(self, folder: str) -> None:
        """Have another folder. Raises OSError when there is none, or it can't be entered."""
        wanted = self._folder / folder
        if not wanted.is_dir():
            raise NotADirectoryError(20, "Not a directory", str(wanted))
        if not os.access(wanted, os.X_OK):
            raise PermissionError(13, "Permission denied", str(wanted))
        self._folder = wanted.resolve()

    def path(self, name: str) -> Path:
        """The path of a name that an option gives, absolute."""
        return self._folder / name
