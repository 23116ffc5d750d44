"""Who of the members is there; when a group is founded, and who joins it (a shell: it reads clocks and feeds)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvserver.engine.run.session import Session
from replication.handover import decide as handover
from replication.primary.attached import Phase
from replication.primary.feed import Feed
from replication.quorum import founding
from replication.quorum.members import majority
from replication.role_states import State

if TYPE_CHECKING:
    from replication.quorum.shell.voting import Quorum

SILENT_S = 1.5
"""A follower says how far it is at least once a second."""


class Attendance:
    """When followers were heard of (monotonic seconds), and since when no majority of the members is there."""

    def __init__(self) -> None:
        self.trouble = ""  # why a quorum can't be had, or not yet
        self._heard: dict[Session, float] = {}
        self._lost_s: float | None = None
        self._whole = False  # the founding is known to be on all members

    def begin(self, now_s: float) -> None:
        """The node begins to lead: nobody is there yet."""
        self._lost_s = now_s
        self._whole = False

    def heard(self, c: Session, now_s: float) -> None:
        """A follower lives."""
        self._heard[c] = now_s

    def forget(self, c: Session) -> None:
        """A connection is gone."""
        self._heard.pop(c, None)

    def present(self, quorum: Quorum, now_s: float) -> set[str]:
        """The members that are there, the leader itself included."""
        lead = quorum.node.leading
        links = {} if lead is None else lead.links
        wanted: set[str] = set().union(*quorum.node.members.now)
        there = {
            node_id for link, node_id in links.items()
            if isinstance(link, Session) and now_s - self._heard.get(link, 0.0) <= SILENT_S
        }  # fmt: skip
        return (there | {quorum.node.node_id}) & wanted

    def look(self, quorum: Quorum) -> None:
        """Ten times a second, and when something has changed that matters."""
        node, ours = quorum.node, quorum.ours
        now_s = ours.engine.services.clock.monotonic()
        if not quorum.rests():
            self.trouble = self._found(quorum)
        elif node.leading is None:
            self.trouble = "this node doesn't lead its group"
        else:
            self.trouble = self._count(quorum, now_s)
            if not self.trouble:
                self._take_in(quorum)
        quorum.clients.refresh()

    def _count(self, quorum: Quorum, now_s: float) -> str:
        """Why no majority can be had: known once that has lasted for quorum-timeout-ms."""
        node, lead = quorum.node, quorum.node.leading
        assert lead is not None
        if not self._whole and len(node.epochs.rows()) == 1:
            late = [one for one in node.members.now[-1] if one != node.node_id]
            if any(lead.tally.acknowledged(one, node.level) < lead.tally.marker for one in late):
                return "the group's founding isn't on all its nodes yet"
        self._whole = True
        there = self.present(quorum, now_s)
        if majority(node.members.now, there) and node.commit[node.level] >= lead.tally.marker:
            self._lost_s = None
            return ""
        self._lost_s = now_s if self._lost_s is None else self._lost_s
        if (now_s - self._lost_s) * 1000 < quorum.ours.config.quorum_timeout_ms:
            return ""
        return f"{len(there)} of {len(set().union(*node.members.now))} members are there"

    def _found(self, quorum: Quorum) -> str:
        """Found a group if that can be; else why not."""
        ready = self.ready(quorum)
        if isinstance(ready, str):
            return ready
        if quorum.ours.config.quorum_found == "manual":
            return "the group isn't founded: it waits for QUORUM FOUND"
        self.found(quorum, ready)
        return "the group is being founded"

    def ready(self, quorum: Quorum) -> founding.Ready | str:
        """Whether a group can be founded now, and with whom; else why not."""
        ours, node = quorum.ours, quorum.node
        if node.opening:
            return "the group is being founded"
        if not ours.config.quorum_nodes:
            return "quorum-nodes is 0: this node belongs to no group"
        starts = ours.role.state is State.STARTING and ours.config.replicaof is None
        if not starts and (not ours.role.leads or ours.role.failover != handover.NONE):
            return "the group isn't founded, and this node is a replica"
        candidates = []
        for c, greeting in quorum.followers.greetings.items():
            feed = c.replica
            if isinstance(feed, Feed):
                holds = feed.live and feed.record.phase is Phase.ONLINE and _holds(quorum, feed)
                hello = greeting.hello
                candidates.append(founding.Candidate(hello.node_id, hello.promised, hello.last_epoch > 0, holds))
        found = founding.look(ours.config.quorum_nodes, node.identity.promised, candidates)
        return "the group isn't founded: this node is starting" if starts and not isinstance(found, str) else found

    def found(self, quorum: Quorum, ready: founding.Ready) -> None:
        """Found the group."""
        links: dict[object, str] = {
            c: greeting.hello.node_id for c, greeting in quorum.followers.greetings.items()
            if isinstance(c.replica, Feed) and c.replica.live and greeting.hello.node_id in ready.followers
        }  # fmt: skip
        quorum.log.warning("founding the quorum's group", epoch=ready.epoch, followers=list(ready.followers))
        quorum.do(quorum.node.found(ready.epoch, links))

    def _take_in(self, quorum: Quorum) -> None:
        """A group that lacks a voter takes one in that has caught up."""
        node, lead = quorum.node, quorum.node.leading
        assert lead is not None
        if node.members.changing or len(node.members.now[-1]) >= quorum.ours.config.quorum_nodes:
            return
        for node_id in lead.links.values():
            if node_id not in node.members.now[-1]:
                quorum.do(node.resize("", node_id))
                return


def _holds(quorum: Quorum, feed: Feed) -> bool:
    """Whether a replica has acknowledged what was there when it came on line: on its disk, if we keep a file too."""
    record = feed.record
    held = record.ack_offset if quorum.ours.synced_offset() is None else record.file_offset
    return held >= record.online_offset
