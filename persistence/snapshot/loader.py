"""The shell that loads a file into the data set, in slices: clients that ask meanwhile hear -LOADING."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from kvserver.doors.pacing import LOAD_S, Slice, behind_s, fed
from kvserver.engine.run import gates
from kvserver.engine.run.executor import Engine
from persistence.rdb.errors import RdbError
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.snapshot.restore import Restorer

READ_BYTES = 1 << 20


class Loader:
    """Loads RDB files; its numbers are those of the last or current load."""

    def __init__(self, engine: Engine, log: Any) -> None:
        self.engine = engine
        self._clock = engine.services.clock
        self._threads = engine.services.doors.threads
        self.log = log
        self.loading = False
        self.began_s = 0.0
        self.delay_us = 0
        self.total_bytes = 0
        self.loaded_bytes = 0
        self.keys_loaded = 0
        self.keys_expired = 0

    async def load_file(
        self, path: Path, keep_expired: bool, verify_checksum: bool = True, delay_us: int = 0
    ) -> Restorer | None:
        """Load `path` into the engine's databases, waiting `delay_us` at each key; None when there is no such file.

        Raises:
            OSError: it can't be read.
            RdbError: it is corrupt, says where and how.
        """
        try:
            file = self._threads.file(await self._threads.run(path.open, "rb"))
        except FileNotFoundError:
            return None
        self.delay_us = delay_us
        self.begin((await self._threads.run(path.stat)).st_size)
        try:
            return await self._load(file, keep_expired, verify_checksum)
        finally:
            self.end()
            await file.close()

    def begin(self, size: int) -> None:
        """Say that a load of `size` bytes begins: clients are refused."""
        self.loading = True
        self.began_s = self._clock.wall()
        self.total_bytes = size
        self.loaded_bytes = self.keys_loaded = self.keys_expired = 0
        gates.set_loading(self.engine, True)

    def end(self) -> None:
        """Say that it is over."""
        self.loading = False
        gates.set_loading(self.engine, False)

    async def _load(self, file: Any, keep_expired: bool, verify_checksum: bool) -> Restorer:
        decoder = Decoder(EngineBuilders(self.engine.state.limits), verify_checksum)
        restorer = Restorer(self.engine.dbs, int(self._clock.wall() * 1000), keep_expired)
        decoder.filler = restorer.filler
        block = await file.read(READ_BYTES)
        while block and not decoder.ended:
            ahead = asyncio.ensure_future(file.read(READ_BYTES))
            try:
                await self._feed(decoder, restorer, block)
            finally:
                block = await ahead
        decoder.finish()
        self.keys_loaded = restorer.keys
        self.keys_expired = restorer.expired
        if decoder.empty_keys:
            for name in decoder.empty_names:
                self.log.warning(f"skipping empty key: {name.decode('utf-8', 'backslashreplace')}")
            self.log.warning(f"empty keys skipped: {decoder.empty_keys}")
        return restorer

    async def _feed(self, decoder: Decoder, restorer: Restorer, block: bytes) -> None:
        work = Slice(self._clock.perf, LOAD_S)
        for _ in fed(lambda data: feed(decoder, restorer, data), block, work, lambda: self.delay_us > 0):
            self.loaded_bytes = decoder.offset
            await asyncio.sleep(behind_s(self.began_s, restorer.keys, self.delay_us, self._clock.wall()))
        self.loaded_bytes = decoder.offset


def feed(decoder: Decoder, restorer: Restorer, data: bytes) -> None:
    """Decode and apply the next bytes; an error of either is placed in the file."""
    events = decoder.feed(data)
    try:
        restorer.apply(events)
    except RdbError as error:
        raise error if error.offset >= 0 else error.at(decoder.offset)
