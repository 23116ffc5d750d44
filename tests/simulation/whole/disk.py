"""The disk of a simulated machine: what processes see, and what is left of it when the power goes.

A file holds what was written; the disk holds it up to the last sync, and a drawn part of what was appended since. A
folder's names are likewise what processes see, and what the last sync of the folder made durable: when the power
goes, a rename or a new name that wasn't synced is there or not, as the seed has it.

`HostPath` is a pathlib.Path whose files are on such a disk: whoever gets its paths from the door never meets another.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path, PosixPath
from random import Random
from typing import TYPE_CHECKING, Any, BinaryIO

from simulation.whole.loop import CURRENT, Process

if TYPE_CHECKING:
    from simulation.whole.world import World

UNLIMITED = 1 << 60
SYNC_NS = 200_000


class Inode:
    """A file or a folder. Only a folder's number is of interest."""

    __slots__ = ("before", "data", "folder", "number", "synced")

    def __init__(self, folder: bool = False, data: bytes = b"", number: int = 0) -> None:
        self.folder = folder
        self.number = number
        self.data = bytearray(data)
        self.synced = len(data)
        """How much of it the disk holds, as long as nothing but appending has happened since the last sync."""
        self.before: bytes | None = None
        """What the disk holds, if something else has happened."""

    def disturb(self) -> None:
        """Something else than appending is about to happen."""
        if self.before is None:
            self.before = bytes(self.data[: self.synced])

    def durable(self) -> bytes:
        """What the disk holds for certain."""
        return bytes(self.data[: self.synced]) if self.before is None else self.before

    def lose_power(self, rng: Random) -> Inode:
        """What is there afterwards: what was synced, and of what was appended since a part."""
        kept = self.durable()
        if self.before is None:
            kept += bytes(self.data[self.synced : self.synced + rng.randrange(len(self.data) - self.synced + 1)])
        elif rng.random() < 0.5:
            kept = bytes(self.data)
        return Inode(self.folder, kept, self.number)


class HostDisk:
    """Files of one machine. A copy of `names` taken by `copy` can be put back: a backup that was restored."""

    def __init__(self, world: World, ip: str) -> None:
        self._world = world
        self._ip = ip
        self._numbers = 1
        self.names: dict[str, Inode] = {"/": Inode(True)}
        self._kept = dict(self.names)
        self._unsynced: set[str] = set()
        """Folders in which names have changed."""
        self.room = UNLIMITED
        """Bytes that can still be written."""
        self.slow_ns = 0
        """How long a sync may take beside what each takes."""
        self.path_type: type[HostPath] = type("HostPath", (HostPath,), {"disk": self})

    def put(self, path: str, data: bytes) -> None:
        """A file from outside, safe on the disk."""
        self.names[path] = self._kept[path] = Inode(data=data)

    def folder(self, path: str) -> None:
        """A folder from outside."""
        if path not in self.names:
            self.names[path] = self._kept[path] = self.new_folder()

    def new_folder(self) -> Inode:
        """A folder that never was."""
        self._numbers += 1
        return Inode(True, number=self._numbers)

    def place(self, path: str) -> str:
        """Names a folder as no other, and no copy of it, is named. Raises FileNotFoundError."""
        return f"{self._ip}:{self.find(path).number}"

    def replaced(self, path: str, content: bytes) -> None:
        """A file has durably taken another's place."""
        self._world.on_replaced(self._ip, path, content)

    def find(self, path: str) -> Inode:
        """What has this name. Raises FileNotFoundError."""
        found = self.names.get(path)
        if found is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def durable(self, path: str) -> bytes:
        """What is certain to be under this name if the power goes now; nothing if that isn't certain."""
        if os.path.dirname(path) in self._unsynced and self._kept.get(path) is not self.names.get(path):
            return b""
        found = self._kept.get(path)
        return b"" if found is None else found.durable()

    def changed(self, path: str) -> None:
        """A name has come, gone or changed."""
        self._unsynced.add(os.path.dirname(path))
        self._world.trace(b"name", path)

    def sync_names(self, folder: str) -> None:
        """What a folder's names are is safe."""
        self.pass_time()
        self._keep(folder)
        self._world.trace(b"sync", folder)

    def _keep(self, folder: str) -> None:
        self._unsynced.discard(folder)
        for name in [name for name in self._kept if os.path.dirname(name) == folder and name not in self.names]:
            del self._kept[name]
        self._kept.update({name: inode for name, inode in self.names.items() if os.path.dirname(name) == folder})

    def pass_time(self) -> None:
        """A sync takes its time: its process stands still, unless it is a thread that waits."""
        process = CURRENT.get()
        if process is not None and not ON_THREAD:
            process.stand(self.sync_ns())

    def sync_ns(self) -> int:
        """How long the next sync takes."""
        return int(self._world.rng.random() * (SYNC_NS + self.slow_ns))

    def lose_power(self) -> None:
        """What wasn't synced may be gone."""
        rng = self._world.rng
        for folder in sorted(self._unsynced):
            if rng.random() < 0.5:
                self._keep(folder)
        self._unsynced.clear()
        kept: dict[str, Inode] = {}
        for name in sorted(self._kept):  # a folder that is gone takes with it what is in it
            if name == "/" or os.path.dirname(name) in kept:
                kept[name] = self._kept[name].lose_power(rng)
        self._kept, self.names = kept, dict(kept)

    def copy(self) -> dict[str, bytes | None]:
        """A backup: what each file holds, None for a folder."""
        return {name: None if inode.folder else bytes(inode.data) for name, inode in self.names.items()}

    def restore(self, copy: dict[str, bytes | None], elsewhere: bool) -> None:
        """Everything is as it was when the copy was made; in the same folders, or in folders made anew."""
        before = self.names
        self.names = {name: Inode(data is None, data or b"") for name, data in copy.items()}
        for name, inode in self.names.items():
            if inode.folder and name != "/":
                same = not elsewhere and name in before
                inode.number = before[name].number if same else self.new_folder().number
        self._kept = dict(self.names)
        self._unsynced.clear()


ON_THREAD: list[bool] = []
"""Not empty while what runs would run on a thread."""


class SimFile(io.RawIOBase):
    """An open file."""

    def __init__(self, disk: HostDisk, inode: Inode, path: str, mode: str) -> None:
        super().__init__()
        self.inode = inode
        self._disk, self._path, self._mode = disk, path, mode
        self._append = "a" in mode
        self._position = len(inode.data) if self._append else 0

    def readable(self) -> bool:
        return "r" in self._mode or "+" in self._mode

    def writable(self) -> bool:
        return self._mode != "rb"

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation("a simulated file has no descriptor")

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = (0, self._position, len(self.inode.data))[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        if size < len(self.inode.data):
            self.inode.disturb()
            del self.inode.data[size:]
        return size

    def readinto(self, buffer: Any) -> int:
        data = self.inode.data[self._position : self._position + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def write(self, data: Any) -> int:
        disk, inode = self._disk, self.inode
        count = min(len(data), disk.room)
        if data and not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
        if disk.room < UNLIMITED:
            disk.room -= count
        piece = bytes(data[:count])
        at = len(inode.data) if self._append else self._position
        if at < len(inode.data):
            inode.disturb()
        inode.data[at : at + count] = piece
        self._position = at + count
        disk._world.trace(self._path, piece)
        return count

    def sync(self) -> None:
        """The disk holds what was written."""
        self._disk.pass_time()
        self.inode.before = None
        self.inode.synced = len(self.inode.data)
        self._disk._world.trace(b"sync", self._path)


class HostPath(PosixPath):
    """A path on a simulated disk, absolute."""

    disk: HostDisk

    def open(  # type: ignore[override]
        self, mode: str = "r", buffering: int = -1, encoding: str | None = None, errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        kind = mode.replace("t", "") if "b" in mode else mode.replace("t", "") + "b"
        name, names = str(self), self.disk.names
        if "r" in kind:
            inode = self.disk.find(name)
        elif name in names:
            inode = names[name]
            if "w" in kind and inode.data:
                inode.disturb()
                inode.data.clear()
        else:
            self.disk.find(os.path.dirname(name))
            if not self.disk.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
            inode = names[name] = Inode()
            self.disk.changed(name)
        raw = SimFile(self.disk, inode, name, kind)
        if "b" in mode and not buffering:
            return raw
        wrapped = io.BufferedRandom if "+" in kind else io.BufferedReader if kind == "rb" else io.BufferedWriter
        file: Any = wrapped(raw)
        return file if "b" in mode else io.TextIOWrapper(file, encoding, errors, newline)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        inode = self.disk.find(str(self))
        mode = (stat.S_IFDIR | 0o755) if inode.folder else (stat.S_IFREG | 0o644)
        return os.stat_result((mode, 1, 1, 1, 0, 0, len(inode.data), 0, 0, 0))

    lstat = stat

    def unlink(self, missing_ok: bool = False) -> None:
        if self.disk.names.pop(str(self), None) is not None:
            self.disk.changed(str(self))
        elif not missing_ok:
            self.disk.find(str(self))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        name = str(self)
        if name in self.disk.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        if not self.disk.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        self.disk.names[name] = self.disk.new_folder()
        self.disk.changed(name)

    def replace(self, target: Any) -> Any:
        self.disk.names[str(target)] = self.disk.find(str(self))
        del self.disk.names[str(self)]
        self.disk.changed(str(self))
        self.disk.changed(str(target))
        return target

    rename = replace

    def chmod(self, mode: int, *, follow_symlinks: bool = True) -> None:
        self.disk.find(str(self))

    def iterdir(self) -> Any:
        return iter([self / name.rpartition("/")[2] for name in self.disk.names if os.path.dirname(name) == str(self)])

    def resolve(self, strict: bool = False) -> Any:
        return self


class SimDisk:
    """The door: the files of one process on its machine's disk."""

    def __init__(self, process: Process, folder: str) -> None:
        self._disk = process.host.disk
        self._pid = process.pid
        self._rng = process.rng
        self._folder = folder

    def folder(self) -> str:
        return self._folder

    def enter(self, folder: str) -> None:
        wanted = os.path.normpath(os.path.join(self._folder, folder))
        if not self._disk.find(wanted).folder:
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", wanted)
        self._folder = wanted

    def path(self, name: str) -> Path:
        return self._disk.path_type(os.path.normpath(os.path.join(self._folder, name)))

    def temporary(self, path: Path) -> Path:
        return path.with_name(f"temp-{self._pid}{path.suffix}")

    def replace(self, path: Path, content: bytes, private: bool = False) -> None:
        temporary = path.with_name(f".{path.name}.{self._rng.getrandbits(32):08x}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                self.sync(file)
            temporary.replace(path)
            self.sync_folder(path.parent)
            self._disk.replaced(str(path), content)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def append_to(self, path: Path, fresh: bool) -> Any:
        file = path.open("ab", buffering=0)
        if fresh:
            file.truncate(0)  # type: ignore[union-attr]
            file.seek(0)
        return file

    def scratch(self) -> BinaryIO:
        return io.BytesIO()

    def sync(self, file: Any) -> None:
        getattr(file, "raw", file).sync()

    def sync_folder(self, folder: Path) -> None:
        self._disk.sync_names(str(folder))
