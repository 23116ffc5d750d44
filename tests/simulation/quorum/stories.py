"""Counterexamples that chance finds rarely, told by hand: what happens to a group that lacks one rule."""

from __future__ import annotations

from replication.quorum.tally import Level
from simulation.quorum.schedules import Step

Story = tuple[int, Level, list[Step]]


def drain(key: int, times: int = 8) -> list[Step]:
    """What is on its way over a connection arrives, both ways."""
    return [(way, key) for _ in range(times) for way in ("up", "down")]


def election(key: int, *slots: int) -> list[Step]:
    """A try that asks these nodes and hears them all."""
    asked: list[Step] = [(step, key, slot) for slot in slots for step in ("promise", "hear")]
    return [("try", key), *asked, ("choose", key), ("lead", key)]


def _wiped() -> Story:
    """C acknowledges with A, loses its data, and helps B to lead without the write."""
    return 3, Level.MEMORY, [
        ("connect", 1, 2, 0), *drain(1), ("write", 0), *drain(1),
        ("crash", 2), ("restart", 2, "wiped"), *election(5, 1, 2),
    ]  # fmt: skip


def _old_acks() -> Story:
    """C's words of A's first time as leader arrive in its second, when C doesn't hold what they speak of any more."""
    return 5, Level.MEMORY, [
        ("connect", 1, 2, 0), *drain(1, 2), *[("write", 0)] * 6, *[("down", 1)] * 16,
        *election(5, 1, 3, 4), ("promise", 5, 0), ("connect", 2, 0, 1), *drain(2),
        ("connect", 3, 3, 1), *drain(3), *election(6, 0, 1, 3), ("connect", 4, 3, 0), *drain(4),
        *[("up", 1)] * 20, *election(7, 1, 2, 4),
    ]  # fmt: skip


def _members_left_behind() -> Story:
    """C was replaced by D; B synchronizes with its old list, and leads by C while A and D go on."""
    return 3, Level.MEMORY, [
        *election(5, 1, 2), *election(6, 0, 2), ("connect", 1, 2, 0), *drain(1), ("connect", 2, 3, 0), *drain(2),
        ("replace", 0, 2, 3), *drain(1), *drain(2), *drain(1), *drain(2),
        ("promise", 6, 1), ("connect", 3, 1, 0), *drain(3),
        ("write", 0), *drain(2), *election(7, 1, 2),
    ]  # fmt: skip


def _half_adopted() -> Story:
    """C drops what it acknowledged to make room for A's data set, is killed in between, and helps B to lead."""
    return 3, Level.MEMORY, [
        ("connect", 1, 2, 0), *drain(1), ("write", 0), *drain(1),
        *election(5, 2, 1), *election(6, 0, 1), ("promise", 6, 2),
        ("connect", 2, 2, 0), ("up", 2), ("down", 2), ("down", 2),
        ("crash", 2), ("restart", 2, "intact"), *election(7, 1, 2),
    ]  # fmt: skip


def _reads_survive() -> Story:
    """A read on C shows a write that B, who leads next, never had; the reply outlives C's new beginning."""
    return 5, Level.MEMORY, [
        ("connect", 1, 2, 0), *drain(1), ("write", 0), ("down", 1), ("read", 2, False),
        *election(5, 1, 3, 4), ("connect", 2, 2, 1), *drain(2), ("connect", 3, 3, 1), *drain(3),
        ("write", 1), *drain(2), *drain(3), *drain(2),
    ]  # fmt: skip


def _round_before() -> Story:
    """A, cut off, answers a read by a round that a majority confirmed before B led and acknowledged a write."""
    return 3, Level.MEMORY, [
        ("connect", 1, 2, 0), *drain(1), ("connect", 2, 1, 0), *drain(2), ("read", 0, True), *drain(1), *drain(2),
        *election(5, 1, 2), ("connect", 3, 2, 1), *drain(3), ("write", 1), *drain(3), ("read", 0, True),
    ]  # fmt: skip


def _restored() -> Story:
    """C forgets that it opened epoch 2, since its files are older: it opens it again."""
    return 3, Level.MEMORY, [
        ("try", 5), ("promise", 5, 2), ("hear", 5, 2), ("promise", 5, 1), ("hear", 5, 1), ("choose", 5),
        ("backup", 1), ("backup", 2), ("lead", 5),
        ("crash", 1), ("restart", 1, "old"), ("crash", 2), ("restart", 2, "old"), ("lead", 5),
    ]  # fmt: skip


STORIES = {
    "amnesiac_counts": _wiped(),
    "old_acks": _old_acks(),
    "snapshot_without_members": _members_left_behind(),
    "adopt_not_atomic": _half_adopted(),
    "held_reads_survive": _reads_survive(),
    "restore_trusted": _restored(),
    "round_before": _round_before(),
}
