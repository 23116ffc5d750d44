"""The role's machine: each transition as a row, each invariant seen to fail, and orders by chance that break none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from support.roles import ORDER, THEIRS, A, B, Bench, Make, reach, replica

from replication.handover import decide as handover
from replication.handover.decide import Order
from replication.history import NO_ID, History
from replication.role import TRANSITIONS, Role
from replication.role_invariants import INVARIANTS
from replication.role_messages import (
    Abort,
    Continued,
    Fence,
    Follow,
    Forget,
    HandOver,
    Install,
    Lead,
    LinkLost,
    OpenBacklog,
    Promote,
    Rejected,
    Rest,
    Restarted,
    SnapshotBegins,
    SnapshotComplete,
    StartLink,
    StreamWanted,
    Tick,
)
from replication.role_states import State

RESTARTED = Restarted(THEIRS, 100, True, b"e" * 40)
REST: Make = lambda b: Rest(100, b.id())  # noqa: E731
FOLLOW: Make = lambda b: Follow(B, 100, b.id())  # noqa: E731
PROMOTE: Make = lambda b: Promote(100, b.id())  # noqa: E731
WANTED: Make = lambda b: StreamWanted(100, b.id())  # noqa: E731
FORGET: Make = lambda b: Forget(b.id())  # noqa: E731
TICK: Make = lambda b: Tick(100, b.id())  # noqa: E731
ABORT: Make = lambda b: Abort("enough", 100, b.id())  # noqa: E731
REJECTED: Make = lambda b: Rejected(b.term, "no", 100, b.id())  # noqa: E731
CONTINUED: Make = lambda b: Continued(b.term, THEIRS, 100)  # noqa: E731
BEGINS: Make = lambda b: SnapshotBegins(b.term)  # noqa: E731
COMPLETE: Make = lambda b: SnapshotComplete(b.term, THEIRS, 5000)  # noqa: E731
LOST: Make = lambda b: LinkLost(b.term)  # noqa: E731
IDLE: Make = lambda b: Tick(100, b.id(), idle_s=11.0, backlog_ttl_s=10)  # noqa: E731
CAUGHT_UP: Make = lambda b: Tick(100, b.id(), [replica(100)])  # noqa: E731
BEHIND: Make = lambda b: Tick(100, b.id(), [replica(99)])  # noqa: E731

S = State
ENDS_AND_FOLLOWS = "EndLink DropReplicas RememberPrimary StartLink RefreshGates Note"
FENCES_AND_FOLLOWS = "Fence EndBlocked DropReplicas RememberPrimary StartLink RefreshGates Note"
LEADS = "EndLink DropReplicas RememberPrimary Lead RefreshGates Note"
ADOPTS = "Install DropReplicas OpenBacklog TellReplaced RefreshGates"
# State, event, what is said in order, the state behind it.
ROWS: list[tuple[State, Make, str, State]] = [
    (S.STARTING, lambda b: RESTARTED, "OpenBacklog", S.STARTING),
    (S.STARTING, FOLLOW, FENCES_AND_FOLLOWS.replace("Drop", "OpenBacklog Drop"), S.CONNECTING),
    (S.STARTING, PROMOTE, "RememberPrimary Lead RefreshGates", S.PRIMARY),
    (S.STARTING, TICK, "", S.STARTING),
    (S.STARTING, FORGET, "", S.STARTING),
    (S.PRIMARY, FOLLOW, FENCES_AND_FOLLOWS, S.CONNECTING),
    (S.PRIMARY, PROMOTE, "", S.PRIMARY),
    (S.PRIMARY, WANTED, "", S.PRIMARY),
    (S.PRIMARY, FORGET, "", S.PRIMARY),
    (S.PRIMARY, lambda b: HandOver(ORDER), "Note HoldWrites AskForAcks", S.HANDING_OVER),
    (S.PRIMARY, TICK, "", S.PRIMARY),
    (S.PRIMARY, IDLE, "CloseBacklog Note", S.PRIMARY),
    (S.STARTING, REST, "Fence EndBlocked OpenBacklog DropReplicas RefreshGates Note", S.RESTING),
    (S.PRIMARY, REST, "Fence EndBlocked DropReplicas RefreshGates Note", S.RESTING),
    (S.RESTING, REST, "", S.RESTING),
    (S.RESTING, FOLLOW, FENCES_AND_FOLLOWS, S.CONNECTING),
    (S.RESTING, PROMOTE, LEADS, S.PRIMARY),
    (S.RESTING, TICK, "", S.RESTING),
    (S.RESTING, FORGET, "", S.RESTING),
    (S.HANDING_OVER, BEHIND, "", S.HANDING_OVER),
    (S.HANDING_OVER, CAUGHT_UP, f"Note {FENCES_AND_FOLLOWS}", S.ASKING),
    (S.HANDING_OVER, ABORT, "Note LetWrites", S.PRIMARY),
    (S.HANDING_OVER, WANTED, "", S.HANDING_OVER),
    (S.HANDING_OVER, FORGET, "", S.HANDING_OVER),
    (S.ASKING, TICK, "", S.ASKING),
    (S.ASKING, ABORT, f"Note {LEADS} LetWrites", S.PRIMARY),
    (S.ASKING, REJECTED, f"Note {LEADS} LetWrites", S.PRIMARY),
    (S.ASKING, PROMOTE, f"{LEADS} LetWrites", S.PRIMARY),
    (S.ASKING, CONTINUED, "DropReplicas RefreshGates Note LetWrites", S.STREAMING),
    (S.ASKING, BEGINS, "Note LetWrites", S.SYNCING),
    (S.ASKING, LOST, "", S.ASKING),
    (S.ASKING, FORGET, "", S.ASKING),
    (S.CONNECTING, FOLLOW, ENDS_AND_FOLLOWS, S.CONNECTING),
    (S.CONNECTING, PROMOTE, LEADS, S.PRIMARY),
    (S.CONNECTING, CONTINUED, "DropReplicas RefreshGates", S.STREAMING),
    (S.CONNECTING, BEGINS, "", S.SYNCING),
    (S.CONNECTING, LOST, "", S.CONNECTING),
    (S.CONNECTING, REJECTED, "", S.CONNECTING),
    (S.CONNECTING, TICK, "", S.CONNECTING),
    (S.CONNECTING, FORGET, "", S.CONNECTING),
    (S.SYNCING, FOLLOW, ENDS_AND_FOLLOWS, S.CONNECTING),
    (S.SYNCING, PROMOTE, LEADS, S.PRIMARY),
    (S.SYNCING, COMPLETE, ADOPTS, S.STREAMING),
    (S.SYNCING, LOST, "RefreshGates", S.CONNECTING),
    (S.SYNCING, TICK, "", S.SYNCING),
    (S.SYNCING, FORGET, "", S.SYNCING),
    (S.STREAMING, FOLLOW, ENDS_AND_FOLLOWS, S.CONNECTING),
    (S.STREAMING, PROMOTE, LEADS, S.PRIMARY),
    (S.STREAMING, WANTED, "", S.STREAMING),
    (S.STREAMING, LOST, "RefreshGates", S.CONNECTING),
    (S.STREAMING, TICK, "", S.STREAMING),
    (S.STREAMING, FORGET, "", S.STREAMING),
]


@pytest.mark.parametrize(("state", "make", "said", "after"), ROWS)
def test_transitions(state: State, make: Make, said: str, after: State) -> None:
    """Each row of the table: what is said, in which order, and where it leads."""
    bench = reach(state)
    assert " ".join(bench.do(make(bench))) == said
    assert bench.role.state is after


def test_each_row_of_the_table_is_tried() -> None:
    """The rows above are the table's, none left out."""
    tried = {(state, type(make(reach(state)))) for state, make, _, _ in ROWS}
    assert tried == set(TRANSITIONS)


def test_a_hand_over_that_nobody_catches_up_with_is_given_up() -> None:
    """After its time writes go on where they were, unless it was to be forced."""
    bench = reach(State.HANDING_OVER)
    assert bench.tick(now_s=1.5, replicas=[replica(99)]) == ["Note", "LetWrites"]
    assert bench.role.state is State.PRIMARY
    bench.do(HandOver(Order(A, force=True, timeout_ms=1000)), 2.0)
    bench.tick(now_s=2.9, replicas=[replica(99)])
    assert bench.role.state is State.HANDING_OVER
    bench.tick(now_s=3.1, replicas=[replica(99)])
    assert (bench.role.state, bench.role.primary) == (State.ASKING, A)


# -- which id ------------------------------------------------------------------------------------------------


def test_what_was_written_unrecorded_ends_under_an_id_nobody_knows() -> None:
    """Opening the first backlog begins a new history, and so does giving up an idle one; in between the id stands."""
    bench = Bench()
    bench.promote()
    first = bench.role.history.replid
    bench.wanted()
    second = bench.role.history.replid
    bench.wanted()
    assert bench.role.history.replid == second != first
    bench.do(IDLE(bench))
    assert bench.role.history.replid not in (first, second)
    assert bench.role.history.second_replid == NO_ID
    third = bench.role.history.replid
    bench.wanted()
    assert bench.role.history.replid != third


def test_a_promoted_replica_remembers_whom_it_followed_and_writes_under_another_id() -> None:
    """Whoever followed the same primary up to the promotion may continue, and nobody beyond it."""
    bench = reach(State.STREAMING)
    bench.promote(offset=700)
    history = bench.role.history
    assert (history.second_replid, history.second_offset) == (THEIRS, 701)
    assert history.replid != THEIRS


def test_a_node_asks_to_continue_only_under_an_id_that_others_may_know() -> None:
    """Fresh nodes ask for everything; who was followed, who follows, and who loaded a history ask to continue."""
    bench = Bench()
    bench.follow()
    assert not bench.role.shared
    assert reach(State.STREAMING).role.shared
    was_followed = reach(State.PRIMARY)
    was_followed.follow()
    assert was_followed.role.shared
    loaded = Bench()
    loaded.do(RESTARTED)
    loaded.follow()
    assert (loaded.role.shared, loaded.role.history.replid) == (True, THEIRS)


def test_an_adopted_data_set_leaves_nothing_of_the_old_history() -> None:
    """A full synchronization puts the primary's id and offset in force, and forgets both of the old ids."""
    bench = reach(State.SYNCING)
    bench.do(COMPLETE(bench))
    assert bench.role.history == History(THEIRS)
    assert [a.offset for a in bench.said if isinstance(a, Install | OpenBacklog)] == [5000, 5000]


def test_a_primary_that_starts_never_goes_on_under_the_id_of_the_run_before() -> None:
    """The run before may have written bytes that the snapshot lacks: its id is the second one, up to the snapshot."""
    for follows in (False, True):
        bench = Bench()
        bench.do(replace(RESTARTED, follows=follows))
        bench.promote()
        history = bench.role.history
        assert (history.second_replid, history.second_offset) == (THEIRS, 101)


# -- terms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [CONTINUED, BEGINS, COMPLETE, LOST, REJECTED])
def test_what_a_link_of_another_term_brings_is_dropped_and_counted(make: Make) -> None:
    """Each change of the role ends the terms before: their links change nothing, whatever they bring."""
    bench = reach(State.SYNCING)
    late = make(bench)
    for change in (bench.follow, bench.promote, bench.follow):
        change()
        before = (bench.role.state, bench.role.history, bench.role.offset, bench.role.stale)
        assert bench.do(late) == []
        after = (bench.role.state, bench.role.history, bench.role.offset, bench.role.stale - 1)
        assert after == before


def test_only_the_present_link_is_admitted() -> None:
    """A primary admits nobody's stream; who follows admits the stream of the link it started last."""
    bench = reach(State.STREAMING)
    terms = [bench.term]
    assert bench.role.admits(terms[0])
    bench.follow(B)
    terms.append(bench.term)
    assert [bench.role.admits(term) for term in terms] == [False, True]
    bench.promote()
    assert not any(bench.role.admits(term) for term in [*terms, bench.term])
    assert bench.role.stale == 4


@pytest.mark.parametrize("state", [State.PRIMARY, State.HANDING_OVER, State.STARTING])
def test_an_event_without_a_row_is_our_own_fault(state: State) -> None:
    """What the state takes no event of is an assertion, not a guess."""
    bench = reach(state)
    with pytest.raises(AssertionError):
        bench.do(Restarted(THEIRS, 1, False, bench.id()) if state is not State.STARTING else HandOver(ORDER))


# -- invariants ----------------------------------------------------------------------------------------------


def _set(**values: object) -> Callable[[Role], None]:
    def change(role: Role) -> None:
        for name, value in values.items():
            setattr(role, name, value)

    return change


BROKEN: dict[str, tuple[State, Callable[[Role], None]]] = {
    "who leads writes under": (S.PRIMARY, _set(own=False)),
    "what is written under": (S.PRIMARY, _set(recording=False)),
    "a second id is kept": (S.PRIMARY, _set(shared=False, recording=False, history=History(THEIRS, b"e" * 40, 9))),
    "nothing under the id": (S.PRIMARY, _set(gap=True)),
    "who follows records": (S.CONNECTING, _set(recording=False, shared=False)),
    "a stream is applied": (S.STREAMING, _set(link_term=0)),
    "clients' writes": (S.PRIMARY, _set(fenced=True)),
    "who follows names": (S.STREAMING, _set(primary=None)),
    "writes wait": (S.HANDING_OVER, _set(paused=False, order=None)),
    "there is an order": (S.HANDING_OVER, _set(order=None)),
    "the second id ends": (S.PRIMARY, _set(history=History(THEIRS, b"e" * 40, 200))),
}


@pytest.mark.parametrize("sentence", [sentence for sentence, _ in INVARIANTS])
def test_each_invariant_is_missed_when_it_is_broken(sentence: str) -> None:
    """A state in which the sentence isn't true is called by that sentence."""
    start = next(name for name in BROKEN if sentence.startswith(name))
    state, break_it = BROKEN[start]
    role = reach(state).role
    break_it(role)
    with pytest.raises(AssertionError, match=f"not so: {start}"):
        role.check_invariants()


def _lead_before_the_end(role: Role) -> None:
    role._tell(Lead())


def _two_streams(role: Role) -> None:
    role._tell(StartLink(A, role.term + 1))


def _unfenced(role: Role) -> None:
    role.fenced = False
    role._tell(Install(1))


def _gap_recorded(role: Role) -> None:
    role.gap = True
    role._tell(OpenBacklog(1))


@pytest.mark.parametrize("order", [_lead_before_the_end, _two_streams, _unfenced, _gap_recorded])
def test_actions_in_an_unsafe_order_are_refused(order: Callable[[Role], None]) -> None:
    """No lead before the old stream's end, no second stream, no data set unfenced, no record with a gap before it."""
    with pytest.raises(AssertionError):
        order(reach(State.SYNCING).role)


def test_a_fence_comes_before_the_link_and_the_end_of_a_link_before_the_lead() -> None:
    """Fenced before followed, caught up before promoted: in every row that begins to follow or to lead."""
    for state, make, _, _ in ROWS:
        bench = reach(state)
        led = not bench.role.fenced
        bench.do(make(bench))
        kinds = [type(action) for action in bench.said]
        if StartLink in kinds and led:
            assert kinds.index(Fence) < kinds.index(StartLink)
        if Lead in kinds and "EndLink" in [kind.__name__ for kind in kinds]:
            assert [kind.__name__ for kind in kinds].index("EndLink") < kinds.index(Lead)


# -- by chance -----------------------------------------------------------------------------------------------

MAKERS = [FOLLOW, PROMOTE, WANTED, FORGET, TICK, ABORT, REJECTED, CONTINUED, BEGINS, COMPLETE, LOST, IDLE, CAUGHT_UP,
          BEHIND, REST, lambda b: HandOver(ORDER), lambda b: RESTARTED]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(MAKERS) - 1), st.integers(-2, 0), st.booleans()), max_size=40))
def test_no_sequence_of_events_breaks_an_invariant(choices: list[tuple[int, int, bool]]) -> None:
    """Whatever comes in whatever order, also from links of older terms, all invariants hold after each step."""
    bench = Bench()
    ids = set()
    for which, age, grow in choices:
        event = MAKERS[which](bench)
        offset = bench.role.offset + grow * 10
        changes = {"offset": max(offset, 0)} if hasattr(event, "offset") else {}
        if hasattr(event, "term"):
            changes["term"] = event.term + age
        event = replace(event, **changes)
        row = TRANSITIONS.get((bench.role.state, type(event)))
        current = getattr(event, "term", None) == bench.role.link_term
        if row is None and (current or not hasattr(event, "term")):
            continue
        term, led = bench.term, bench.role.leads
        bench.do(event)
        assert bench.term >= term
        if bench.role.leads and not led:
            assert bench.term > term
            assert bench.role.history.replid not in ids, "a new lead under an id of an earlier one"
        if bench.role.state is not State.STARTING:
            ids.add(bench.role.history.replid)
        assert bench.role.failover in (handover.NONE, handover.WAITING, handover.IN_PROGRESS)
