"""What a leader has been told by the members, and what follows: how far the log is committed, which round is confirmed.

Two levels are kept side by side, since writes of both may wait at once: in a majority's memory, and on a majority's
disks. An offset counts as committed only at or beyond the end of the epoch's own marker; what older epochs wrote is
committed with it, never by itself (Raft's paper, figure 8).
"""

from __future__ import annotations

import enum

from replication.quorum.members import Sets, reached


class Level(enum.IntEnum):
    """How safe a member's copy is."""

    MEMORY = 0
    SYNCED = 1


class Tally:
    """One leader's count in one term; `own` numbers are handed in with each look."""

    __slots__ = ("_acks", "_rounds", "commit", "marker", "round")

    def __init__(self, marker: int, committed: tuple[int, int]) -> None:
        """`marker`: offset of the last byte of the epoch's marker. `committed`: what is known already, by level."""
        self.marker = marker
        self.commit = list(committed)
        self.round = 0
        self._acks: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._rounds: dict[str, int] = {}

    def heard(self, member: str, memory: int, synced: int, round_: int) -> bool:
        """A follower acknowledges: its log in memory and on disk, and the last round that reached it.

        False: that can't have moved anything, since no more is acknowledged than is committed already.
        """
        first = member not in self._rounds
        for level, offset in ((Level.MEMORY, memory), (Level.SYNCED, synced)):
            acks = self._acks[level]
            acks[member] = max(acks.get(member, 0), offset)
        before = self._rounds.get(member, 0)
        self._rounds[member] = max(before, round_)
        return first or round_ > before or memory > self.commit[0] or synced > self.commit[1]

    def acknowledged(self, member: str, level: Level) -> int:
        """How far a follower's copy goes, 0 if it hasn't said."""
        return self._acks[level].get(member, 0)

    def who(self) -> tuple[str, ...]:
        """Everybody who has acknowledged in this term."""
        return tuple(self._rounds)

    def advance(self, sets: Sets, me: str, end: int, kept: int, synced: int) -> bool:
        """Count again, with the leader's own log; whether something more is committed on either level."""
        moved = False
        for level, own in ((Level.MEMORY, kept), (Level.SYNCED, synced)):
            to = min(end, reached(sets, {**self._acks[level], me: own}))
            if to > self.commit[level] and to >= self.marker:
                self.commit[level] = to
                moved = True
        return moved

    def confirmed(self, sets: Sets, me: str) -> int:
        """The last round in which a majority answered that it has promised nothing newer."""
        return reached(sets, {**self._rounds, me: self.round})
