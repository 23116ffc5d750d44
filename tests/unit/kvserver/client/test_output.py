"""A connection's output: each row of its table, and that bytes keep their order, aren't lost and aren't early."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kvserver.client.output import (
    ABORT,
    CLOSE,
    DRAIN,
    GATHER,
    HELD_MAX,
    HOLD,
    KEEP,
    NOTHING,
    RESUME,
    SOON,
    STOP,
    TRANSITIONS,
    WRITE,
    Event,
    Output,
    State,
)
from kvserver.client.reasons import Queued, Reason
from kvserver.config import BufferLimit
from kvserver.engine.run.holds import NONE, Held, Holds

S, E = State, Event

ROWS: dict[State, dict[Event, tuple[State, int]]] = {
    S.FLOWING: {
        E.POST: (S.POSTED, KEEP | SOON), E.SEND: (S.FLOWING, WRITE), E.SEND_UNSAFE: (S.HOLDING, HOLD),
        E.FULL: (S.FULL, NOTHING), E.ROOM: (S.FLOWING, NOTHING), E.END: (S.CLOSING, CLOSE), E.DROP: (S.GONE, ABORT),
    },
    S.POSTED: {
        E.POST: (S.POSTED, KEEP), E.SEND: (S.FLOWING, WRITE), E.SEND_UNSAFE: (S.HOLDING, HOLD),
        E.ROOM: (S.POSTED, NOTHING), E.END: (S.LEAVING, NOTHING), E.DROP: (S.GONE, ABORT),
    },
    S.FULL: {
        E.SEND: (S.FULL, GATHER), E.SEND_UNSAFE: (S.HOLDING_FULL, HOLD), E.FULL: (S.FULL, NOTHING),
        E.ROOM: (S.FLOWING, DRAIN), E.END: (S.CLOSING, DRAIN | CLOSE), E.DROP: (S.GONE, ABORT),
    },
    S.HOLDING: {
        E.SEND: (S.HOLDING, HOLD), E.SEND_UNSAFE: (S.HOLDING, HOLD), E.RELEASE: (S.HOLDING, WRITE),
        E.RELEASE_LAST: (S.FLOWING, WRITE), E.FULL: (S.HOLDING_FULL, NOTHING), E.ROOM: (S.HOLDING, NOTHING),
        E.END: (S.ENDING, NOTHING), E.DROP: (S.GONE, ABORT), E.FAIL: (S.CLOSING, WRITE | CLOSE),
    },
    S.HOLDING_FULL: {
        E.SEND: (S.HOLDING_FULL, HOLD), E.SEND_UNSAFE: (S.HOLDING_FULL, HOLD), E.RELEASE: (S.HOLDING_FULL, GATHER),
        E.RELEASE_LAST: (S.FULL, GATHER), E.FULL: (S.HOLDING_FULL, NOTHING), E.ROOM: (S.HOLDING, DRAIN),
        E.END: (S.ENDING, DRAIN), E.DROP: (S.GONE, ABORT), E.FAIL: (S.CLOSING, DRAIN | WRITE | CLOSE),
    },
    S.LEAVING: {
        E.POST: (S.LEAVING, NOTHING), E.SEND: (S.CLOSING, WRITE | CLOSE), E.SEND_UNSAFE: (S.ENDING, HOLD),
        E.ROOM: (S.LEAVING, NOTHING), E.END: (S.LEAVING, NOTHING), E.DROP: (S.GONE, ABORT),
    },
    S.ENDING: {
        E.POST: (S.ENDING, NOTHING), E.SEND: (S.ENDING, NOTHING), E.SEND_UNSAFE: (S.ENDING, NOTHING),
        E.RELEASE: (S.ENDING, WRITE), E.RELEASE_LAST: (S.CLOSING, WRITE | CLOSE), E.FULL: (S.ENDING, NOTHING),
        E.ROOM: (S.ENDING, NOTHING), E.END: (S.ENDING, NOTHING), E.DROP: (S.GONE, ABORT),
        E.FAIL: (S.CLOSING, WRITE | CLOSE),
    },
    S.CLOSING: {
        E.POST: (S.CLOSING, NOTHING), E.SEND: (S.CLOSING, NOTHING), E.SEND_UNSAFE: (S.CLOSING, NOTHING),
        E.FULL: (S.CLOSING, NOTHING), E.ROOM: (S.CLOSING, NOTHING), E.END: (S.CLOSING, NOTHING),
        E.DROP: (S.GONE, ABORT),
    },
    S.GONE: dict.fromkeys(E, (S.GONE, NOTHING)),
}  # fmt: skip
WAYS: dict[State, tuple[str, ...]] = {
    S.FLOWING: (), S.POSTED: ("post",), S.FULL: ("full",), S.HOLDING: ("hold", "hold"),
    S.HOLDING_FULL: ("hold", "hold", "full"), S.LEAVING: ("post", "end"), S.ENDING: ("hold", "hold", "end"),
    S.CLOSING: ("end",), S.GONE: ("drop",),
}  # fmt: skip
"""How each state is reached from the beginning."""


def move(output: Output, way: str) -> int:
    """One step by its short name."""
    if way == "post":
        return output.post(b"m")
    if way == "hold":
        return output.send(b"h", False, False)
    return {"full": output.no_room, "end": output.end, "drop": output.drop, "room": output.room}[way]()


def in_state(state: State) -> Output:
    """An output that has come to `state`."""
    output = Output()
    for way in WAYS[state]:
        move(output, way)
    assert output.state == state
    return output


def happen(output: Output, event: Event) -> int:
    """Have an event happen; what is to be done."""
    if event is E.POST:
        return output.post(b"x")
    if event in (E.SEND, E.SEND_UNSAFE):
        return output.send(output.take_posted() + b"x", event is E.SEND, False)
    if event in (E.RELEASE, E.RELEASE_LAST):
        if event is E.RELEASE_LAST and output.held > 1:
            output.held -= 1
            output.held_bytes -= 1
        return output.released(b"h")
    return {E.FULL: output.no_room, E.ROOM: output.room, E.END: output.end, E.DROP: output.drop, E.FAIL: output.fail}[
        event]()


def test_the_table_has_no_other_rows() -> None:
    """What is tested here is the whole table."""
    assert TRANSITIONS == ROWS


@pytest.mark.parametrize(("state", "event"), [(s, e) for s in S if s is not S.GONE for e in ROWS[s]])
def test_rows(state: State, event: Event) -> None:
    """From each state each event leads where the table says, and asks for what it says."""
    output = in_state(state)
    output = in_state(state)
    do = happen(output, event)
    assert (State(output.state), do) == ROWS[state][event]
    assert output.direct == (output.state == S.FLOWING)
    assert output.full == (output.state in (S.FULL, S.HOLDING_FULL))
    assert output.ended == (output.state >= S.LEAVING)


@pytest.mark.parametrize("state", list(S))
def test_what_cannot_happen(state: State) -> None:
    """An event that a state has no row for is an error of ours."""
    for event in E:
        if event not in ROWS[state]:
            with pytest.raises(AssertionError):
                in_state(state)._step(int(event))


class Shell:
    """What the asyncio protocol does, with a transport whose room the test decides, and real holds."""

    def __init__(self) -> None:
        self.output = Output()
        self.holds = Holds()
        self.holds.on_switch = self.output.gate
        self.offset = 0
        self.sent: list[bytes] = []
        self.safe_at: list[tuple[int, int]] = []  # for each piece: the offset it promises, what was safe as it left
        self.wants: dict[bytes, int] = {}
        self.closed = self.aborted = False
        self.soon = False
        self.room_left: int | None = None  # pieces that the transport takes until it is full; None = any

    def transport_write(self, data: bytes) -> None:
        """The transport takes bytes, and may be full then."""
        assert not self.closed
        assert not self.aborted
        self.sent.append(data)
        if self.room_left is not None:
            self.room_left -= 1
            if self.room_left <= 0:
                self.output.no_room()

    def do(self, do: int) -> None:
        if do & DRAIN:
            while (data := self.output.take()) is not None:
                self.transport_write(data)
        self.closed = self.closed or bool(do & CLOSE)
        self.aborted = self.aborted or bool(do & ABORT)

    def send(self, data: bytes) -> None:
        data = self.output.take_posted() + data
        offset = self.offset
        do = self.output.send(data, not self.holds.on or offset <= self.holds.safe, False)
        if do & WRITE:
            self.transport_write(data)
        elif do & HOLD:
            self.holds.wait(Held(offset, self, data, NONE, 0))
        self.do(do)

    def unsafe(self, text: bytes) -> None:
        raise AssertionError(text)

    def released(self, data: bytes) -> None:
        do = self.output.released(data)
        if do & WRITE:
            self.transport_write(data)
        self.do(do)
        self.do(self.output.relax())

    def message(self, data: bytes) -> None:
        if self.output.ended:
            return
        if self.output.posts():
            self.soon = bool(self.output.post(data) & SOON) or self.soon
        else:
            self.send(data)

    def turn(self) -> None:
        self.soon = False
        if self.output.posted_bytes:
            self.send(b"")

    def all_sent(self) -> bytes:
        return b"".join(self.sent)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("reply", "message", "turn", "write", "fsync", "promise", "unpromise", "full", "room")),
        st.integers(0, 6),
    ),
    max_size=60,
)


def run(shell: Shell, steps: list[tuple[str, int]]) -> bytes:
    """Take the steps; the bytes that were accepted, in order. Each byte is its number's, so that order shows."""
    accepted = b""
    for name, n in steps:
        if name in ("reply", "message"):
            data = b"%06d" % (len(accepted) // 6) if not shell.output.ended else b""
            if data:
                accepted += data
                shell.wants[data] = shell.offset if shell.holds.on else 0
                (shell.send if name == "reply" else shell.message)(data)
        elif name == "turn":
            shell.turn()
        elif name == "write":
            shell.offset += n
        elif name == "fsync" and shell.holds.on:
            shell.holds.promise("file", min(shell.offset, shell.holds.safe + n))
        elif name == "promise" and not shell.holds.on:
            shell.holds.promise("file", shell.offset)
        elif name == "unpromise":
            shell.holds.drop("file")
        elif name == "full":
            shell.room_left = n
        elif name == "room":
            shell.room_left = None if n > 2 else n + 1
            shell.do(shell.output.room())
            shell.do(shell.output.relax())
        early(shell)
    return accepted


def early(shell: Shell) -> None:
    """Nothing has been sent that isn't safe."""
    sent = shell.all_sent()
    if shell.holds.on:
        assert all(shell.wants[sent[i : i + 6]] <= shell.holds.safe for i in range(0, len(sent), 6))


def settle(shell: Shell) -> None:
    """Let all that waits happen: the turn is over, the peer reads, everything is safe."""
    shell.turn()
    shell.room_left = None
    shell.do(shell.output.room())
    if shell.holds.on:
        shell.holds.promise("file", shell.offset)
    shell.do(shell.output.room())


@given(STEPS)
def test_order_is_kept_and_nothing_lost(steps: list[tuple[str, int]]) -> None:
    """All that was accepted leaves, in the order in which it came, and never before it is safe."""
    shell = Shell()
    accepted = run(shell, steps)
    assert accepted.startswith(shell.all_sent())
    settle(shell)
    assert shell.all_sent() == accepted
    assert shell.output.state == S.FLOWING
    assert shell.output.unsent() == 0


@given(STEPS, STEPS)
def test_a_graceful_end_loses_nothing(steps: list[tuple[str, int]], later: list[tuple[str, int]]) -> None:
    """What was accepted before `end` goes out, nothing that comes after it, and then the transport closes."""
    shell = Shell()
    accepted = run(shell, steps)
    shell.do(shell.output.end())
    run(shell, later)
    settle(shell)
    assert shell.all_sent() == accepted
    assert shell.closed
    assert not shell.aborted


@given(STEPS, st.booleans(), STEPS)
def test_nothing_leaves_behind_a_drop(
    steps: list[tuple[str, int]], ends_first: bool, later: list[tuple[str, int]]
) -> None:
    """What hadn't left when it was dropped never leaves, though an end was under way."""
    shell = Shell()
    run(shell, steps)
    if ends_first:
        shell.do(shell.output.end())
    closed, before = shell.closed, shell.all_sent()
    shell.do(shell.output.drop())
    assert shell.aborted
    shell.closed = closed
    run(shell, later)
    settle(shell)
    assert shell.all_sent() == before
    assert shell.output.unsent() == 0


def test_messages_of_a_turn_leave_together() -> None:
    """Messages wait for the end of the turn; a reply takes them along, in front of it."""
    shell = Shell()
    shell.message(b"one")
    shell.message(b"two")
    assert shell.sent == []
    assert shell.soon
    shell.send(b"reply")
    assert shell.sent == [b"onetworeply"]
    shell.message(b"three")
    shell.turn()
    shell.turn()
    assert shell.sent == [b"onetworeply", b"three"]


def test_too_much_held_stops_the_requests() -> None:
    """More than HELD_MAX held bytes stall the client, once, until less is held; a replica is never stalled."""
    output = Output()
    half = b"x" * (HELD_MAX // 2 + 1)
    assert output.send(half, False, False) == HOLD
    assert output.send(half, False, False) == HOLD | STOP
    assert output.send(half, False, False) == HOLD
    assert output.stalled
    assert output.released(half) == WRITE
    assert output.relax() == NOTHING
    assert output.released(half) == WRITE
    assert output.relax() == RESUME
    assert not output.stalled
    replica = Output()
    assert [replica.send(half, False, True) for _ in range(3)] == [HOLD] * 3


def test_a_stalled_client_goes_on_when_there_is_room() -> None:
    """`stall` stops once; a full transport doesn't let requests go on, one with room does."""
    output = Output()
    output.no_room()
    assert output.stall() == STOP
    assert output.stall() == NOTHING
    assert output.relax() == NOTHING
    output.room()
    assert output.relax() == RESUME
    assert output.relax() == NOTHING


def test_gated_bytes_are_not_direct() -> None:
    """While somebody has to be asked whether bytes are safe, none is written without asking."""
    output = Output()
    output.gate(True)
    assert not output.direct
    output.gate(False)
    assert output.direct


def test_limits() -> None:
    """The hard limit ends at once; the soft one when it was passed for longer than its seconds, without a break."""
    output, limit = Output(), BufferLimit(100, 50, 10)
    assert output.over(limit, 99, 1.0) is None
    assert output.over(limit, 100, 1.0) is Reason.OUTPUT_HARD
    assert output.over(limit, 50, 11.0) is None
    assert output.over(limit, 50, 11.5) is Reason.OUTPUT_SOFT
    assert output.over(limit, 49, 12.0) is None
    assert output.over(limit, 50, 13.0) is None
    assert output.over(limit, 50, 23.0) is None
    assert output.over(limit, 50, 23.1) is Reason.OUTPUT_SOFT
    assert output.over(BufferLimit(0, 0, 0), 1 << 40, 0.0) is None


def test_reasons_have_names_of_their_own() -> None:
    """Each reason's word is unique and fit for a metric's label and INFO's field."""
    words = [reason.word for reason in Reason]
    assert len(set(words)) == len(words)
    assert all(word.replace("_", "").isalpha() and word.islower() for word in words)


@pytest.mark.parametrize(
    ("queued", "others", "own"),
    [(Queued.SENT, True, True), (Queued.DROPPED, False, False), (Queued.DROPPED_FOR_OTHERS, False, True),
     (Queued.SENT_TO_OTHERS, True, False)],
)  # fmt: skip
def test_whether_what_is_queued_is_sent(queued: Queued, others: bool, own: bool) -> None:
    """A reason says whether a client still gets what is queued for it, when others end it and when it does itself."""
    reasons: list[Any] = [reason for reason in Reason if reason.value.queued is queued]
    assert reasons
    assert {reason.sends(False) for reason in reasons} == {others}
    assert {reason.sends(True) for reason in reasons} == {own}


