"""Save points."""

from __future__ import annotations

from kvserver.config.kinds import SavePoint
from persistence.snapshot.points import due

POINTS = (SavePoint(3600, 1), SavePoint(300, 100), SavePoint(60, 10_000))


def test_a_point_needs_both_changes_and_time() -> None:
    """Enough changes in too little time, or too few in any, save nothing; the first point reached is the answer."""
    assert due(POINTS, 0, 10**6, 0, 0, True) is None
    assert due(POINTS, 1, 3600, 0, 0, True) is None
    assert due(POINTS, 1, 3601, 0, 0, True) == POINTS[0]
    assert due(POINTS, 99, 301, 0, 0, True) is None
    assert due(POINTS, 100, 301, 0, 0, True) == POINTS[1]
    assert due(POINTS, 10_000, 61, 0, 0, True) == POINTS[2]
    assert due((), 10**9, 10**9, 0, 0, True) is None


def test_a_failed_save_is_tried_again_after_five_seconds() -> None:
    """Until then the point stays unanswered, so that a full disk isn't tried ten times a second."""
    assert due(POINTS, 1, 5000, 0, 4995, False) is None
    assert due(POINTS, 1, 5000, 0, 4994, False) == POINTS[0]
    assert due(POINTS, 1, 5000, 0, 4999, True) == POINTS[0]
