"""The shell that runs the operator's scripts: processes started, looked after, killed when they take too long."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable

from kvserver.doors import Clock
from kvserver.node.signals import for_children
from replication.sentinel.mind.script_queue import Job, Jobs
from replication.sentinel.world.world import Periods

EXEC_FAILED = 2
Tell = Callable[[str, str], None]
"""Channel and text of an event."""


class Scripts:
    """Runs the jobs of a queue. `tick`, called some ten times a second, is all it needs."""

    def __init__(self, periods: Periods, clock: Clock, tell: Tell) -> None:
        self.jobs = Jobs()
        self._periods = periods
        self._clock = clock
        self._tell = tell
        self._processes: dict[Job, subprocess.Popen[bytes]] = {}

    def now_ms(self) -> int:
        """Milliseconds of the clock that jobs are timed by."""
        return int(self._clock.monotonic() * 1000)

    def add(self, argv: tuple[str, ...]) -> None:
        """Queue a script with its arguments; it starts at once if there is room."""
        self.jobs.add(argv)
        self.tick()

    def tick(self) -> None:
        """Collect what ended, kill what is overdue, start what may start. Cheap when there is nothing to do."""
        if not self.jobs.queue:
            return
        for job, process in list(self._processes.items()):
            status = process.poll()
            if status is not None:
                del self._processes[job]
                self._ended(job, max(0, status), max(0, -status))
        now = self.now_ms()
        for job in self.jobs.overdue(now, self._periods.script_max_runtime):
            self._tell("-script-timeout", f"{job.argv[0]} {job.pid}")
            with contextlib.suppress(ProcessLookupError):
                self._processes[job].kill()
        for job in self.jobs.startable(now):
            self._start(job)

    def _start(self, job: Job) -> None:
        """A script gets no descriptors of ours but an empty input and outputs that go nowhere."""
        try:
            with for_children():
                process = subprocess.Popen(job.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL, close_fds=True)
        except OSError:
            self._ended(job, EXEC_FAILED, 0)
            return
        job.pid = process.pid
        self._processes[job] = process

    def _ended(self, job: Job, status: int, signal: int) -> None:
        failed = self.jobs.finished(job, status, signal, self.now_ms(), self._periods.script_retry_delay)
        if failed:
            self._tell("-script-error", f"{job.argv[0]} {signal} {status}")
