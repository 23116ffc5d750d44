"""Where a node's files are: in the working folder of its process, or in a folder that is the node's alone."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


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
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if not private and path.exists():
                temporary.chmod(path.stat().st_mode & 0o777)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
