"""Why a quorum node doesn't do what it is asked, in an operator's words; and what holds between its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.quorum.tally import Tally
from replication.quorum.words import Lead

if TYPE_CHECKING:
    from replication.quorum.core import Core


def may_not_lead(node: Core, order: Lead) -> str:
    """Why an order to lead can't be obeyed; "" if it can."""
    mine = node.identity
    if order.node_id != mine.node_id:
        return f"addressed to {order.node_id}, which isn't this node"
    if (mine.promised, mine.attempt) != (order.epoch, order.attempt):
        return f"epoch {order.epoch} isn't promised to this try"
    if mine.opened >= order.epoch:
        return f"epoch {order.epoch} was opened already"
    if (node.epochs.of(node.log.end), node.log.end) != (order.last_epoch, order.offset):
        return "the log isn't the one that was answered"
    return ""


def may_not_replace(node: Core, tally: Tally, old: str, new: str) -> str:
    """Why a leader can't replace a member now; "" if it can."""
    return _may_not_change(node, tally) or _may_not_go(node, old) or _may_not_come(node, tally, new)


def may_not_resize(node: Core, tally: Tally, old: str, new: str) -> str:
    """Why a member can't go, or a follower come, now ("" for nobody); "" if that can be."""
    refusal = _may_not_change(node, tally)
    if not refusal and old:
        refusal = _may_not_go(node, old)
    if not refusal and new:
        refusal = _may_not_come(node, tally, new)
    return refusal


def _may_not_change(node: Core, tally: Tally) -> str:
    committed = node.commit[node.level]
    if committed < tally.marker or not node.members.now:
        return "the epoch's marker isn't committed yet"
    if node.members.changing or node.members.last_end() > committed:
        return "another change of members isn't finished"
    return ""


def _may_not_go(node: Core, old: str) -> str:
    if old not in node.members.now[-1]:
        return f"{old} is no member"
    if old == node.node_id:
        return "the leader can't be replaced: hand over first"
    return ""


def _may_not_come(node: Core, tally: Tally, new: str) -> str:
    if new in node.members.now[-1]:
        return f"{new} is a member already"
    if tally.acknowledged(new, node.level) < node.commit[node.level]:
        return f"{new} hasn't caught up"
    return ""


def check_invariants(node: Core) -> None:
    """What holds between steps; an AssertionError otherwise is a fault of ours."""
    mine = node.identity
    assert not (node.leading and node.following), "a node leads and follows at once"
    if node.leading is not None:
        assert node.leading.epoch == mine.opened, "a node leads an epoch it didn't open"
        assert node.leading.epoch == mine.promised, "a node leads an epoch older than its promise"
        assert node.epochs.of(node.log.end) == node.leading.epoch, "a leader's last byte is of another epoch"
    if node.following is not None and node.following.epoch:
        assert node.following.epoch == mine.promised, "a node follows an epoch older than its promise"
    assert all(0 <= offset <= node.log.end for offset in node.commit), "more is committed than is there"
    assert node.epochs.of(node.log.end) <= mine.promised, "the log has an epoch that wasn't promised"
