"""Syncs in the background, on real threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from kvserver import logs
from kvserver.config import Config
from kvserver.doors.real import RealThreads, real_clock
from persistence.aof.write.append_file import AppendFile
from persistence.aof.write.syncer import Syncer


class SlowFile:
    """A file whose sync takes until it is let go."""

    path = Path("slow")
    unsynced = True

    def __init__(self) -> None:
        self.syncing, self.go_on, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.closed_meanwhile = False

    def sync(self) -> None:
        self.unsynced = False  # as an AppendFile: of what comes from here on
        self.syncing.set()
        self.go_on.wait(10)
        self.closed_meanwhile = self.closed.is_set()

    def close(self) -> None:
        self.closed.set()


def test_a_file_is_not_closed_while_it_is_synced() -> None:
    """A rewrite may give a file up just as its second's sync runs: the sync sees the file open to its end."""
    with ThreadPoolExecutor(3) as pool:
        syncer = Syncer(RealThreads(), pool, real_clock(), Config(), logs.get("test"), lambda: False, lambda: None,
                        lambda: None)  # fmt: skip
        slow = SlowFile()
        file = cast(AppendFile, slow)
        syncer.tick(file, 0)
        assert slow.syncing.wait(10)
        syncer.give_up(file)
        assert not slow.closed.wait(0.2)
        slow.go_on.set()
        assert slow.closed.wait(10)
        assert not slow.closed_meanwhile
