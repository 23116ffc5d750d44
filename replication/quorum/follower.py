"""A follower's side: a link to a leader, what comes over it, and reads that the leader vouches for. Pure."""

from __future__ import annotations

from replication.quorum.core import Core, Following
from replication.quorum.epochs import Epochs
from replication.quorum.members import MemberLog
from replication.quorum.tally import Level
from replication.quorum.words import (
    Ack,
    Action,
    Confirmed,
    Done,
    Execute,
    Hello,
    Link,
    Lost,
    News,
    Persist,
    State,
    Sync,
    Tell,
    Unlink,
    Welcome,
)


class FollowerSide(Core):
    """See the module's docstring; each public method is a step."""

    def connect(self, link: Link) -> list[Action]:
        """A link to a node that may lead is there: say where this node stands."""
        if self.leading is not None or self.opening:
            return [Unlink(link)]
        actions = self._unlink()
        self.following = Following(link)
        here = self.answer()
        return [*actions, Tell(link, Hello(here.node_id, self.identity.promised, here.last_epoch, here.offset))]

    def welcome(self, link: Link, welcome: Welcome) -> list[Action]:
        """The leader answers: this log goes on, or a full synchronization will come."""
        refusal = self._heed(link, welcome.epoch)
        if refusal is None or self.following is None:
            return refusal or []
        if not welcome.go_on:
            return refusal
        self.following.on = True
        return [*refusal, *self._acknowledge(self.following, 0)]

    def adopted(self, link: Link, epoch: int, state: State) -> list[Action]:
        """A full synchronization is in force, in one step with this: the log's end is the snapshot's."""
        actions = self._heed(link, epoch)
        if actions is None or self.following is None or self.following.link is not link:
            return actions or []
        self.epochs = Epochs(state.epochs)
        self.members = MemberLog(state.members)
        self.commit = list(state.commit)
        lost = self.reads.drop_all()
        self.following.on = True
        return [*actions, *([Lost(tuple(lost))] if lost else []), *self._acknowledge(self.following, 0)]

    def news(self, link: Link, news: News) -> list[Action]:
        """The leader tells how far the log is committed, and begins rounds."""
        actions = self._heed(link, news.epoch)
        follow = self.following
        if actions is None or follow is None or follow.link is not link or not follow.on:
            return actions or []
        for level in Level:
            self.commit[level] = max(self.commit[level], min(news.commit[level], self.log.end))
        if news.wanted > self.log.synced:
            actions.append(Sync(news.wanted))
        return [*actions, *self._acknowledge(follow, news.round), *self._serve_reads()]

    def confirmed(self, link: Link, word: Confirmed) -> list[Action]:
        """The leader answers a question."""
        actions = self._heed(link, word.epoch)
        if actions is None or self.following is None or self.following.link is not link:
            return actions or []
        self.reads.answer_by(word.name, word.offset)
        return [*actions, *self._serve_reads()]

    def may_apply(self, link: Link, epoch: int | None = None) -> bool:
        """Whether the stream of a link, or the full data set of a leader of `epoch`, may change the data now."""
        follow = self.following
        if follow is None or follow.link is not link:
            return False
        return follow.on if epoch is None else epoch >= self.identity.promised

    def _heed(self, link: Link, epoch: int) -> list[Action] | None:
        """Whether a message of the leader counts: promise its epoch if that is newer. None: it doesn't, drop it."""
        follow = self.following
        if follow is None or follow.link is not link:
            return None
        if epoch < self.identity.promised:
            return self._unlink()
        actions: list[Action] = []
        if epoch > self.identity.promised:
            self.identity = self.identity.promise(epoch, "")
            actions.append(Persist(self.identity))
        follow.epoch = epoch
        return actions

    def _acknowledge(self, follow: Following, round_: int) -> list[Action]:
        ack = Ack(self.node_id, self.log.kept, self.log.synced, round_)
        return [Tell(follow.link, ack)]

    def _serve_reads(self) -> list[Action]:
        """On a follower: run what was waiting for an offset, and answer what is committed."""
        actions: list[Action] = [Execute(read.name) for read in self.reads.executable(self.log.end)]
        return [*actions, *(Done(read.name) for read in self.reads.done(self.commit[self.level], None))]
