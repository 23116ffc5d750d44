"""Facts of the machine and of this process, asked of the operating system."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import psutil

from kvserver.doors.allocator import allocated_bytes_meter

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None


class RealMachine:
    """See `kvserver.doors.kinds.Machine`."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._allocated = allocated_bytes_meter() or self.resident_bytes
        self.pid = os.getpid()
        self.executable = os.path.abspath(sys.argv[0])
        self.system = " ".join((platform.system(), platform.release(), platform.machine()))
        self.interpreter = f"{platform.python_implementation()} {platform.python_version()}"
        self.arch_bits = 64 if sys.maxsize > 2**32 else 32
        self.build = f"{zlib.crc32(' '.join(platform.python_build()).encode()):016x}"
        self.monotonic_clock = time.get_clock_info("monotonic").implementation
        self.compiler = (re.match(r"GCC ([\d.]+)", platform.python_compiler()) or ("", "0.0.0"))[1]
        self.total_bytes = psutil.virtual_memory().total

    def created_s(self) -> float:
        """When the process began, Unix time."""
        return float(self._process.create_time())

    def allocated_bytes(self) -> int:
        """Memory allocated, or in RAM where no allocator tells."""
        return self._allocated()

    def resident_bytes(self) -> int:
        """Memory of the process that is in RAM."""
        return int(self._process.memory_info().rss)

    def cpu_s(self) -> tuple[float, float, float, float]:
        """Processor time in the kernel and in user code, of this process and of children that ended."""
        times = self._process.cpu_times()
        return (
            times.system,
            times.user,
            getattr(times, "children_system", 0.0),
            getattr(times, "children_user", 0.0),
        )

    def boot(self) -> str:
        """Linux's boot id; elsewhere the second in which the machine was started, to the nearest ten."""
        with contextlib.suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return str(round(psutil.boot_time() / 10))

    def place(self, path: str) -> str:
        """File system and number of a folder. Raises OSError."""
        found = os.stat(path)
        system = os.statvfs(path).f_fsid if hasattr(os, "statvfs") else found.st_dev
        return f"{system:x}:{found.st_ino:x}"

    def thread_cpu_s(self) -> tuple[float, float]:
        """Processor time in the kernel and in user code of the thread that asks."""
        if resource is None or not hasattr(resource, "RUSAGE_THREAD"):
            return 0.0, time.thread_time()
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        return usage.ru_stime, usage.ru_utime
