"""The records that a quorum writes into the command log, as they travel in the stream and lie in the file.

A record is `PING "quorum <kind> …"`: an ordinary command of the stream, counted in its offset, which a Redis replica
(or a Redis that loads the file) runs as a PING and so ignores harmlessly.

- `marker EPOCH ID`: node ID opened EPOCH; nothing of an older epoch is committed but by a majority that has this;
- `found EPOCH ID MEMBERS`: a marker that also names who votes: the founding of a group, or its refounding;
- `open EPOCH OLD NEW`: from here on both lists vote;
- `close EPOCH NEW`: from here on the new list alone votes.

Lists are node ids joined by commas.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from kvserver.wire.resp import encode_request
from replication.quorum.members import Sets

MAGIC = b"quorum "
_ID = "[0-9a-f]{40}"
_LIST = f"{_ID}(?:,{_ID})*"


class Kind(enum.Enum):
    """What a record says."""

    MARKER = "marker"
    FOUND = "found"
    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `leader` is empty, and `sets` are, where the kind has none."""

    kind: Kind
    epoch: int
    leader: str = ""
    sets: Sets = ()

    @property
    def opens_epoch(self) -> bool:
        """Whether this is the first record of its epoch."""
        return self.kind in (Kind.MARKER, Kind.FOUND)


_FORMS = {
    Kind.MARKER: re.compile(rf"quorum marker (?P<epoch>\d{{1,19}}) (?P<leader>{_ID})"),
    Kind.FOUND: re.compile(rf"quorum found (?P<epoch>\d{{1,19}}) (?P<leader>{_ID}) (?P<sets>{_LIST})"),
    Kind.OPEN: re.compile(rf"quorum open (?P<epoch>\d{{1,19}}) (?P<sets>{_LIST} {_LIST})"),
    Kind.CLOSE: re.compile(rf"quorum close (?P<epoch>\d{{1,19}}) (?P<sets>{_LIST})"),
}


def encode(record: Record) -> bytes:
    """The record as a command of the stream."""
    words = ["quorum", record.kind.value, str(record.epoch)]
    if record.leader:
        words.append(record.leader)
    words += [",".join(sorted(members)) for members in record.sets]
    return encode_request([b"PING", " ".join(words).encode()])


def parse(args: list[bytes]) -> Record | None:
    """The record that a command of the stream is; None for every other command, and for what no node of ours wrote."""
    if len(args) != 2 or not args[1].startswith(MAGIC) or args[0].upper() != b"PING":
        return None
    text = args[1].decode("latin-1")
    for kind, form in _FORMS.items():
        found = form.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            sets = tuple(frozenset(words.split(",")) for words in parts.get("sets", "").split())
            return Record(kind, int(parts["epoch"]), parts.get("leader", ""), sets)
    return None
