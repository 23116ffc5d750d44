"""What a quorum member keeps for ever: its id, what it promised, which epoch it opened. Pure; the shell has the file.

Theory of operation. All of it is durable *before* anybody sees what follows from it. A promise is made to one try
of one epoch: a try is a random name that one sentinel's process drew for one attempt, so that two sentinels which
hold the same epoch can't both be promised. To follow a leader of epoch e is to promise e as well, to no try.

The file is a few lines of text with a checksum. It says where it was written (machine and inode): a copy of it,
from a backup or another folder, isn't this node's, and must not vote on the strength of what somebody else
promised. Whoever finds it torn, foreign or missing draws a new id, which is nobody's member.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from persistence.rdb.crc64 import crc64

HEAD = "understudy-quorum 1"
ID_LENGTH = 40
PROCESS = "process"
WAS_MAX = 16
_ID = re.compile(r"[0-9a-f]{40}")
_EPOCH_MAX = (1 << 63) - 1


class IdentityError(ValueError):
    """The text isn't a whole, genuine identity; the message says why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A member's durable facts; see the module's docstring.

    `attempt` is the try that `promised` was made to, "" when the promise came by following a leader. `opened` is the
    last epoch that this node led. `unsynced`: in this boot of the machine it acknowledged what wasn't synced, so
    a loss of power makes it an amnesiac (PROCESS: it keeps no file, so the end of the process does). `place` names the
    file system and number of the file's folder, `was` the ids that lived there before.
    """

    node_id: str
    promised: int = 0
    attempt: str = ""
    opened: int = 0
    unsynced: str = ""
    place: str = ""
    was: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert _ID.fullmatch(self.node_id), self.node_id
        assert 0 <= self.opened <= self.promised, self

    def grants(self, epoch: int, attempt: str) -> bool:
        """Whether a try in `epoch` may be promised: a newer epoch, or the very same try again."""
        return epoch > self.promised or (epoch == self.promised and bool(attempt) and attempt == self.attempt)

    def reborn(self, new_id: str) -> Identity:
        """A node that isn't who it was: its promises bind it on, but to no try."""
        return replace(self, node_id=new_id, attempt="", was=(*self.was, self.node_id)[-WAS_MAX:])

    def promise(self, epoch: int, attempt: str) -> Identity:
        """The same node with a promise to `attempt` ("" = by following) in `epoch`."""
        assert epoch >= self.promised
        return replace(self, promised=epoch, attempt=attempt)

    def open(self, epoch: int) -> Identity:
        """The same node, which has opened `epoch`."""
        assert self.opened < epoch == self.promised
        return replace(self, opened=epoch)


def encode(identity: Identity) -> str:
    """The text of the file."""
    body = "".join(
        f"{line}\n"
        for line in (
            HEAD,
            f"id {identity.node_id}",
            f"promised {identity.promised} {identity.attempt or '-'}",
            f"opened {identity.opened}",
            f"unsynced {identity.unsynced or '-'}",
            f"place {identity.place or '-'}",
            f"was {','.join(identity.was) or '-'}",
        )
    )
    return f"{body}sum {crc64(body.encode()):016x}\n"


_FORM = re.compile(
    HEAD
    + r"\nid (?P<id>[0-9a-f]{40})\npromised (?P<promised>\d{1,19}) (?P<attempt>\S+)\nopened (?P<opened>\d{1,19})"
    r"\nunsynced (?P<unsynced>\S+)\nplace (?P<place>\S+)"
    r"\nwas (?P<was>-|[0-9a-f]{40}(?:,[0-9a-f]{40})*)\n"
)


def decode(text: str) -> Identity:
    """Read the text of the file.

    Raises:
        IdentityError: torn, changed, or of another version.
    """
    body, mark, total = text.rpartition("sum ")
    if not mark or not text.endswith("\n"):
        raise IdentityError("the end is missing")
    if total.strip() != f"{crc64(body.encode()):016x}":
        raise IdentityError("the checksum is wrong")
    found = _FORM.fullmatch(body)
    if found is None:
        raise IdentityError("unknown form")
    promised, opened = int(found["promised"]), int(found["opened"])
    if not opened <= promised <= _EPOCH_MAX:
        raise IdentityError("epochs that can't be")
    words = {name: "" if found[name] == "-" else found[name] for name in ("attempt", "unsynced", "place")}
    was = () if found["was"] == "-" else tuple(found["was"].split(","))
    return Identity(found["id"], promised, words["attempt"], opened, words["unsynced"], words["place"], was)


@dataclass(frozen=True, slots=True)
class Awake:
    """Who a node is when it starts; `reason` says why it isn't who it was, "" if it is, or was nobody."""

    identity: Identity
    reason: str


def awake(text: str | None, new_id: str, place: str, boot: str, kept: bool, last_epoch: int) -> Awake:
    """Decide who a node is that starts.

    `text` is the file's, None without one; `place` and `boot` are today's; `kept`: all that it wrote to its
    append-only file was loaded. The epoch of the last byte of the log is promised in any case.
    """
    identity, reason = Identity(new_id), ""
    if text is not None:
        try:
            identity = decode(text)
            reason = _amnesia(identity, place, boot, kept, last_epoch)
        except IdentityError as error:
            reason = f"the identity file is damaged: {error}"
    elif last_epoch:
        reason = "the data are a group's, and there is no identity file"
    if reason and identity.node_id != new_id:
        elsewhere = identity.place != place
        identity = identity.reborn(new_id)
        if elsewhere:
            identity = replace(identity, was=())
    if last_epoch > identity.promised:
        identity = identity.promise(last_epoch, "")
    return Awake(replace(identity, place=place), reason)


def _amnesia(identity: Identity, place: str, boot: str, kept: bool, last_epoch: int) -> str:
    """Why a node may have forgotten what it promised or acknowledged; "" if it can't have."""
    if identity.place != place:
        return "the identity file was written in another folder"
    if not identity.promised:
        return ""
    if not last_epoch:
        return "what was promised to a group is known, and the data are none of its"
    if not identity.unsynced:
        return "" if kept else "what was acknowledged isn't in an append-only file"
    if identity.unsynced == PROCESS or not kept:
        return "what was acknowledged was in memory only"
    if identity.unsynced != boot:
        return "the machine was restarted, and what was acknowledged wasn't synced"
    return ""
