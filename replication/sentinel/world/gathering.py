"""What an attempt has gathered in a group that goes by quorum: who promised its epoch, and whom that lets lead."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from replication.quorum.choice import Answer, Choice

_WORD = re.compile(r"[0-9a-zA-Z-]{1,64}\Z")


@dataclass(slots=True, eq=False)
class Gathering:
    """Nodes are named as in the group; what isn't of this very try never comes in here."""

    word: str
    """The try: drawn by chance for this attempt, and never used again."""
    unsafe: bool = False
    """An operator wants a leader even if what was acknowledged may be lost with it."""
    holds: bool = False
    """The primary has agreed to hold writes back (a planned switchover)."""
    target: int | None = None
    """Where its log ended then, in bytes: a replica that may take over holds as much."""
    deaf: bool = False
    """The primary doesn't hold writes: it is not waited for."""
    asked: dict[str, int] = field(default_factory=dict)
    """When each node was last asked to promise, in milliseconds."""
    answers: dict[str, Answer] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    """Who didn't promise, or said what can't be, and why not."""
    outrun: bool = False
    """A node has promised a newer epoch to somebody else."""
    agreed_ms: int = 0
    """When it was first certain that somebody may lead; 0: it isn't."""
    wish: tuple[str, ...] = ()
    """Who should lead among equals, by node id, best first; set with the choice."""
    choice: Choice | None = None
    """Who was told to lead. Answers that come later change nothing."""
    refused: str = ""
    """Why the chosen one doesn't."""

    def __post_init__(self) -> None:
        assert _WORD.match(self.word), self.word

    def counted(self) -> dict[str, Answer]:
        """The answers that count: not those of two nodes with one id (a copied folder), who'd promise for another."""
        ids = Counter(answer.node_id for answer in self.answers.values())
        return {name: answer for name, answer in self.answers.items() if ids[answer.node_id] == 1}

    def replied(self, name: str) -> bool:
        """Whether a node has promised, or said that it doesn't."""
        return name in self.answers or name in self.refusals
