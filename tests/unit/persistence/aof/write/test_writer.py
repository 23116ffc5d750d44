"""The writer of the append-only file has the disk hold what somebody waits for, on real threads."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from kvserver import logs
from kvserver.config import Config
from kvserver.doors.disk import OwnFolder
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.holds import Holds
from persistence.aof.write.append_file import AppendFile
from persistence.aof.write.writer import Writer


class SlowDisk(OwnFolder):
    """Syncs take until they are let go, each by itself; `fails`: they fail then."""

    def __init__(self, folder: Path) -> None:
        super().__init__(os.getpid(), str(folder))
        self.begun = self.running = self.most = 0
        self.fails = False
        self.gate = threading.Semaphore(0)

    def sync(self, file: BinaryIO | FileIO) -> None:
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        assert self.gate.acquire(timeout=10)
        self.running -= 1
        if self.fails:
            raise OSError(5, "Input/output error")


class Owner:
    """Nothing else wants the disk, and nothing ends."""

    def disk_is_busy(self) -> bool:
        return True

    def written(self, count: int) -> None: ...

    def health(self) -> None: ...

    def fatal(self, text: str) -> None:
        raise AssertionError(text)


class Setting:
    """A writer with a file, and what it told."""

    def __init__(self, folder: Path, appendfsync: str) -> None:
        self.engine = Engine(1, {})
        config = Config()
        config.appendfsync = appendfsync
        config.no_appendfsync_on_rewrite = True  # and the disk is busy: only who waits has it sync
        self.disk = SlowDisk(folder)
        self.writer = Writer(self.engine, config, Holds(), logs.get("test"), Owner())
        self.told: list[int] = []
        self.writer.on_synced = lambda: self.told.append(self.writer.synced_offset)
        self.writer.open(AppendFile(self.disk, folder / "file", True), b"")

    def write(self) -> int:
        """A turn of the loop that writes; the log's offset."""
        self.engine.log.append_raw(b"0123456789")
        self.engine.log.flush()
        return self.engine.log.offset

    async def until(self, offset: int) -> None:
        """The disk is known to have so much."""
        await _until(lambda: self.writer.synced_offset >= offset)

    async def begun(self, count: int) -> None:
        """So many syncs have begun, and the writes of this turn are through."""
        await _until(lambda: self.disk.begun >= count and not self.writer.pending_bytes)


async def _until(done: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if done():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("not within ten seconds")


def test_what_gathers_during_a_sync_is_in_the_next(tmp_path: Path) -> None:
    """Who waits has a sync begin at once; one runs at a time, and the second takes all that came meanwhile along."""

    async def main() -> None:
        for policy in ("no", "everysec", "always"):
            setting = Setting(tmp_path, policy)
            setting.writer.sync_soon(setting.write())
            await setting.begun(1)
            for _ in range(20):
                setting.writer.sync_soon(setting.write())
                await asyncio.sleep(0.001)
            assert setting.disk.begun == 1, policy
            setting.disk.gate.release(2)
            await setting.until(210)
            assert (setting.disk.begun, setting.disk.most) == (2, 1), policy
            assert setting.told[-1] == 210, policy

    asyncio.run(main())


def test_what_nobody_waits_for_is_not_synced(tmp_path: Path) -> None:
    """Neither before anybody asks, nor behind what was asked for."""

    async def main() -> None:
        setting = Setting(tmp_path, "no")
        asked = setting.write()
        setting.writer.sync_soon(asked)
        setting.disk.gate.release(1)
        await setting.until(asked)
        setting.write()
        setting.writer.sync_soon(asked)
        setting.writer.tick()
        await asyncio.sleep(0.05)
        assert setting.disk.begun == 1

    asyncio.run(main())


def test_a_sync_that_fails_is_not_repeated_at_once(tmp_path: Path) -> None:
    """The disk isn't asked again in a loop, but a while later, whatever the policy; then who waits is told."""

    async def main() -> None:
        setting = Setting(tmp_path, "no")
        setting.writer._config.no_appendfsync_on_rewrite = False
        setting.disk.fails = True
        setting.disk.gate.release(100)
        asked = setting.write()
        setting.writer.sync_soon(asked)
        await setting.begun(1)
        await asyncio.sleep(0.05)
        assert setting.disk.begun == 1
        assert setting.writer.syncer.error is not None
        setting.disk.fails = False
        setting.writer.syncer._last_s = 0.0
        setting.writer.tick()
        await setting.until(asked)
        assert setting.writer.syncer.error is None

    asyncio.run(main())
