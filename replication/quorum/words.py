"""What a quorum node hears and says: messages between nodes, and the actions that its shell performs.

Actions come in an order that is the safety argument, and are performed in it: what is to be durable is, before
anything behind it is seen. A shell that has to wait for a disk keeps later actions, of later steps too, in line.
"""

from __future__ import annotations

from dataclasses import dataclass

from replication.quorum.choice import Answer
from replication.quorum.identity import Identity
from replication.quorum.members import MemberSet, Sets
from replication.quorum.records import Record

Link = object
"""A connection between two nodes, as the shell names it; compared by identity."""


# -- messages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """Follower to leader, first: who it is, what it promised, and where its log stands."""

    node_id: str
    promised: int
    last_epoch: int
    offset: int


@dataclass(frozen=True, slots=True)
class Welcome:
    """Leader to follower: the epoch, and whether the log goes on where it is (else a full synchronization follows)."""

    epoch: int
    go_on: bool


@dataclass(frozen=True, slots=True)
class News:
    """Leader to follower, beside the stream: how far the log is committed (memory, disks), and the latest round.

    `wanted`: up to where somebody waits for disks.
    """

    epoch: int
    commit: tuple[int, int]
    round: int
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """Follower to leader: its log in memory and on disk, and the last round heard of."""

    node_id: str
    memory: int
    synced: int
    round: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Follower to leader: from which offset on does a read show all that was acknowledged until now?"""

    name: object


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Leader to follower: the answer to `Ask`."""

    epoch: int
    name: object
    offset: int


@dataclass(frozen=True, slots=True)
class Want:
    """Follower to leader: a reader of its own waits until the log is on a majority's disks up to `offset`."""

    offset: int


Message = Hello | Welcome | News | Ack | Ask | Confirmed | Want


@dataclass(frozen=True, slots=True)
class State:
    """What a full synchronization carries beside the data, of the same instant, to be put in force in the same step."""

    epochs: tuple[tuple[int, int], ...]
    members: tuple[tuple[int, Sets], ...]
    commit: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Lead:
    """A sentinel's order to lead `epoch`: obeyed only by this node, if its promise and its log are exactly these."""

    epoch: int
    attempt: str
    node_id: str
    last_epoch: int
    offset: int
    refound: MemberSet = frozenset()


# -- actions ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persist:
    """Make this durable before anything that comes behind it."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class Promised:
    """Answer a sentinel: the promise is given."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Refused:
    """Answer a sentinel, or an operator, with an error; nothing has changed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Append:
    """Append a record to the own log and call `recorded`, unless the term has changed meanwhile."""

    record: Record
    term: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Have the own disk hold the log up to this offset, at once: somebody waits for it."""

    offset: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Send a message over a link."""

    link: Link
    message: Message


@dataclass(frozen=True, slots=True)
class Synchronize:
    """Send a full synchronization over a link: the data, and `QuorumNode.state()` of the same instant."""

    link: Link
    epoch: int


@dataclass(frozen=True, slots=True)
class Unlink:
    """Close a link; the follower doesn't acknowledge over it any more."""

    link: Link


@dataclass(frozen=True, slots=True)
class StepDown:
    """This node leads no more: refuse writes, and end the connections whose replies were held."""

    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """Replies to writes may leave up to these offsets (memory, disks)."""

    commit: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a linearizable read now; its reply waits for `Done`."""

    name: object


@dataclass(frozen=True, slots=True)
class Done:
    """The reply of a read may leave."""

    name: object


@dataclass(frozen=True, slots=True)
class Lost:
    """What these reads showed may vanish: their connections end with an error that says so."""

    names: tuple[object, ...]


Action = (
    Persist
    | Promised
    | Refused
    | Append
    | Sync
    | Tell
    | Synchronize
    | Unlink
    | StepDown
    | Committed
    | Execute
    | Done
    | Lost
)
