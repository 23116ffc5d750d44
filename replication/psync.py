"""The primary's answer to PSYNC: continue from the backlog, or start over. Pure; the shells carry it out."""

from __future__ import annotations

from dataclasses import dataclass

from replication.backlog import Backlog
from replication.history import History, same_id

ASK_FULL = b"?"


@dataclass(frozen=True, slots=True)
class Request:
    """PSYNC's arguments: the id followed so far (`?` for none) and the number of the next byte wanted."""

    replid: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Continue:
    """Send the stream from byte `offset` on; `replid` is the id under which it goes on."""

    replid: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class FullResync:
    """Send a snapshot; `reason` is for the log."""

    reason: str


Decision = Continue | FullResync


def decide(
    request: Request, history: History, backlog: Backlog | None, go_on: bool | None = None
) -> Decision:
    """Whether the asking replica may continue; `go_on`: somebody else knows (a quorum, by its epochs).

    It may when what it followed is our history as far as it got, and we still hold everything after that.
    The second id counts only up to where the two histories part.
    """
    if go_on is not None:
        return Continue(history.replid, request.offset) if go_on else FullResync("the quorum's epochs differ")
    if request.replid == ASK_FULL:
        return FullResync("full resynchronization requested by the replica")
    if not same_id(request.replid, history.replid):
        if not same_id(request.replid, history.second_replid):
            return FullResync("replication id mismatch")
        if request.offset > history.second_offset:
            return FullResync(f"offset {request.offset} asked of the second id, which ends at {history.second_offset}")
    if backlog is None:
        return FullResync("no backlog")
    if request.offset < backlog.first_offset:
        return FullResync(f"offset {request.offset} is older than the backlog's {backlog.first_offset}")
    if not backlog.holds(request.offset):
        return FullResync(f"offset {request.offset} is beyond our own {backlog.end_offset}")
    return Continue(history.replid, request.offset)


def continue_reply(decision: Continue, psync2: bool) -> bytes:
    """The status line; only a replica that announced `capa psync2` understands the id."""
    return b"+CONTINUE %s\r\n" % decision.replid if psync2 else b"+CONTINUE\r\n"


def full_resync_reply(replid: bytes, offset: int) -> bytes:
    """The status line that precedes a snapshot taken at `offset`."""
    return b"+FULLRESYNC %s %d\r\n" % (replid, offset)
