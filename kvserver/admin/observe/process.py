"""What the operating system knows of this process (a shell: it reads the clock and the system)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import secrets
import sys
import time
from typing import Any

import psutil

from kvserver.admin.observe.allocator import allocated_bytes_meter

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None

QUICK_S = 0.003
MEASURE_SHARE = 50
"""A measure of the memory in use that takes longer than `QUICK_S` may take one part in so many of the time."""
RESERVED_FILES = 32
"""Files open for other things than clients: listeners, data files, links."""


class Process:
    """Facts of the process since it started; sizes in bytes, times in seconds."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.pid = os.getpid()
        self.run_id = secrets.token_hex(20)
        self.started_s = time.time()
        self._allocated = allocated_bytes_meter() or self.resident_bytes
        self.startup_bytes = self._allocated()
        self.peak_bytes = 0
        self._used_bytes = 0
        self._measured_at_s = self._measure_took_s = 0.0
        self.system_bytes = psutil.virtual_memory().total
        self.system = " ".join((platform.system(), platform.release(), platform.machine()))
        self.executable = os.path.abspath(sys.argv[0])
        self.interpreter = f"{platform.python_implementation()} {platform.python_version()}"
        self.arch_bits = 64 if sys.maxsize > 2**32 else 32

    def resident_bytes(self) -> int:
        """Memory of the process that is in RAM now."""
        return int(self._process.memory_info().rss)

    def used_bytes(self) -> int:
        """Memory allocated since the program was loaded: data, buffers, tables; the peak is noted.

        What the interpreter and the program itself take (`startup_bytes`) is the same for every data set, and no
        limit could free it, so it isn't counted.
        """
        now = time.perf_counter()
        if now - self._measured_at_s >= self._measure_took_s * MEASURE_SHARE:
            began = time.thread_time()
            self.measure()
            self._measured_at_s = now
            took = time.thread_time() - began
            self._measure_took_s = took if took > QUICK_S else 0.0
        return self._used_bytes

    def measure(self) -> int:
        """The same, always measured anew: with millions of keys that takes milliseconds."""
        self._used_bytes = max(0, self._allocated() - self.startup_bytes)
        self.peak_bytes = max(self.peak_bytes, self._used_bytes)
        return self._used_bytes

    def uptime_s(self) -> int:
        """How long the process has been running."""
        return max(0, int(time.time() - self.started_s))

    def cpu_s(self) -> tuple[float, float, float, float]:
        """Processor time in the kernel and in user code, of this process and of children that ended."""
        times = self._process.cpu_times()
        return (
            times.system,
            times.user,
            getattr(times, "children_system", 0.0),
            getattr(times, "children_user", 0.0),
        )

    def give_back_memory(self) -> None:
        """Ask the C library to return free memory to the system, where it knows how."""
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)

    def raise_file_limit(self, clients: int) -> int:
        """Have the system allow files enough for so many clients; returns how many it allows."""
        if resource is None:
            return clients
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = clients + RESERVED_FILES
        if soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return min(clients, max(1, int(soft) - RESERVED_FILES))

    def sleep(self, seconds: float) -> None:
        """Stand still: the whole server does (DEBUG SLEEP)."""
        time.sleep(seconds)
