"""Lists that only grow: transactions that append elements, each once, and read whole lists (Elle's list-append).

Every read of a list is a beginning of the longest one. So the order of the appends is known from the reads, and
this judge looks at one list at a time:

- order         two reads, neither of which is a beginning of the other
- duplicate     an element twice in a list
- lost          an acknowledged append that the last read, called after its return, doesn't show
- stale         an acknowledged append that a read called after its return doesn't show, though a later one does
- aborted       a read shows an append that was refused
- unheard-of    a read shows what nobody appended
- early         a read shows an append that was called only after it had returned
- reordered     an append stands before one that had returned before it was called
- own           a transaction doesn't see its own append where it must

Transactions over several lists are judged by `cycles`, which needs the orders that are found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ops.histories.operation import HistoryError, Outcome, Violation


@dataclass(frozen=True, slots=True)
class Append:
    """An element put at the end of a list."""

    key: str
    element: str


@dataclass(frozen=True, slots=True)
class Read:
    """A list as it was read; None where no reply came."""

    key: str
    elements: tuple[str, ...] | None


Step: TypeAlias = Append | Read


@dataclass(frozen=True, slots=True)
class Transaction:
    """Steps that happen at one moment, in this order (MULTI … EXEC)."""

    client: str
    steps: tuple[Step, ...]
    called: int
    returned: int
    outcome: Outcome = Outcome.OK


@dataclass
class Lists:
    """What was found: `orders` has for each list its longest read, `appends` who appended what."""

    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    appends: dict[tuple[str, str], Transaction] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Acknowledged appends that the last read doesn't show."""
        return sum(v.rule == "lost" for v in self.violations)


_Reads = list[tuple[Transaction, tuple[str, ...]]]


def judge_lists(history: Sequence[Transaction]) -> Lists:
    """Judge every list of the history by itself.

    Raises:
        HistoryError: an element was appended twice to one list.
    """
    found = Lists()
    reads: dict[str, _Reads] = {}
    for each in history:
        for step in each.steps:
            if isinstance(step, Append):
                if (step.key, step.element) in found.appends:
                    raise HistoryError(f"{step.element} was appended twice to {step.key}")
                found.appends[step.key, step.element] = each
            elif step.elements is not None and each.outcome is Outcome.OK:
                reads.setdefault(step.key, []).append((each, step.elements))
        if each.outcome is Outcome.OK:
            found.violations += _own(each)
    by_key: dict[str, dict[str, Transaction]] = {}
    for (key, element), by in found.appends.items():
        by_key.setdefault(key, {})[element] = by
    for key, of_key in reads.items():
        found.orders[key] = max((elements for _, elements in of_key), key=len)
        found.violations += _judge(key, of_key, found.orders[key], by_key.get(key, {}))
    return found


def _own(each: Transaction) -> Iterable[Violation]:
    """A read shows at its end what the same transaction appended to that list before."""
    own: dict[str, tuple[str, ...]] = {}
    for step in each.steps:
        if isinstance(step, Append):
            own[step.key] = (*own.get(step.key, ()), step.element)
        elif step.elements is not None and (mine := own.get(step.key)) and step.elements[-len(mine) :] != mine:
            yield Violation("own", step.key, f"{each.client} appended {mine}, and did not read it last", (each,))


def _judge(key: str, reads: _Reads, order: tuple[str, ...], appends: Mapping[str, Transaction]) -> Iterable[Violation]:
    place = {element: at for at, element in enumerate(order)}
    if len(place) < len(order):
        twice = sorted({element for element in order if order.count(element) > 1})
        yield Violation("duplicate", key, f"twice in the list: {', '.join(twice[:5])}")
    yield from _strangers(key, reads, order, appends)
    yield from _reordered(key, order, appends)
    due = sorted((by.returned, e) for e, by in appends.items() if by.outcome is Outcome.OK)
    last, remaining = max(reads, key=lambda read: read[0].called)
    lost = {element for when, element in due if when < last.called}.difference(remaining)
    for element in sorted(lost):
        text = f"{element} was acknowledged, and the last read doesn't show it"
        yield Violation("lost", key, text, (appends[element], last))
    kept = [(when, place[e], e) for when, e in due if e in place and e not in lost]
    yield from _stale(key, reads, kept, appends)


def _strangers(
    key: str, reads: _Reads, order: tuple[str, ...], appends: Mapping[str, Transaction]
) -> Iterable[Violation]:
    """Reads that branch off, and elements that should not be there; each element is told once."""
    told: set[str] = set()
    for by, elements in reads:
        branch = elements != order[: len(elements)]
        if branch:
            yield Violation("order", key, f"{by.client} read another order than the longest read has", (by,))
        for element in elements if branch else elements[-1:]:
            source = appends.get(element)
            if element in told:
                continue
            if source is None:
                told.add(element)
                yield Violation("unheard-of", key, f"{element} was read, and nobody appended it", (by,))
            elif source.called > by.returned:
                yield Violation("early", key, f"{element} was read before it was appended", (by, source))
    for element in order:
        source = appends.get(element)
        if source is None and element not in told:
            told.add(element)
            yield Violation("unheard-of", key, f"{element} was read, and nobody appended it")
        elif source is not None and source.outcome is Outcome.REFUSED:
            yield Violation("aborted", key, f"{element} was refused, and read", (source,))


def _reordered(key: str, order: Sequence[str], appends: Mapping[str, Transaction]) -> Iterable[Violation]:
    """Neighbours in time that stand the wrong way round: each element is compared with the latest before it."""
    latest: Transaction | None = None
    for element in order:
        by = appends.get(element)
        if by is None:
            continue
        if by.outcome is Outcome.OK and latest is not None and by.returned < latest.called:
            text = f"{element} stands behind one that was appended after it was acknowledged"
            yield Violation("reordered", key, text, (by, latest))
        if latest is None or by.called > latest.called:
            latest = by


def _stale(
    key: str, reads: _Reads, due: Sequence[tuple[int, int, str]], appends: Mapping[str, Transaction]
) -> Iterable[Violation]:
    """Reads that don't show what had been acknowledged before they were called; `due`: when, place, element."""
    at, farthest = 0, (-1, "")
    for by, elements in sorted(reads, key=lambda read: read[0].called):
        while at < len(due) and due[at][0] < by.called:
            farthest = max(farthest, (due[at][1], due[at][2]))
            at += 1
        if farthest[0] >= len(elements):
            text = f"{by.client} did not read {farthest[1]}, which had been acknowledged"
            yield Violation("stale", key, text, (appends[farthest[1]], by))
