"""The answers of parts that aren't there: of all of them for an engine by itself (a tool's, a test's), and of
persistence, scripting and replication in a sentinel, which has no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kvserver.services.offers import PAUSE_NONE, Origin, Pause, ShutdownWish, SnapshotStream

if TYPE_CHECKING:
    import ssl

    from kvserver.engine.command_table.row import Row
    from kvserver.engine.run.executor import Engine
    from kvserver.engine.run.session import Session


class NoAccessControl:
    """One user, `default`, who may do everything and needs no password."""

    def needs_auth(self) -> bool:
        """Nobody has to authenticate."""
        return False

    def has_password(self) -> bool:
        """There is none."""
        return False

    def knows(self, name: bytes) -> bool:
        """Only the default user is known."""
        return name == b"default"

    def enter_default(self, c: Session) -> None:
        """A session is the default user's from the beginning."""

    def authenticate(self, c: Session, name: bytes, password: bytes) -> bool:
        """Any password is right."""
        return name == b"default"

    def since_queued(self, c: Session, row: Row, args: Sequence[bytes]) -> bytes:
        """All is allowed."""
        return b""

    def allows(self, c: Session, row: Row, args: Sequence[bytes]) -> bool:
        """All is allowed."""
        return True

    def may_read_everything(self, c: Session, row: Row, args: Sequence[bytes]) -> bool:
        """All is allowed."""
        return True

    def configuration_lines(self) -> list[str]:
        """There are no users to write down."""
        return []


class NoPause:
    """Nobody is held back."""

    mode = PAUSE_NONE

    def begin(self, engine: Engine, reason: str, mode: int, until_ms: int) -> None:
        """There are no clients."""

    def end(self, engine: Engine, reason: str) -> None:
        """There are no clients."""


class NoAdministration:
    """Nobody steers, measures or waits."""

    def __init__(self) -> None:
        self.pause: Pause = NoPause()
        self.wish = ShutdownWish()

    def shutting_down(self) -> bool:
        """There is no process to end."""
        return False

    def used_bytes(self) -> int:
        """Nobody measures."""
        return 0

    def note_latency(self, event: str, spent_ms: int) -> None:
        """Nobody asks for spikes."""


class NoScripting:
    """No libraries; those of a snapshot are passed over."""

    def sources(self) -> Sequence[bytes]:
        """There are none."""
        return ()

    def restore(self, codes: Sequence[bytes], policy: bytes = b"FLUSH") -> None:
        """There is nobody to run them."""

    def promises_no_writes(self, row: Row, args: Sequence[bytes]) -> bool:
        """Nothing is known of any script."""
        return False


class NoPersistence:
    """Nothing is on a disk."""

    def open_snapshot(self, data: bool, libraries: bool) -> SnapshotStream:
        """Raises RuntimeError: who has no persistence has nobody who asks for a snapshot."""
        raise RuntimeError("this node has no persistence")

    def synced_offset(self) -> int | None:
        """There is no file."""
        return None

    def written_offset(self) -> int | None:
        """There is no file."""
        return None

    def sync_soon(self, offset: int) -> None:
        """There is no file."""

    def take_origin(self) -> Origin:
        """Nothing was loaded."""
        return Origin()

    def serialized_length(self, value: Any) -> int:
        """Nothing is serialized."""
        return 0

    def abandon(self) -> None:
        """No file is being written."""


class NoReplication:
    """A node by itself: a primary that nobody follows."""

    is_replica = False

    def position(self) -> tuple[bytes, int, int] | None:
        """There is no history to stand in."""
        return None


class NoTls:
    """Connections aren't encrypted."""

    def for_replication(self) -> ssl.SSLContext | None:
        """In the clear."""
        return None

    def for_migration(self) -> ssl.SSLContext | None:
        """In the clear."""
        return None
