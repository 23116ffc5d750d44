"""The shell that loads the append-only file, in slices: clients that ask meanwhile hear -LOADING.

What is wrong is said in Redis's words, for people and tools that look for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from kvserver.config import Config
from kvserver.doors.pacing import LOAD_S, Slice, fed
from kvserver.engine.run.executor import Engine
from kvserver.services.offers import Origin
from persistence.aof.folder import Folder
from persistence.aof.load.position import Gap, Position
from persistence.aof.load.replay import Replay, Replaying, UnknownCommandError
from persistence.aof.manifest import AofFile, Manifest
from persistence.aof.records import AofFormatError, Truncation
from persistence.rdb.errors import RdbError
from persistence.snapshot.loader import Loader

READ_BYTES = 1 << 18


class AofLoadError(Exception):
    """The files can't be loaded; the text is for the operator."""


class AofLoader:
    """Loads the files that a manifest names; the numbers are kept by the node's `Loader`, for INFO."""

    def __init__(self, engine: Engine, config: Config, folder: Folder, loader: Loader, log: Any) -> None:
        self._engine = engine
        self._clock = engine.services.clock
        self._config = config
        self._folder = folder
        self._loader = loader
        self._log = log
        self.total_bytes = 0  # of the files loaded last
        self.origin = Origin()  # what they say of themselves
        self.left_out = 0  # so many of the last files don't follow on what was loaded

    async def load(self, manifest: Manifest) -> bool:
        """Load everything, leaving time to the loop; False when there is nothing.

        Raises:
            AofLoadError: the data can't be had, or only part of them.
        """
        if not self._measure(manifest):
            return False
        self._loader.begin(self.total_bytes)
        try:
            with Replaying(self._engine):
                for _ in self._load_files(manifest):
                    await asyncio.sleep(self._pause_s())
        finally:
            self._loader.end()
        return True

    def load_at_once(self, manifest: Manifest) -> None:
        """Load everything while all wait: for tests. Raises AofLoadError."""
        if not self._measure(manifest):
            return
        self._loader.begin(self.total_bytes)  # a script that is loaded may let others in
        try:
            with Replaying(self._engine):
                for _ in self._load_files(manifest):
                    pass
        finally:
            self._loader.end()

    def _measure(self, manifest: Manifest) -> bool:
        total = 0
        for file in manifest.files:
            try:
                total += self._folder.size((file,))
            except OSError as error:
                raise AofLoadError(f"Unable to obtain the AOF file {file.name} length. stat: {error.strerror}")
        self.total_bytes = total
        return total > 0

    def _pause_s(self) -> float:
        """A turn of the loop; more if key-load-delay (microseconds) asks for it, at each look at the clock."""
        return max(0, self._config.key_load_delay) / 1e6

    def _load_files(self, manifest: Manifest) -> Iterator[None]:
        files = manifest.files
        position, aux, selected = Position(), {}, None
        self.left_out = 0
        for number, file in enumerate(files):
            began_s = self._clock.wall()
            replay = Replay(
                self._engine,
                self._engine.services.scripting.restore,
                self._config.rdbchecksum,
                self._config.proto_max_bulk_len,
                position,
            )
            try:
                truncated = yield from self._load_file(file, replay)
            except Gap:
                self._leave_out(files[number:])
                break
            aux.update(replay.aux)
            selected = selected if replay.selected is None else replay.selected
            if truncated and file is not files[-1]:
                if not position.whole:
                    raise AofLoadError("Fatal error: the truncated file is not the last file")
                self._leave_out(files[number + 1 :])
            what = "base" if file is manifest.base else "incr"
            self._log.info(f"DB loaded from {what} file {file.name}: {self._clock.wall() - began_s:.3f} seconds")
            if self.left_out:
                break
        self.origin = Origin(aux, [], position.offset, position.notes, selected)

    def _leave_out(self, files: Sequence[AofFile]) -> None:
        """The log breaks off: the power went when some of a file was on the disk, but not the end of the one before.

        None of that was on the disk for anybody who asked, for a file counts as synced once those before it are.
        """
        self.left_out = len(files)
        names = [file.name for file in files]
        self._log.warning("the log breaks off before the last files, which are left out", files=names)

    def _load_file(self, file: AofFile, replay: Replay) -> Generator[None, None, bool]:
        """Load one file, yielding now and then; the value is whether it was truncated."""
        path = self._folder.of(file)
        before = self._loader.loaded_bytes
        try:
            with path.open("rb") as source:
                while block := source.read(READ_BYTES):
                    work = Slice(self._clock.perf, LOAD_S)
                    for _ in fed(replay.feed, block, work, lambda: self._config.key_load_delay > 0):
                        self._loader.loaded_bytes = before + replay.offset
                        yield
            truncation = replay.finish()
        except RdbError as error:
            self._log.error(str(error), path=str(path))
            what = "RDB preamble of the AOF" if file.name == self._folder.filename else "RDB base"
            raise AofLoadError(f"Error reading the {what} file {file.name}, AOF loading aborted")
        except UnknownCommandError as error:
            raise AofLoadError(f"{error} reading the append only file {file.name}")
        except AofFormatError as error:
            self._log.error(str(error), path=str(path))
            raise AofLoadError(
                f"Bad file format reading the append only file {file.name}: make a backup of your AOF file, then "
                f"use kvops check-aof --fix {self._folder.manifest.name}"
            )
        except OSError as error:
            raise AofLoadError(f"Unrecoverable error reading the append only file {file.name}: {error.strerror}")
        self._loader.loaded_bytes = before + replay.offset
        self._loader.keys_loaded += replay.snapshot_keys
        if replay.failures:
            self._log.warning("commands of the append-only file were refused", file=file.name, count=replay.failures)
        if truncation is not None:
            self._truncate(file.name, path, truncation)
        return truncation is not None

    def _truncate(self, name: str, path: Path, truncation: Truncation) -> None:
        """A file ends in half a command: cut that off, if that is wanted."""
        if truncation.in_transaction:
            self._log.warning(f"Revert incomplete MULTI/EXEC transaction from AOF file {name}")
        if self._config.aof_load_truncated:
            self._log.warning(f"!!! Warning: short read while loading the AOF file {name}!!!", reason=truncation.reason)
            self._log.warning(f"!!! Truncating the AOF {name} at offset {truncation.valid_up_to} !!!")
            try:
                with path.open("r+b") as file:
                    file.truncate(truncation.valid_up_to)
            except OSError as error:
                self._log.error(f"Error truncating the AOF file {name}: {error.strerror}")
            else:
                self._log.warning(f"AOF {name} loaded anyway because aof-load-truncated is enabled")
                return
        raise AofLoadError(
            f"Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, "
            f"then use kvops check-aof --fix {self._folder.manifest.name}. 2) Alternatively you can set the "
            "'aof-load-truncated' configuration option to yes and restart the server."
        )

