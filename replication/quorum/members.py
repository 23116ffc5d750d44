"""Who votes in a group, as its log says, and what a majority of them is.

Theory of operation. The list of members is part of the replicated state: records in the log name it. A change is
two records: `open(old, new)` counts from the moment it is *in a log*, committed or not, and while it is the last
one a majority of both sets is needed for everything; once it is committed the leader appends `close(new)`. The
next change waits until `close` is committed. This is the joint consensus of Raft's paper (section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MemberSet = frozenset[str]
Sets = tuple[MemberSet, ...]
"""The sets of node ids whose majorities count: one, or two while a change is open, none before the founding."""


def majority(sets: Sets, ids: Iterable[str]) -> bool:
    """Whether `ids` hold a majority of each set; False where nobody is a member."""
    there = frozenset(ids)
    return bool(sets) and all(2 * len(members & there) > len(members) for members in sets)


def reached(sets: Sets, values: Mapping[str, int]) -> int:
    """The greatest number that a majority of each set has reached; a member without a value counts as 0."""
    lowest: int | None = None
    for members in sets:
        highest_first = sorted((values.get(member, 0) for member in members), reverse=True)
        there = highest_first[len(members) // 2]
        lowest = there if lowest is None else min(lowest, there)
    return lowest or 0


class MemberLog:
    """The records about members in one log, each with the offset of its last byte; oldest first."""

    __slots__ = ("_rows",)

    def __init__(self, rows: tuple[tuple[int, Sets], ...] = ()) -> None:
        """`rows`: (offset of the record's last byte, the sets that count from there on)."""
        self._rows: list[tuple[int, Sets]] = list(rows)

    def rows(self) -> tuple[tuple[int, Sets], ...]:
        """(offset of the record's last byte, the sets that count from there on), oldest first."""
        return tuple(self._rows)

    def add(self, end: int, sets: Sets) -> None:
        """A record that ends at `end` names the members.

        Raises:
            ValueError: `end` isn't behind the record before.
        """
        if self._rows and end <= self._rows[-1][0]:
            raise ValueError(f"a record of members at {end}, behind one at {self._rows[-1][0]}")
        self._rows.append((end, sets))

    @property
    def now(self) -> Sets:
        """The sets that count, by the last record in the log, committed or not."""
        return self._rows[-1][1] if self._rows else ()

    @property
    def changing(self) -> bool:
        """Whether a change is open: both the old and the new members have a say."""
        return len(self.now) > 1

    def last_end(self) -> int:
        """The offset of the last record's last byte, 0 for none."""
        return self._rows[-1][0] if self._rows else 0

    def forget_before(self, offset: int) -> None:
        """Drop the records that a later one at or before `offset` (which is committed) has replaced."""
        kept = 0
        while kept + 1 < len(self._rows) and self._rows[kept + 1][0] <= offset:
            kept += 1
        del self._rows[:kept]
