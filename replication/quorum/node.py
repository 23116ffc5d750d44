"""One data node's part in a quorum: what it promises, whom it leads or follows, what it counts as committed. Pure.

Theory of operation. A node *leads* an epoch, or *follows* its leader over one link, or *rests*. Each change raises the
`term`; what was begun in an older term has no effect. What is durable is an `Identity`; the log's epochs and members
are known from the records in it.

1. Promise. A newer epoch, or the same try again, is promised durably; in that very step the node stops to lead or to
   follow anything older, so its log stands still until the new epoch moves it.
2. Lead. Obeyed only if the promise is that try's, the log is exactly the one that was answered, and the epoch was never
   opened here. `opened` is durable before the marker is in the log. A leader that restarts leads no more.
3. Follow. To follow an epoch is to promise it first. The log goes on where it is if the leader's byte at that offset
   was written in the epoch of the own last byte; otherwise everything is replaced in one step.
4. Acknowledge. Over the link that is followed, after the leader's answer was applied. A leader counts what comes over a
   link of its present term only.
5. Commit. See `tally`. A change of members is closed by whoever leads once it is committed.
6. Read. See `reads`.

Each method is a step: it takes what happened and returns what to do, in order (see `words`). `check_invariants` says
what holds between steps. The argument for safety is Raft's, with a leader chosen from outside, among the answers.
"""

from __future__ import annotations

from replication.quorum import refusals
from replication.quorum.core import Leading
from replication.quorum.follower import FollowerSide
from replication.quorum.leader import LeaderSide
from replication.quorum.reads import Waiting
from replication.quorum.records import Kind, Record
from replication.quorum.tally import Level, Tally
from replication.quorum.words import Action, Append, Ask, Lead, Link, Persist, Promised, Refused, Tell, Want, Welcome


class QuorumNode(LeaderSide, FollowerSide):
    """See the module's docstring."""

    # -- sentinels --------------------------------------------------------------------------------------------------

    def promise(self, epoch: int, attempt: str) -> list[Action]:
        """A sentinel asks to take nothing from an epoch older than `epoch`, nor from another try in it."""
        if not self.identity.grants(epoch, attempt):
            return [Refused(f"epoch {self.identity.promised} is promised already")]
        self.identity = self.identity.promise(epoch, attempt)
        actions: list[Action] = [Persist(self.identity)]
        if self.leading is not None and self.leading.epoch < epoch:
            actions += self._rest(f"epoch {epoch} was promised")
        elif self.opening and self.opening < epoch:
            self.term += 1
            self.opening = 0
        if self.following is not None and self.following.epoch < epoch:
            actions += self._unlink()
        return [*actions, Promised(self.answer())]

    def _may_not_lead(self, order: Lead) -> str:
        """Why an order can't be obeyed; "" if it can."""
        return refusals.may_not_lead(self, order)

    def lead(self, order: Lead) -> list[Action]:
        """A sentinel orders to lead an epoch that this node has promised to its try."""
        refusal = self._may_not_lead(order)
        if refusal:
            return [Refused(refusal)]
        actions = self._rest(f"leads epoch {order.epoch} from here on")
        self.identity = self.identity.open(order.epoch)
        self.opening = order.epoch
        kind = Kind.FOUND if order.refound else Kind.MARKER
        record = Record(kind, order.epoch, self.node_id, (order.refound,) if order.refound else ())
        return [*actions, Persist(self.identity), Append(record, self.term)]

    def forget(self, new_id: str) -> list[Action]:
        """A leader remembers more of this node than there is: it has lost data, and is another one from here on."""
        assert self.leading is None
        self.identity = self.identity.reborn(new_id)
        return [*self._rest("this node has lost what it acknowledged"), Persist(self.identity)]

    def found(self, epoch: int, followers: dict[Link, str]) -> list[Action]:
        """Found a group with those whose log is this one, byte for byte, since they follow already."""
        assert not self.epochs.rows()
        assert self.following is None
        assert self.leading is None
        self.identity = self.identity.promise(epoch, "").open(epoch)
        self.opening = epoch
        self.founding = dict(followers)
        record = Record(Kind.FOUND, epoch, self.node_id, (frozenset((self.node_id, *followers.values())),))
        welcome = [Tell(link, Welcome(epoch, True)) for link in followers]
        return [Persist(self.identity), *welcome, Append(record, self.term)]

    # -- records in the own log -------------------------------------------------------------------------------------

    def recorded(self, record: Record, start: int, end: int) -> list[Action]:
        """A record is in the log, from byte `start` to byte `end`: appended here, or applied from the stream."""
        if record.opens_epoch:
            self.epochs.open(record.epoch, start)
        if record.sets:
            self.members.add(end, record.sets)
        if record.opens_epoch and self.opening == record.epoch and record.leader == self.node_id:
            self.opening = 0
            tally = Tally(end, (self.commit[0], self.commit[1]))
            self.leading = Leading(record.epoch, tally, self.founding)
            self.founding = {}
        return self.grown() if self.leading is not None else []

    def grown(self) -> list[Action]:
        """The own log has grown, or more of it is on the disk."""
        if self.leading is not None:
            return self._advance(self.leading)
        if self.following is not None and self.following.on:
            return self._acknowledge(self.following, 0)
        return []

    # -- reads of our own clients -----------------------------------------------------------------------------------

    def read(self, name: object, linearizable: bool) -> list[Action]:
        """A client reads; a committed read was executed just now, at the log's end."""
        if self.leading is not None:
            tally = self.leading.tally
            tally.round += linearizable
            self.reads.add(Waiting(name, self.log.end, round=tally.round if linearizable else 0))
            return [*self._spread(self.leading), *self._answer(self.leading)]
        if self.following is None or not self.following.on:
            return [Refused("this node follows no leader")]
        if not linearizable:
            self.reads.add(Waiting(name, self.log.end))
            return self._serve_reads()
        self.reads.add(Waiting(name, None))
        return [Tell(self.following.link, Ask(name))]

    def want(self, offset: int) -> list[Action]:
        """A client waits until the log is on a majority's disks up to `offset`: have them sync now, not in a while."""
        if self.leading is not None:
            return self._want(self.leading, offset)
        follow = self.following
        if follow is None or not follow.on or offset <= max(follow.wanted, self.commit[Level.SYNCED]):
            return []
        follow.wanted = offset
        return [Tell(follow.link, Want(offset))]

    def online(self, link: Link) -> list[Action]:
        """A follower has its snapshot: what it wasn't told meanwhile it is told now."""
        lead = self.leading
        return [] if lead is None or link not in lead.links else [Tell(link, self._news(lead))]

    def unlinked(self, link: Link) -> list[Action]:
        """A link is gone."""
        self.founding.pop(link, None)
        if self.leading is not None and link in self.leading.links:
            del self.leading.links[link]
            self.leading.told.pop(link, None)
            self.reads.drop_link(link)
        if self.following is not None and self.following.link is link:
            return self._unlink(close=False)
        return []

    def check_invariants(self) -> None:
        """What holds between steps; an AssertionError otherwise is a fault of ours."""
        refusals.check_invariants(self)
