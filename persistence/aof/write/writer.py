"""The shell that writes the log to the append-only file: what, in which order, on the loop or on a thread.

Theory of operation.  The writer is a keeper of the command log: once per turn of the loop it gets the turn's
effects, and the replies of that turn go out when the writer has promised their offset (`kvserver.engine.run.holds`).

- everysec and no: the bytes are written at once, on the loop, so they survive the death of the process; everysec
  also has a thread sync the file once a second.  While a sync is under way, a write could wait for it in the
  kernel, so the writing is left to another thread and the turn's replies wait for that: neither does the loop
  stand still, nor is a reply sent for what a killed process would lose.
- always: a thread writes and syncs what has gathered, and the replies wait for it; meanwhile the next batch gathers.

Whatever the policy, who waits for the disk asks (`sync_soon`): a sync begins at once, or when the one under way is
over, and takes all along that was written meanwhile.

One job writes at a time, so the order is the log's.  A rewrite directs what comes to another file; the old one is
synced and closed by a thread once its last bytes are written.

An error of the disk is remembered (`error`), the bytes are kept, and each second they are tried again; replies
aren't held meanwhile, but whoever asks refuses further writes.  With always nothing can be promised: `fatal`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from kvserver.config import Config
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.holds import Holds
from kvserver.wire.resp import encode_request
from persistence.aof.schedule import Annotator
from persistence.aof.write.append_file import AppendFile
from persistence.aof.write.gathered import Batch, Gathered
from persistence.aof.write.syncer import Syncer, on_loop

PROMISE = "aof"
RETRY_S = 1.0
DELAYED_S = 2.0
"""How long a write waits for a sync that is under way before that counts as a delay (aof_delayed_fsync)."""
COMPLAIN_S = 30.0
"""An error that lasts is logged this often."""
_THREADS = 3  # one writes, one syncs, one sees to files that are given up


class Job:
    """A batch being written by a thread."""

    __slots__ = ("batch", "began_s", "future", "sync")

    def __init__(self, batch: Batch, sync: bool, future: Future[int], began_s: float) -> None:
        self.batch = batch
        self.sync = sync
        self.future = future
        self.began_s = began_s


class Owner(Protocol):
    """What the writer reports to, and asks."""

    def disk_is_busy(self) -> bool:
        """Whether a snapshot or a rewrite needs the disk (no-appendfsync-on-rewrite)."""

    def written(self, count: int) -> None:
        """So many bytes are in the file."""

    def health(self) -> None:
        """`error`, or the syncer's, has changed."""

    def fatal(self, text: str) -> None:
        """End the process."""


class Writer:
    """Writes to one file after another; see the module's theory of operation."""

    def __init__(self, engine: Engine, config: Config, holds: Holds, log: Any, owner: Owner) -> None:
        self.file: AppendFile | None = None
        self.error: OSError | None = None  # of the last write
        self.delayed = 0
        self.delay_s = 0.0  # before each write, for tests (DEBUG AOF-FLUSH-SLEEP)
        self.on_synced: Callable[[], None] = _nobody  # hears that more of the log is on the disk
        self._engine = engine
        self._clock = engine.services.clock
        self._threads = engine.services.doors.threads
        self._config = config
        self._holds = holds
        self._log = log
        self._owner = owner
        self._pool = self._threads.pool(_THREADS, "aof")
        self.syncer = Syncer(
            self._threads, self._pool, self._clock, config, log, owner.disk_is_busy, owner.health, self._push
        )
        self._queue = Gathered()
        self._offset = 0  # of the log: up to where bytes have come
        self._reached = 0  # up to where they are in the file
        self._told = 0  # up to where `on_synced` knows that they are on the disk
        self._annotator = Annotator()
        self._job: Job | None = None
        self._tried_s = 0.0
        self._complained_s = -COMPLAIN_S
        self._retired: list[AppendFile] = []

    # -- files ------------------------------------------------------------------------------------------------

    def open(self, file: AppendFile, head: bytes) -> None:
        """Write to `file` from here on; `head` goes before whatever is written first.

        The caller has flushed the log, so that everything before belongs to the file before.
        """
        self.syncer.loop = asyncio.get_running_loop()
        before = self.file
        self.file = file
        self._queue.head = head
        self.syncer.restart()
        if before is None:
            self._offset = self._reached = self.syncer.offset = self._engine.log.offset
            self._engine.log.attach(self.keep, keeper=True)
            self._holds.promise(PROMISE, self._offset)
        else:
            self._retired.append(before)
            self._give_up()

    def close(self) -> None:
        """Write no more: what is left is written and synced by threads, and nobody waits for it."""
        if self.file is None:
            return
        self._engine.log.detach(self.keep)
        self._holds.drop(PROMISE)
        self._retired.append(self.file)
        self.file = None
        self.error = None
        self.syncer.wanted = 0
        self._push()
        if self._job is None:
            self._queue.clear()  # the disk didn't take it, and nobody will try again
        self._give_up()

    def finish(self) -> OSError | None:
        """Write and sync everything, waiting for it; the error if that failed."""
        self._engine.log.flush()
        while self._job is not None:
            self._end_job(self._job)
        try:
            while self._queue:
                self._write_now(self._queue[0])
            self.syncer.wait()
            if self.file is not None and self.file.unsynced:
                self.file.sync()
        except OSError as error:
            return error
        return None

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._queue.size + (0 if self._job is None else self._job.batch.size)

    # -- writing ----------------------------------------------------------------------------------------------

    def keep(self, data: bytes) -> None:
        """Take the bytes of one flush of the log (its keeper)."""
        self._offset = offset = self._engine.log.offset
        if data:
            assert self.file is not None
            if self._config.aof_timestamp_enabled:
                self._queue.head = self._annotator.annotation(int(self._clock.wall())) + self._queue.head
            self._queue.add(self.file, data)
        if self._queue:
            self._queue[-1].offset = offset
        self._push()

    def sync_soon(self, offset: int) -> None:
        """Somebody waits until the log is on the disk up to `offset`."""
        if offset > self.syncer.wanted:
            self.syncer.wanted = offset
            self._push()

    def _push(self) -> bool:
        """Write what waits, sync what is waited for; whether `on_synced` was called."""
        if self._job is None:
            self._write_waiting()
        if self._job is None and not self._queue and self.file is not None:
            self.syncer.look(self.file, self._offset)
        synced = self.synced_offset
        if synced == self._told:
            return False
        self._told = synced
        self.on_synced()
        return True

    def _write_waiting(self) -> None:
        """Write what waits, as the policy has it."""
        if self._always and self._queue:
            self._begin_job(sync=self.syncer.allowed or self.syncer.due)
        elif self._queue and (self.syncer.running or self.delay_s):
            self._begin_job(sync=False)
        else:
            try:
                while self._queue:
                    self._write_now(self._queue[0])
            except OSError:
                pass
        if not self._queue and self._job is None:
            self._promise(self._offset)

    def _write_now(self, batch: Batch) -> None:
        """Write a batch on the loop. Raises OSError when that failed, which has been dealt with."""
        began_s = self._clock.perf()
        self._tried_s = self._clock.monotonic()
        try:
            done = batch.file.append(b"".join(batch.pieces))
        except OSError as error:
            self._failed(error)
            raise
        _note(self._engine, "aof-write", began_s)
        if done < batch.size:
            self._torn(batch, done)
            raise self.error or OSError("short write")
        self._queue.popleft()
        self._succeeded(batch)

    def _begin_job(self, sync: bool) -> None:
        batch = self._queue.popleft()
        self._tried_s, pause = self._clock.monotonic(), partial(self._clock.sleep, self.delay_s)
        self._job = job = Job(batch, sync, self._pool.submit(_write, batch, sync, pause), self._tried_s)
        job.future.add_done_callback(lambda _: on_loop(self.syncer.loop, lambda: self._end_job(job)))

    def _end_job(self, job: Job) -> None:
        """A thread has written a batch (or this waits until it has)."""
        if self._job is not job:
            return
        try:
            done = self._threads.wait(job.future)
        except OSError as error:
            self._queue.appendleft(job.batch)
            self._job = None
            self._failed(error)
            return
        self._job = None
        spent_s = self._clock.monotonic() - job.began_s
        _note(self._engine, "aof-fsync-always" if job.sync else "aof-write-pending-fsync", self._clock.perf() - spent_s)
        if not job.sync and spent_s >= DELAYED_S:
            self.delayed += 1
        if done < job.batch.size:
            self._queue.appendleft(job.batch)
            self._torn(job.batch, done)
            return
        if job.sync and not self.syncer.closing:
            self.syncer.offset = job.batch.offset
        self._succeeded(job.batch)
        if not self._push():
            self.on_synced()  # it outlives the process now, if no more

    def _succeeded(self, batch: Batch) -> None:
        self._owner.written(batch.size)
        if self.error is not None:
            self.error = None
            self._owner.health()
            with suppress(OSError):
                self._log.warning("AOF write error looks solved. The server can write again.")
        self._reached = batch.offset
        self._promise(batch.offset)
        self._give_up()

    def _failed(self, error: OSError) -> None:
        """A write failed, and nothing of it is in the file."""
        self.error = error
        if self._always:
            self._owner.fatal(
                "Can't recover from AOF write error when the AOF fsync policy is 'always': "
                f"{error.strerror}. Exiting..."
            )
        self._owner.health()
        now_s = self._clock.monotonic()
        self._promise(self._offset)
        if now_s - self._complained_s >= COMPLAIN_S:
            self._complained_s = now_s
            with suppress(OSError):  # the log may be on the same full disk
                self._log.warning(f"Error writing to the AOF file: {error.strerror}", waiting=self.pending_bytes)

    def _torn(self, batch: Batch, done: int) -> None:
        """Part of a batch was written, and couldn't be taken back: the rest will follow it."""
        rest = b"".join(batch.pieces)[done:]
        batch.pieces, batch.size = [rest], len(rest)
        self._owner.written(done)
        self._failed(OSError(28, "No space left on device (and what was written of it could not be taken back)"))

    def _promise(self, offset: int) -> None:
        if self.file is not None:
            self._holds.promise(PROMISE, offset)

    @property
    def written_offset(self) -> int:
        """Up to which offset the log is in the file, whatever becomes of the process."""
        return self._offset if not self._queue and self._job is None else self._reached

    @property
    def synced_offset(self) -> int:
        """Up to which offset the log is on the disk."""
        idle = not self._queue and self._job is None and not self.syncer.running and not self.syncer.closing
        if idle and self.file is not None and not self.file.unsynced:
            return self._offset
        return self.syncer.offset

    # -- helpers ----------------------------------------------------------------------------------------------

    @property
    def _always(self) -> bool:
        return self._config.appendfsync == "always"

    def tick(self) -> None:
        """Some times a second: sync if a second has passed, try again what failed."""
        if self.error is not None and self._clock.monotonic() - self._tried_s >= RETRY_S:
            self._push()
        self.syncer.tick(self.file, self._reached)

    def _give_up(self) -> None:
        """Let the files go that nothing is left to be written to."""
        being = None if self._job is None else self._job.batch.file
        for file in [file for file in self._retired if file is not being and not self._queue.wanted(file)]:
            self._retired.remove(file)
            self.syncer.give_up(file)


def _note(engine: Engine, event: str, began_s: float) -> None:
    """Note a spike for LATENCY."""
    spent_ms = int((engine.services.clock.perf() - began_s) * 1000)
    if spent_ms:
        engine.services.administration.note_latency(event, spent_ms)


def _nobody() -> None:
    """Nobody asks."""


def select(db: int) -> bytes:
    """The command that has a file begin in a database; nothing for an unknown one, of which the log will tell."""
    return b"" if db < 0 else encode_request([b"SELECT", b"%d" % db])


def _write(batch: Batch, sync: bool, pause: Callable[[], None]) -> int:
    """On a thread: write a batch, and have it on the disk if `sync`."""
    pause()  # as long as DEBUG AOF-FLUSH-SLEEP asks for
    done = batch.file.append(b"".join(batch.pieces))
    if sync and done == batch.size:
        batch.file.sync()
    return done
