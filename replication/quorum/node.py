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

from dataclasses import dataclass, field
from typing import Protocol

from replication.quorum.choice import Answer
from replication.quorum.epochs import Epochs
from replication.quorum.identity import Identity
from replication.quorum.members import MemberLog
from replication.quorum.reads import Reads, Waiting
from replication.quorum.records import Kind, Record
from replication.quorum.tally import Level, Tally
from replication.quorum.words import (
    Ack,
    Action,
    Append,
    Ask,
    Committed,
    Confirmed,
    Done,
    Execute,
    Hello,
    Lead,
    Link,
    Lost,
    News,
    Persist,
    Promised,
    Refused,
    State,
    StepDown,
    Synchronize,
    Tell,
    Unlink,
    Welcome,
)


class Log(Protocol):
    """The node's command log, as far as a quorum has to know it; offsets in bytes."""

    @property
    def end(self) -> int:
        """The offset of its last byte."""

    @property
    def synced(self) -> int:
        """Up to where the disk has it."""


@dataclass(slots=True)
class Leading:
    """What a leader knows in one term. `told`: what each link was last told."""

    epoch: int
    tally: Tally
    links: dict[Link, str] = field(default_factory=dict)  # link -> the follower's id
    told: dict[Link, News] = field(default_factory=dict)


@dataclass(slots=True)
class Following:
    """The link that is followed. `epoch` 0 until the leader has answered; `on` once the log is the leader's."""

    link: Link
    epoch: int = 0
    on: bool = False
    round: int = 0


class QuorumNode:
    """See the module's docstring. `level` is the one by which markers and changes of members count as committed."""

    def __init__(self, identity: Identity, log: Log, level: Level = Level.MEMORY, state: State | None = None) -> None:
        self.identity = identity
        self.log = log
        self.level = level
        self.epochs = Epochs(state.epochs if state else ())
        self.members = MemberLog(state.members if state else ())
        self.commit = [0, 0]
        self.term = 1
        self.opening = 0
        self.leading: Leading | None = None
        self.following: Following | None = None
        self.reads = Reads()

    # -- what others ask of it --------------------------------------------------------------------------------------

    @property
    def node_id(self) -> str:
        """The node's id."""
        return self.identity.node_id

    def answer(self) -> Answer:
        """Where this node stands, as it answers a promise."""
        return Answer(self.node_id, self.epochs.of(self.log.end), self.log.end, self.members.now)

    def state(self) -> State:
        """What a full synchronization carries beside the data of this instant."""
        return State(self.epochs.rows(), self.members.rows(), (self.commit[0], self.commit[1]))

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

    def _may_not_lead(self, order: Lead) -> str:
        """Why an order can't be obeyed; "" if it can."""
        mine = self.identity
        if order.node_id != mine.node_id:
            return f"addressed to {order.node_id}, which isn't this node"
        if (mine.promised, mine.attempt) != (order.epoch, order.attempt):
            return f"epoch {order.epoch} isn't promised to this try"
        if mine.opened >= order.epoch:
            return f"epoch {order.epoch} was opened already"
        if (self.epochs.of(self.log.end), self.log.end) != (order.last_epoch, order.offset):
            return "the log isn't the one that was answered"
        return ""

    # -- records in the own log -------------------------------------------------------------------------------------

    def recorded(self, record: Record, start: int, end: int) -> list[Action]:
        """A record is in the log, from byte `start` to byte `end`: appended here, or applied from the stream."""
        if record.opens_epoch:
            self.epochs.open(record.epoch, start)
        if record.sets:
            self.members.add(end, record.sets)
        if record.opens_epoch and self.opening == record.epoch and record.leader == self.node_id:
            self.opening = 0
            self.leading = Leading(record.epoch, Tally(end, (self.commit[0], self.commit[1])))
        return self.grown() if self.leading is not None else []

    def grown(self) -> list[Action]:
        """The own log has grown, or more of it is on the disk."""
        if self.leading is not None:
            return self._advance(self.leading)
        if self.following is not None and self.following.on:
            return self._acknowledge(self.following, 0)
        return []

    # -- leading ----------------------------------------------------------------------------------------------------

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
        lead.tally.heard(ack.node_id, ack.memory, ack.synced, ack.round)
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

    def replace(self, old: str, new: str) -> list[Action]:
        """An operator replaces a member by a follower that has caught up."""
        lead = self.leading
        refusal = "this node doesn't lead" if lead is None else self._may_not_replace(lead, old, new)
        if refusal:
            return [Refused(refusal)]
        now = self.members.now[-1]
        record = Record(Kind.OPEN, self.epochs.of(self.log.end), "", (now, now - {old} | {new}))
        return [Append(record, self.term)]

    def _may_not_replace(self, lead: Leading, old: str, new: str) -> str:
        committed = self.commit[self.level]
        if committed < lead.tally.marker or not self.members.now:
            return "the epoch's marker isn't committed yet"
        if self.members.changing or self.members.last_end() > committed:
            return "another change of members isn't finished"
        now = self.members.now[-1]
        if old not in now:
            return f"{old} is no member"
        if new in now:
            return f"{new} is a member already"
        if old == self.node_id:
            return "the leader can't be replaced: hand over first"
        if lead.tally.acknowledged(new, self.level) < committed:
            return f"{new} hasn't caught up"
        return ""

    def _advance(self, lead: Leading) -> list[Action]:
        """Count again; commit, close a change of members, answer reads."""
        actions: list[Action] = []
        log, tally = self.log, lead.tally
        if tally.advance(self.members.now, self.node_id, log.end, log.synced):
            self.commit = list(tally.commit)
            actions.append(Committed((self.commit[0], self.commit[1])))
            if self.members.changing and self.members.last_end() <= self.commit[self.level]:
                record = Record(Kind.CLOSE, lead.epoch, "", self.members.now[1:])
                return [*actions, Append(record, self.term)]  # the next count, once it is recorded, goes on
        return [*actions, *self._spread(lead), *self._answer(lead)]

    def _spread(self, lead: Leading) -> list[Action]:
        """Tell each follower what is new to it."""
        news = News(lead.epoch, (self.commit[0], self.commit[1]), lead.tally.round)
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

    # -- following --------------------------------------------------------------------------------------------------

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
        ack = Ack(self.node_id, self.log.end, self.log.synced, round_)
        return [Tell(follow.link, ack)]

    def _serve_reads(self) -> list[Action]:
        """On a follower: run what was waiting for an offset, and answer what is committed."""
        actions: list[Action] = [Execute(read.name) for read in self.reads.executable(self.log.end)]
        return [*actions, *(Done(read.name) for read in self.reads.done(self.commit[self.level], None))]

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

    # -- transitions ------------------------------------------------------------------------------------------------

    def unlinked(self, link: Link) -> list[Action]:
        """A link is gone."""
        if self.leading is not None and link in self.leading.links:
            del self.leading.links[link]
            self.leading.told.pop(link, None)
            self.reads.drop_link(link)
        if self.following is not None and self.following.link is link:
            return self._unlink(close=False)
        return []

    def _unlink(self, close: bool = True) -> list[Action]:
        """Stop to follow; what is held for readers was that link's to vouch for."""
        follow = self.following
        if follow is None:
            return []
        self.following = None
        self.term += 1
        lost = self.reads.drop_all()
        gone: list[Action] = [Unlink(follow.link)] if close else []
        return [*gone, *([Lost(tuple(lost))] if lost else [])]

    def _rest(self, reason: str) -> list[Action]:
        """Neither lead nor follow."""
        actions: list[Action] = []
        if self.leading is not None:
            links = list(self.leading.links)
            self.leading = None
            lost = self.reads.drop_all()
            actions = [StepDown(reason), *([Lost(tuple(lost))] if lost else []), *map(Unlink, links)]
        else:
            actions = self._unlink()
        self.opening = 0
        self.term += 1
        return actions

    def check_invariants(self) -> None:
        """What holds between steps; an AssertionError otherwise is a fault of ours."""
        mine = self.identity
        assert not (self.leading and self.following), "a node leads and follows at once"
        if self.leading is not None:
            assert self.leading.epoch == mine.opened, "a node leads an epoch it didn't open"
            assert self.leading.epoch == mine.promised, "a node leads an epoch older than its promise"
            assert self.epochs.of(self.log.end) == self.leading.epoch, "a leader's last byte is of another epoch"
        if self.following is not None and self.following.epoch:
            assert self.following.epoch == mine.promised, "a node follows an epoch older than its promise"
        assert all(0 <= offset <= self.log.end for offset in self.commit), "more is committed than is there"
        assert self.epochs.of(self.log.end) <= mine.promised, "the log has an epoch that wasn't promised"
