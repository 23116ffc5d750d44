"""The metrics of a node's quorum, read when they are scraped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvserver.metrics.rows import GAUGE, Metric, Sample, counter, gauge
from replication.quorum.shell.info_fields import STATES, state_of
from replication.quorum.shell.voting import Quorum
from replication.quorum.tally import Level


def rows(quorum: Quorum) -> list[Metric]:
    """The rows of one node."""
    node, clients = quorum.node, quorum.clients

    def states(_: Any) -> list[Sample]:
        now = state_of(quorum)
        return [((state,), int(state == now)) for state in STATES]

    def commits(_: Any) -> list[Sample]:
        return [(("memory",), node.commit[Level.MEMORY]), (("disk",), node.commit[Level.SYNCED])]

    def members() -> int:
        return len(set().union(*node.members.now)) if node.members.now else 0

    def present() -> float | None:
        return len(quorum.attendance.present(quorum, quorum.now_s())) if node.leading else None

    return [
        Metric("quorum_state", GAUGE, "1 for what the node is in its quorum.", states, ("state",)),
        Metric("quorum_commit_offset_bytes", GAUGE, "Up to where a majority is known to have the log.", commits,
               ("level",)),
        gauge("quorum_promised_epoch", "The newest epoch promised.", _of(lambda: node.identity.promised)),
        gauge("quorum_log_epoch", "The epoch of the log's last byte.", _of(lambda: node.epochs.of(node.log.end))),
        gauge("quorum_members", "Nodes that vote, by this node's log.", _of(members)),
        gauge("quorum_members_present", "Members that a leader hears from, itself included.", _of(present)),
        gauge("quorum_available", "1 while this node takes quorum writes.",
              _of(lambda: int(node.leading is not None and not quorum.attendance.trouble))),
        gauge("quorum_waiting_replies", "Replies that wait until what they promise is safe.",
              _of(lambda: len(clients.holds))),
        counter("quorum_refused_writes_total", "Writes refused since no majority could confirm them.",
                _of(lambda: clients.refused)),
        counter("quorum_unknown_outcomes_total", "Clients told that the outcome of what they sent isn't known.",
                _of(lambda: clients.unknown)),
    ]  # fmt: skip


def _of(value: Callable[[], float | None]) -> Callable[[Any], float | None]:
    """What a row reads that knows its node already."""
    return lambda _: value()
