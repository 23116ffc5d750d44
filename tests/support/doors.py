"""Doors that a test holds: a clock that stands until it is moved, and chance from a seed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, ParamSpec, TypeVar

from kvserver.doors import Chance, Clock, Doors, Threads
from kvserver.doors.disk import OwnFolder
from kvserver.doors.kinds import AsyncFile
from kvserver.doors.process import SharedProcess
from kvserver.doors.real import RealSockets

P = ParamSpec("P")
T = TypeVar("T")


class FakeTime:
    """All clocks of a node. Each look moves them on by a microsecond, so that slices of work come to their end."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self.now_s = now_s

    def look(self) -> float:
        self.now_s += 1e-6
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds

    def clock(self) -> Clock:
        return Clock(self.look, self.look, self.look, self.look, lambda: int(self.look() * 1000), self.advance)


def seeded(seed: int) -> Chance:
    """Chance that is the same for the same seed."""
    rng = Random(seed)
    return Chance(lambda: Random(rng.getrandbits(64)), lambda size: rng.randbytes(size).hex())


class FakeMachine:
    """A machine whose facts never change."""

    pid = 4711
    executable = "/usr/bin/kvserver"
    system = "Linux 6.1 test"
    interpreter = "CPython 3"
    arch_bits = 64
    build = "00000000"
    monotonic_clock = "test"
    compiler = "0.0.0"
    total_bytes = 8 << 30
    allocated = 1 << 20

    def created_s(self) -> float:
        return 1_600_000_000.0

    def allocated_bytes(self) -> int:
        return self.allocated

    def resident_bytes(self) -> int:
        return 2 << 20

    def cpu_s(self) -> tuple[float, float, float, float]:
        return 1.0, 2.0, 0.0, 0.0

    def boot(self) -> str:
        return "boot"

    def place(self, path: str) -> str:
        return f"place of {path}"

    def thread_cpu_s(self) -> tuple[float, float]:
        return 1.0, 2.0


class FakeThreads:
    """Work is done at once; who awaits it gets it in the next turn of the loop."""

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        return work(*args, **kwargs)

    def pool(self, size: int, name: str) -> Executor:
        return _AtOnce()

    def file(self, file: BinaryIO) -> AsyncFile:
        return FileOnThreads(file, self)

    def wait(self, future: Future[T]) -> T:
        return future.result(0)


class FileOnThreads:
    """A file whose calls are done as the threads that it is given do work."""

    def __init__(self, file: BinaryIO, threads: Threads) -> None:
        self._file = file
        self._run = threads.run

    def read(self, size: int = -1, /) -> Awaitable[bytes]:
        return self._run(self._file.read, size)

    def write(self, data: bytes, /) -> Awaitable[int]:
        return self._run(self._file.write, data)

    def seek(self, offset: int, /) -> Awaitable[int]:
        return self._run(self._file.seek, offset)

    def close(self) -> Awaitable[None]:
        return self._run(self._file.close)


class _AtOnce(Executor):
    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as failure:
            future.set_exception(failure)
        return future


def fake_doors(folder: Path, seed: int = 1, time: FakeTime | None = None) -> Doors:
    """Doors to a world of a test's own, whose files are in `folder`, in a process that it shares."""
    machine = FakeMachine()
    exits: list[int] = []
    return Doors(
        (time or FakeTime()).clock(), seeded(seed), machine, SharedProcess(exits.append),
        OwnFolder(machine.pid, str(folder)), FakeThreads(), RealSockets(),
    )  # fmt: skip
