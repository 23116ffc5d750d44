"""Slices of work: how long one lasts, what is fed in one, how slow work is made on purpose."""

from __future__ import annotations

import pytest

from kvserver.doors.pacing import PIECE_BYTES, Slice, behind_s, fed


class Ticking:
    """A clock that is a second later whenever it is looked at."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def test_a_slice_lasts_its_budget_and_another_can_begin() -> None:
    """There is time left until the budget is used up, by the clock handed in."""
    now_s = 5.0
    work = Slice(lambda: now_s, 2.0)
    assert work.left()
    now_s = 6.9
    assert work.left()
    now_s = 7.0
    assert not work.left()
    work.extend()
    assert work.left()
    now_s = 9.0
    assert not work.left()
    work.begin()
    now_s = 10.9
    assert work.left()


def test_a_block_is_fed_whole_in_pieces_with_a_turn_behind_each_slice() -> None:
    """Every byte is fed once and in order; others have a turn whenever a slice is over, a new one begins behind it."""
    block = bytes(range(256)) * (PIECE_BYTES // 256) * 5 + b"end"
    pieces: list[bytes] = []
    turns = [len(pieces) for _ in fed(pieces.append, block, Slice(Ticking(), 2.5))]
    assert b"".join(pieces) == block
    assert {len(piece) for piece in pieces[:-1]} == {PIECE_BYTES}
    assert turns == [3, 6]


def test_work_that_is_made_slow_stops_behind_each_piece() -> None:
    """An option that asks for time at each key is looked at behind each piece, and may change."""
    pieces: list[bytes] = []
    turns = [
        len(pieces)
        for _ in fed(pieces.append, b"x" * PIECE_BYTES * 4, Slice(lambda: 0.0, 1.0), lambda: len(pieces) < 3)
    ]
    assert turns == [1, 2]


def test_what_a_decoder_raises_comes_through() -> None:
    """An error ends the feeding where it was raised."""

    def refuse(piece: bytes) -> None:
        raise ValueError(len(piece))

    with pytest.raises(ValueError, match="3"):
        list(fed(refuse, b"abc", Slice(lambda: 0.0, 1.0)))


def test_so_many_microseconds_for_each_thing_done() -> None:
    """What is done early waits for the rest of its time; late, or without such an option, nothing waits."""
    assert behind_s(10.0, 4, 500_000, 11.0) == 1.0
    assert behind_s(10.0, 4, 500_000, 13.0) == 0.0
    assert behind_s(10.0, 4, 0, 0.0) == 0.0
