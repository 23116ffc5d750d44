"""What clients were told, against what is there when all is quiet: the histories' own judges, by workload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ops.histories.counters import judge_counter
from ops.histories.cycles import judge_order
from ops.histories.elements import judge_elements
from ops.histories.lists import Append, Read, Step, Transaction, judge_lists
from ops.histories.operation import Operation, Violation
from ops.histories.registers import Undecided, judge_register
from simulation.whole.clients import Note, Notes
from simulation.whole.loop import BOOT_NS

ALWAYS = frozenset(("duplicate", "unheard-of", "refused", "aborted", "own"))
"""Rules that hold even where acknowledged writes may be lost."""
PLACES = 200_000
"""How long a register is searched for an order."""


@dataclass
class Verdict:
    """`lost` counts acknowledged writes that are gone; the violations are of rules that had to hold."""

    lost: int = 0
    violations: list[Violation] = field(default_factory=list)
    undecided: int = 0


def judge(notes: Notes, lists: dict[str, list[str]], end: int, strict: bool, fresh: bool) -> Verdict:
    """Judge everything; `lists` is what lists hold at the moment `end`.

    Strict: nothing acknowledged may be lost, or change its place. Fresh: what is read is the latest as well.
    """
    verdict = Verdict()
    found: list[Violation] = []
    elements = judge_elements(
        [_operation(row, end) for row in notes.rows if row.action == "add"],
        {key: values for key, values in lists.items() if key.startswith("list:")})
    transactions = [_transaction(row, end) for row in notes.rows if row.action == "transaction"]
    looks = tuple(Read(key, tuple(values)) for key, values in lists.items() if key.startswith("log:"))
    transactions.append(Transaction("the end", looks, end, end + 1))
    logs = judge_lists(transactions)
    verdict.lost = elements.lost + logs.lost
    found += [*elements.violations, *logs.violations]
    if strict:
        found += _values(notes, end, fresh, verdict)
    if strict and fresh:
        found += judge_order(transactions, logs)
    verdict.violations = [
        each for each in found if (strict and (fresh or each.rule != "stale")) or each.rule in ALWAYS]
    return verdict


def _values(notes: Notes, end: int, fresh: bool, verdict: Verdict) -> Iterator[Violation]:
    """Of counters and registers. What is read isn't looked at where it may be old."""
    rows = [row for row in notes.rows if fresh or row.action != "read"]
    yield from judge_counter("counter", [_operation(row, end) for row in rows if row.key == "counter"])
    for key in sorted({row.key for row in rows if row.key.startswith("register:")}):
        try:
            yield from judge_register(key, [_operation(row, end) for row in rows if row.key == key], limit=PLACES)
        except Undecided:
            verdict.undecided += 1


def _operation(row: Note, end: int) -> Operation:
    returned = end if row.ended is None else row.ended
    return Operation(row.client, row.action, row.key, row.value, row.result, row.called, returned, row.outcome)


def _transaction(row: Note, end: int) -> Transaction:
    results = row.result or [None] * len(row.value)
    steps: list[Step] = [
        Append(key, value) if value is not None else Read(key, None if result is None else tuple(result))
        for (key, value), result in zip(row.value, results, strict=True)]
    return Transaction(row.client, tuple(steps), row.called, end if row.ended is None else row.ended, row.outcome)


def half(lists: dict[str, list[str]], notes: Notes) -> str:
    """A transaction of which only a part is there, "" if there is none."""
    there = {(key, value) for key, values in lists.items() for value in values}
    for row in notes.rows:
        if row.action == "transaction":
            parts = {(key, value) in there for key, value in row.value if value is not None}
            if len(parts) == 2:
                return f"{row.client}'s transaction was done by half: {row.value}"
    return ""


def shown(violation: Violation) -> str:
    """A violation and its evidence, for people; times are seconds of the story."""
    lines = [f"{violation.rule} {violation.key}: {violation.text}"]
    for each in violation.evidence:
        what = each.steps if isinstance(each, Transaction) else f"{each.action} {each.value} -> {each.result}"
        called, returned = ((when - BOOT_NS) / 1e9 for when in (each.called, each.returned))
        lines.append(f"    {each.client} {called:.6f} to {returned:.6f} {each.outcome.value}: {what}"[:400])
    return "\n".join(lines)
