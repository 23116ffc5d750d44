"""The doors of a simulated process, and its log."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from functools import partial
from random import Random
from typing import Any, BinaryIO, NoReturn, ParamSpec, TypeVar

import structlog
from support.doors import FakeMachine, FileOnThreads

from kvserver.doors import Chance, Clock, Doors
from kvserver.doors.kinds import AsyncFile
from kvserver.doors.process import SharedProcess
from simulation.whole.connecting import SimSockets
from simulation.whole.disk import ON_THREAD, SimDisk
from simulation.whole.loop import Process
from simulation.whole.world import CURRENT_WORLD

P = ParamSpec("P")
T = TypeVar("T")

ALARMS = ("== CRITICAL ==", "failed unexpectedly", "an error of ours", "nhandled")
"""What a log says when something happened that never should."""
EPOCH_NS = 1_700_000_000 * 10**9
"""Added for the wall clock."""


def doors_of(process: Process, folder: str) -> Doors:
    """All doors of a process whose working folder is `folder`."""
    rng = process.rng
    machine = SimMachine(process)
    return Doors(
        _clock(process), Chance(lambda: Random(rng.getrandbits(64)), lambda size: rng.randbytes(size).hex()), machine,
        _Ends(process), SimDisk(process, folder), SimThreads(process), SimSockets(),
    )  # fmt: skip


class SimMachine(FakeMachine):
    """What a process is told of its machine; other facts never change."""

    def __init__(self, process: Process) -> None:
        self.pid = process.pid
        self._host = process.host

    def boot(self) -> str:
        return f"boot-{self._host.boots}"

    def place(self, path: str) -> str:
        return self._host.disk.place(path)


def _clock(process: Process) -> Clock:
    loop, host = process.host.world.loop, process.host

    def look() -> float:
        return loop.look_ns() / 1e9

    def wall() -> float:
        return (loop.look_ns() + EPOCH_NS + host.skew_ns) / 1e9

    def sleep(seconds: float) -> None:
        process.stand(int(seconds * 1e9))

    return Clock(wall, look, look, look, lambda: loop.look_ns() // 1_000_000, sleep)


class _Ends(SharedProcess):
    """The program lives with others, but can end itself."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.exit)
        self._process = process

    def exit(self, status: int) -> NoReturn:
        """The process is gone, and nothing of it goes on."""
        self._process.exit(status)
        raise AssertionError("unreachable")


class SimThreads:
    """What a thread does happens at once, some moments later, when the seed wants it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def delay_s(self) -> float:
        """Until the next work is done: mostly soon, as long as the disk isn't slow."""
        rng, disk = self._process.host.world.rng, self._process.host.disk
        soon = 0.002 if rng.random() < 0.99 else 0.5
        return rng.random() * soon + disk.sync_ns() / 1e9

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        loop.call_later(self.delay_s(), _settle, future, partial(work, *args, **kwargs))
        return future

    def pool(self, size: int, name: str) -> Executor:
        return _Pool(self)

    def file(self, file: BinaryIO) -> AsyncFile:
        return FileOnThreads(file, self)

    def wait(self, future: Future[T]) -> T:
        assert isinstance(future, _Job)
        if not future.done():
            self._process.stand(int(self.delay_s() * 1e9))
            future.work()
        return future.result(0)


class _Pool(Executor):
    def __init__(self, threads: SimThreads) -> None:
        self._threads = threads

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        job: _Job[T] = _Job(partial(work, *args, **kwargs))
        asyncio.get_running_loop().call_later(self._threads.delay_s(), job.work)
        return job

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing runs."""


class _Job(Future[T]):
    """Done when its moment comes, or when somebody stands still for it."""

    def __init__(self, todo: Callable[[], T]) -> None:
        super().__init__()
        self._todo = todo

    def work(self) -> None:
        if not self.done() and self.set_running_or_notify_cancel():
            _settle(self, self._todo)


def _settle(future: Any, work: Callable[[], object]) -> None:
    ON_THREAD.append(True)
    try:
        result = work()
    except Exception as failure:
        if not future.cancelled():
            future.set_exception(failure)
    else:
        if not future.cancelled():
            future.set_result(result)
    finally:
        ON_THREAD.pop()


def keep_logs() -> None:
    """Have the log's lines go to the world that runs."""

    def note(logger: object, method: str, facts: Any) -> Any:
        if CURRENT_WORLD:
            world = CURRENT_WORLD[-1]
            component, text = facts.pop("component", ""), str(facts.pop("event", ""))
            trouble = facts.pop("exc_info", None)
            line = " ".join((f"{component}: {text}", *(f"{name}={value}" for name, value in facts.items())))
            world.say(line)
            if any(alarm in text for alarm in ALARMS):
                world.alarms.append(line)
            if trouble is True:
                trouble = sys.exc_info()[1]
            if trouble:
                world.loop.call_exception_handler({"message": f"logged: {text}", "exception": trouble})
        raise structlog.DropEvent

    structlog.configure(processors=[note])
