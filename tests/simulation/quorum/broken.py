"""The protocol with one rule switched off at a time: each has to be caught, or the search proves nothing.

A switch is a class of nodes, or of deployments, that does one thing differently; the product has no switch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from replication.quorum.core import Leading
from replication.quorum.identity import Identity
from replication.quorum.members import MemberLog, Sets
from replication.quorum.node import QuorumNode
from replication.quorum.reads import Waiting
from replication.quorum.records import Kind, Record
from replication.quorum.tally import Level, Tally
from replication.quorum.words import (
    Ack,
    Action,
    Append,
    Hello,
    Lead,
    Link,
    Persist,
    Promised,
    Refused,
    State,
)
from simulation.quorum.broken_choices import ByLinkEpoch, ByOffset, ByOldMembers, ChoosesAgain, NoIntersection
from simulation.quorum.deployment import Deployment
from simulation.quorum.shells import Full, Member


class Careless(QuorumNode):
    """A node whose own checks are off: what is broken is to be found from outside."""

    def check_invariants(self) -> None:
        """Nothing is checked."""


class NoFence(Careless):
    """A promised node goes on leading and following older epochs."""

    def promise(self, epoch: int, attempt: str) -> list[Action]:
        if not self.identity.grants(epoch, attempt):
            return [Refused("")]
        self.identity = self.identity.promise(epoch, attempt)
        return [Persist(self.identity), Promised(self.answer())]

    def _heed(self, link: Link, epoch: int) -> list[Action] | None:
        follow = self.following
        if follow is None or follow.link is not link:
            return None
        if epoch > self.identity.promised:
            self.identity = self.identity.promise(epoch, "")
        follow.epoch = epoch
        return []

    def hello(self, link: Link, hello: Hello, kept: bool = True) -> list[Action]:
        return super().hello(link, replace(hello, promised=0), kept)

    def may_apply(self, link: Link, epoch: int | None = None) -> bool:
        return self.following is not None and self.following.link is link and (epoch is not None or self.following.on)


class FenceReplicasOnly(Careless):
    """A primary that promised a newer epoch goes on counting itself."""

    def promise(self, epoch: int, attempt: str) -> list[Action]:
        leading, self.leading = self.leading, None
        actions = super().promise(epoch, attempt)
        self.leading = leading
        return actions

    def hello(self, link: Link, hello: Hello, kept: bool = True) -> list[Action]:
        return super().hello(link, replace(hello, promised=0), kept)


class MarkerNotAwaited(Careless):
    """What older epochs wrote is committed before the marker is."""

    def recorded(self, record: Record, start: int, end: int) -> list[Action]:
        before = self.leading
        actions = super().recorded(record, start, end)
        if self.leading is not None and self.leading is not before:
            self.leading.tally.marker = 0
        return actions


class TwoChoices(Careless):
    """A promise binds to the epoch, not to one try; a try may choose again."""

    def promise(self, epoch: int, attempt: str) -> list[Action]:
        if epoch == self.identity.promised:
            self.identity = self.identity.promise(epoch, attempt)
            return [Persist(self.identity), Promised(self.answer())]
        return super().promise(epoch, attempt)

    def _may_not_lead(self, order: Lead) -> str:
        return super()._may_not_lead(replace(order, attempt=self.identity.attempt))


class LeadTwice(Careless):
    """A leader that restarts may be told again to lead its epoch."""

    def _may_not_lead(self, order: Lead) -> str:
        leads = self.leading is not None and self.leading.epoch == order.epoch
        if not leads:
            self.identity = replace(self.identity, opened=min(self.identity.opened, order.epoch - 1))
        return super()._may_not_lead(order)


class LeadUnchecked(Careless):
    """LEAD doesn't carry what the node had answered."""

    def _may_not_lead(self, order: Lead) -> str:
        return super()._may_not_lead(
            replace(order, last_epoch=self.epochs.of(self.log.end), offset=self.log.end)
        )


class OldAcks(Careless):
    """An ACK of an older epoch's link is counted."""

    def acknowledged(self, link: Link, ack: Ack) -> list[Action]:
        if self.leading is None:
            return []
        self.leading.tally.heard(ack.node_id, ack.memory, ack.synced, ack.round)
        return self._advance(self.leading)


class EarlyAck(Careless):
    """A follower acknowledges before it has applied the leader's answer."""

    def grown(self) -> list[Action]:
        if self.following is not None and not self.following.on:
            return self._acknowledge(self.following, 0)
        return super().grown()


class ResyncByOffset(Careless):
    """A follower goes on wherever its offset is, whatever the epoch of its last byte."""

    def hello(self, link: Link, hello: Hello, kept: bool = True) -> list[Action]:
        return super().hello(link, replace(hello, last_epoch=self.epochs.of(hello.offset)), kept)


class SnapshotWithoutMembers(Careless):
    """A full synchronization leaves the follower its old list of members."""

    def adopted(self, link: Link, epoch: int, state: State) -> list[Action]:
        before = self.members.now
        actions = super().adopted(link, epoch, state)
        if before and self.following is not None and self.following.on:
            self.members = MemberLog(((1, before),))
        return actions


class AdoptNotAtomic(Deployment):
    """A full synchronization drops the old data first; a crash in between is trusted."""

    def a_down(self, key: object) -> bool:
        link = self.links.get(key)
        if link is not None and link.follower.up and link.follower.link is link and link.down:
            message, member = link.down[0], link.follower
            if isinstance(message, Full) and member.log.entries and member.node.may_apply(link, message.epoch):
                member.log.entries, member.log.disk, member.log.synced = [], [], 0
                member.node.epochs = type(member.node.epochs)()
                member.node.members, member.node.commit = MemberLog(), [0, 0]
                return True
        return super().a_down(key)


class AmnesiacCounts(Deployment):
    """A wiped member keeps its id and counts at once."""

    lossy = "wiped"

    def a_restart(self, slot: int, how: str) -> bool:
        self._how = how
        return super().a_restart(slot, how)

    def forgets(self, member: Member, identity: Identity) -> Identity:
        return identity if self._how == self.lossy else super().forgets(member, identity)


class MemoryTrusted(AmnesiacCounts):
    """Level memory: a node whose unsynced tail is gone keeps its id."""

    lossy = "tail"


class RestoreTrusted(AmnesiacCounts):
    """A node restored from an older copy keeps its id."""

    lossy = "old"


class PromiseNotDurable(Deployment):
    """A restart forgets the promise."""

    def a_restart(self, slot: int, how: str) -> bool:
        done = super().a_restart(slot, how)
        if done:
            node = self.members[slot].node
            last = max(node.epochs.of(node.log.end), node.identity.opened)
            node.identity = replace(node.identity, promised=last, attempt="")
            self.members[slot].durable = node.identity
        return done


class NoJoint(Careless):
    """A change of members counts at once, by the new majority alone."""

    def replace(self, old: str, new: str) -> list[Action]:
        actions = super().replace(old, new)
        if isinstance(actions[0], Append):
            record = actions[0].record
            return [Append(Record(Kind.CLOSE, record.epoch, "", record.sets[1:]), actions[0].term)]
        return actions


class ManyChanges(Careless):
    """A change may be opened while another is open."""

    def _may_not_replace(self, lead: Leading, old: str, new: str) -> str:
        now = self.members.now[-1] if self.members.now else frozenset()
        caught_up = lead.tally.acknowledged(new, self.level) >= self.commit[self.level] >= lead.tally.marker
        return "" if old in now and new not in now and old != self.node_id and caught_up else "no"


class ReadsNotHeld(Careless):
    """A read's reply isn't held until what it shows is committed."""

    def _hurry(self) -> None:
        for read in self.reads._waiting:
            if read.at is not None and read.asker is None:
                read.at = 0

    def _serve_reads(self) -> list[Action]:
        actions = super()._serve_reads()
        self._hurry()
        return [*actions, *super()._serve_reads()]

    def _answer(self, lead: Leading) -> list[Action]:
        self._hurry()
        return super()._answer(lead)


class HeldReadsSurvive(Careless):
    """A reply held on a replica outlives the link and the history it was read from."""

    def _unlink(self, close: bool = True) -> list[Action]:
        kept, self.reads = self.reads, type(self.reads)()
        actions = super()._unlink(close)
        self.reads = kept
        return actions

    def adopted(self, link: Link, epoch: int, state: State) -> list[Action]:
        kept, self.reads = self.reads, type(self.reads)()
        actions = super().adopted(link, epoch, state)
        self.reads = kept
        return actions


class NoRound(Careless):
    """Linearizable reads without the round."""

    def _answer(self, lead: Leading) -> list[Action]:
        for read in self.reads._waiting:
            read.round = 0
        return super()._answer(lead)


class RoundBefore(Careless):
    """A read joins a round that began before it came."""

    def read(self, name: object, linearizable: bool) -> list[Action]:
        if self.leading is not None and linearizable and self.leading.tally.round:
            self.reads.add(Waiting(name, self.log.end, round=self.leading.tally.round))
            return [*self._spread(self.leading), *self._answer(self.leading)]
        return super().read(name, linearizable)


class MinorityTally(Tally):
    """One acknowledgement less than a majority commits."""

    __slots__ = ()

    def advance(self, sets: Sets, me: str, end: int, kept: int, synced: int) -> bool:
        before = list(self.commit)
        for level, own in ((Level.MEMORY, kept), (Level.SYNCED, synced)):
            acks = {**self._acks[level], me: own}
            there = [sorted((acks.get(member, 0) for member in members), reverse=True) for members in sets]
            to = min([end, *(row[max(0, len(row) // 2 - 1)] for row in there)])
            if to >= self.marker:
                self.commit[level] = max(to, self.commit[level])
        return self.commit != before


class MinorityCommits(Careless):
    """A leader counts one node too few."""

    def recorded(self, record: Record, start: int, end: int) -> list[Action]:
        actions = super().recorded(record, start, end)
        if self.leading is not None:
            self.leading.tally.__class__ = MinorityTally
        return actions


def _with(machine: type[QuorumNode], deployment: type[Deployment] = Deployment) -> Callable[[int, Level], Deployment]:
    return lambda n, level: deployment(n, level, machine)


def _only(deployment: type[Deployment]) -> Callable[[int, Level], Deployment]:
    if deployment is ByLinkEpoch:
        return ByLinkEpoch
    return lambda n, level: deployment(n, level, Careless)


@dataclass(frozen=True)
class Switch:
    """A rule that can be switched off."""

    name: str
    make: Callable[[int, Level], Deployment]


SWITCHES = (
    Switch("no_fence", _with(NoFence)),
    Switch("fence_replicas_only", _with(FenceReplicasOnly)),
    Switch("no_intersection", _only(NoIntersection)),
    Switch("minority_commits", _with(MinorityCommits)),
    Switch("promise_not_durable", _only(PromiseNotDurable)),
    Switch("choice_by_offset", _only(ByOffset)),
    Switch("choice_by_link_epoch", _only(ByLinkEpoch)),
    Switch("choice_by_old_members", _only(ByOldMembers)),
    Switch("marker_not_awaited", _with(MarkerNotAwaited)),
    Switch("two_choices", _with(TwoChoices, ChoosesAgain)),
    Switch("lead_twice", _with(LeadTwice)),
    Switch("lead_unchecked", _with(LeadUnchecked)),
    Switch("old_acks", _with(OldAcks)),
    Switch("early_ack", _with(EarlyAck)),
    Switch("resync_by_offset", _with(ResyncByOffset)),
    Switch("snapshot_without_members", _with(SnapshotWithoutMembers)),
    Switch("adopt_not_atomic", _only(AdoptNotAtomic)),
    Switch("amnesiac_counts", _only(AmnesiacCounts)),
    Switch("memory_trusted", _only(MemoryTrusted)),
    Switch("restore_trusted", _only(RestoreTrusted)),
    Switch("no_joint", _with(NoJoint)),
    Switch("many_changes", _with(ManyChanges)),
    Switch("reads_not_held", _with(ReadsNotHeld)),
    Switch("held_reads_survive", _with(HeldReadsSurvive)),
    Switch("no_round", _with(NoRound)),
    Switch("round_before", _with(RoundBefore)),
)
