"""The shell that runs the operator's scripts: processes started, awaited, killed when they take too long."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from replication.sentinel.jobs import Job, Jobs
from replication.sentinel.world import Periods

EXEC_FAILED = 2
Tell = Callable[[str, str], None]
"""Channel and text of an event."""


class Scripts:
    def __init__(self, periods: Periods, tell: Tell) -> None:
        self.jobs = Jobs()
        self._periods = periods
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()
        self._processes: dict[Job, asyncio.subprocess.Process] = {}

    @staticmethod
    def now_ms() -> int:
        return time.monotonic_ns() // 1_000_000

    def add(self, argv: tuple[str, ...]) -> None:
        self.jobs.add(argv)
        self.tick()

    def tick(self) -> None:
        """Start what may start, kill what is overdue. Cheap when there is nothing to do."""
        if not self.jobs.queue:
            return
        now = self.now_ms()
        for job in self.jobs.overdue(now, self._periods.script_max_runtime):
            process = self._processes.get(job)
            if process is not None:
                self._tell("-script-timeout", f"{job.argv[0]} {job.pid}")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        for job in self.jobs.startable(now):
            task = asyncio.get_running_loop().create_task(self._run(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *job.argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL)
        except OSError:
            self._ended(job, EXEC_FAILED, 0)
            return
        job.pid = process.pid
        self._processes[job] = process
        status = await process.wait()
        del self._processes[job]
        self._ended(job, max(0, status), max(0, -status))

    def _ended(self, job: Job, status: int, signal: int) -> None:
        failed = self.jobs.finished(job, status, signal, self.now_ms(), self._periods.script_retry_delay)
        if failed:
            self._tell("-script-error", f"{job.argv[0]} {signal} {status}")
        self.tick()

    def close(self) -> None:
        """Running scripts are left to themselves, as an exiting Redis leaves them."""
        for task in self._tasks:
            task.cancel()
