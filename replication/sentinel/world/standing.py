"""Where a node stands in a quorum group: what its INFO shows in the section `# Quorum`.

A group that acknowledges by quorum isn't failed over by choosing a replica and telling it REPLICAOF NO ONE: its nodes
promise an epoch to one try of one sentinel, and the most advanced of those that promised is told to lead it.
"""

from __future__ import annotations

from dataclasses import dataclass

LEADING = frozenset(("leading", "opening"))
"""The values of `quorum_state` of a node that leads its epoch, or is about to."""


@dataclass(slots=True)
class Standing:
    """The fields of the section that matter to a sentinel; epochs are 0 where there is none."""

    node_id: str = ""
    """40 hex digits; outlives restarts and changes of address."""
    state: str = ""
    promised: int = 0
    """The newest epoch that it has promised."""
    last_epoch: int = 0
    """The epoch of the last byte of its log; 0: its log belongs to no group yet."""
    epoch: int = 0
    """The epoch that it leads or follows."""
    offset: int = 0
    """Where its log ends, in bytes."""
    members: tuple[frozenset[str], ...] = ()
    """The ids of those who vote, by its log: two sets while a change of members is open."""
    reach: int = 0
    """How many members, itself included, a leader hears from; 0: it doesn't say."""

    hands_over: bool = False
    """It leads, should not (it is no member), and somebody can take over."""

    @property
    def founded(self) -> bool:
        """Whether its log is a group's."""
        return bool(self.node_id) and self.last_epoch > 0

    @property
    def lacks_members(self) -> bool:
        """Whether it leads, and doesn't hear from all who vote."""
        return self.leads and any(0 < self.reach < len(each) for each in self.members)

    @property
    def leads(self) -> bool:
        """Whether it leads its epoch, or is about to."""
        return self.state in LEADING
