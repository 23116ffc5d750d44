"""The machine a benchmark runs on: its cores, who is pinned where, and how it is described."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

COMPILED = (".so", ".pyd")


@dataclass(frozen=True)
class Cores:
    """Core numbers; -1 = not pinned."""

    server: int
    client: int
    others: tuple[int, ...]
    """For replicas: what is left, or the client's core when nothing is."""


def choose_cores() -> Cores:
    """Take one core for the server, one for the client; nothing is pinned where that can't be done."""
    own = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(own) < 2:
        return Cores(-1, -1, (-1,))
    return Cores(own[0], own[1], tuple(own[2:]) or (own[1],))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Have processes that are started in this block run on one core."""
    if core < 0 or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def hurry() -> None:
    """Raise the priority of this process, and of those it starts, where that is allowed.

    Servers and clients that are measured mustn't wait for what else the machine has to do.
    """
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)


@contextmanager
def aside(core: int) -> Iterator[None]:
    """Work in this block on one core, behind the client that is measured there; never on the server's core."""
    with pinned(core):
        before = os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0
        if before < 0:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        try:
            yield
        finally:
            if before < 0:
                os.setpriority(os.PRIO_PROCESS, 0, before)


def give_way(pid: int, core: int, other: int) -> None:
    """Let a process that shares a core with another wait for it, where that is allowed.

    On a machine of two cores a replica at work shares the client's: the client's times would be the scheduler's.
    """
    if core == other and core >= 0:
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, pid, 0)


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds: exact where the kernel tells, else in its ticks."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError, IndexError):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)


def describe() -> dict[str, object]:
    """What has to be known to read the numbers."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "build": "compiled" if is_compiled() else "not compiled",
    }


def title(about: dict[str, object], peers: str) -> str:
    """One line above a table; `peers` are the servers compared with, and their versions."""
    return (
        f"understudy ({about['build']}, Python {about['python']}) to {peers}, {about['date']}, "
        f"{about['cores']} cores of {about['processor']}, {about['memory_gb']} GB"
    )


def is_compiled() -> bool:
    """Whether the hot modules that a server will import are compiled."""
    spec = find_spec("kvserver.wire.resp")
    return spec is not None and (spec.origin or "").endswith(COMPILED)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
