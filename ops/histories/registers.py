"""Linearizability of a register, by Wing and Gong's search with a memory of what was tried (as Lowe's, and Porcupine).

    read                                  result: the value, None if there is none
    write    value: the new one
    cas      value: (expected, new)       result: the value that was found; swapped if that is the expected one

**Theory of operation.** A history is linearizable if each operation can be given one moment between its call and its
return such that, run in that order, a register answers as the clients were told. The search builds the order from
the front: next comes an operation that is called before every other remaining one has returned. What is reached (which
operations are done, and the value) is remembered, and never searched twice. Keys are independent, so each is judged
alone.

Done operations are counted from the earliest in order of calls: so many without a hole (`base`), then a bit for
each. The bits are as many as operations overlap, however long the history.

**Unknown outcomes.** They may take effect at any time after the call, or never: such an operation returns at infinity,
and the search may leave it out. Two facts keep it small where each value is written once, as the workloads do. A
write that nobody saw is left out, which is never worse: every operation that would have noticed tells what it saw. A
write that somebody saw took place before the first of them returned, so it returns then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from ops.histories.operation import HistoryError, Operation, Outcome, Violation

LIMIT = 2_000_000
"""Places that the search may visit for a key."""
SHOWN = 12
"""Operations shown around the one that can't be placed."""

_Place = tuple[int, int, Any]


@dataclass(frozen=True, slots=True)
class _Call:
    """An operation, made ready for the search: `returned` is infinite for what may be left out."""

    called: int
    returned: float
    needs: Any
    """The value that has to be there, or ANY."""
    leaves: Any
    """The value that is there afterwards, or SAME."""
    source: Operation


class _Mark:
    """A value that no register has."""


ANY = _Mark()
SAME = _Mark()


class Undecided(Exception):
    """The search was given up: too many operations of unknown outcome overlap."""


def judge_register(key: str, history: Sequence[Operation], initial: Any = None, limit: int = LIMIT) -> list[Violation]:
    """Judge the operations on one register: no violation, or one that shows where every order ends.

    Raises:
        Undecided: after `limit` places there is no verdict.
        HistoryError: an action that isn't known.
    """
    calls = sorted((_call(each) for each in _settled(history, initial)), key=lambda call: (call.called, call.returned))
    farthest = _search(calls, initial, limit)
    if farthest is None:
        return []
    base, bits, value = farthest
    before = [call.source for call in calls[max(base - SHOWN, 0) : base]]
    stuck = [calls[at].source for at in _next(calls, base, bits)[:SHOWN]]
    text = f"after {base + bits.bit_count()} operations the value is {value!r}, and no next one fits"
    return [Violation("linearizability", key, text, (*before, *stuck))]


def _call(each: Operation) -> _Call:
    end = inf if each.outcome is Outcome.UNKNOWN else each.returned
    match each.action:
        case "read":
            return _Call(each.called, end, each.result, SAME, each)
        case "write":
            return _Call(each.called, end, ANY, each.value, each)
        case "cas":
            expected, new = each.value
            if each.outcome is Outcome.UNKNOWN:
                return _Call(each.called, end, expected, new, each)
            return _Call(each.called, end, each.result, new if each.result == expected else SAME, each)
    raise HistoryError(f"{each.action} is no action of a register")


def _settled(history: Sequence[Operation], initial: Any) -> list[Operation]:
    """Leave out what can't matter, and end what somebody saw; see the theory of operation."""
    matters = [each for each in history if each.outcome is not Outcome.REFUSED]
    matters = [each for each in matters if each.action != "read" or each.outcome is Outcome.OK]
    written = Counter(_new(each) for each in matters if each.action != "read")
    first_seen: dict[Any, int] = {}
    for each in matters:
        if each.outcome is Outcome.OK and each.action != "write":
            first_seen[each.result] = min(first_seen.get(each.result, each.returned), each.returned)
    _see_through(matters, written, first_seen)
    settled: list[Operation] = []
    for each in matters:
        if each.outcome is Outcome.UNKNOWN and written[_new(each)] == 1 and _new(each) != initial:
            if _new(each) not in first_seen:
                continue
            settled.append(_ended(each, max(first_seen[_new(each)], each.called)))
        else:
            settled.append(each)
    return settled


def _see_through(matters: Sequence[Operation], written: Counter[Any], first_seen: dict[Any, int]) -> None:
    """A swap of unknown outcome whose value was seen had seen the value that it expected: nobody else need have."""
    swaps = [each for each in matters if each.outcome is Outcome.UNKNOWN and each.action == "cas"]
    again = True
    while again:
        again = False
        for each in swaps:
            expected, new = each.value
            if new in first_seen and written[new] == 1:
                when = max(first_seen[new], each.called)
                if first_seen.get(expected, when + 1) > when:
                    first_seen[expected] = when
                    again = True


def _ended(each: Operation, when: int) -> Operation:
    """An operation of unknown outcome that took effect before `when`."""
    result = each.value[0] if each.action == "cas" else None
    return replace(each, returned=when, outcome=Outcome.OK, result=result)


def _new(each: Operation) -> Any:
    return each.value[1] if each.action == "cas" else each.value


def _search(calls: Sequence[_Call], initial: Any, limit: int) -> _Place | None:
    """Find an order; None if there is one, else the place from which most is done and nothing fits.

    Raises:
        Undecided: after `limit` places there is no verdict.
    """
    start: _Place = (0, 0, initial)
    seen = {start}
    ways = [_ways(calls, start)]
    farthest, most = start, 0
    if not any(call.returned != inf for call in calls):
        return None
    while ways:
        place = next(ways[-1], None)
        if place is None:
            ways.pop()
            continue
        if place in seen:
            continue
        if _complete(calls, place):
            return None
        seen.add(place)
        if len(seen) > limit:
            raise Undecided(f"no verdict after {limit} places")
        done = place[0] + place[1].bit_count()
        if done > most:
            farthest, most = place, done
        ways.append(_ways(calls, place))
    return farthest


def _next(calls: Sequence[_Call], base: int, bits: int) -> list[int]:
    """Which operations may come next: those that are called before any other that remains has returned."""
    found: list[int] = []
    first_end = inf
    for at in range(base, len(calls)):
        call = calls[at]
        if call.called > first_end:
            break
        if not bits >> (at - base) & 1:
            found.append(at)
            first_end = min(first_end, call.returned)
    return found


def _ways(calls: Sequence[_Call], place: _Place) -> Iterator[_Place]:
    """The places that can be reached by one operation; those that end first are tried first.

    What changes nothing and fits now needs no other way: an order that has it later is as good with it here.
    """
    base, bits, value = place
    fit = [at for at in _next(calls, base, bits) if calls[at].needs is ANY or calls[at].needs == value]
    fit = next(([at] for at in fit if calls[at].leaves is SAME), fit)
    for at in sorted(fit, key=lambda at: calls[at].returned):
        done, to = bits | 1 << (at - base), base
        while done & 1:
            done, to = done >> 1, to + 1
        yield to, done, value if calls[at].leaves is SAME else calls[at].leaves


def _complete(calls: Sequence[_Call], place: _Place) -> bool:
    """Whether all that must have happened is done."""
    base, bits, _ = place
    return all(bits >> (at - base) & 1 or calls[at].returned == inf for at in range(base, len(calls)))
