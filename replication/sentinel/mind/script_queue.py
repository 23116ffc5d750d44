"""The queue of notification and reconfiguration scripts: what runs, what waits, what is tried again.

As in Redis: at most 256 jobs, the oldest waiting one gives way; 16 at a time; exit status 1 or a signal means
"try again later", with a doubling pause, ten times at most; one that runs for too long is killed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_QUEUED = 256
MAX_RUNNING = 16
MAX_TRIES = 10


@dataclass(slots=True, eq=False)
class Job:
    """One run of a script: its arguments, and how far it is."""

    argv: tuple[str, ...]
    tries: int = 0
    running: bool = False
    pid: int = 0
    start_ms: int = 0
    """When it was started, or (waiting) when it may be; 0: at once."""


@dataclass(slots=True)
class Jobs:
    """The queue, in the order in which the jobs came; running ones stay in it."""

    queue: list[Job] = field(default_factory=list)

    @property
    def running(self) -> int:
        """How many run."""
        return sum(job.running for job in self.queue)

    def add(self, argv: tuple[str, ...]) -> None:
        """Queue a job; if there are too many, the oldest that waits is dropped."""
        self.queue.append(Job(argv))
        if len(self.queue) > MAX_QUEUED:
            waiting = next(job for job in self.queue if not job.running)
            self.queue.remove(waiting)

    def startable(self, now_ms: int) -> list[Job]:
        """The jobs to start now, marked as running."""
        room = MAX_RUNNING - self.running
        ready = [job for job in self.queue if not job.running and job.start_ms <= now_ms][:max(0, room)]
        for job in ready:
            job.running, job.start_ms = True, now_ms
            job.tries += 1
        return ready

    def overdue(self, now_ms: int, max_runtime_ms: int) -> list[Job]:
        """The jobs that have run for longer than `max_runtime_ms`."""
        return [job for job in self.queue if job.running and now_ms - job.start_ms > max_runtime_ms]

    def finished(self, job: Job, exit_status: int, signal: int, now_ms: int, retry_delay_ms: int) -> bool:
        """Take the job's end; True if it failed for good."""
        job.running, job.pid = False, 0
        if (signal or exit_status == 1) and job.tries < MAX_TRIES:
            job.start_ms = now_ms + (retry_delay_ms << (job.tries - 1))
            return False
        self.queue.remove(job)
        return bool(signal or exit_status)
