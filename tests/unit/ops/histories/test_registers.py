"""The judge of linearizability, on histories with known verdicts, and beside one that tries every order."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from ops.histories.operation import HistoryError, Operation, Outcome
from ops.histories.registers import Undecided, judge_register

Row = tuple[str, object, object, int, int] | tuple[str, object, object, int, int, Outcome]
UNKNOWN, REFUSED = Outcome.UNKNOWN, Outcome.REFUSED


def history(*rows: Row) -> list[Operation]:
    """Operations of one key from short rows: action, value, result, called, returned, outcome."""
    return [Operation(f"c{n}", row[0], "r", row[1], row[2], *row[3:]) for n, row in enumerate(rows)]


GOOD: dict[str, tuple[Row, ...]] = {
    "nothing": (),
    "one after the other": (("write", 1, None, 0, 1), ("read", None, 1, 2, 3), ("cas", (1, 2), 1, 4, 5),
                            ("read", None, 2, 6, 7)),
    "a read beside a write sees it or not": (("write", 1, None, 0, 10), ("read", None, None, 1, 2),
                                             ("read", None, 1, 3, 4)),
    "a failed cas saw another value": (("write", 1, None, 0, 1), ("cas", (9, 2), 1, 2, 3), ("read", None, 1, 4, 5)),
    "unknown, and never happened": (("write", 1, None, 0, 1), ("write", 2, None, 2, 3, UNKNOWN),
                                    ("read", None, 1, 4, 5)),
    "unknown, and happened late": (("write", 1, None, 0, 1), ("write", 2, None, 2, 3, UNKNOWN),
                                   ("read", None, 1, 4, 5), ("read", None, 2, 6, 7)),
    "unknown cas, and happened": (("write", 1, None, 0, 1), ("cas", (1, 2), None, 2, 3, UNKNOWN),
                                  ("read", None, 2, 4, 5)),
    "the same value unknown twice": (("write", 1, None, 0, 1, UNKNOWN), ("write", 1, None, 2, 3, UNKNOWN),
                                     ("read", None, 1, 4, 5), ("write", 3, None, 6, 7), ("read", None, 3, 8, 9),
                                     ("read", None, 1, 10, 11)),
    "refused": (("write", 1, None, 0, 1, REFUSED), ("read", None, None, 2, 3)),
    "writers overlap": (("write", 1, None, 0, 10), ("write", 2, None, 1, 9), ("read", None, 2, 2, 3),
                        ("read", None, 1, 4, 5)),
}  # fmt: skip
BAD: dict[str, tuple[Row, ...]] = {
    "a stale read": (("write", 1, None, 0, 1), ("write", 2, None, 2, 3), ("read", None, 1, 4, 5)),
    "a lost write": (("write", 1, None, 0, 1), ("read", None, None, 2, 3)),
    "seen, then not seen": (("write", 1, None, 0, 10), ("read", None, 1, 1, 2), ("read", None, None, 3, 4)),
    "seen before it was called": (("read", None, 1, 0, 1), ("write", 1, None, 2, 3)),
    "unknown, seen, then not seen": (("write", 1, None, 0, 1), ("write", 2, None, 2, 3, UNKNOWN),
                                     ("read", None, 2, 4, 5), ("read", None, 1, 6, 7)),
    "unknown, seen before it was called": (("read", None, 1, 0, 1), ("write", 1, None, 2, 3, UNKNOWN)),
    "two swaps of one value": (("write", 1, None, 0, 1), ("cas", (1, 2), 1, 2, 6), ("cas", (1, 3), 1, 3, 7)),
    "an unknown cas that could not swap": (("write", 1, None, 0, 1), ("cas", (7, 2), None, 2, 3, UNKNOWN),
                                           ("read", None, 2, 4, 5)),
    "refused, and seen": (("write", 1, None, 0, 1, REFUSED), ("read", None, 1, 2, 3)),
    "one unknown write, three changes": (("write", 1, None, 0, 1, UNKNOWN), ("read", None, 1, 4, 5),
                                         ("write", 3, None, 6, 7), ("read", None, 3, 8, 9), ("read", None, 1, 10, 11)),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_linearizable_history_passes(name: str) -> None:
    """There is an order that explains what everybody was told."""
    assert judge_register("r", history(*GOOD[name])) == []


@pytest.mark.parametrize("name", BAD)
def test_any_other_is_told(name: str) -> None:
    """There is none, and the operations at which every order ends are shown."""
    (violation,) = judge_register("r", history(*BAD[name]))
    assert (violation.rule, violation.key) == ("linearizability", "r")
    assert violation.evidence


def test_the_search_is_bounded() -> None:
    """A search that would take too long ends without a verdict."""
    rows = [("write", n % 3, None, n, n + 1, UNKNOWN) for n in range(24)]
    with pytest.raises(Undecided):
        judge_register("r", history(*rows, ("read", None, 5, 100, 101)), limit=1000)


def test_an_unknown_action_is_refused() -> None:
    """A history with an action that registers don't have can't be judged."""
    with pytest.raises(HistoryError):
        judge_register("r", history(("push", 1, None, 0, 1)))


def every_order(operations: list[Operation]) -> bool:
    """Whether some order, with any of the unknown ones left out, explains the history: by trying them all."""
    must = [o for o in operations if o.outcome is Outcome.OK]
    may = [o for o in operations if o.outcome is UNKNOWN]
    for bits in range(1 << len(may)):
        chosen = must + [o for n, o in enumerate(may) if bits >> n & 1]
        if any(fits(order) for order in permutations(chosen)):
            return True
    return False


def fits(order: tuple[Operation, ...]) -> bool:
    """Whether time allows this order, and a register answers so."""
    value: object = None
    for at, each in enumerate(order):
        if any(o.outcome is Outcome.OK and o.returned < each.called for o in order[at + 1 :]):
            return False
        if each.action == "write":
            value = each.value
            continue
        if each.outcome is Outcome.OK and each.result != value:
            return False
        if each.action == "cas" and value == each.value[0]:
            value = each.value[1]
    return True


def drawn(rng: random.Random) -> list[Operation]:
    """A short history with replies that are often right; values are written once, or not."""
    found: list[Operation] = []
    values = iter(range(1, 9)) if rng.random() < 0.5 else iter(lambda: rng.randrange(1, 3), 0)
    told: list[object] = [None]
    for number in range(rng.randrange(2, 6)):
        called = rng.randrange(12)
        action = rng.choice(["read", "write", "cas"])
        outcome = rng.choice([Outcome.OK, Outcome.OK, Outcome.OK, UNKNOWN])
        value: object = next(values) if action != "read" else None
        result = rng.choice(told) if action != "write" and outcome is Outcome.OK else None
        told.append(value) if action != "read" else None
        value = (rng.choice(told), value) if action == "cas" else value
        found.append(Operation(f"c{number}", action, "r", value, result, called, called + rng.randrange(1, 6), outcome))
    return found


def test_the_search_agrees_with_trying_every_order() -> None:
    """On two thousand small histories the verdict is that of a judge that simply tries all."""
    rng = random.Random(7)
    verdicts = {True: 0, False: 0}
    for _ in range(2000):
        operations = drawn(rng)
        good = every_order(operations)
        verdicts[good] += 1
        assert (judge_register("r", operations) == []) is good, operations
    assert min(verdicts.values()) > 200


def simulated(rng: random.Random, count: int, clients: int) -> list[Operation]:
    """What clients see of a real register, where some never hear what became of their request."""
    found: list[Operation] = []
    free = [0] * clients
    value, now = None, 0
    for number in range(count):
        client = min(range(clients), key=lambda c: free[c])
        now = max(now + 1, free[client] + 1)
        action = rng.choice(["read", "read", "write", "cas"])
        before = value
        outcome = UNKNOWN if rng.random() < 0.02 else Outcome.OK
        happens = outcome is Outcome.OK or rng.random() < 0.5
        expected = rng.choice([value, number])
        if happens and (action == "write" or (action == "cas" and expected == value)):
            value = number
        argument = {"read": None, "write": number, "cas": (expected, number)}[action]
        result = None if action == "write" or outcome is UNKNOWN else before
        free[client] = now + rng.randrange(1, 3 * clients)
        found.append(Operation(f"c{client}", action, "r", argument, result, now - 1, free[client], outcome))
    return found


def test_a_long_history_of_many_clients_is_judged() -> None:
    """Ten thousand operations of eight clients, some of unknown outcome, are no burden; one wrong reply is found."""
    operations = simulated(random.Random(3), 10_000, 8)
    assert judge_register("r", operations) == []
    at = next(n for n, o in enumerate(operations) if n > 5000 and o.action == "read" and o.outcome is Outcome.OK)
    wrong = Operation("c", "read", "r", None, -1, operations[at].called, operations[at].returned)
    (violation,) = judge_register("r", [*operations[:at], wrong, *operations[at:]])
    assert wrong in violation.evidence


def test_a_chain_of_unknown_swaps_that_ends_in_a_seen_value_took_place() -> None:
    """Two swaps in a row whose outcome nobody was told, the second's value seen: the first one took place as well."""
    history = [
        Operation("a", "write", "r", "1", None, 0, 1),
        Operation("a", "cas", "r", ("1", "2"), None, 2, 90, Outcome.UNKNOWN),
        Operation("a", "cas", "r", ("2", "3"), None, 3, 90, Outcome.UNKNOWN),
        Operation("a", "cas", "r", ("3", "4"), "3", 4, 5),
    ]
    assert judge_register("r", history) == []
    assert judge_register("r", [history[0], *history[2:]]) != []
