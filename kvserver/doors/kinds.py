"""What a node may know of the world, and what it may do to it. Pure: nothing is behind them here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NoReturn, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    import socket
    from concurrent.futures import Executor, Future
    from io import FileIO
    from pathlib import Path
    from typing import BinaryIO

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, in seconds. Each is a function without arguments, called as `clock.wall()`."""

    wall: Callable[[], float]
    """Unix time: when keys expire, and what is shown to people. It may jump."""
    monotonic: Callable[[], float]
    """Never goes back: timeouts, and how long something is silent."""
    perf: Callable[[], float]
    """Never goes back, and is fine: slices of work, and how long something took."""
    thread: Callable[[], float]
    """Processor time that the calling thread has used."""
    boot_ms: Callable[[], int]
    """Milliseconds. Nobody sets it, but the time for which the machine slept is counted where the system can."""
    sleep: Callable[[float], None]
    """Stand still for so long; the whole process does."""
    system: bool = False
    """Whether this is the machine's own, which compiled code may read in C."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Randomness."""

    generator: Callable[[], Random]
    """A new generator, seeded: for samples, not for secrets."""
    token: Callable[[int], str]
    """So many random bytes that nobody can guess, as hexadecimal digits."""


class Machine(Protocol):
    """Facts of the machine and of the process, as they are told over the wire. Sizes in bytes, times in seconds."""

    pid: int
    executable: str
    """What was started, an absolute path."""
    system: str
    """Kernel, release and architecture."""
    interpreter: str
    arch_bits: int
    build: str
    """Names the build of the interpreter that runs this, in hexadecimal."""
    monotonic_clock: str
    """The system's function behind it."""
    compiler: str
    """The version of gcc that the interpreter was compiled with, 0.0.0 if it was another compiler."""
    total_bytes: int
    """Memory of the machine."""

    def created_s(self) -> float:
        """When the process began, Unix time."""

    def allocated_bytes(self) -> int:
        """Memory that the process has allocated; that may take milliseconds when there are gigabytes of it."""

    def resident_bytes(self) -> int:
        """Memory of the process that is in RAM."""

    def cpu_s(self) -> tuple[float, float, float, float]:
        """Processor time in the kernel and in user code, of the process and of children that ended."""

    def boot(self) -> str:
        """A name of the machine's running since it was switched on; "" where there is none."""

    def place(self, path: str) -> str:
        """A name of the folder at `path` that its copies don't have: file system and number. Raises OSError."""

    def thread_cpu_s(self) -> tuple[float, float]:
        """Processor time in the kernel and in user code of the thread that asks: the event loop's."""


class Process(Protocol):
    """What there is once in a process, whoever else lives in it."""

    titled: bool
    """Whether what gives a process its title is installed."""

    def begin_serving(self) -> None:
        """From here on nothing of ours makes cycles in number: the collector is to leave what there is alone."""

    def look_for_cycles(self) -> None:
        """Collect cycles among what was created lately, if that is quick, and set the rest aside."""

    def end_serving(self) -> None:
        """Collect garbage as everybody does."""

    def allow_files(self, count: int) -> int:
        """Have the system allow so many open files; how many it allows."""

    def give_back_memory(self) -> None:
        """Ask the C library to return free memory to the system, where it knows how."""

    def set_title(self, title: str) -> None:
        """Name the process, for ps and top."""

    def set_log_level(self, level: str) -> None:
        """Log what is at least as important (the values of the option `loglevel`)."""

    def oom_score(self) -> int:
        """How early the kernel ends the process when memory runs out. Raises OSError where there is no such thing."""

    def set_oom_score(self, score: int) -> None:
        """Change that. Raises OSError when it isn't allowed."""

    def exit(self, status: int) -> NoReturn:
        """End at once: nothing is saved, flushed or told."""


class Disk(Protocol):
    """Where files are. Every call may block, and so may those of the paths and files that it gives."""

    def folder(self) -> str:
        """The working folder, an absolute path."""

    def enter(self, folder: str) -> None:
        """Make another the working folder. Raises OSError."""

    def path(self, name: str) -> Path:
        """The path of a name that an option gives: it is relative to the working folder, or absolute."""

    def temporary(self, path: Path) -> Path:
        """What a file is called that will take the place of `path` when it is whole; in the same folder."""

    def replace(self, path: Path, content: bytes, private: bool = False) -> None:
        """Put `content` in place of a file, durably: old or new is there at any moment, never half of one.

        It may be read by whoever could read the old one; if `private`, or without an old one, by its owner alone.

        Raises:
            OSError: it can't be; the old one is there.
        """

    def append_to(self, path: Path, fresh: bool) -> FileIO:
        """Open a file to which bytes are appended, emptied if `fresh`. Raises OSError."""

    def scratch(self) -> BinaryIO:
        """A file without a name, to write and to read, which is gone when it is closed. Raises OSError."""

    def sync(self, file: BinaryIO | FileIO) -> None:
        """Return when the disk holds what was written to an open file. Raises OSError if it may not."""

    def sync_folder(self, folder: Path) -> None:
        """Return when the disk holds the names in a folder, where the system can tell. Raises OSError."""


class Sockets(Protocol):
    """Where others connect to. Connections themselves are the event loop's."""

    def listen(self, host: str, port: int, backlog: int) -> socket.socket:
        """A socket that listens at an address, or at the one address of IPv4 that a name means. Raises OSError."""


class AsyncFile(Protocol):
    """An open file whose calls are awaited: somebody else stands still for them. Each may raise OSError."""

    def read(self, size: int = ..., /) -> Awaitable[bytes]:
        """Up to so many bytes; none at the end."""

    def write(self, data: bytes, /) -> Awaitable[int]:
        """Write all; how many bytes that were."""

    def seek(self, offset: int, /) -> Awaitable[int]:
        """Go to a place in the file."""

    def close(self) -> Awaitable[None]:
        """Close it."""


class Threads(Protocol):
    """Where work is done that would hold up the loop."""

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Do `work` on a thread; awaiting gives its result."""

    def pool(self, size: int, name: str) -> Executor:
        """Threads of one's own, at most `size`."""

    def file(self, file: BinaryIO) -> AsyncFile:
        """An open file, to be used without standing still."""

    def wait(self, future: Future[T]) -> T:
        """Stand still until work in a pool is done; its result, or what it raised."""


@dataclass(frozen=True, slots=True)
class Doors:
    """All doors of one node."""

    clock: Clock
    chance: Chance
    machine: Machine
    process: Process
    disk: Disk
    threads: Threads
    sockets: Sockets
