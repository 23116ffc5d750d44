"""The file in which a node keeps its identity (`quorum.id` in `dir`), written durably by a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvserver.config import Config
from kvserver.doors import Doors
from replication.quorum.identity import Identity, encode

NAME = "quorum.id"


class IdentityFile:
    """See the module's docstring."""

    def __init__(self, doors: Doors, config: Config, log: Any) -> None:
        self._doors = doors
        self._config = config
        self._log = log
        self._failed = False

    def read(self) -> str | None:
        """The text; None where there is no file. Raises OSError: it can't be read. It waits for the disk."""
        try:
            raw = (self._doors.disk.path(self._config.dir) / NAME).read_bytes()
        except FileNotFoundError:
            return None
        return raw.decode("latin-1")

    def exists(self) -> bool:
        """Whether there is one."""
        return (self._doors.disk.path(self._config.dir) / NAME).exists()

    def place(self) -> str:
        """A name of the folder. Raises OSError."""
        return self._doors.machine.place(str(self._doors.disk.path(self._config.dir)))

    def write(self, identity: Identity) -> None:
        """Have it on the disk, waiting. Raises OSError."""
        path = self._doors.disk.path(self._config.dir) / NAME
        self._doors.disk.replace(path, encode(identity).encode(), private=True)

    async def keep(self, identity: Identity, retry: Callable[[], Any]) -> None:
        """Have it on the disk; as long as that fails, try again after `retry`, which is awaited."""
        while True:
            try:
                await self._doors.threads.run(self.write, identity)
            except OSError as error:
                if not self._failed:
                    self._log.error("quorum.id can't be written: this node stays out", error=str(error))
                self._failed = True
                await retry()
                continue
            if self._failed:
                self._log.warning("quorum.id can be written again")
            self._failed = False
            return
