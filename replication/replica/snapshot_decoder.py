"""The shell that decodes a snapshot as it comes, in slices, so that the node goes on serving what it has."""

from __future__ import annotations

import asyncio

from kvserver.config import Config
from kvserver.doors.pacing import LOAD_S, Slice, behind_s, fed
from kvserver.engine.run.executor import Engine
from persistence.rdb.errors import RdbError
from replication.replica.incoming import Incoming

PACE_S = 0.01
"""The longest sleep while key-load-delay is waited for: it may change."""


class BadSnapshot(Exception):
    """What came is no snapshot, or not whole."""


class Intake:
    """Makes new tables of a snapshot's bytes; `incoming` holds them."""

    def __init__(self, config: Config, engine: Engine) -> None:
        access = engine.dbs[0].access
        self.incoming = Incoming(
            config.databases, engine.state.limits, config.rdbchecksum, None if access is None else access.clock
        )
        self._config = config
        self._clock = engine.services.clock
        self._began_s = self._clock.monotonic()

    async def take(self, body: bytes) -> None:
        """Decode the next bytes.

        Raises:
            BadSnapshot: they are no RDB.
        """
        work = Slice(self._clock.perf, LOAD_S)
        try:
            for _ in fed(self.incoming.feed, body, work, lambda: self._config.key_load_delay > 0):
                await self._pace()
                await asyncio.sleep(0)
        except RdbError as failure:
            raise BadSnapshot(f"bad snapshot: {failure}")

    async def _pace(self) -> None:
        """Take the time that key-load-delay (microseconds at each key, for tests) wants."""
        while (delay_us := self._config.key_load_delay) > 0:
            left_s = behind_s(self._began_s, self.incoming.keys, delay_us, self._clock.monotonic())
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s, PACE_S))

    def finish(self) -> Incoming:
        """The tables.

        Raises:
            BadSnapshot: the end hasn't been reached.
        """
        try:
            self.incoming.finish()
        except RdbError as failure:
            raise BadSnapshot(f"bad snapshot: {failure}")
        return self.incoming
