"""What the decoder reports: events in the order of the file, and streams in plain form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

STRING = 0
LIST = 1
SET = 2
ZSET = 3
HASH = 4
STREAM = 6

KIND_NAMES = {STRING: "string", LIST: "list", SET: "set", ZSET: "zset", HASH: "hash", STREAM: "stream"}

StreamId: TypeAlias = tuple[int, int]  # (milliseconds, sequence)


@dataclass(slots=True)
class Consumer:
    """A consumer of a stream's group; times in ms since the epoch, -1 when unknown."""

    name: bytes
    seen_ms: int
    active_ms: int = -1
    pending: list[StreamId] = field(default_factory=list)


@dataclass(slots=True)
class Pending:
    """A delivered, not yet acknowledged entry."""

    delivered_ms: int
    deliveries: int


@dataclass(slots=True)
class Group:
    """A consumer group. `entries_read` is -1 when unknown, as after reading an older format."""

    name: bytes
    last_id: StreamId
    entries_read: int = -1
    pending: dict[StreamId, Pending] = field(default_factory=dict)
    consumers: list[Consumer] = field(default_factory=list)


@dataclass(slots=True)
class StreamData:
    """A stream in plain form: entries are (id, [field, value, field, value ...]), ascending by id.

    `counted`: the format told what groups have read; where it didn't, that can often be worked out.
    """

    entries: list[tuple[StreamId, list[bytes]]] = field(default_factory=list)
    last_id: StreamId = (0, 0)
    first_id: StreamId = (0, 0)
    max_deleted_id: StreamId = (0, 0)
    entries_added: int = 0
    groups: list[Group] = field(default_factory=list)
    counted: bool = True


class Key:
    """One key.

    `value` is what the decoder's builders made of it. `expire_ms` -1: none; `idle_s` and `freq` -1: not
    recorded. `field_ttls`: the fields of a hash that expire, with the time in ms since the epoch.
    """

    __slots__ = ("db", "expire_ms", "field_ttls", "freq", "idle_s", "key", "kind", "value")

    def __init__(
        self, db: int, key: bytes, kind: int, value: object, expire_ms: int, idle_s: int, freq: int
    ) -> None:
        self.db = db
        self.key = key
        self.kind = kind
        self.value = value
        self.expire_ms = expire_ms
        self.idle_s = idle_s
        self.freq = freq
        self.field_ttls: dict[bytes, int] | None = None

    def __repr__(self) -> str:
        return f"Key(db={self.db}, {self.key!r}, {KIND_NAMES[self.kind]}, expire_ms={self.expire_ms})"


@dataclass(frozen=True, slots=True)
class Version:
    """The header was read."""

    version: int


@dataclass(frozen=True, slots=True)
class Aux:
    """A fact about the file: who wrote it, when, at which offset of which history."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class SelectDb:
    """Keys from here on belong to this database."""

    db: int


@dataclass(frozen=True, slots=True)
class ResizeDb:
    """A hint, not a promise: how many keys and how many expiries follow in this database."""

    keys: int
    expires: int


@dataclass(frozen=True, slots=True)
class Function:
    """A library of functions, as source code."""

    code: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The end was reached and the checksum agreed (0: the writer had checksums off)."""

    checksum: int


Event: TypeAlias = Version | Aux | SelectDb | ResizeDb | Function | Key | End
