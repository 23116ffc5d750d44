"""The doors to the machine itself: the one place that binds its clocks, its randomness and its threads."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache
from random import Random
from typing import BinaryIO

from kvserver.doors.disk import WorkingFolder
from kvserver.doors.kinds import AsyncFile, Chance, Clock, Doors, P, T
from kvserver.doors.machine import RealMachine
from kvserver.doors.process import WholeProcess


def real_clock() -> Clock:
    """The machine's clocks."""
    return Clock(
        wall=time.time,
        monotonic=time.monotonic,
        perf=time.perf_counter,
        thread=time.thread_time,
        boot_ms=_boot_ms,
        sleep=time.sleep,
        system=True,
    )


def _boot_ms() -> int:
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return (time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)) // 1_000_000


def real_chance() -> Chance:
    """The machine's randomness."""
    return Chance(generator=lambda: Random(secrets.randbits(128)), token=secrets.token_hex)


class RealThreads:
    """Threads of this process."""

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Do `work` on a thread of the loop's own pool."""
        return asyncio.to_thread(work, *args, **kwargs)

    def pool(self, size: int, name: str) -> Executor:
        """Threads named after their purpose."""
        return ThreadPoolExecutor(size, name)

    def file(self, file: BinaryIO) -> AsyncFile:
        """aiofiles has its calls done on threads of the loop's own pool."""
        import aiofiles.threadpool  # a start needs no file of this kind, and it brings a dozen modules

        bare = getattr(file, "file", file)  # Windows' temporary files have one inside
        wrapped: AsyncFile = aiofiles.threadpool.wrap(bare)
        return wrapped

    def wait(self, future: Future[T]) -> T:
        """Stand still until it is done."""
        return future.result()


class RealSockets:
    """The system's."""

    def listen(self, host: str, port: int, backlog: int) -> socket.socket:
        """As with Redis, a name means one address, of IPv4."""
        wanted = socket.AF_INET6 if ":" in host else socket.AF_INET
        family, _, _, _, address = socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM)[0]
        sock = socket.create_server(address[:2], family=family, backlog=backlog)
        sock.setblocking(False)
        return sock


@cache
def real_doors() -> Doors:
    """What a process that isn't told otherwise lives in."""
    machine = RealMachine()
    return Doors(
        real_clock(), real_chance(), machine, WholeProcess(), WorkingFolder(machine.pid), RealThreads(), RealSockets()
    )  # fmt: skip
