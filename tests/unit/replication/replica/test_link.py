"""A replica's link: what it brings counts only under the term of the role in which it was started."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from kvserver import logs
from kvserver.config import Config
from kvserver.engine import commands
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.run.executor import Engine
from kvserver.wire.resp import encode_request
from replication.replica.handshake import Full, Settings
from replication.replica.incoming import Incoming
from replication.replica.link import Link
from replication.replica.wire import Wire
from replication.voting import NoVoting, Voting

REPLID = b"a" * 40
WAIT_SECONDS = 10.0
SET = encode_request([b"SET", b"key", b"value"])
# What a primary says up to the stream, one piece a read of the link.
LINES = [b"+PONG", b"+OK", b"+OK", b"+CONTINUE " + REPLID]


@dataclass
class Owner:
    """A node that counts what its link does to it."""

    term: int = 1
    dropped: int = 0
    done: list[str] = field(default_factory=list)
    voting: Voting = field(default_factory=NoVoting)

    def settings(self) -> Settings:
        return Settings(b"", b"", 7000, b"", REPLID, 1)

    def admits(self, term: int) -> bool:
        self.dropped += term != self.term
        return term == self.term

    def continued(self, term: int, replid: bytes | None) -> None:
        self.done.append("continue")

    def snapshot_begins(self, term: int) -> None:
        self.done.append("snapshot")

    def adopt(self, term: int, full: Full, incoming: Incoming, wire: Wire) -> None:
        self.done.append("adopt")

    def lost(self, term: int) -> None:
        self.done.append("lost")

    def refused(self, term: int, reason: str) -> None:
        self.done.append("refused")

    def received(self, size: int) -> None:
        pass

    def synced_offset(self) -> int | None:
        return None


class Stubborn:
    """A connection whose `stop_at`-th await outlives a cancellation, as `asyncio.wait_for`'s may."""

    def __init__(self, stop_at: int) -> None:
        self.io_at_s = 0.0
        self.cut_times = 0
        self.reached = asyncio.Event()
        self._left = stop_at
        self._lines = list(LINES)
        self._stream = [SET, SET]

    async def connect(self, *_: object) -> Any:
        await self._step()
        return self

    async def line(self) -> bytes:
        await self._step()
        return self._lines.pop(0)

    async def read(self) -> bytes:
        await self._step()
        if not self._stream:
            await asyncio.Event().wait()
        return self._stream.pop(0)

    async def _step(self) -> None:
        self._left -= 1
        if self._left:
            return
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()

    def write(self, data: bytes) -> None:
        pass

    def cut(self) -> None:
        self.cut_times += 1

    def fileno(self) -> int:
        return -1


def _engine() -> Engine:
    engine = Engine(16, {})
    rows = build_rows(commands.all_handlers())
    engine.rows.update(rows)
    engine.rows.update({name.lower(): row for name, row in rows.items()})
    return engine


@pytest.mark.parametrize("stop_at", range(1, len(LINES) + 4))
async def test_a_link_that_outlives_its_end_changes_nothing(stop_at: int) -> None:
    """Wherever a stopped link goes on, nothing it brings is applied, adopted or told, and it ends."""
    engine, owner, wire = _engine(), Owner(), Stubborn(stop_at)
    link = Link("127.0.0.1", 1, owner.term, engine, Config(), owner, logs.get("test"), wire.connect)
    link.start()
    async with asyncio.timeout(WAIT_SECONDS):
        await wire.reached.wait()
    applied, offset, done = engine.dbs[0].keys.get(b"key"), engine.log.offset, list(owner.done)
    owner.term += 1
    task = link._task
    assert task is not None
    link.stop()
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.gather(task, return_exceptions=True)
    assert (engine.dbs[0].keys.get(b"key"), engine.log.offset, owner.done) == (applied, offset, done)
    assert owner.dropped == 1
    assert wire.cut_times
    assert not [c for c in engine.sessions.values() if c.kind == "primary"]
