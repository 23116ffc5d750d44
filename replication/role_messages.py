"""What the role hears (events) and says (actions). Values only; `role` decides, a shell carries out.

Every event that may end one stream and begin another carries `offset`, where the log stands with everything that
was applied in it, and `new_id`, an id that nobody knows: randomness is the shell's. What a link tells carries the
term in which that link was started.
"""

from __future__ import annotations

from collections.abc import Sequence

from kvserver.records import record
from replication.handover.decide import Address, Order
from replication.primary.attached import Attached

# -- events: from outside ------------------------------------------------------------------------------------


@record
class Restarted:
    """The data set that was loaded says where it stands: at `offset` of the history `saved_id`."""

    saved_id: bytes
    offset: int
    follows: bool
    new_id: bytes


@record
class Follow:
    """Become the replica of this node, or of another one (REPLICAOF)."""

    primary: Address
    offset: int
    new_id: bytes


@record
class Promote:
    """Become a primary (REPLICAOF NO ONE, or our primary asks us to take over)."""

    offset: int
    new_id: bytes


@record
class Rest:
    """A member of a quorum leads no more, or not yet, and follows nobody."""

    offset: int
    new_id: bytes


@record
class HandOver:
    """Have a replica take over (FAILOVER)."""

    order: Order


@record
class Abort:
    """Give the hand-over up (FAILOVER ABORT)."""

    reason: str
    offset: int
    new_id: bytes


@record
class StreamWanted:
    """A replica asks for the stream: from now on another node knows our id."""

    offset: int
    new_id: bytes


@record
class Forget:
    """Go on under an id that nobody knows (DEBUG CHANGE-REPL-ID)."""

    new_id: bytes


@record
class Tick:
    """Some time has passed. `idle_s`: how long no replica has been attached, `backlog_ttl_s` 0: that doesn't matter."""

    offset: int
    new_id: bytes
    replicas: Sequence[Attached] = ()
    idle_s: float = 0.0
    backlog_ttl_s: int = 0


# -- events: from the link -----------------------------------------------------------------------------------


@record
class Continued:
    """The primary lets us continue from `offset`, perhaps under another id (None: it didn't say)."""

    term: int
    replid: bytes | None
    offset: int


@record
class SnapshotBegins:
    """The primary sends a data set."""

    term: int


@record
class SnapshotComplete:
    """The whole data set is here: it stands at `offset` of `replid`."""

    term: int
    replid: bytes
    offset: int


@record
class LinkLost:
    """The attempt is over; the link will try again."""

    term: int


@record
class Rejected:
    """The primary refused us: who only asked for a hand-over takes the role back."""

    term: int
    reason: str
    offset: int
    new_id: bytes


OfLink = Continued | SnapshotBegins | SnapshotComplete | LinkLost | Rejected
Event = Restarted | Follow | Promote | Rest | HandOver | Abort | StreamWanted | Forget | Tick | OfLink

# -- actions -------------------------------------------------------------------------------------------------


@record
class Fence:
    """From here on no client's write is taken, nothing expires here, no effect of our own is logged."""


@record
class Lead:
    """From here on clients' writes are taken, and what expires is ours to delete."""


@record
class EndLink:
    """The link ends: nothing of it is applied any more, not even what it has received."""


@record
class StartLink:
    """A link to this node begins, under this term."""

    primary: Address
    term: int


@record
class OpenBacklog:
    """The stream is recorded from this offset on; what was recorded before is forgotten."""

    offset: int


@record
class CloseBacklog:
    """The stream is recorded no more."""


@record
class Install:
    """The data set that was received replaces the one in force, and the log stands at its offset."""

    offset: int


@record
class TellReplaced:
    """Whoever keeps a copy of the data set (functions, the append-only file) begins anew with the new one."""


@record
class DropReplicas:
    """All replicas are disconnected, and have to ask again whether they may continue."""

    reason: str


@record
class EndBlocked:
    """Blocked clients are let go: what they wait for comes no more."""


@record
class RememberPrimary:
    """The configuration names whom we follow, None for nobody."""

    primary: Address | None


@record
class HoldWrites:
    """Clients who want to write wait."""


@record
class LetWrites:
    """Clients who wait go on."""


@record
class AskForAcks:
    """The replicas are to acknowledge at once."""


@record
class RefreshGates:
    """What the gates ask about may have changed."""


@record
class Note:
    """A line for the log."""

    text: str
    facts: tuple[tuple[str, object], ...] = ()
    warning: bool = False


Action = (
    Fence | Lead | EndLink | StartLink | OpenBacklog | CloseBacklog | Install | TellReplaced | DropReplicas
    | EndBlocked | RememberPrimary | HoldWrites | LetWrites | AskForAcks | RefreshGates | Note
)  # fmt: skip
