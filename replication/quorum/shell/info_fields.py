"""INFO's section `Quorum`."""

from __future__ import annotations

from collections.abc import Iterator

from replication.quorum.shell.voting import Quorum
from replication.quorum.tally import Level
from replication.quorum.wire_words import show_sets

STATES = ("unfounded", "resting", "opening", "leading", "following")


def state_of(quorum: Quorum) -> str:
    """What the node is in its quorum, in a word."""
    node = quorum.node
    if not quorum.rests():
        return "unfounded"
    if node.leading is not None:
        return "leading"
    if node.opening:
        return "opening"
    return "following" if node.following is not None and node.following.on else "resting"


def quorum_fields(quorum: Quorum, now_s: float) -> Iterator[tuple[str, object]]:
    """The section's fields."""
    node = quorum.node
    lead, follow = node.leading, node.following
    voting = set().union(*node.members.now) if node.members.now else set()
    committed = node.commit[node.level] >= lead.tally.marker if lead else bool(follow and follow.on)
    yield "quorum_node_id", node.node_id
    yield "quorum_state", state_of(quorum)
    yield "quorum_member", int(node.node_id in voting)
    yield "quorum_promised", node.identity.promised
    yield "quorum_last_epoch", node.epochs.of(node.log.end)
    yield "quorum_epoch", lead.epoch if lead else follow.epoch if follow else 0
    yield "quorum_committed", int(committed)
    yield "quorum_commit_offset", node.commit[Level.MEMORY]
    yield "quorum_commit_synced_offset", node.commit[Level.SYNCED]
    yield "quorum_members", " ".join(show_sets((members,)) for members in node.members.now)
    yield "quorum_reach", len(quorum.attendance.present(quorum, now_s)) if lead else 0
    yield "quorum_hands_over", int(node.hands_over())
    yield "quorum_waiting_replies", len(quorum.clients.holds)
    yield "quorum_refused_writes", quorum.clients.refused
    yield "quorum_unknown_outcomes", quorum.clients.unknown
    yield "quorum_reason", quorum.attendance.trouble
