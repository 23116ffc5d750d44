"""What the role hears (events) and says (actions). Values only; `role` decides, a shell carries out.

Every event that may end one stream and begin another carries `offset`, where the log stands with everything that
was applied in it, and `new_id`, an id that nobody knows: randomness is the shell's. What a link tells carries the
term in which that link was started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from replication.handover.decide import Address, Order
from replication.primary.attached import Attached

# -- events: from outside ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restarted:
    """The data set that was loaded says where it stands: at `offset` of the history `saved_id`."""

    saved_id: bytes
    offset: int
    follows: bool
    new_id: bytes


@dataclass(frozen=True, slots=True)
class Follow:
    """Become the replica of this node, or of another one (REPLICAOF)."""

    primary: Address
    offset: int
    new_id: bytes


@dataclass(frozen=True, slots=True)
class Promote:
    """Become a primary (REPLICAOF NO ONE, or our primary asks us to take over)."""

    offset: int
    new_id: bytes


@dataclass(frozen=True, slots=True)
class Rest:
    """A member of a quorum leads no more, or not yet, and follows nobody."""

    offset: int
    new_id: bytes


@dataclass(frozen=True, slots=True)
class HandOver:
    """Have a replica take over (FAILOVER)."""

    order: Order


@dataclass(frozen=True, slots=True)
class Abort:
    """Give the hand-over up (FAILOVER ABORT)."""

    reason: str
    offset: int
    new_id: bytes


@dataclass(frozen=True, slots=True)
class StreamWanted:
    """A replica asks for the stream: from now on another node knows our id."""

    offset: int
    new_id: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """Go on under an id that nobody knows (DEBUG CHANGE-REPL-ID)."""

    new_id: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """Some time has passed. `idle_s`: how long no replica has been attached, `backlog_ttl_s` 0: that doesn't matter."""

    offset: int
    new_id: bytes
    replicas: Sequence[Attached] = ()
    idle_s: float = 0.0
    backlog_ttl_s: int = 0


# -- events: from the link -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Continued:
    """The primary lets us continue from `offset`, perhaps under another id (None: it didn't say)."""

    term: int
    replid: bytes | None
    offset: int


@dataclass(frozen=True, slots=True)
class SnapshotBegins:
    """The primary sends a data set."""

    term: int


@dataclass(frozen=True, slots=True)
class SnapshotComplete:
    """The whole data set is here: it stands at `offset` of `replid`."""

    term: int
    replid: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The attempt is over; the link will try again."""

    term: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The primary refused us: who only asked for a hand-over takes the role back."""

    term: int
    reason: str
    offset: int
    new_id: bytes


OfLink = Continued | SnapshotBegins | SnapshotComplete | LinkLost | Rejected
Event = Restarted | Follow | Promote | Rest | HandOver | Abort | StreamWanted | Forget | Tick | OfLink

# -- actions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fence:
    """From here on no client's write is taken, nothing expires here, no effect of our own is logged."""


@dataclass(frozen=True, slots=True)
class Lead:
    """From here on clients' writes are taken, and what expires is ours to delete."""


@dataclass(frozen=True, slots=True)
class EndLink:
    """The link ends: nothing of it is applied any more, not even what it has received."""


@dataclass(frozen=True, slots=True)
class StartLink:
    """A link to this node begins, under this term."""

    primary: Address
    term: int


@dataclass(frozen=True, slots=True)
class OpenBacklog:
    """The stream is recorded from this offset on; what was recorded before is forgotten."""

    offset: int


@dataclass(frozen=True, slots=True)
class CloseBacklog:
    """The stream is recorded no more."""


@dataclass(frozen=True, slots=True)
class Install:
    """The data set that was received replaces the one in force, and the log stands at its offset."""

    offset: int


@dataclass(frozen=True, slots=True)
class TellReplaced:
    """Whoever keeps a copy of the data set (functions, the append-only file) begins anew with the new one."""


@dataclass(frozen=True, slots=True)
class DropReplicas:
    """All replicas are disconnected, and have to ask again whether they may continue."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndBlocked:
    """Blocked clients are let go: what they wait for comes no more."""


@dataclass(frozen=True, slots=True)
class RememberPrimary:
    """The configuration names whom we follow, None for nobody."""

    primary: Address | None


@dataclass(frozen=True, slots=True)
class HoldWrites:
    """Clients who want to write wait."""


@dataclass(frozen=True, slots=True)
class LetWrites:
    """Clients who wait go on."""


@dataclass(frozen=True, slots=True)
class AskForAcks:
    """The replicas are to acknowledge at once."""


@dataclass(frozen=True, slots=True)
class RefreshGates:
    """What the gates ask about may have changed."""


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log."""

    text: str
    facts: tuple[tuple[str, object], ...] = ()
    warning: bool = False


Action = (
    Fence | Lead | EndLink | StartLink | OpenBacklog | CloseBacklog | Install | TellReplaced | DropReplicas
    | EndBlocked | RememberPrimary | HoldWrites | LetWrites | AskForAcks | RefreshGates | Note
)  # fmt: skip
