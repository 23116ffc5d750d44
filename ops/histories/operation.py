"""What one client did, and what it was told: the row of a history, and what a judge finds in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias


class Outcome(Enum):
    """What a client knows of an operation once it has ended."""

    OK = "ok"
    """It was acknowledged: it took effect between its call and its return."""
    REFUSED = "refused"
    """It was answered by an error that says that it did not run, and never will."""
    UNKNOWN = "unknown"
    """Nobody told: it took effect at some time after its call, perhaps after its return, or never does."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on one key.

    `action` and `value` are the request in the words of the judge concerned; `result` is what the reply said, None
    where there was none.
    """

    client: str
    action: str
    key: str
    value: Any
    result: Any
    called: int
    returned: int
    outcome: Outcome = Outcome.OK


Key: TypeAlias = str


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be; `rule` is a word to count by, `evidence` the operations that show it."""

    rule: str
    key: Key
    text: str
    evidence: tuple[Any, ...] = ()


class HistoryError(ValueError):
    """The history isn't one that this judge can read: the workload's fault, not the server's."""
