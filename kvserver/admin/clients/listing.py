"""CLIENT LIST and INFO: one line a client, in the fields and the order of Redis 7.2."""

from __future__ import annotations

from collections.abc import Iterable

from kvserver.admin.clients.memory_limit import held_by
from kvserver.engine.run.session import (
    ATT_CLOSE,
    ATT_MONITOR,
    ATT_MULTI,
    Session,
)
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import verbatim

TYPES = {b"normal": "normal", b"master": "master", b"slave": "slave", b"replica": "slave", b"pubsub": "pubsub"}
"""Words for a class of clients, and what `type_of` calls it (the wire's words)."""


READ_BYTES = 16 << 10
"""What Redis reads at once."""
ROOM_KEPT_MS = 2000
"""How long after a request it keeps the room."""


def type_of(c: Session) -> str:
    """The class of a client by which CLIENT LIST and KILL choose, and output buffers are limited."""
    if c.kind == "primary":
        return "master"
    if c.kind == "replica":
        return "slave"
    return "pubsub" if c.subscriptions() or c.shard_channels else "normal"


def parse_type(raw: bytes) -> str:
    """The class a word names, or CommandError."""
    name = TYPES.get(raw.lower())
    if name is None:
        raise CommandError(b"ERR Unknown client type '%b'" % raw)
    return name


def flags_of(c: Session) -> str:
    """The letters that tell a client's state; N when there is nothing to tell."""
    watching = bool(c.attention & ATT_MONITOR)
    told = (
        ("O", watching),
        ("S", c.kind == "replica" and not watching),
        ("M", c.kind == "primary"),
        ("P", bool(c.subscriptions() or c.shard_channels)),
        ("x", bool(c.attention & ATT_MULTI)),
        ("b", c.blocked is not None),
        ("t", c.tracking is not None),
        ("R", c.tracking is not None and c.tracking.broken),
        ("B", c.tracking is not None and c.tracking.bcast),
        ("d", c.cas_broken),
        ("c", bool(c.attention & ATT_CLOSE)),
        ("U", c.address.startswith("/")),
        ("e", c.no_evict),
        ("T", c.no_touch),
    )
    return "".join(letter for letter, on in told if on) or "N"


def describe(c: Session) -> bytes:
    """One client's line, without the line break. Buffers we don't have are told as 0.

    `qbuf-free` is the room that Redis would keep for reading; here all clients are read through one buffer.
    """
    now_ms = c.engine.state.now_ms
    pending = c.port.pending_bytes()
    unread = c.buffered()
    request = _size_on_the_wire(c.args)
    current = c is c.engine.current
    unread += request if current else 0
    argv = sum(map(len, c.args)) if current or c.blocked is not None else 0
    idle_ms = max(0, now_ms - c.last_ms)
    room = max(READ_BYTES, request, unread) - unread if idle_ms < ROOM_KEPT_MS else 0
    queued = sum(len(arg) for _, args in c.queue or () for arg in args)
    fields: tuple[tuple[str, object], ...] = (
        ("id", c.id),
        ("addr", c.address),
        ("laddr", c.local_address),
        ("fd", c.port.fileno()),
        ("name", c.name.decode("latin-1")),
        ("age", max(0, now_ms - c.created_ms) // 1000),
        ("idle", idle_ms // 1000),
        ("flags", flags_of(c)),
        ("db", c.db.index),
        ("sub", len(c.channels)),
        ("psub", len(c.patterns)),
        ("ssub", len(c.shard_channels)),
        ("multi", -1 if c.queue is None else len(c.queue)),
        ("qbuf", unread),
        ("qbuf-free", room),
        ("argv-mem", argv),
        ("multi-mem", queued),
        ("rbs", 0),
        ("rbp", 0),
        ("obl", 0),
        ("oll", 1 if pending else 0),
        ("omem", pending),
        ("tot-mem", held_by(c) + (request + argv if current else 0)),
        ("events", "rw" if pending else "r"),
        ("cmd", c.row.name if c.row else "NULL"),
        ("user", c.user.decode("utf-8", "surrogateescape")),
        ("redir", -1 if c.tracking is None else c.tracking.redirect),
        ("resp", c.resp),
        ("lib-name", c.lib_name.decode("latin-1")),
        ("lib-ver", c.lib_ver.decode("latin-1")),
    )
    return " ".join(f"{name}={value}" for name, value in fields).encode("utf-8", "surrogateescape")


def _size_on_the_wire(args: list[bytes]) -> int:
    """Bytes of a request: `*n`, then `$length` and the argument for each."""
    return 3 + len(str(len(args))) + sum(5 + len(str(len(arg))) + len(arg) for arg in args)


def _lines(sessions: Iterable[Session]) -> bytes:
    return b"".join(describe(session) + b"\n" for session in sessions)


def list_(c: Session, a: list[bytes]) -> bytes:
    """CLIENT LIST [TYPE type | ID id ...]."""
    sessions = c.engine.sessions
    chosen: Iterable[Session] = list(sessions.values())
    if len(a) == 4 and a[2].upper() == b"TYPE":
        wanted = parse_type(a[3])
        chosen = [session for session in chosen if type_of(session) == wanted]
    elif len(a) > 3 and a[2].upper() == b"ID":
        numbers = [parse_int(raw, "ERR Invalid client ID") for raw in a[3:]]
        chosen = [sessions[number] for number in numbers if number in sessions]
    elif len(a) != 2:
        raise CommandError(SYNTAX)
    return verbatim(_lines(chosen), c.resp)


def info(c: Session, a: list[bytes]) -> bytes:
    """CLIENT INFO."""
    return verbatim(_lines([c]), c.resp)


HANDLERS = {"CLIENT|LIST": list_, "CLIENT|INFO": info}
