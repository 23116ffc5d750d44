"""What is true of a role after every step, and of the order of what it says: its safety argument, as code. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from replication.handover import decide as handover
from replication.history import NO_ID
from replication.role_messages import (
    Action,
    CloseBacklog,
    EndLink,
    Fence,
    HoldWrites,
    Install,
    Lead,
    LetWrites,
    OpenBacklog,
    StartLink,
)

if TYPE_CHECKING:
    from replication.role import Role

INVARIANTS: tuple[tuple[str, Callable[[Role], bool]], ...] = (
    ("who leads writes under an id that it made itself", lambda r: r.own or not r.leads),
    ("what is written under an id that another node may know is recorded", lambda r: r.recording or not r.shared),
    ("a second id is kept only while what follows it is recorded",
     lambda r: r.recording or r.history.second_replid == NO_ID),
    ("nothing under the id that is recorded went unrecorded", lambda r: not (r.recording and r.gap)),
    ("who follows records, so that its own replicas may continue", lambda r: r.recording or not r.follows),
    ("a stream is applied only on who follows, and only under the present term",
     lambda r: r.link_term == (r.term if r.follows else None)),
    ("clients' writes are taken exactly while the node leads", lambda r: r.fenced != r.leads),
    ("who follows names whom, and nobody else does", lambda r: (r.primary is not None) == r.follows),
    ("writes wait exactly during a hand-over", lambda r: r.paused == (r.failover != handover.NONE)),
    ("there is an order to hand over exactly during one", lambda r: (r.order is not None) == r.paused),
    ("the second id ends where we are, or before", lambda r: r.history.second_offset <= r.offset + 1),
)  # fmt: skip


def check(role: Role) -> None:
    """Raises AssertionError with the sentence that isn't true."""
    for sentence, holds in INVARIANTS:
        assert holds(role), f"not so: {sentence}: {vars(role)}"


def note(role: Role, action: Action) -> None:
    """Note what the shell will have done once `action` is carried out, where the next one stands on it.

    Raises:
        AssertionError: behind those before it the action isn't safe.
    """
    match action:
        case Fence():
            role.fenced = True
        case Lead():
            assert role.link_term is None, "a stream would be applied on a primary"
            role.fenced = False
        case EndLink():
            role.link_term = None
        case StartLink(term=term):
            assert role.link_term is None, "there would be two streams"
            assert role.fenced, "a client's write would come between those of the stream"
            role.link_term = term
        case OpenBacklog():
            assert not role.gap, "what went unrecorded would pass for known"
            role.recording = True
        case CloseBacklog():
            role.recording = False
        case Install():
            assert role.fenced, "a client's write would come between those of the stream"
            assert role.link_term == role.term, "another term's data set would be adopted"
        case HoldWrites():
            role.paused = True
        case LetWrites():
            role.paused = False
