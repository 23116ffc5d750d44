"""Seeds whose schedules meet the nasty orders, for each broke something while one rule was off: they come first."""

from __future__ import annotations

CAUGHT_BY = {
    "no_fence": 7,
    "fence_replicas_only": 3233,
    "no_intersection": 5,
    "minority_commits": 1,
    "promise_not_durable": 1165,
    "choice_by_offset": 41,
    "choice_by_link_epoch": 347,
    "choice_by_old_members": 1578,
    "marker_not_awaited": 4806,
    "two_choices": 7,
    "lead_twice": 4693,
    "lead_unchecked": 3007,
    "adopt_not_atomic": 9463,
    "early_ack": 763,
    "resync_by_offset": 7,
    "memory_trusted": 115,
    "no_joint": 160,
    "many_changes": 3880,
    "reads_not_held": 12,
    "no_round": 2523,
    "round_before": 5682,
    "amnesiac_counts": 1876,
    "restore_trusted": 2341,
}
"""By the rule; `python -m simulation.quorum --table` finds such seeds. A seed that fails with all rules on is added."""
ALWAYS = tuple(sorted(set(CAUGHT_BY.values())))
