"""PSYNC's decision over every combination of id, offset and backlog."""

import itertools

import pytest

from replication.backlog import Backlog
from replication.history import History
from replication.psync import Continue, FullResync, Request, continue_reply, decide, full_resync_reply

FIRST, SECOND, OTHER = b"a" * 40, b"b" * 40, b"c" * 40


def _backlog(start: int, length: int) -> Backlog:
    backlog = Backlog(1 << 20, start)
    backlog.append(b"x" * length)
    return backlog


@pytest.mark.parametrize(
    ("replid", "offset", "second_offset"),
    list(itertools.product([FIRST, FIRST.upper(), SECOND, OTHER, b"?"], range(-1, 35), [-1, 15, 20, 50])),
)
def test_every_combination(replid: bytes, offset: int, second_offset: int) -> None:
    """A replica continues exactly when its history is ours up to its offset and we hold all that follows."""
    history = History(FIRST) if second_offset < 0 else History(FIRST, SECOND, second_offset)
    backlog = _backlog(10, 20)
    followed_us = replid.lower() == FIRST or (replid == SECOND and 0 < offset <= second_offset)
    expected = followed_us and 11 <= offset <= 31
    decision = decide(Request(replid, offset), history, backlog)
    assert (decision == Continue(FIRST, offset)) is expected
    assert isinstance(decision, FullResync) is not expected


def test_reasons_are_told_apart() -> None:
    """Each refusal says why in words an operator can act on."""
    history = History(FIRST, SECOND, 15)
    backlog = _backlog(10, 20)
    cases = {
        (b"?", -1): "requested",
        (OTHER, 12): "mismatch",
        (SECOND, 16): "second id",
        (FIRST, 5): "older",
        (FIRST, 32): "beyond",
    }
    for (replid, offset), word in cases.items():
        decision = decide(Request(replid, offset), history, backlog)
        assert isinstance(decision, FullResync)
        assert word in decision.reason
    nothing = decide(Request(FIRST, 12), history, None)
    assert isinstance(nothing, FullResync)
    assert "no backlog" in nothing.reason


def test_replies() -> None:
    """The id after +CONTINUE is only for replicas that announced psync2."""
    assert continue_reply(Continue(FIRST, 3), psync2=True) == b"+CONTINUE " + FIRST + b"\r\n"
    assert continue_reply(Continue(FIRST, 3), psync2=False) == b"+CONTINUE\r\n"
    assert full_resync_reply(FIRST, 12) == b"+FULLRESYNC " + FIRST + b" 12\r\n"
