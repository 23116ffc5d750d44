"""Why connections end: one row a reason. Who ends a connection names its row, and nothing else (`Session.end`).

A row says what becomes of the replies and messages that the client hasn't been sent yet, and how loudly the log
tells; each is counted (INFO's `client_disconnects_*`, the metric `client_disconnections_total`).  What happens to
what is queued is Redis's choice for the same case: there a client is either freed, and what was queued for it is
lost, or marked to be closed after its replies.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Queued(Enum):
    """What becomes of what is queued for a client whose connection ends."""

    SENT = "sent"
    DROPPED = "dropped"
    DROPPED_FOR_OTHERS = "dropped for others"
    """A client that ends itself by its own request gets the replies up to that request's."""
    SENT_TO_OTHERS = "sent to others"
    """A client whose own request is cut short by it gets nothing more."""


class Level(Enum):
    """How loud the log is, in Redis's words."""

    VERBOSE = "verbose"
    NOTICE = "notice"
    WARNING = "warning"


class Row(NamedTuple):
    """One reason: its name in INFO and metrics, the fate of what is queued, the log's level and line."""

    word: str
    queued: Queued
    level: Level
    text: str


class Reason(Enum):
    """The table; `reason.value` is the row."""

    QUIT = Row("quit", Queued.SENT, Level.VERBOSE, "Client said QUIT")
    PEER_CLOSED = Row("peer_closed", Queued.SENT, Level.VERBOSE, "Client closed connection")
    PEER_RESET = Row("peer_reset", Queued.DROPPED, Level.VERBOSE, "Client's connection was lost")
    TLS_ERROR = Row("tls_error", Queued.DROPPED, Level.VERBOSE, "Client's TLS failed")
    CLIENT_KILL = Row("client_kill", Queued.DROPPED_FOR_OTHERS, Level.VERBOSE, "Client killed by CLIENT KILL")
    ACCESS_LOST = Row("access_lost", Queued.DROPPED_FOR_OTHERS, Level.VERBOSE,
                      "Client's user is gone, or may not listen any more to what the client listens to")
    IDLE = Row("idle_timeout", Queued.DROPPED, Level.VERBOSE, "Closing idle client")
    PROTOCOL_ERROR = Row("protocol_error", Queued.SENT, Level.VERBOSE, "Protocol error from client")
    HTTP_ATTACK = Row("http_attack", Queued.DROPPED, Level.WARNING,
                      "Possible SECURITY ATTACK detected: somebody sends HTTP's POST or Host: to this port, perhaps by "
                      "cross-protocol scripting; the connection was closed")
    QUERY_BUFFER = Row("query_buffer_limit", Queued.DROPPED, Level.WARNING,
                       "Closing client that reached max query buffer length")
    OUTPUT_HARD = Row("output_hard_limit", Queued.DROPPED, Level.WARNING,
                      "Client closed for overcoming of output buffer limits (hard)")
    OUTPUT_SOFT = Row("output_soft_limit", Queued.DROPPED, Level.WARNING,
                      "Client closed for overcoming of output buffer limits (soft, for too long)")
    EVICTED = Row("eviction", Queued.DROPPED, Level.NOTICE, "Evicting client")
    MAX_CLIENTS = Row("maxclients", Queued.SENT, Level.VERBOSE, "Client refused: maxclients is reached")
    PROTECTED_MODE = Row("protected_mode", Queued.SENT, Level.VERBOSE, "Client refused: protected mode")
    ROLE_CHANGE = Row("role_change", Queued.SENT, Level.VERBOSE, "Waiting client closed: this node is a replica now")
    UNSAFE = Row("unsafe", Queued.DROPPED, Level.NOTICE,
                 "Client closed: what it wrote or read may be lost, since no majority has it")
    DEBUGGER = Row("debugger", Queued.SENT, Level.VERBOSE, "The Lua debugger's session is over")
    REPLICA_HISTORY = Row("replica_history", Queued.DROPPED, Level.NOTICE,
                          "Disconnecting replica: it has to ask anew whether it may continue")
    REPL_TIMEOUT = Row("repl_timeout", Queued.DROPPED, Level.WARNING, "Disconnecting timedout replica")
    REPLICA_TRANSFER = Row("replica_transfer", Queued.DROPPED, Level.WARNING,
                           "Disconnecting replica: its snapshot couldn't be sent")
    SHUTDOWN = Row("shutdown", Queued.SENT_TO_OTHERS, Level.VERBOSE, "Client closed: this node stops")  # fmt: skip

    @property
    def word(self) -> str:
        """The name in INFO and metrics."""
        return self.value.word

    def sends(self, own: bool) -> bool:
        """Whether what is queued is still sent; `own` when the client's own request ends it."""
        queued = self.value.queued
        return queued is Queued.SENT or queued is (Queued.DROPPED_FOR_OTHERS if own else Queued.SENT_TO_OTHERS)


def none_yet() -> dict[Reason, int]:
    """A count of each reason, from 0."""
    return dict.fromkeys(Reason, 0)


def over_output_limits(ended: dict[Reason, int]) -> int:
    """How many were ended by client-output-buffer-limit, hard and soft."""
    return ended[Reason.OUTPUT_HARD] + ended[Reason.OUTPUT_SOFT]
