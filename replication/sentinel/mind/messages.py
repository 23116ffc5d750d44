"""What goes into a step and what comes out of it.

Events tell what happened; actions tell the shell what to do, *in this order*: whatever follows a `Persist`
must not leave the process before the state is on disk. They are named tuples, which take a tenth of the time to
set up that frozen dataclasses take: a sentinel that starts is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple

from replication.sentinel.mind.orders import Order
from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Lane


class Cause(Enum):
    """Why a connection attempt or a connection ended."""

    REFUSED = "refused"
    """The host answered that nobody listens: the one cause that proves that no process is there."""
    LOST = "lost"
    """Closed or reset by the other side, or broken."""
    UNREACHABLE = "unreachable"
    """No answer in time, no route, no such host."""


class Request(Enum):
    """What a request was for, so that its reply finds its way."""

    PING = "ping"
    INFO = "info"
    HELLO = "hello"
    ASK = "ask"
    HOLD = "hold"
    PROMISE = "promise"
    LEAD = "lead"
    OTHER = "other"


class Level(IntEnum):
    """Log level of an event. Debug events are not published; only warnings run the notification script."""

    DEBUG = 0
    VERBOSE = 1
    NOTICE = 2
    WARNING = 3


@dataclass(frozen=True, slots=True)
class ReplyError:
    """An error reply, without its dash."""

    text: str


Reply = bytes | int | list[object] | ReplyError | None
"""What a node or a peer may reply (RESP2)."""


# Events


class Tick(NamedTuple):
    """Time passed."""


class Opened(NamedTuple):
    """A connection stands; `local_ip` is our own address on it, empty if it isn't known."""

    link: int
    lane: Lane
    local_ip: str


class Closed(NamedTuple):
    """The connection ended, or the attempt failed; nothing more will come from it."""

    link: int
    lane: Lane
    cause: Cause
    detail: str = ""


class Replied(NamedTuple):
    """The reply to a request that was sent on a link for a group, with the request's tag."""

    link: int
    request: Request
    group: str
    reply: Reply
    tag: str = ""


class Heard(NamedTuple):
    """Something arrived on the subscription; `hello` is None when it was no hello message."""

    link: int
    hello: bytes | None


class Hello(NamedTuple):
    """A peer published its hello to us directly."""

    payload: bytes


class DownQuery(NamedTuple):
    """SENTINEL IS-MASTER-DOWN-BY-ADDR from a peer; `candidate` is "*" when no vote is sought."""

    host: str
    port: int
    epoch: int
    candidate: str


class Resolved(NamedTuple):
    """A look-up ended: the address of the host name, or None if it has none (or nobody could tell)."""

    host: str
    ip: str | None


Event = Tick | Opened | Closed | Replied | Heard | Hello | DownQuery | Resolved | Order


# Actions


class Connect(NamedTuple):
    """Try to connect; `Opened` or `Closed` tells what came of it."""

    link: int
    lane: Lane
    address: Address


class Close(NamedTuple):
    """Close without telling us: no `Closed` event is expected, and none is believed."""

    link: int
    lane: Lane


class Send(NamedTuple):
    """Send a request on a connection that stands; its reply comes back as what it was for (`request`).

    `tag` comes back as well: by it a reply is told from the reply to the same request of an older attempt.
    """

    link: int
    lane: Lane
    args: tuple[bytes, ...]
    request: Request
    group: str = ""
    tag: str = ""


class Persist(NamedTuple):
    """Put these `sentinel ...` lines on disk, and return only when they are there."""

    lines: tuple[str, ...]


class Emit(NamedTuple):
    """An event for log, subscribers and (if `script`) the notification script."""

    level: Level
    channel: str
    message: str
    script: str | None = None


class RunScript(NamedTuple):
    """Run a program of the operator, without waiting for it."""

    path: str
    args: tuple[str, ...]


class Answer(NamedTuple):
    """The reply to a DownQuery: down or not, the vote ("*": none) and its epoch."""

    down: bool
    leader: str
    epoch: int


class Lookup(NamedTuple):
    """Find the address of a host name, and tell by `Resolved`, also if there is none."""

    host: str


class Refusal(NamedTuple):
    """The reply to an `Order` that can't be carried out, as the client sees it; nothing was changed."""

    text: str


class Crash(NamedTuple):
    """End the process with this status: an operator asked to simulate it (SENTINEL SIMULATE-FAILURE)."""

    status: int


Action = Connect | Close | Send | Persist | Emit | RunScript | Answer | Lookup | Refusal | Crash
