"""What a round leaves behind, for the judges: rows of the clients, faults as they were, failovers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.histories.lists import Append, Read, Step, Transaction
from ops.histories.operation import Operation, Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a history, as a process of clients wrote it."""

    workload: str
    client: str
    action: str
    key: str
    value: Any
    result: Any
    called: int
    returned: int
    outcome: str
    address: str
    error: str = ""

    def operation(self) -> Operation:
        """For the judges."""
        value = tuple(self.value) if isinstance(self.value, list) else self.value
        outcome = Outcome(self.outcome)
        return Operation(self.client, self.action, self.key, value, self.result, self.called, self.returned, outcome)

    def transaction(self) -> Transaction:
        """For the judge of lists."""
        results = iter(self.result or ())
        steps: list[Step] = []
        for step in self.value:
            if step[0] == "append":
                steps.append(Append(step[1], step[2]))
            else:
                read = next(results, None)
                steps.append(Read(step[1], None if read is None else tuple(read)))
        return Transaction(self.client, tuple(steps), self.called, self.returned, Outcome(self.outcome))

    @property
    def is_acknowledged_write(self) -> bool:
        """Whether it changed something, and the client was told."""
        if self.outcome != Outcome.OK.value or self.action == "read":
            return False
        if self.action == "cas":
            return bool(self.result == self.value[0])
        return self.action != "transaction" or any(step[0] == "append" for step in self.value)


@dataclass
class Period:
    """One fault as it was carried out; times in nanoseconds of the monotonic clock."""

    name: str
    began: int
    cut_off: frozenset[str] = frozenset()
    """Places that could not reach a majority."""
    mended: int = 0
    settled: int = 0
    """0 if it never was, in time."""
    complaint: str = ""
    notes: tuple[str, ...] = ()
    """What else happened: processes that ended by themselves, orders that were refused."""
    vanished: frozenset[str] = frozenset()
    """Elements that were there when all was well before, and are gone when it is well again."""


@dataclass(frozen=True)
class Failover:
    """Who leads since when, as the first sentinel told it; `when` in nanoseconds of the monotonic clock."""

    epoch: int
    address: str
    when: int
