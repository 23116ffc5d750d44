"""What the demonstration of a cut-off primary says."""

from __future__ import annotations

from ops.chaos.tables import Round
from ops.chaos.verdicts import Gap, Verdict
from ops.cluster.cut_off import lines
from ops.histories.operation import Violation


def test_each_level_has_a_line_with_what_is_gone() -> None:
    """Acknowledged, gone, unknown, refused, and the longest silence of a writer."""
    lossy = Verdict(acknowledged=439, unknown=36, violations=[Violation("lost", "set:1", "x")] * 2)
    whole = Verdict(acknowledged=25, unknown=50, refused=72, gaps=[Gap("cut", "w", 1.36), Gap("cut", "v", 0.4)])
    assert lines([Round("async", 1, (), {}, lossy), Round("quorum", 1, (), {}, whole)]) == [
        "async: 439 writes acknowledged, 2 of them gone; 36 of unknown outcome, 0 refused; the longest silence 0.00 s",
        "quorum: 25 writes acknowledged, 0 of them gone; 50 of unknown outcome, 72 refused; the longest silence 1.36 s",
    ]
