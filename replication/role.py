"""What a node is in replication: who leads, whom it follows, under which id it may write. Pure.

Theory of operation. `Role.step(event, now_s)` takes what happened and returns actions, in the order that makes them
safe: *fenced before followed* (no client's write is taken once another node's stream may come), *caught up before
promoted* (the old stream has ended before a write is taken), *whole before visible* (a data set, its offset, id and
backlog change together). TRANSITIONS is the table: for each state and event what is done, and where it may lead.

    STARTING ──► PRIMARY ──► HANDING_OVER ──► ASKING ──► STREAMING
        │         ▲   ▲            │            │
        │         │   └────────────┴────────────┘ given up, or refused
        └──► CONNECTING ──► SYNCING ──► STREAMING       (lost: CONNECTING again; promoted: PRIMARY)

A member of a quorum is RESTING when it starts, and after PRIMARY when it has promised a newer epoch away.

The safety argument, which everything in replication rests on: *two nodes at the same offset of the same id hold the
same data*. So whoever leads writes under an id that it made itself when it began to lead; whatever is written under
an id that another node may know is in the backlog, or was dropped from its front; writes that nobody recorded (no
replica, no backlog) end under an id that nobody knows: opening the first backlog, and giving up an idle one, both
begin a new history. INVARIANTS (`role_invariants`) says it row by row.

The `term` is a lease. It rises whenever the node begins to follow or to lead; a link works under the term it was
started in, and an effect of any other term is dropped, and counted: no task that outlives its end can act.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from replication.handover import decide as handover
from replication.handover.decide import Address, Order, Proceed
from replication.history import History, restarted_as_primary, restarted_as_replica
from replication.role_invariants import check, note
from replication.role_messages import (
    Abort,
    Action,
    AskForAcks,
    CloseBacklog,
    Continued,
    DropReplicas,
    EndBlocked,
    EndLink,
    Event,
    Fence,
    Follow,
    Forget,
    HandOver,
    HoldWrites,
    Install,
    Lead,
    LetWrites,
    LinkLost,
    Note,
    OfLink,
    OpenBacklog,
    Promote,
    RefreshGates,
    Rejected,
    RememberPrimary,
    Rest,
    Restarted,
    SnapshotBegins,
    SnapshotComplete,
    StartLink,
    StreamWanted,
    TellReplaced,
    Tick,
)
from replication.role_states import FOLLOWING, LEADING, State


class Role:
    """The role of one node; see the module's theory of operation. Times are seconds of a clock that only rises.

    `history` has the ids, `primary` is whom it follows. `shared`: another node may know the id, so that asking to
    continue under it makes sense. `own`: this node made the id, and leads under it. `gap`: something written under
    the id may have gone unrecorded. `stale` counts what was dropped since it was of an earlier term. The rest is what
    the shell has been told: `recording`, `fenced`, `paused` (writes wait), and `link_term`, the link's (None: no link).
    """

    def __init__(self, first_id: bytes) -> None:
        self.state = State.STARTING
        self.term: int = 0
        self.history: History = History(first_id)
        self.primary: Address | None = None
        self.order: Order | None = None
        self.offset: int = 0
        self.stale = 0
        self.shared: bool = False
        self.own: bool = True
        self.gap: bool = True
        self.recording: bool = False
        self.fenced: bool = True
        self.paused: bool = False
        self.link_term: int | None = None
        self._began_s = 0.0
        self._actions: list[Action] = []

    # -- what others ask --------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        """Whether the data are this node's own to change."""
        return self.state in LEADING

    @property
    def follows(self) -> bool:
        """Whether the data are another node's, copied."""
        return self.state in FOLLOWING

    @property
    def link_up(self) -> bool | None:
        """Whether the stream of the primary is being applied; None on who follows nobody."""
        return None if self.leads or self.state is State.STARTING else self.state is State.STREAMING

    @property
    def failover(self) -> str:
        """INFO's word for how far a hand-over is."""
        if self.state is State.ASKING:
            return handover.IN_PROGRESS
        return handover.WAITING if self.state is State.HANDING_OVER else handover.NONE

    def admits(self, term: int) -> bool:
        """Whether what a link of this term brings may have an effect; counts what may not."""
        if self.link_term == term:
            return True
        self.stale += 1
        return False

    # -- the machine ------------------------------------------------------------------------------------------

    def step(self, event: Event, now_s: float) -> list[Action]:
        """What has to be done about an event, in order.

        A link's event of another term has no effect. Any other event that the state has no row for is our own fault
        (AssertionError): whoever gives orders asks first.
        """
        if isinstance(event, OfLink) and not self.admits(event.term):
            return []
        row = TRANSITIONS.get((self.state, type(event)))
        assert row is not None, f"{self.state} takes no {event}"
        act, possible = row
        self.offset = getattr(event, "offset", self.offset)
        self._actions = []
        state = act(self, event, now_s)
        assert state in possible, (self.state, event, state)
        self.state = state
        self.gap = self.gap or not (self.fenced or self.recording)
        return self._actions

    def check_invariants(self) -> None:
        """Raises AssertionError with the sentence that isn't true."""
        check(self)

    def _tell(self, *actions: Action) -> None:
        """Order actions, and note what the shell will have done. Raises AssertionError if their order isn't safe."""
        for action in actions:
            note(self, action)
            self._actions.append(action)

    def _begin_history(self, new_id: bytes) -> None:
        """Go on under an id that nobody knows."""
        self.history = self.history.forgotten(new_id)
        self.gap = False

    def _follow(self, primary: Address, event: Follow | Tick) -> None:
        """Fence, then follow: whatever was applied or written so far is in the log, up to the event's offset."""
        if self.follows:
            self._tell(EndLink())
        else:
            self._tell(Fence(), EndBlocked())
            self.shared = self.shared or self.recording
        self.term += 1
        self.own = False
        if not self.recording:
            self._begin_history(event.new_id)
            self._tell(OpenBacklog(event.offset))
        self.primary = primary
        self._tell(
            DropReplicas("this node follows another now"), RememberPrimary(primary),
            StartLink(primary, self.term), RefreshGates(),
            Note("following", (("primary", f"{primary[0]}:{primary[1]}"),)),
        )  # fmt: skip

    def _take_lead(self, event: Promote | Abort | Rejected) -> None:
        """End the stream, then lead, under a new id: what was followed becomes the second id, up to here."""
        self._tell(EndLink())
        self.term += 1
        self.history = self.history.promoted(event.new_id, event.offset)
        self.own = True
        self.primary = self.order = None
        replid = self.history.replid.decode()
        self._tell(
            DropReplicas("this node was promoted"), RememberPrimary(None), Lead(), RefreshGates(),
            Note("promoted", (("replid", replid), ("offset", event.offset))),
        )  # fmt: skip
        self._let_writes()

    def _let_writes(self) -> None:
        """A hand-over is over, one way or the other. Comes last: what waits runs at once."""
        self.order = None
        if self.paused:
            self._tell(LetWrites())


# -- the table's functions: each returns the state that follows ------------------------------------------------


def _restarted(role: Role, event: Restarted, now_s: float) -> State:
    """What was loaded is all there is of the history, so nothing in it is missing."""
    role.history = (
        restarted_as_replica(event.saved_id)
        if event.follows
        else restarted_as_primary(event.new_id, event.saved_id, event.offset)
    )
    role.own = not event.follows
    role.gap = False
    role.shared = True
    role._tell(OpenBacklog(event.offset))
    return State.STARTING


def _begin_to_lead(role: Role, event: Promote, now_s: float) -> State:
    """A history that was loaded for a replica isn't this node's to go on writing under."""
    role.term += 1
    if not role.own:
        role.history = role.history.promoted(event.new_id, event.offset)
        role.own = True
    role._tell(RememberPrimary(None), Lead(), RefreshGates())
    return State.PRIMARY


def _follow(role: Role, event: Follow, now_s: float) -> State:
    role._follow(event.primary, event)
    return State.CONNECTING


def _promote(role: Role, event: Promote, now_s: float) -> State:
    role._take_lead(event)
    return State.PRIMARY


def _rest(role: Role, event: Rest, now_s: float) -> State:
    """The log stands still until a sentinel has the node lead, or it follows."""
    role._tell(Fence(), EndBlocked())
    role.shared = role.shared or role.recording
    role.term += 1
    role.own = False
    if not role.recording:
        role._begin_history(event.new_id)
        role._tell(OpenBacklog(event.offset))
    role._tell(DropReplicas("this node leads no more"), RefreshGates(), Note("resting"))
    return State.RESTING


def _stay(role: Role, event: Event, now_s: float) -> State:
    return role.state


def _stream_wanted(role: Role, event: StreamWanted, now_s: float) -> State:
    """Begin to record; what was written unrecorded must not be taken for known."""
    if not role.recording:
        role._begin_history(event.new_id)
        role._tell(OpenBacklog(event.offset))
    role.shared = True
    return role.state


def _forget(role: Role, event: Forget, now_s: float) -> State:
    role._begin_history(event.new_id)
    return role.state


def _idle(role: Role, event: Tick, now_s: float) -> State:
    """A primary without replicas gives up the backlog after a while, and the id with it."""
    if role.recording and 0 < event.backlog_ttl_s < event.idle_s:
        role._tell(CloseBacklog(), Note("backlog given up", (("idle_s", event.backlog_ttl_s),)))
        role._begin_history(event.new_id)
        role.shared = False
    return State.PRIMARY


def _hand_over(role: Role, event: HandOver, now_s: float) -> State:
    role.order = event.order
    role._began_s = now_s
    facts = (("target", event.order.target), ("timeout_ms", event.order.timeout_ms))
    role._tell(Note("failover begins", facts), HoldWrites(), AskForAcks())
    return State.HANDING_OVER


def _look_who_caught_up(role: Role, event: Tick, now_s: float) -> State:
    assert role.order is not None
    verdict = handover.step(role.order, event.replicas, event.offset, int((now_s - role._began_s) * 1000))
    if verdict is None:
        return State.HANDING_OVER
    if isinstance(verdict, Proceed):
        why = "is synced" if verdict.synced else "time out exceeded"  # Redis's words, which tools look for
        facts = (("replica", verdict.target), ("offset", event.offset))
        role._tell(Note(f"failover {why}, failing over.", facts))
        role._follow(verdict.target, event)
        return State.ASKING
    role._tell(Note("failover given up", (("reason", verdict.reason),), warning=True))
    role._let_writes()
    return State.PRIMARY


def _abort_waiting(role: Role, event: Abort, now_s: float) -> State:
    role._tell(Note("failover given up", (("reason", event.reason),), warning=True))
    role._let_writes()
    return State.PRIMARY


def _take_back(role: Role, event: Abort | Rejected, now_s: float) -> State:
    reason = event.reason
    if isinstance(event, Rejected):
        reason = f"Failover target rejected psync request: {reason}"
    role._tell(Note("failover given up", (("reason", reason),), warning=True))
    role._take_lead(event)
    return State.PRIMARY


def _continued(role: Role, event: Continued, now_s: float) -> State:
    """Our own replicas have to learn of a new id."""
    before = role.history
    if event.replid is not None:
        role.history = before.continued(event.replid, event.offset)
    if role.history is not before:
        role._tell(DropReplicas("the primary's history has a new id"))
    role.shared = True
    role._tell(RefreshGates())
    _taken_over(role)
    return State.STREAMING


def _snapshot_begins(role: Role, event: SnapshotBegins, now_s: float) -> State:
    _taken_over(role)
    return State.SYNCING


def _taken_over(role: Role) -> None:
    """Whom we asked to take over has us as its replica."""
    if role.state is State.ASKING:
        role._tell(Note("failover done"))
        role._let_writes()


def _snapshot_complete(role: Role, event: SnapshotComplete, now_s: float) -> State:
    """Nothing of the old history remains: data, offset, id and backlog change in one step."""
    role.history = role.history.adopted(event.replid)
    role.gap = False
    role.shared = True
    role._tell(
        Install(event.offset), DropReplicas("the data set was replaced"), OpenBacklog(event.offset), TellReplaced(),
        RefreshGates(),
    )  # fmt: skip
    return State.STREAMING


def _lost(role: Role, event: LinkLost, now_s: float) -> State:
    role._tell(RefreshGates())
    return State.CONNECTING


Act = Callable[[Role, Any, float], State]
S = State
# (state, event): what is done, and the states it may lead to.
TRANSITIONS: Mapping[tuple[State, type], tuple[Act, tuple[State, ...]]] = {
    (S.STARTING, Restarted): (_restarted, (S.STARTING,)),
    (S.STARTING, Follow): (_follow, (S.CONNECTING,)),
    (S.STARTING, Promote): (_begin_to_lead, (S.PRIMARY,)),
    (S.STARTING, Tick): (_stay, (S.STARTING,)),
    (S.PRIMARY, Follow): (_follow, (S.CONNECTING,)),
    (S.PRIMARY, Promote): (_stay, (S.PRIMARY,)),
    (S.PRIMARY, StreamWanted): (_stream_wanted, (S.PRIMARY,)),
    (S.PRIMARY, HandOver): (_hand_over, (S.HANDING_OVER,)),
    (S.PRIMARY, Tick): (_idle, (S.PRIMARY,)),
    (S.HANDING_OVER, Tick): (_look_who_caught_up, (S.HANDING_OVER, S.ASKING, S.PRIMARY)),
    (S.HANDING_OVER, Abort): (_abort_waiting, (S.PRIMARY,)),
    (S.HANDING_OVER, StreamWanted): (_stream_wanted, (S.HANDING_OVER,)),
    (S.ASKING, Abort): (_take_back, (S.PRIMARY,)),
    (S.ASKING, Rejected): (_take_back, (S.PRIMARY,)),
    (S.ASKING, Promote): (_promote, (S.PRIMARY,)),
    (S.ASKING, Continued): (_continued, (S.STREAMING,)),
    (S.ASKING, SnapshotBegins): (_snapshot_begins, (S.SYNCING,)),
    (S.ASKING, LinkLost): (_stay, (S.ASKING,)),
    (S.CONNECTING, Continued): (_continued, (S.STREAMING,)),
    (S.CONNECTING, SnapshotBegins): (_snapshot_begins, (S.SYNCING,)),
    (S.CONNECTING, LinkLost): (_stay, (S.CONNECTING,)),
    (S.CONNECTING, Rejected): (_stay, (S.CONNECTING,)),
    (S.SYNCING, SnapshotComplete): (_snapshot_complete, (S.STREAMING,)),
    (S.SYNCING, LinkLost): (_lost, (S.CONNECTING,)),
    (S.STREAMING, LinkLost): (_lost, (S.CONNECTING,)),
    (S.STREAMING, StreamWanted): (_stream_wanted, (S.STREAMING,)),
    (S.RESTING, Rest): (_stay, (S.RESTING,)),
    **{(state, Rest): (_rest, (S.RESTING,)) for state in (S.STARTING, S.PRIMARY)},
    **{(state, Follow): (_follow, (S.CONNECTING,)) for state in (S.RESTING, S.CONNECTING, S.SYNCING, S.STREAMING)},
    **{(state, Promote): (_promote, (S.PRIMARY,)) for state in (S.RESTING, S.CONNECTING, S.SYNCING, S.STREAMING)},
    **{(state, Tick): (_stay, (state,)) for state in (*FOLLOWING, S.RESTING)},
    **{(state, Forget): (_forget, (state,)) for state in State},
}
