"""The limits of what may wait for a client: one judge for every kind of client."""

from __future__ import annotations

from kvserver.client.output_limit import BELOW, judge
from kvserver.client.reasons import Reason
from kvserver.config import BufferLimit

LIMIT = BufferLimit(1000, 100, 10)


def test_the_hard_limit_ends_at_once_and_leaves_the_clock() -> None:
    """As many bytes as the hard limit are too many, whatever the time."""
    assert judge(LIMIT, 1000, BELOW, 5.0) == (Reason.OUTPUT_HARD, BELOW)
    assert judge(LIMIT, 1000, 3.0, 5.0) == (Reason.OUTPUT_HARD, 3.0)


def test_the_soft_limit_ends_after_more_than_its_seconds_in_one_go() -> None:
    """The clock starts when the soft limit is reached, time 0 included, and falls back below it."""
    assert judge(LIMIT, 100, BELOW, 0.0) == (None, 0.0)
    assert judge(LIMIT, 100, 0.0, 10.0) == (None, 0.0)
    assert judge(LIMIT, 100, 0.0, 10.1) == (Reason.OUTPUT_SOFT, 0.0)
    assert judge(LIMIT, 99, 0.0, 10.1) == (None, BELOW)


def test_a_limit_of_no_bytes_is_none() -> None:
    """Zeros switch either limit off."""
    assert judge(BufferLimit(0, 0, 0), 1 << 40, BELOW, 1.0) == (None, BELOW)
    assert judge(BufferLimit(0, 1, 0), 1 << 40, 1.0, 1.5) == (Reason.OUTPUT_SOFT, 1.0)
    assert judge(BufferLimit(1, 0, 0), 1, BELOW, 1.0) == (Reason.OUTPUT_HARD, BELOW)
