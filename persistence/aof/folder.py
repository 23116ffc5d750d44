"""The folder of the append-only file: its names as paths, and the manifest on disk. Every call may block."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kvserver.config import Config
from kvserver.doors import Doors
from kvserver.doors.disk import make_folder, rename
from persistence.aof import manifest as names
from persistence.aof.manifest import AofFile, Manifest
from persistence.disk import AtomicFile


class Folder:
    """Where the files are: below the server's `dir`, as that was at the start."""

    def __init__(self, config: Config, doors: Doors) -> None:
        self._disk = doors.disk
        self.filename = config.appendfilename
        self.path = doors.disk.path(config.appenddirname)
        self.manifest = self.path / names.manifest_name(self.filename)
        self.single = doors.disk.path(self.filename)  # where a Redis before 7.0 had its one file
        self.temporary_incr = self.path / names.temp_incr_name(self.filename)
        self.temporary_base = doors.disk.path(names.temp_rewrite_name(doors.machine.pid))

    def of(self, file: AofFile) -> Path:
        """The path of a file that the manifest names."""
        return self.path / file.name

    def create(self) -> None:
        """Make the folder if it isn't there, durably. Raises OSError."""
        make_folder(self._disk, self.path)

    def read(self) -> Manifest:
        """The manifest; an empty one when there is none.

        Raises:
            ManifestError: it isn't valid.
            OSError: it can't be read.
        """
        if not self.path.is_dir() or not self.manifest.exists():
            return Manifest()
        return names.parse(self.manifest.read_bytes())

    def persist(self, manifest: Manifest) -> None:
        """Replace the manifest, durably: the old or the new one is there at any moment. Raises OSError."""
        file = AtomicFile(self._disk, self.manifest, self.path / names.temp_manifest_name(self.filename))
        try:
            file.write(manifest.encode())
            file.commit()
        except OSError:
            file.abort()
            raise

    def size(self, files: Iterable[AofFile]) -> int:
        """How many bytes files have together; one that isn't there is an error."""
        return sum(self.of(file).stat().st_size for file in files)

    def wants_upgrade(self, manifest: Manifest) -> bool:
        """Whether there is a single file of an older release, and the folder doesn't hold anything newer."""
        if not self.single.is_file():
            return False
        base = manifest.base
        if not self.path.is_dir() or not manifest.files:
            return True
        return (
            base is not None
            and not manifest.incr
            and base.name == self.filename
            and not (self.path / self.filename).exists()
        )

    def upgrade(self) -> Manifest:
        """Take the single file of an older release in as the base."""
        manifest = names.upgraded(self.filename)
        self.create()
        self.persist(manifest)
        rename(self._disk, self.single, self.path / self.filename)
        return manifest

    def remove(self, paths: Iterable[Path]) -> None:
        """Delete what is there of some files."""
        for path in paths:
            with suppress(OSError):
                path.unlink()
