"""No acknowledged write is lost: elements that are each added once, to sets that are read at the end.

    add      value: the element

An element whose addition was acknowledged must be there at the end. One whose addition was refused must not, nor may
one that nobody tried to add. What became of the others is for the server to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.histories.operation import HistoryError, Operation, Outcome, Violation


@dataclass(frozen=True)
class Elements:
    """The verdict; counts are of elements."""

    acknowledged: int
    unknown: int
    recovered: int
    """Of the unknown: those that are there."""
    violations: tuple[Violation, ...]

    @property
    def lost(self) -> int:
        """Acknowledged, and not there."""
        return sum(v.rule == "lost" for v in self.violations)


def judge_elements(history: Sequence[Operation], found: Mapping[str, Iterable[str]]) -> Elements:
    """Compare what was acknowledged with what is there at the end: by key, its elements as they were read.

    Raises:
        HistoryError: an element was added twice to one key.
    """
    violations: list[Violation] = []
    counts: Counter[Outcome] = Counter()
    recovered = 0
    there = {key: Counter(elements) for key, elements in found.items()}
    tried: set[tuple[str, str]] = set()
    for each in history:
        if (each.key, each.value) in tried:
            raise HistoryError(f"{each.value} was added twice to {each.key}")
        tried.add((each.key, each.value))
        counts[each.outcome] += 1
        present = there.get(each.key, {}).get(each.value, 0)
        recovered += bool(present) and each.outcome is Outcome.UNKNOWN
        if not present and each.outcome is Outcome.OK:
            violations.append(Violation("lost", each.key, f"{each.value} was acknowledged, and isn't there", (each,)))
        elif present and each.outcome is Outcome.REFUSED:
            violations.append(Violation("refused", each.key, f"{each.value} was refused, and is there", (each,)))
    for key, elements in there.items():
        for element, times in elements.items():
            if (key, element) not in tried:
                violations.append(Violation("unheard-of", key, f"{element} is there, and nobody added it"))
            elif times > 1:
                violations.append(Violation("duplicate", key, f"{element} is there {times} times"))
    return Elements(counts[Outcome.OK], counts[Outcome.UNKNOWN], recovered, tuple(violations))
