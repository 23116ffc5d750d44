"""A leader's side: followers are welcomed and heard, what a majority holds is committed, readers are answered. Pure."""

from __future__ import annotations

from replication.quorum import refusals
from replication.quorum.core import Core, Leading
from replication.quorum.reads import Waiting
from replication.quorum.records import Kind, Record
from replication.quorum.tally import Level
from replication.quorum.words import (
    Ack,
    Action,
    Append,
    Ask,
    Committed,
    Confirmed,
    Done,
    Hello,
    Link,
    News,
    Refused,
    Sync,
    Synchronize,
    Tell,
    Unlink,
    Want,
    Welcome,
)


class LeaderSide(Core):
    """See the module's docstring; each public method is a step."""

    def hello(self, link: Link, hello: Hello, kept: bool = True) -> list[Action]:
        """A follower says where it stands; `kept`: whether the stream from there on is still at hand."""
        lead = self.leading
        if lead is None:
            return [Unlink(link)]
        if hello.promised > lead.epoch:
            return [*self._rest(f"{hello.node_id[:8]} has promised epoch {hello.promised}"), Unlink(link)]
        lead.links[link] = hello.node_id
        same = hello.last_epoch > 0 and self.epochs.of(hello.offset) == hello.last_epoch
        if kept and same and hello.offset <= self.log.end:
            return [Tell(link, Welcome(lead.epoch, True)), *self._spread(lead)]
        return [Tell(link, Welcome(lead.epoch, False)), Synchronize(link, lead.epoch), *self._spread(lead)]

    def acknowledged(self, link: Link, ack: Ack) -> list[Action]:
        """A follower acknowledges; dropped unless the link was welcomed in this term."""
        lead = self.leading
        if lead is None or lead.links.get(link) != ack.node_id:
            return []
        if not lead.tally.heard(ack.node_id, ack.memory, ack.synced, ack.round):
            return []
        return self._advance(lead)

    def asked(self, link: Link, ask: Ask) -> list[Action]:
        """A follower asks for a confirmed offset."""
        lead = self.leading
        if lead is None or link not in lead.links:
            return []
        lead.tally.round += 1
        at = max(self.commit[self.level], lead.tally.marker)
        self.reads.add(Waiting(ask.name, at, round=lead.tally.round, asker=link))
        return [*self._spread(lead), *self._advance(lead)]

    def _may_not_replace(self, lead: Leading, old: str, new: str) -> str:
        """Why a member can't be replaced now; "" if it can."""
        return refusals.may_not_replace(self, lead.tally, old, new)

    def replace(self, old: str, new: str) -> list[Action]:
        """An operator replaces a member by a follower that has caught up."""
        lead = self.leading
        refusal = "this node doesn't lead" if lead is None else self._may_not_replace(lead, old, new)
        if refusal:
            return [Refused(refusal)]
        now = self.members.now[-1]
        record = Record(Kind.OPEN, self.epochs.of(self.log.end), "", (now, now - {old} | {new}))
        return [Append(record, self.term)]

    def resize(self, old: str, new: str) -> list[Action]:
        """An operator takes a member out ("" for `new`), or a follower that has caught up joins ("" for `old`)."""
        lead = self.leading
        refusal = "this node doesn't lead" if lead is None else refusals.may_not_resize(self, lead.tally, old, new)
        if refusal:
            return [Refused(refusal)]
        now = self.members.now[-1]
        record = Record(Kind.OPEN, self.epochs.of(self.log.end), "", (now, (now - {old} | {new}) - {""}))
        return [Append(record, self.term)]

    def hands_over(self) -> bool:
        """Whether a leader should give way: it is no member, and a member has all that is committed.

        Safe in that whoever leads next finds the list of members committed. It isn't wrong to lead uncounted, but
        then one node more has to live, and the leader can't take a place itself.
        """
        lead, sets = self.leading, self.members.now
        if lead is None or not sets or any(self.node_id in members for members in sets):
            return False
        committed = self.commit[self.level]
        if self.members.changing or committed < max(lead.tally.marker, self.members.last_end()):
            return False
        there = sets[-1] & set(lead.links.values())
        return any(lead.tally.acknowledged(member, self.level) >= committed for member in there)

    def _advance(self, lead: Leading) -> list[Action]:
        """Count again; commit, close a change of members, answer reads."""
        actions: list[Action] = []
        log, tally = self.log, lead.tally
        if tally.advance(self.members.now, self.node_id, log.end, log.kept, log.synced):
            self.commit = list(tally.commit)
            actions.append(Committed((self.commit[0], self.commit[1])))
            if self.members.changing and self.members.last_end() <= self.commit[self.level]:
                record = Record(Kind.CLOSE, lead.epoch, "", self.members.now[1:])
                return [*actions, Append(record, self.term)]  # the next count, once it is recorded, goes on
        return [*actions, *self._spread(lead), *self._answer(lead)]

    def wanted(self, link: Link, want: Want) -> list[Action]:
        """A follower's reader waits for disks."""
        lead = self.leading
        return [] if lead is None or link not in lead.links else self._want(lead, min(want.offset, self.log.end))

    def _want(self, lead: Leading, offset: int) -> list[Action]:
        """Have all disks hold the log up to `offset` at once."""
        if offset <= max(lead.wanted, self.commit[Level.SYNCED]):
            return []
        lead.wanted = offset
        return [Sync(offset), *self._spread(lead)]

    def _news(self, lead: Leading) -> News:
        """What followers are to know now."""
        return News(lead.epoch, (self.commit[0], self.commit[1]), lead.tally.round, lead.wanted)

    def _spread(self, lead: Leading) -> list[Action]:
        """Tell each follower what is new to it."""
        news = self._news(lead)
        fresh = [link for link in lead.links if lead.told.get(link) != news]
        for link in fresh:
            lead.told[link] = news
        return [Tell(link, news) for link in fresh]

    def _answer(self, lead: Leading) -> list[Action]:
        if not self.reads or self.commit[self.level] < lead.tally.marker:
            return []
        confirmed = lead.tally.confirmed(self.members.now, self.node_id)
        return [
            Done(read.name) if read.asker is None else Tell(read.asker, Confirmed(lead.epoch, read.name, read.at or 0))
            for read in self.reads.done(self.commit[self.level], confirmed)
        ]
