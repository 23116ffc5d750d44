"""The shell that sends one snapshot to a group of replicas, no faster than they read it.

Replicas that read snapshots of unknown length (`capa eof`) get it as it is encoded, all at the speed of the
slowest. For others it is written to a temporary file first, because its length has to come before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kvserver.client.reasons import Reason
from kvserver.doors import Doors
from kvserver.doors.pacing import SAVE_S, behind_s
from kvserver.services.offers import SnapshotStream
from replication.primary.attached import Phase
from replication.primary.feed import Feed

PENDING_MAX = 1 << 20
"""Bytes handed to a connection that its peer has not taken, before encoding pauses."""
DRAIN_POLL_S = 0.002
CHUNK = 1 << 16
SPOOL_BATCH = 1 << 20
SPOOL_CHUNK = 1 << 18
PACE_S = 0.05
"""The longest sleep while rdb-key-save-delay is waited for: it may change, and everybody may be gone."""


class Transfer:
    """One snapshot under way.

    `present(feed)` says whether a replica is still there, `drop` disconnects it. `delay_us` is rdb-key-save-delay:
    microseconds that each key has to take, for tests.
    """

    def __init__(
        self,
        group: list[Feed],
        snapshot: SnapshotStream,
        doors: Doors,
        timeout_s: int,
        present: Callable[[Feed], bool],
        drop: Callable[[Feed, Reason, str], None],
        delay_us: Callable[[], int],
    ) -> None:
        self._group = group
        self._snapshot = snapshot
        self._clock, self._chance = doors.clock, doors.chance
        self._disk, self._threads = doors.disk, doors.threads
        self._timeout_s = timeout_s
        self._is_present = present
        self._drop = drop
        self._delay_us = delay_us
        self._began_s = self._clock.monotonic()

    def present(self) -> list[Feed]:
        """The replicas of the group that are still there."""
        return [feed for feed in self._group if self._is_present(feed)]

    async def send_marked(self) -> None:
        """Send it as it is encoded, between two copies of a random mark."""
        mark = self._chance.token(20).encode()
        self._sending()
        await self._broadcast(b"$EOF:%s\r\n" % mark)
        while self.present():
            chunk = self._next_chunk(CHUNK)
            if chunk is None:
                break
            await self._broadcast(chunk)
            await self._pace()
        await self._broadcast(mark)

    async def send_sized(self) -> None:
        """Write it to a temporary file, then send its length and the file."""
        spool = self._threads.file(await self._threads.run(self._disk.scratch))
        try:
            size = await self._fill(spool.write)
            self._snapshot.close()
            self._sending()
            await self._broadcast(b"$%d\r\n" % size)
            await spool.seek(0)
            while self.present():
                piece = await spool.read(CHUNK * 4)
                if not piece:
                    break
                await self._broadcast(piece)
        finally:
            await spool.close()

    async def _fill(self, write: Callable[[bytes], Awaitable[int]]) -> int:
        """Encode in slices, write off the loop; return how many bytes there are."""
        batch: list[bytes] = []
        size = gathered = 0
        while self.present():
            chunk = self._next_chunk(SPOOL_CHUNK)
            if chunk is None:
                break
            await self._pace()
            batch.append(chunk)
            gathered += len(chunk)
            if gathered >= SPOOL_BATCH:
                size += await write(b"".join(batch))
                batch, gathered = [], 0
            await asyncio.sleep(0)
        return size + await write(b"".join(batch))

    def _next_chunk(self, most_bytes: int) -> bytes | None:
        if self._delay_us() > 0:
            return self._snapshot.next_chunk(0.0, 1)
        return self._snapshot.next_chunk(SAVE_S, most_bytes)

    async def _pace(self) -> None:
        """Take the time that rdb-key-save-delay wants."""
        while (delay_us := self._delay_us()) > 0 and self.present():
            left_s = behind_s(self._began_s, self._snapshot.keys, delay_us, self._clock.monotonic())
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s, PACE_S))

    def _sending(self) -> None:
        for feed in self.present():
            feed.record.phase = Phase.SEND_SNAPSHOT

    async def _broadcast(self, data: bytes) -> None:
        """Write to every replica that is still there; return when none has too much left to read."""
        if data:
            for feed in self.present():
                feed.session.send(data)
        await asyncio.sleep(0)
        while self._somebody_is_full():  # noqa: ASYNC110 - the ports tell how much waits, not when it is taken
            await asyncio.sleep(DRAIN_POLL_S)

    def _somebody_is_full(self) -> bool:
        """Whether somebody has to catch up; who takes nothing for too long is dropped."""
        now_s = self._clock.monotonic()
        waiting = False
        for feed in self.present():
            full, stuck = feed.is_full(PENDING_MAX, self._timeout_s, now_s)
            if stuck:
                self._drop(feed, Reason.REPL_TIMEOUT, "it doesn't read its snapshot")
            waiting = waiting or (full and not stuck)
        return waiting
