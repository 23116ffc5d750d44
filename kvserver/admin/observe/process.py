"""What the node tells of the process it lives in: memory in use, uptime, processor time."""

from __future__ import annotations

from kvserver.doors import Doors

QUICK_S = 0.003
MEASURE_SHARE = 50
"""A measure of the memory in use that takes longer than `QUICK_S` may take one part in so many of the time."""
RESERVED_FILES = 32
"""Files open for other things than clients: listeners, data files, links."""


class Process:
    """Facts of the process since it started; sizes in bytes, times in seconds."""

    def __init__(self, doors: Doors) -> None:
        self.machine = doors.machine
        self._clock = doors.clock
        self._doors = doors
        self.run_id = doors.chance.token(20)
        self.started_s = self._clock.wall()
        self.startup_bytes = self.machine.allocated_bytes()
        self.peak_bytes = 0
        self._used_bytes = 0
        self._measured_at_s = self._measure_took_s = 0.0

    def used_bytes(self) -> int:
        """Memory allocated since the program was loaded: data, buffers, tables; the peak is noted.

        What the interpreter and the program itself take (`startup_bytes`) is the same for every data set, and no
        limit could free it, so it isn't counted.
        """
        now = self._clock.perf()
        if now - self._measured_at_s >= self._measure_took_s * MEASURE_SHARE:
            began = self._clock.thread()
            self.measure()
            self._measured_at_s = now
            took = self._clock.thread() - began
            self._measure_took_s = took if took > QUICK_S else 0.0
        return self._used_bytes

    def measure(self) -> int:
        """The same, always measured anew: with millions of keys that takes milliseconds."""
        self._used_bytes = max(0, self.machine.allocated_bytes() - self.startup_bytes)
        self.peak_bytes = max(self.peak_bytes, self._used_bytes)
        return self._used_bytes

    def uptime_s(self) -> int:
        """How long the process has been running."""
        return max(0, int(self._clock.wall() - self.started_s))

    def raise_file_limit(self, clients: int) -> int:
        """Have the system allow files enough for so many clients; returns how many it allows."""
        allowed = self._doors.process.allow_files(clients + RESERVED_FILES)
        return min(clients, max(1, allowed - RESERVED_FILES))

    def sleep(self, seconds: float) -> None:
        """Stand still: the whole server does (DEBUG SLEEP)."""
        self._clock.sleep(seconds)
