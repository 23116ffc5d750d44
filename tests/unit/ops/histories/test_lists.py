"""The judges of appended lists and of their transactions, on histories with known verdicts."""

from __future__ import annotations

import random

import pytest

from ops.histories.cycles import judge_order
from ops.histories.lists import Append, Read, Step, Transaction, judge_lists
from ops.histories.operation import HistoryError, Outcome


def steps(text: str) -> tuple[Step, ...]:
    """Steps from words: `+x1` appends 1 to x, `x12` reads x as (1, 2), `x` as ()."""
    return tuple(Append(w[1], w[2:]) if w[0] == "+" else Read(w[0], tuple(w[1:])) for w in text.split())


def tx(text: str, called: int, returned: int, outcome: Outcome = Outcome.OK) -> Transaction:
    """A transaction from words."""
    return Transaction(f"c{called}", steps(text), called, returned, outcome)


def rules(*history: Transaction) -> list[str]:
    """Names of what is wrong with each list by itself."""
    return [v.rule for v in judge_lists(history).violations]


SOUND = (
    tx("+x1 x1", 0, 1),
    tx("+x2", 2, 3, Outcome.UNKNOWN),
    tx("x1", 4, 5),
    tx("+x3 x123", 6, 7),
    tx("+x4", 8, 9, Outcome.REFUSED),
    tx("+x5", 10, 11, Outcome.UNKNOWN),
    tx("x123", 12, 13),
)


def test_a_sound_history_has_no_violation() -> None:
    """Reads are beginnings of each other, the unknown may be there, the refused isn't."""
    assert rules(*SOUND) == []
    assert judge_lists(SOUND).orders == {"x": ("1", "2", "3")}
    assert judge_order(SOUND, judge_lists(SOUND)) == []


@pytest.mark.parametrize(
    ("last", "rule"),
    [
        ("x12", "lost"),
        ("x132", "order"),
        ("x1233", "duplicate"),
        ("x1234", "aborted"),
        ("x1239", "unheard-of"),
    ],
)
def test_a_wrong_last_read_is_told(last: str, rule: str) -> None:
    """Each way in which a read can be wrong has its name."""
    assert rule in rules(*SOUND, tx(last, 14, 15))


def test_a_stale_read_is_told() -> None:
    """What was acknowledged, and is there at the end, must be in every read between."""
    assert rules(*SOUND, tx("x12", 14, 15), tx("x123", 16, 17)) == ["stale"]


def test_a_list_that_is_gone_is_lost() -> None:
    """What an earlier read shows, and the last doesn't, is lost as much as what nobody ever read."""
    assert rules(tx("+x1 x1", 0, 1), tx("x", 2, 3)) == ["lost"]


def test_a_lost_append_is_told() -> None:
    """What was acknowledged and isn't in the last read is lost."""
    found = judge_lists([tx("+x1", 0, 1), tx("+x2", 2, 3), tx("x1", 4, 5)])
    assert [(v.rule, v.evidence[0].steps) for v in found.violations] == [("lost", (Append("x", "2"),))]
    assert found.lost == 1


def test_a_list_that_lost_its_end_and_grew_again_is_told() -> None:
    """Two branches: what was read before, and what stands there now."""
    assert set(rules(tx("+x1 x1", 0, 1), tx("+x2 x12", 2, 3), tx("+x3 x13", 4, 5), tx("x13", 6, 7))) >= {"order"}


def test_appends_keep_their_order() -> None:
    """An append stands behind those that were acknowledged before it was called."""
    assert rules(tx("+x1", 0, 1), tx("+x2", 2, 3), tx("x21", 4, 5)) == ["reordered"]
    assert rules(tx("+x1", 0, 3), tx("+x2", 2, 4), tx("x21", 5, 6)) == []


def test_nobody_reads_the_future() -> None:
    """An element read before its append was called is told."""
    assert "early" in rules(tx("x1", 0, 1), tx("+x1", 2, 3))


def test_a_transaction_sees_itself() -> None:
    """Its own append is the last element that it reads."""
    assert "own" in rules(tx("+x1", 0, 1), tx("+x2 x1", 2, 3), tx("x12", 4, 5))


def test_elements_are_appended_once() -> None:
    """A history that appends an element twice can't be judged, and is refused."""
    with pytest.raises(HistoryError):
        judge_lists([tx("+x1", 0, 1), tx("+x1", 2, 3)])


def circles(*history: Transaction) -> list[tuple[str, int]]:
    """The rule of each circle, and how many transactions are in it."""
    found = judge_lists(history)
    assert found.violations == []
    return [(v.rule, len(v.evidence)) for v in judge_order(history, found)]


def test_transactions_that_see_half_of_each_other_are_told() -> None:
    """Each of two transactions misses the other's append: no order explains both (write skew)."""
    assert circles(tx("+x1 y", 0, 10), tx("+y1 x", 0, 10), tx("x1 y1", 11, 12)) == [("cycle", 2)]


def test_a_transaction_seen_in_part_is_told() -> None:
    """A reader sees one append of a transaction, and not the other."""
    assert circles(tx("+x1 +y1", 0, 10), tx("x1 y", 0, 10), tx("x1 y1", 11, 12)) == [("cycle", 2)]


def test_time_counts() -> None:
    """Two lists are each fine, but together their reads would have to go back in time."""
    unknown = tx("+x1", 0, 1, Outcome.UNKNOWN)
    assert circles(unknown, tx("x1", 2, 3), tx("+y1", 4, 5), tx("x1 y1", 6, 7)) == []
    late = (tx("+y1", 4, 20), tx("y1", 5, 6), tx("x y", 0, 30), tx("+x1", 7, 8), tx("x1 y1", 31, 32))
    assert circles(*late) == []
    (circle,) = circles(tx("+y1", 4, 20), tx("y1 x", 9, 10), tx("+x1", 5, 21), tx("x1 y", 7, 8), tx("x1 y1", 31, 32))
    assert circle[0] == "cycle"


def serial(rng: random.Random, count: int, keys: int) -> list[Transaction]:
    """What eight clients see of lists that behave."""
    lists: dict[str, list[str]] = {f"k{n}": [] for n in range(keys)}
    history: list[Transaction] = []
    for number in range(count):
        done: list[Step] = []
        outcome = Outcome.UNKNOWN if rng.random() < 0.02 else Outcome.OK
        happens = outcome is Outcome.OK or rng.random() < 0.5
        for key in rng.sample(sorted(lists), 2):
            done.append(Append(key, str(number)))
            if happens:
                lists[key].append(str(number))
            done.append(Read(key, tuple(lists[key]) if outcome is Outcome.OK else None))
        at = 10 * number
        history.append(
            Transaction(f"c{number % 8}", tuple(done), at - rng.randrange(40), at + rng.randrange(40), outcome)
        )
    return history


def test_a_long_history_is_judged() -> None:
    """Twenty thousand transactions over two hundred lists are no burden, and one exchanged pair is found."""
    history = serial(random.Random(5), 20_000, 200)
    found = judge_lists(history)
    assert found.violations == []
    assert judge_order(history, found) == []
    victim = next(each for each in reversed(history) if each.outcome is Outcome.OK)
    read = victim.steps[1]
    assert isinstance(read, Read)
    assert read.elements is not None
    short = Transaction("c", (Read(read.key, read.elements[:-2]),), victim.returned + 1, victim.returned + 2)
    assert "lost" in rules(*history, short)
