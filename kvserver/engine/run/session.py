"""A client as the engine sees it: which database, which protocol, what it waits for.

The shell that owns the socket gives each session a `port`, by which the engine sends what nobody asked for just
now (pub/sub messages, replies to blocked requests) and ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from kvserver.client.reasons import Reason
from kvserver.engine.command_table.row import Row
from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run.holds import NONE, Safety

if TYPE_CHECKING:
    from kvserver.engine.run.executor import Engine

# Bits of Session.attention: what makes the executor look twice before it runs a request.
ATT_UNAUTHENTICATED = 1
ATT_MULTI = 2
ATT_SUBSCRIBED = 4
ATT_REPLY = 8  # replies are off, or the next one is skipped
ATT_CLOSE = 16  # the connection ends once the replies so far are out
ATT_RESTRICTED = 32  # a user with less than all permissions
ATT_TRACKING = 64
ATT_MONITOR = 128
ATT_LINEAR = 512  # reads wait for a round of the quorum
ATT_INTERNAL = 256  # no client: a script, the loader, the primary's stream

# Contexts: on whose behalf a request runs. A session has one of the first four; the gates' table says which gates
# are asked in which (`gates.py`).
CLIENT = 1
SCRIPT = 2
REPLAY = 4  # the append-only file being loaded
STREAM = 8  # what the primary sends
EXEC = 16  # a queued request, asked about again before its transaction runs
FIRST_WRITE = 32  # besides SCRIPT: the script has written nothing yet
FIRST_NEED = 64  # besides FIRST_WRITE: nor is it flagged allow-oom
DECLARED = 128  # a script as a whole, before it runs, by what its flags declare

_CONTEXTS = {"script": SCRIPT, "loader": REPLAY, "primary": STREAM}

REPLY_ON = 0
REPLY_OFF = 1
REPLY_SKIP_NEXT = 2
REPLY_SKIP = 3


class Port(Protocol):
    """What a session needs of its connection."""

    def write(self, data: bytes) -> None:
        """Send bytes, in order, as soon as may be."""

    def end(self, reason: Reason, detail: str = "", own: bool = False) -> None:
        """End the connection, what is queued being sent or dropped as the reason says; see `Session.end`."""

    def resume(self) -> None:
        """Go on with the requests that arrived while the session was blocked."""

    def pending_bytes(self) -> int:
        """Bytes accepted for sending that the peer hasn't taken yet."""

    def chunk_bytes(self) -> int:
        """Bytes of the last chunk read that stay until all of its requests are served."""

    def fileno(self) -> int:
        """The socket's file descriptor, -1 for none."""

    def regate(self) -> None:
        """What the session's replies wait for has changed."""


class NoPort:
    """The port of a session that has no connection."""

    def write(self, data: bytes) -> None:
        """Nobody reads."""

    def end(self, reason: Reason, detail: str = "", own: bool = False) -> None:
        """Nothing is open."""

    def resume(self) -> None:
        """Nothing arrived."""

    def pending_bytes(self) -> int:
        """Nothing waits."""
        return 0

    def chunk_bytes(self) -> int:
        """Nothing arrived."""
        return 0

    def fileno(self) -> int:
        """Nothing is open."""
        return -1

    def regate(self) -> None:
        """Nobody waits for replies."""


class Blocked:
    """What a session waits for: keys that become ready, a time, or something else that calls `unblock`."""

    __slots__ = ("args", "deadline_ms", "keys", "kind", "on_timeout", "ready", "row", "since_ms")

    def __init__(
        self,
        kind: str,
        keys: list[bytes],
        deadline_ms: int,
        on_timeout: Callable[[Session], bytes],
        row: Row,
        args: list[bytes],
    ) -> None:
        self.kind = kind  # "list", "zset", "stream", "wait", "pause", …
        self.keys = keys
        self.deadline_ms = deadline_ms  # 0 = waits for ever
        self.on_timeout = on_timeout
        self.row = row
        self.args = args
        self.since_ms = 0
        self.ready = b""  # the key that was written, while the request runs again because of it


class Session:
    """One client; see the module's docstring."""

    def __init__(self, engine: Engine, db: Db, session_id: int, port: Port) -> None:
        self.engine = engine
        self.db = db
        self.id = session_id
        self.port = port
        self.resp = 2
        self.attention = 0
        self.context = CLIENT
        self.out: list[bytes] | None = None  # replies being gathered for one write
        self.queue: list[tuple[Row, list[bytes]]] | None = None  # MULTI
        self.queue_broken = False
        self.multi_from = 0  # `bytes_in` when MULTI came: what has come since is queued
        self.watched: list[tuple[Db, bytes]] | None = None
        self.cas_broken = False
        self.blocked: Blocked | None = None
        self.no_block = False  # inside EXEC or a script, where nothing may wait
        self.row: Row | None = None  # the command that runs, or ran last
        self.args: list[bytes] = []
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}
        self.reply_mode = REPLY_ON
        self.name = b""
        self.lib_name = b""
        self.lib_ver = b""
        self.user = b"default"
        self.acl: Any = None
        self.kind = "normal"  # "replica", "primary" (the stream we follow), "script", "loader"
        self.address = ""
        self.local_address = ""
        self.created_ms = 0
        self.last_ms = 0
        self.no_evict = False
        self.no_touch = False
        self.tracking: Any = None
        self.replica: Any = None  # replication's record of an attached replica
        self.did = 0  # the flags of all that ran since the last reply that had to be asked about
        self.level = NONE  # what its replies wait for: see `holds.Safety`
        self.local = False
        self.linear = False
        self.chosen: tuple[str, str] | None = None  # durability and reads, where it chose (CLIENT DURABILITY, READS)
        self.write_offset = 0  # log offset behind this client's last write, for WAIT
        self.bytes_in = 0
        self.bytes_out = 0
        self.buffered: Callable[[], int] = _none  # bytes of requests not yet served

    def send(self, data: bytes) -> None:
        """Send a message that is no reply to the request being served, in order with the replies."""
        if self.out is not None:
            self.out.append(data)
        else:
            self.port.write(data)

    def ask_for(self, safety: Safety) -> None:
        """Have replies wait for this from now on; those that wait already wait as before."""
        self.level, self.local, self.linear = safety.level, safety.local, safety.linear
        self.attend(ATT_LINEAR, safety.linear)
        self.port.regate()

    def become_internal(self, kind: str) -> None:
        """Be no client: a "script", a "loader" or the "primary", whose requests were accepted elsewhere."""
        self.kind = kind
        self.attention = ATT_INTERNAL
        self.context = _CONTEXTS[kind]

    def subscriptions(self) -> int:
        """How many channels and patterns the client listens to (sharded ones are counted apart)."""
        return len(self.channels) + len(self.patterns)

    def attend(self, bit: int, on: bool) -> None:
        """Set or clear a bit of `attention`."""
        if on:
            self.attention |= bit
        else:
            self.attention &= ~bit

    def end(self, reason: Reason, detail: str = "") -> None:
        """End the connection: the one way for whoever isn't the connection itself.

        What the client hasn't been sent yet goes out or is dropped as the reason says; a client whose own request
        this is gets that request's reply, unless the reason drops everybody's.
        """
        own = self.out is not None or self.engine.current is self
        self.attention |= ATT_CLOSE
        self.port.end(reason, detail, own)


def _none() -> int:
    return 0
