"""The gates: everything that may keep a request from running, a row each, in the order in which Redis asks them
(processCommand in its server.c).

`TABLE` below shows all gates there are, those of other packages too, which give their rows a function with
`Engine.set_gate` while a node is put together; a row without an answer (no such package) lets everything through.

A row looks at a request when one of its bits says so: a flag of the command, as far as the gate is *in force*
(`Engine.forbid` says for which of its flags, by default none), or a bit of the session's `attention`. It is asked in
some contexts only (`session.py` has them all); in every other one it lets everything pass:

- CLIENT: a request that a client has just sent;
- EXEC: a request queued in MULTI, asked about once more when EXEC comes, as the server's state may have changed;
- SCRIPT: what a script calls. What guards writes is asked for a script's first write only (FIRST_WRITE, FIRST_NEED):
  what has begun may finish. DECLARED: the script itself, before it runs, by the flags of its first line;
- REPLAY and STREAM: what the append-only file and the primary have was accepted before: only MULTI queues it.

An answer is `PASS`, an error reply, another reply that ends the request (QUEUED), or None when the reply comes later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kvserver.engine.command_table.row import (
    ADMIN,
    ANY,
    DENYOOM,
    MAY_REPLICATE,
    NO_AUTH,
    NO_MULTI,
    NOT_BUSY,
    NOT_LOADING,
    NOT_STALE,
    TELLS_DISK,
    WRITE,
    Row,
)
from kvserver.engine.run.session import (
    ATT_LINEAR,
    ATT_MULTI,
    ATT_RESTRICTED,
    ATT_SUBSCRIBED,
    ATT_TRACKING,
    ATT_UNAUTHENTICATED,
    CLIENT,
    DECLARED,
    EXEC,
    FIRST_NEED,
    FIRST_WRITE,
    REPLAY,
    SCRIPT,
    STREAM,
    Session,
)
from kvserver.wire.resp import QUEUED, error

if TYPE_CHECKING:
    from kvserver.engine.run.executor import Engine

Answer = Callable[["Engine", Session, Row, list[bytes]], "bytes | None"]

PASS = b""
"""What a gate answers to let a request through; None means that the reply comes later."""

NOAUTH = error("NOAUTH Authentication required.")
LOADING_REPLY = error("LOADING Redis is loading the dataset in memory")
MISCONF = error(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands "
    "that may modify the data set are disabled, because this instance is configured to report errors during "
    "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
    "details about the RDB error."
)
NOREPLICAS = error("NOREPLICAS Not enough good replicas to write.")
READONLY = error("READONLY You can't write against a read only replica.")
MASTERDOWN = error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
STALE_SCRIPT = error("ERR Can not execute the command on a stale replica")

_RUNS_IN_MULTI = frozenset(("exec", "discard", "multi", "watch", "quit", "reset"))
_WHILE_SUBSCRIBED = frozenset(
    ("ping", "subscribe", "ssubscribe", "psubscribe", "unsubscribe", "sunsubscribe", "punsubscribe", "quit", "reset")
)


class Gate:
    """One row: its name, what makes it look at a request, where it is asked, and what it answers.

    `mask` are those of its `flags` for which it is in force. `in_script`, if there is any, is what a script hears in
    place of the answer.
    """

    def __init__(
        self, name: str, flags: int, attention: int, asked: int, answer: bytes | Answer | None, in_script: bytes = b""
    ) -> None:
        self.name = name
        self.flags = flags
        self.attention = attention
        self.asked = asked
        self.answer = answer
        self.in_script = in_script
        self.mask = 0

    def looks(self, flags: int, attention: int, context: int) -> bool:
        """Whether a command with `flags`, in a session with `attention`, is this gate's business in a context."""
        return bool(self.asked & context and (flags & self.mask or attention & self.attention))

    def reply(self, engine: Engine, c: Session, row: Row, args: list[bytes], context: int) -> bytes | None:
        """What the gate answers to a request that is its business."""
        answer = self.answer
        if answer is None:
            return PASS
        reply = answer if isinstance(answer, bytes) else answer(engine, c, row, args)
        return self.in_script if reply and self.in_script and context & SCRIPT else reply


def no_auth(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """A client that must authenticate may do nothing else."""
    return PASS if row.flags & NO_AUTH else NOAUTH


def no_multi(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """Some commands make no sense inside a transaction."""
    return error("ERR Command not allowed inside a transaction") if row.flags & NO_MULTI else PASS


def queued(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """EXEC is refused for what one of the queued requests would be refused for by now.

    Gate by gate, each for all requests: the first gate that refuses any of them has the word.
    """
    if row.name != "exec" or not c.queue:
        return PASS
    suspects = [entry for entry in c.queue if entry[0].flags & engine.deny]
    if suspects:
        for gate in engine.gates:
            for queued_row, queued_args in suspects:
                if gate.looks(queued_row.flags, c.attention, EXEC):
                    reply = gate.reply(engine, c, queued_row, queued_args, EXEC)
                    if reply:
                        return reply
    return PASS


def subscriber(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """With RESP2 a subscriber's replies could not be told from messages, so it may send little else."""
    if c.resp == 2 and row.name not in _WHILE_SUBSCRIBED:
        return error(
            f"ERR Can't execute '{row.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
            "are allowed in this context"
        )
    return PASS


def multi(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """Inside MULTI requests are queued, not run."""
    if c.queue is None or row.name in _RUNS_IN_MULTI:
        return PASS
    c.queue.append((row, args))
    return QUEUED


_ALL = CLIENT | EXEC | FIRST_WRITE | DECLARED
"""Asked about whatever would write now: by a client, by EXEC, by a script that has written nothing yet."""

TABLE: tuple[tuple[str, int, int, int, bytes | Answer | None, bytes], ...] = (
    # name, flags it may be in force for, attention, where it is asked, answer (None: given by a package), in a script
    ("auth", 0, ATT_UNAUTHENTICATED, CLIENT, no_auth, b""),
    ("no-multi", 0, ATT_MULTI, CLIENT, no_multi, b""),
    ("acl", 0, ATT_RESTRICTED, CLIENT | SCRIPT, None, b""),
    ("exec", 0, ATT_MULTI, CLIENT, queued, b""),
    ("exec-scripts", 0, ATT_MULTI, CLIENT, None, b""),
    ("memory", DENYOOM | MAY_REPLICATE, ATT_MULTI | ATT_TRACKING, CLIENT | EXEC | FIRST_NEED | DECLARED, None, b""),
    ("tracking", 0, ATT_TRACKING, CLIENT, None, b""),
    ("disk", WRITE | TELLS_DISK, 0, _ALL, MISCONF, b""),
    ("aof", WRITE | TELLS_DISK, 0, _ALL, None, b""),
    ("few-replicas", WRITE, 0, _ALL, NOREPLICAS, b""),
    ("unreplicated", WRITE, 0, _ALL, None, b""),
    ("readonly", WRITE, 0, _ALL, READONLY, b""),
    ("quorum", WRITE, 0, _ALL, None, b""),
    ("quorum-guard", ADMIN, 0, CLIENT | EXEC | SCRIPT, None, b""),
    ("subscriber", 0, ATT_SUBSCRIBED, CLIENT, subscriber, b""),
    ("stale", NOT_STALE, 0, CLIENT | EXEC | SCRIPT | DECLARED, MASTERDOWN, STALE_SCRIPT),
    ("starting", NOT_LOADING, 0, CLIENT | EXEC, LOADING_REPLY, b""),
    ("loading", NOT_LOADING, 0, CLIENT | EXEC, LOADING_REPLY, b""),
    ("busy", NOT_BUSY | ADMIN, 0, CLIENT, None, b""),
    ("quorum-read", 0, ATT_LINEAR, CLIENT, None, b""),
    ("pause", ANY | WRITE | MAY_REPLICATE, ATT_MULTI, CLIENT, None, b""),
    ("multi", 0, ATT_MULTI, CLIENT | REPLAY | STREAM, multi, b""),
    ("monitor", ANY, 0, CLIENT | SCRIPT, None, b""),
)
"""All gates; those further up answer first."""


def build() -> list[Gate]:
    """One node's gates, none of them in force."""
    return [Gate(*row) for row in TABLE]


def named(gates: list[Gate], name: str) -> Gate:
    """Return a gate by its name. Raises KeyError: the table has no such row."""
    for gate in gates:
        if gate.name == name:
            return gate
    raise KeyError(name)


def set_loading(engine: Engine, on: bool) -> None:
    """Begin or end the time in which the data set is being loaded."""
    engine.forbid("loading", NOT_LOADING if on else 0)


def set_starting(engine: Engine, on: bool) -> None:
    """Begin or end the time from listening to the moment at which all that a node starts with is there."""
    engine.forbid("starting", NOT_LOADING if on else 0)


def is_loading(engine: Engine) -> bool:
    """Whether the data set isn't there yet, or is being replaced."""
    return bool(engine.deny_masks.get("loading") or engine.deny_masks.get("starting"))
