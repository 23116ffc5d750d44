"""What each part of a node offers to the others.

A part implements one of these, and puts itself into the node's `Services` while it is attached. Who uses it knows
no more than what is said here; what isn't there is answered by `alone`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import ssl

    from kvserver.engine.command_table.row import Row
    from kvserver.engine.run.executor import Engine
    from kvserver.engine.run.session import Session

PAUSE_NONE, PAUSE_WRITES, PAUSE_ALL = 0, 1, 2
"""How much a pause holds back; a stricter one is greater."""


class AccessControl(Protocol):
    """Who a client is, and what it may do."""

    def needs_auth(self) -> bool:
        """Whether a new client must authenticate before it may do anything."""

    def has_password(self) -> bool:
        """Whether the default user has a password, or must be given one."""

    def knows(self, name: bytes) -> bool:
        """Whether there is a user of this name."""

    def enter_default(self, c: Session) -> None:
        """Make a new or a reset session the default user's."""

    def authenticate(self, c: Session, name: bytes, password: bytes) -> bool:
        """Let a client in as a user; False when name or password are wrong."""

    def since_queued(self, c: Session, row: Row, args: Sequence[bytes]) -> bytes:
        """The error reply for a queued request that is no longer allowed, or nothing."""

    def allows(self, c: Session, row: Row, args: Sequence[bytes]) -> bool:
        """Whether the session's user may run a command; a refusal isn't noted."""

    def may_read_everything(self, c: Session, row: Row, args: Sequence[bytes]) -> bool:
        """Whether a request may read keys that aren't among its arguments."""

    def configuration_lines(self) -> list[str]:
        """What the configuration file has to say about users; nothing when they have a file of their own."""


class Pause(Protocol):
    """Holds clients back, as CLIENT PAUSE does. A pause has a reason, and lasts until its end or until `end`."""

    mode: int
    """The strictest mode in force, PAUSE_NONE for none."""

    def begin(self, engine: Engine, reason: str, mode: int, until_ms: int) -> None:
        """Begin, lengthen or tighten the pause of a reason; `until_ms` is Unix time."""

    def end(self, engine: Engine, reason: str) -> None:
        """End the pause of a reason; what waited runs, unless another reason still holds it back."""


@dataclass(slots=True)
class ShutdownWish:
    """How the shutdown under way, if there is one, was asked for."""

    save: bool | None = None
    """Whether to save; None: if there are save points."""
    now: bool = False
    """Don't wait for replicas."""


class Administration(Protocol):
    """The node as its operator steers it."""

    @property
    def pause(self) -> Pause:
        """What holds clients back."""

    @property
    def wish(self) -> ShutdownWish:
        """How to shut down."""

    def shutting_down(self) -> bool:
        """Whether the node is on its way to stop."""

    def used_bytes(self) -> int:
        """Memory in use, as INFO tells it."""

    def note_latency(self, event: str, spent_ms: int) -> None:
        """Keep a spike for LATENCY, if it is one."""


class Scripting(Protocol):
    """Libraries of functions, and what is known of scripts."""

    def sources(self) -> Sequence[bytes]:
        """The source of each library."""

    def restore(self, codes: Sequence[bytes], policy: bytes = b"FLUSH") -> None:
        """Take libraries over: in place of all that are there (FLUSH), APPEND or REPLACE.

        Raises:
            CommandError: one doesn't compile, or (APPEND) is there already.
        """

    def promises_no_writes(self, row: Row, args: Sequence[bytes]) -> bool:
        """Whether a request runs a script that says that it writes nothing."""


class SnapshotStream(Protocol):
    """The data of one instant as an RDB stream, pulled by whoever wants it."""

    offset: int
    """The command log's offset at that instant."""
    keys: int
    """How many were encoded so far."""

    def next_chunk(self, budget_s: float = ..., max_bytes: int = ...) -> bytes | None:
        """The next bytes, perhaps none, after about so much work; None behind the end."""

    def close(self) -> None:
        """Let the data go; any number of times."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the snapshot that was loaded at start said of itself."""

    aux: dict[bytes, bytes] = field(default_factory=dict)
    """Its fields, among them the replication history it stands in."""
    gone: list[tuple[int, bytes]] = field(default_factory=list)
    """Keys that had expired and were left out: database and key."""
    offset: int | None = None
    """Where the log ends that was loaded behind it; None where the append-only file doesn't say."""
    notes: list[tuple[list[bytes], int, int]] = field(default_factory=list)
    """PINGs with a text in that log, each with the offsets of its first and last byte."""
    selected: int | None = None
    """The database in which that log ends; None where there is none."""


class Persistence(Protocol):
    """The data set on the disk, and as a stream."""

    def open_snapshot(self, data: bool, libraries: bool) -> SnapshotStream:
        """A snapshot of this instant, with or without keys and function libraries."""

    def synced_offset(self) -> int | None:
        """Up to which offset of the log the append-only file is on the disk; None without one, -1 before its first."""

    def written_offset(self) -> int | None:
        """Up to which offset the log outlives the process, in the append-only file; None without one."""

    def sync_soon(self, offset: int) -> None:
        """Somebody waits until the log is on the disk up to `offset`: have it there, whatever the file's policy says.

        `log_synced` tells when it is. No effect without an append-only file.
        """

    def take_origin(self) -> Origin:
        """What the loaded snapshot said of itself; the first caller gets it."""

    def serialized_length(self, value: Any) -> int:
        """How many bytes a value takes in a snapshot."""

    def abandon(self) -> None:
        """The process ends at once: leave no half-written file behind."""


class Replication(Protocol):
    """The node's place among others."""

    @property
    def is_replica(self) -> bool:
        """Whether the node follows another."""

    def position(self) -> tuple[bytes, int, int] | None:
        """Where a snapshot taken now stands: replication id, offset, the stream's database. None: nobody could tell.

        What was logged so far is handed to the log's sinks first.
        """


class TlsContexts(Protocol):
    """How connections to other nodes are encrypted; None: they aren't."""

    def for_replication(self) -> ssl.SSLContext | None:
        """For the link to a primary."""

    def for_migration(self) -> ssl.SSLContext | None:
        """For MIGRATE."""
