"""The identity of the command stream that a node holds, and what changes it (PSYNC2).

Theory of operation. A replication id names one history of writes, an offset a place in it: byte *n* is the
n-th byte ever put into the stream, so a node at offset *n* holds bytes 1..n and asks for n + 1. Two nodes
with the same id and offset hold the same data. A node that stops following (promotion, or a primary that
itself took over) goes on writing under a *new* id, and remembers the old one as its second id, together with
the first offset at which the two differ. Whoever followed the old id up to that point may therefore continue.

The offset itself belongs to the command log; it is passed in. Nothing here knows sockets, time or randomness:
a new id is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REPLID_LENGTH = 40
NO_ID = b"0" * REPLID_LENGTH
NO_OFFSET = -1

_HEX = frozenset(b"0123456789abcdefABCDEF")


def is_replid(text: bytes) -> bool:
    """Whether `text` can be a replication id: 40 hexadecimal digits."""
    return len(text) == REPLID_LENGTH and all(byte in _HEX for byte in text)


def stream_database(aux: Mapping[bytes, bytes], databases: int) -> int:
    """The database at which the stream stands behind a snapshot with these fields; 0 unless they name one there is."""
    text = aux.get(b"repl-stream-db", b"")
    return int(text) if text.isdigit() and len(text) < 10 and int(text) < databases else 0


def same_id(left: bytes, right: bytes) -> bool:
    """Ids are compared without regard to case, as Redis does."""
    return left.lower() == right.lower()


@dataclass(frozen=True, slots=True)
class History:
    """Both ids of a node's stream.

    `second_offset` is the first offset (a byte number, 1-based) that does *not* belong to `second_replid`'s
    history; -1 when there is no second id. INFO shows it as `second_repl_offset`.
    """

    replid: bytes
    second_replid: bytes = NO_ID
    second_offset: int = NO_OFFSET

    def __post_init__(self) -> None:
        assert is_replid(self.replid), self.replid
        assert is_replid(self.second_replid), self.second_replid
        assert (self.second_replid == NO_ID) == (self.second_offset == NO_OFFSET), self

    def promoted(self, new_id: bytes, offset: int) -> History:
        """A replica at `offset` becomes a primary: what it followed becomes its second id."""
        return History(new_id, self.replid, offset + 1)

    def continued(self, primary_id: bytes, offset: int) -> History:
        """The primary answered +CONTINUE with its id: if that is new, the stream forks here and goes on.

        Sub-replicas have to learn of it too: the caller disconnects them when the id has changed.
        """
        if same_id(primary_id, self.replid):
            return self
        return History(primary_id, self.replid, offset + 1)

    def adopted(self, primary_id: bytes) -> History:
        """A full resynchronization replaced the data: nothing of the old history remains."""
        return History(primary_id)

    def forgotten(self, new_id: bytes) -> History:
        """Writes went by unrecorded (no backlog): nobody who followed either id may continue."""
        return History(new_id)


def restarted_as_replica(saved_id: bytes) -> History:
    """A replica that loaded a snapshot carrying `repl-id`: it asks to continue exactly that stream."""
    return History(saved_id)


def restarted_as_primary(new_id: bytes, saved_id: bytes, saved_offset: int) -> History:
    """A primary that loaded a snapshot: its replicas, at most as far as the snapshot, may continue.

    The run before may have streamed bytes beyond the snapshot, so the old id can't go on being the first one.
    """
    return History(new_id, saved_id, saved_offset + 1)
