"""What a primary knows of each attached replica, and what follows from it. Pure; `now` is an argument.

Theory of operation. A replica passes through the phases in order: it waits for a snapshot that can be sent,
receives it, and is then on line. A partial resynchronization starts on line. Its
acknowledgements (REPLCONF ACK, once a second) say how far it has applied the stream, and how far that is on its
disk if it keeps an append-only file (FACK); the lag is the time since the last one. From offsets and lags follow
the answers to WAIT and WAITAOF, whether enough replicas are well for a write to be accepted, and who is to be
dropped for silence or for reading too slowly.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

from kvserver.client.output_limit import BELOW, judge
from kvserver.client.reasons import Reason
from kvserver.config.kinds import BufferLimit


class Phase(enum.Enum):
    """How far a replica has come; the value is INFO's `state=`."""

    WAIT_SNAPSHOT = "wait_bgsave"
    SEND_SNAPSHOT = "send_bulk"
    ONLINE = "online"


class Parts(enum.Flag):
    """What of the data set a snapshot holds."""

    NONE = 0
    DATA = 1
    FUNCTIONS = 2
    ALL = 3


@dataclass(slots=True)
class Attached:
    """One replica as its primary sees it. Offsets are byte numbers, times are seconds."""

    replica_id: int
    ip: str
    port: int
    phase: Phase
    acked_at_s: float
    ack_offset: int = 0
    file_offset: int = 0
    """How far its append-only file is known to be on its disk."""
    capa_eof: bool = False
    capa_psync2: bool = False
    rdb_only: bool = False
    parts: Parts = Parts.ALL
    online_offset: int = 0
    """Where the log stood when it came on line."""
    soft_since_s: float = BELOW
    """When what waits for it reached the soft limit."""

    def acknowledge(self, offset: int, now_s: float, file_offset: int = 0) -> None:
        """Take a REPLCONF ACK; an acknowledged offset never goes back."""
        if offset > self.ack_offset:
            self.ack_offset = offset
        if file_offset > self.file_offset:
            self.file_offset = file_offset
        self.acked_at_s = now_s

    def lag_s(self, now_s: float) -> int:
        """Whole seconds since the last acknowledgement; 0 before it is on line, as INFO shows it."""
        return max(0, int(now_s - self.acked_at_s)) if self.phase is Phase.ONLINE else 0


def good_count(replicas: Iterable[Attached], max_lag_s: int, now_s: float) -> int:
    """How many replicas are on line with a lag of at most `max_lag_s` (min-replicas-max-lag)."""
    return sum(1 for r in replicas if r.phase is Phase.ONLINE and r.lag_s(now_s) <= max_lag_s)


def enough_replicas(replicas: Iterable[Attached], to_write: int, max_lag_s: int, now_s: float) -> bool:
    """Whether writes may be accepted under min-replicas-to-write; 0 in either option switches it off."""
    until_s = good_until_s(replicas, to_write, max_lag_s)
    return until_s is None or now_s <= until_s


def good_until_s(replicas: Iterable[Attached], to_write: int, max_lag_s: int) -> float | None:
    """Until when writes are accepted under min-replicas-to-write if no replica acknowledges anything more.

    In seconds of the clock of `acked_at_s`; None for as long as the options are as they are (0 in either switches
    the rule off), minus infinity when there are too few replicas now.
    """
    if not to_write or not max_lag_s:
        return None
    acks = sorted((r.acked_at_s for r in replicas if r.phase is Phase.ONLINE), reverse=True)
    return acks[to_write - 1] + max_lag_s if len(acks) >= to_write else -math.inf


def furthest(replicas: Iterable[Attached]) -> int:
    """The highest offset that some on-line replica has acknowledged, 0 without one."""
    return max((r.ack_offset for r in replicas if r.phase is Phase.ONLINE), default=0)


def acked_count(replicas: Iterable[Attached], offset: int) -> int:
    """How many on-line replicas have acknowledged everything up to and including byte `offset`."""
    return sum(1 for r in replicas if r.phase is Phase.ONLINE and r.ack_offset >= offset)


def on_disk_count(replicas: Iterable[Attached], offset: int) -> int:
    """How many on-line replicas have everything up to and including byte `offset` in a file on their disk."""
    return sum(1 for r in replicas if r.phase is Phase.ONLINE and r.file_offset >= offset)


def behind_count(replicas: Iterable[Attached], offset: int) -> int:
    """How many on-line replicas have not acknowledged byte `offset`."""
    return sum(1 for r in replicas if r.phase is Phase.ONLINE and r.ack_offset < offset)


def silent(replicas: Iterable[Attached], timeout_s: int, now_s: float) -> list[Attached]:
    """The on-line replicas that have not been heard of for longer than repl-timeout."""
    return [r for r in replicas if r.phase is Phase.ONLINE and now_s - r.acked_at_s > timeout_s]


def over_limit(replica: Attached, pending_bytes: int, limit: BufferLimit, now_s: float) -> Reason | None:
    """Why `replica`, with so many bytes not yet taken, has to be dropped, None if it hasn't; keeps the soft clock."""
    reason, replica.soft_since_s = judge(limit, pending_bytes, replica.soft_since_s, now_s)
    return reason


@dataclass(slots=True)
class Waiter:
    """A client blocked in WAIT: `needed` replicas at `offset`, until `deadline_ms` (0 = for ever).

    In WAITAOF `local` is 0 or 1, the files of this node that must hold the offset; replicas count by theirs.
    """

    client_id: int
    needed: int
    offset: int
    deadline_ms: int
    local: int = -1


@dataclass(frozen=True, slots=True)
class Released:
    """A client's WAIT is over, with the number of replicas that had acknowledged its offset.

    For WAITAOF `local` says whether this node's file holds it, 0 or 1; `refused`: there is no such file any more.
    """

    client_id: int
    count: int
    local: int = -1
    refused: bool = False


class Waiters:
    """Everyone blocked in WAIT or WAITAOF; one entry per client, so bounded by the number of clients."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[int, Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, waiter: Waiter) -> None:
        """Block a client."""
        self._waiters[waiter.client_id] = waiter

    def forget(self, client_id: int) -> None:
        """The client is gone or was unblocked."""
        self._waiters.pop(client_id, None)

    def release(self, replicas: Iterable[Attached], now_ms: int, synced: int | None = None) -> list[Released]:
        """Those whose condition holds now, or whose time is up; they are no longer waiting.

        `synced` is how far this node's append-only file is on the disk, None when it keeps none.
        """
        members = list(replicas)
        done: list[Released] = []
        for waiter in list(self._waiters.values()):
            released, enough = _judge(waiter, members, synced)
            if enough or (waiter.deadline_ms and now_ms >= waiter.deadline_ms):
                done.append(released)
                del self._waiters[waiter.client_id]
        return done


def _judge(waiter: Waiter, members: list[Attached], synced: int | None) -> tuple[Released, bool]:
    """What a waiter would be told now, and whether that is what it waits for."""
    if waiter.local < 0:
        count = acked_count(members, waiter.offset)
        return Released(waiter.client_id, count), count >= waiter.needed
    count = on_disk_count(members, waiter.offset)
    local = int(synced is not None and synced >= waiter.offset)
    refused = waiter.local > 0 and synced is None
    enough = refused or (count >= waiter.needed and local >= waiter.local)
    return Released(waiter.client_id, count, local, refused), enough
