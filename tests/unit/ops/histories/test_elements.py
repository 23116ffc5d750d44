"""The judge of lost elements, on histories with known verdicts."""

from __future__ import annotations

import pytest

from ops.histories.elements import judge_elements
from ops.histories.operation import HistoryError, Operation, Outcome


def add(element: str, outcome: Outcome = Outcome.OK, key: str = "s") -> Operation:
    """One addition; when it happened doesn't matter here."""
    return Operation("c", "add", key, element, None, 0, 1, outcome)


MIXED = (add("a"), add("b"), add("c", Outcome.UNKNOWN), add("d", Outcome.UNKNOWN), add("e", Outcome.REFUSED))


def test_a_sound_history_has_no_violation() -> None:
    """What was acknowledged is there, what is unknown may be, and nothing else is."""
    verdict = judge_elements(MIXED, {"s": ["b", "a", "c"]})
    assert (verdict.acknowledged, verdict.unknown, verdict.recovered, verdict.lost) == (2, 2, 1, 0)
    assert verdict.violations == ()


@pytest.mark.parametrize(
    ("found", "rules"),
    [
        (["a"], ["lost"]),
        ([], ["lost", "lost"]),
        (["a", "b", "e"], ["refused"]),
        (["a", "b", "z"], ["unheard-of"]),
        (["a", "b", "a"], ["duplicate"]),
    ],
)
def test_what_must_not_be_is_told(found: list[str], rules: list[str]) -> None:
    """Each way in which the end differs from what was told is a violation of its own name."""
    assert [v.rule for v in judge_elements(MIXED, {"s": found}).violations] == rules


def test_a_key_that_is_gone_has_lost_everything() -> None:
    """A set that nobody could read at the end, because it isn't there, counts as empty."""
    assert judge_elements([add("a"), add("a", key="t")], {"s": ["a"]}).lost == 1


def test_elements_are_added_once() -> None:
    """A history that adds an element twice can't be judged, and is refused."""
    with pytest.raises(HistoryError):
        judge_elements([add("a"), add("a")], {})
