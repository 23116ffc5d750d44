"""The shell of a quorum node: performs what `QuorumNode` says, in the order in which it says it.

Theory of operation.  Each thing that happens is a step of the pure node; its actions go into one line.  An identity is
written by a thread, and whatever stands behind it in the line waits; but what only stops something (to lead, to follow,
to answer) is done at once, since the log has to stand still from the step on that promised it away.

A leader's link to a follower is the follower's session, a follower's link to its leader is the connection (`Wire`).
News is told at once when it begins a round, else at most every `NEWS_S`: only readers of replicas wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kvserver.client.reasons import Reason
from kvserver.client.server import Server
from kvserver.config import Config
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.wire.resp import ProtocolError, encode_request
from replication.primary.feed import Feed
from replication.quorum import records, words
from replication.quorum.identity import PROCESS, Identity
from replication.quorum.node import QuorumNode
from replication.quorum.shell.clients import Clients
from replication.quorum.shell.identity_file import IdentityFile
from replication.quorum.shell.log_view import LogView
from replication.quorum.shell.members import Attendance
from replication.quorum.tally import Level
from replication.quorum.wire_words import (
    Greeting,
    WordsError,
    decode_frame,
    decode_hello,
    decode_state,
    encode_frame,
    encode_hello,
)
from replication.quorum.words import Action, News, State
from replication.replica.stream import Applier
from replication.replica.wire import LinkError, Wire
from replication.shell import Replication

NEWS_S = 0.002
Said = words.Promised | words.Refused | None
"""What became of a step: a promise, a refusal, or that all of it is done (None)."""
Answer = Callable[[Said], object]


@dataclass(frozen=True, slots=True)
class _Then:
    """In the line: whoever waits for what stands before it hears of it."""

    answer: Answer
    said: Said

    def say(self) -> None:
        """Tell."""
        self.answer(self.said)


class Quorum:
    """One node's part in a group; see the module's theory of operation, and `Voting` for what others call."""

    active = True

    def __init__(
        self, server: Server, config: Config, log: Any, ours: Replication, node: QuorumNode, file: IdentityFile,
        view: LogView,
    ) -> None:
        engine = server.engine
        self.node = node
        self.view = view
        self.log = log
        self.ours = ours
        self.attendance = Attendance()
        self.clients = Clients(engine, config, self, server)
        self.greetings: dict[Session, Greeting] = {}
        self.run = engine.services.doors.chance.token(20)
        self.wire: Wire | None = None
        self._applier: Applier | None = None
        self._told: dict[object, words.Ack] = {}
        self._engine = engine
        self._config = config
        self._clock = engine.services.clock
        self._file = file
        self._line: deque[Action | _Then] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._late: dict[Session, News] = {}
        self._news_timer: asyncio.TimerHandle | None = None

    def rests(self) -> bool:
        """Whether the node belongs to a group."""
        return bool(self.node.epochs.rows())

    # -- steps --------------------------------------------------------------------------------------------------

    def do(self, actions: list[Action], answer: Answer | None = None) -> None:
        """Perform what a step said; `answer` hears of it when it has been performed."""
        said: Said = None
        for action in actions:
            if isinstance(action, words.Promised | words.Refused):
                said = action
            elif isinstance(action, words.StepDown | words.Unlink | words.Lost):
                self._perform(action)
            else:
                self._line.append(action)
        if answer is not None:
            self._line.append(_Then(answer, said))
        self._advance()

    def _advance(self) -> None:
        while self._line and self._writing is None:
            action = self._line.popleft()
            if isinstance(action, words.Persist):
                self._writing = asyncio.get_running_loop().create_task(self._persist(action.identity))
            elif isinstance(action, _Then):
                action.say()
            else:
                self._perform(action)
        if self._writing is None:
            self.clients.publish()

    async def _persist(self, identity: Identity) -> None:
        await self._file.keep(identity, lambda: asyncio.sleep(1.0))
        self._writing = None
        self._advance()

    def _perform(self, action: Action) -> None:
        match action:
            case words.Append(record, term):
                if self.node.term == term:
                    self._append(record)
            case words.Tell(link, message):
                self._tell(link, message)
            case words.Unlink(link):
                self._unlink(link)
            case words.StepDown(reason):
                self.log.warning("this node leads no more", reason=reason)
                self.ours.rest()
                self.clients.deposed(reason)
            case words.Execute(name):
                self.clients.execute(name)
            case words.Done(name):
                self.clients.answered(name)
            case words.Lost(names):
                self.clients.lost(names)
            case words.Committed() | words.Synchronize():
                pass  # `publish` looks; the replica that was admitted waits for its snapshot already

    def _append(self, record: records.Record) -> None:
        """A record of our own: the first one of an epoch makes this node the primary."""
        if record.opens_epoch and not self.ours.role.leads:
            self.ours.promote()
        log = self._engine.log
        self.ours.stream_wanted()
        first = log.offset + 1
        log.append_raw(records.encode(record))
        log.flush()
        self.do(self.node.recorded(record, first, log.offset))
        if record.opens_epoch:
            self.attendance.begin(self._clock.monotonic())
            self.log.warning("this node leads", epoch=record.epoch, offset=log.offset)

    # -- links --------------------------------------------------------------------------------------------------

    def _tell(self, link: object, message: words.Message) -> None:
        if isinstance(message, words.Ack):
            assert isinstance(link, Wire)
            told = self._told.get(link)
            if told is None or message.round > told.round or (told.memory, told.synced) != (
                message.memory, message.synced
            ):  # fmt: skip
                self._told[link] = message if told is None else replace(message, round=max(told.round, message.round))
                self._write_ack(link, message)
        elif isinstance(message, words.Ask):
            assert isinstance(link, Wire)
            assert isinstance(message.name, bytes)
            link.write(encode_request([b"REPLCONF", b"quorum-ask", message.name]))
        elif isinstance(link, Session):
            if isinstance(message, News):
                self._spread(link, message)
            elif self._is_live(link):
                self._engine.log.flush()
                link.send(encode_frame(message))

    @staticmethod
    def _is_live(c: Session) -> bool:
        return isinstance(c.replica, Feed) and c.replica.live

    def _spread(self, c: Session, news: News) -> None:
        """Tell news at once if a round begins with it, else soon, the latest."""
        self._late[c] = news
        if news.round != self.attendance.round_told.get(c, 0):
            self._send_news()
        elif self._news_timer is None:
            self._news_timer = asyncio.get_running_loop().call_later(NEWS_S, self._send_news)

    def _send_news(self) -> None:
        if self._news_timer is not None:
            self._news_timer.cancel()
            self._news_timer = None
        late, self._late = self._late, {}
        for c, news in late.items():
            if self._is_live(c):
                self.attendance.round_told[c] = news.round
                c.send(encode_frame(news))

    def _write_ack(self, wire: Wire, ack: words.Ack) -> None:
        wire.write(encode_request([
            b"REPLCONF", b"ACK", b"%d" % ack.memory, b"FACK", b"%d" % ack.synced, b"QUORUM", b"%d" % ack.round,
        ]))  # fmt: skip

    def _unlink(self, link: object) -> None:
        if isinstance(link, Session):
            link.end(Reason.REPLICA_HISTORY, "the quorum's leader is another one, or none")
        elif isinstance(link, Wire):
            if self.wire is link and self._applier is not None:
                self._applier.stop()
            link.cut()

    # -- who follows --------------------------------------------------------------------------------------------

    def hello(self, wire: Wire) -> bytes:
        """Begin to follow over a connection; what to announce."""
        self.wire = wire
        said = self.node.connect(wire)
        hello = next((a.message for a in said if isinstance(a, words.Tell)), None)
        self.do([action for action in said if not isinstance(action, words.Tell)])
        assert isinstance(hello, words.Hello)
        return encode_hello(hello, self.run)

    def joined(self, wire: Wire, understood: bool) -> None:
        """Raises LinkError: a member of a group follows its leader, nobody else."""
        if self.rests() and not understood:
            raise LinkError("the primary belongs to no quorum group, and this node belongs to one")

    def may_adopt(self, wire: Wire, aux: Mapping[bytes, bytes]) -> bool:
        """Whether the data set of a leader of that epoch may be adopted; a primary without a group is no leader."""
        state, epoch = self._state(aux)
        if not state.epochs:
            return not self.rests()
        return self.node.may_apply(wire, epoch)

    def adopted(self, wire: Wire, aux: Mapping[bytes, bytes]) -> None:
        """It was: epochs and members come with it."""
        state, epoch = self._state(aux)
        self._told.pop(wire, None)
        if state.epochs:
            self.do(self.node.adopted(wire, epoch, state))

    @staticmethod
    def _state(aux: Mapping[bytes, bytes]) -> tuple[State, int]:
        try:
            return decode_state(aux)
        except (WordsError, ValueError) as error:
            raise LinkError(f"the leader's snapshot: {error}")

    def streams(self, wire: Wire, applier: Applier) -> None:
        """Wait for a welcome, unless a snapshot brought it, or there is no group yet."""
        self._applier = applier
        follow = self.node.following
        applier.closed = self.rests() and not (follow is not None and follow.link is wire and follow.on)
        applier.on_frame = lambda args: self._frame(wire, applier, args)
        applier.on_note = self._noted

    def _frame(self, wire: Wire, applier: Applier, args: list[bytes]) -> None:
        try:
            message = decode_frame(args)
        except WordsError as error:
            raise ProtocolError(str(error))
        self._engine.log.flush()
        match message:
            case words.Welcome():
                self.do(self.node.welcome(wire, message))
                applier.closed = not self.node.may_apply(wire)
            case News():
                self.do(self.node.news(wire, message))
            case words.Confirmed():
                self.do(self.node.confirmed(wire, message))

    def _noted(self, args: list[bytes], first: int, last: int) -> None:
        """A PING with a text came: perhaps a record."""
        record = records.parse(args)
        if record is not None:
            self.do(self.node.recorded(record, first, last))

    def applied(self, wire: Wire) -> None:
        """Acknowledge at once: a reply waits for it."""
        self._engine.log.flush()
        self.do(self.node.grown())

    def acknowledgement(self, wire: Wire) -> list[bytes] | None:
        """How far the node is, once it was welcomed."""
        follow = self.node.following
        if follow is None or follow.link is not wire or not follow.on:
            return None
        self._engine.log.flush()
        log = self.node.log
        return [b"REPLCONF", b"ACK", b"%d" % log.kept, b"FACK", b"%d" % log.synced, b"QUORUM", b"0"]

    def left(self, wire: Wire) -> None:
        """The connection is gone."""
        self._told.pop(wire, None)
        if self.wire is wire:
            self.wire = self._applier = None
        self.do(self.node.unlinked(wire))

    # -- who leads ----------------------------------------------------------------------------------------------

    def announced(self, c: Session, text: bytes) -> None:
        """Remember who it is, until it asks for the stream. Raises CommandError."""
        try:
            self.greetings[c] = decode_hello(text)
        except WordsError as error:
            raise CommandError(f"ERR {error}")

    def admit(self, c: Session, offset: int) -> bool | None:
        """By the epochs, for who votes. Raises CommandError."""
        greeting = self.greetings.get(c)
        if greeting is None:
            return None
        hello = greeting.hello
        twin = next((g for s, g in self.greetings.items() if s is not c and g.hello.node_id == hello.node_id), None)
        if hello.node_id == self.node.node_id or (twin is not None and twin.run != greeting.run):
            raise CommandError(
                f"NOQUORUM node id {hello.node_id} is another living node's: its folder is a copy. "
                "Remove quorum.id in one of them."
            )
        if not self.rests():
            if hello.last_epoch:
                raise CommandError("NOQUORUM this primary belongs to no group, and the replica belongs to one")
            return None
        backlog = self.ours.feeder.backlog
        kept = backlog is not None and backlog.holds(offset) and offset == hello.offset + 1
        said = self.node.hello(c, hello, kept)
        self.do([action for action in said if getattr(action, "link", None) is not c])
        if any(isinstance(action, words.Unlink) for action in said):
            raise CommandError("NOMASTERLINK Can't feed a member: this node doesn't lead its quorum")
        self.attendance.heard(c, self._clock.monotonic())
        return not any(isinstance(action, words.Synchronize) for action in said)

    def welcome(self, c: Session) -> bytes:
        """To a follower that continues."""
        lead = self.node.leading
        if lead is None or c not in lead.links:
            return b""
        return encode_frame(words.Welcome(lead.epoch, True))

    def online(self, c: Session) -> None:
        """What it wasn't told meanwhile it is told now."""
        lead = self.node.leading
        if lead is not None and c in lead.links:
            self._spread(c, News(lead.epoch, (self.node.commit[0], self.node.commit[1]), lead.tally.round))

    def acknowledged(self, c: Session, memory: int, synced: int, round_: int) -> None:
        """A follower says how far it is."""
        greeting = self.greetings.get(c)
        if greeting is not None:
            self.attendance.heard(c, self._clock.monotonic())
            self.do(self.node.acknowledged(c, words.Ack(greeting.hello.node_id, memory, synced, round_)))

    def asked(self, c: Session, name: bytes) -> None:
        """A follower asks what a reader of its own has to see."""
        if len(name) <= 16:
            self.do(self.node.asked(c, words.Ask(name)))

    def gone(self, c: Session) -> None:
        """A client, or a follower, is gone."""
        self._late.pop(c, None)
        self.attendance.forget(c)
        if self.greetings.pop(c, None) is not None:
            self.do(self.node.unlinked(c))

    def file_synced(self) -> None:
        """More of the log is on our disk, or outlives the process."""
        self.do(self.node.grown())

    def note_loss(self) -> None:
        """Keep durably what a loss of power, or the end of the process, would lose of what was acknowledged."""
        identity, view = self.node.identity, self.view
        if not self._config.appendonly:
            wanted = PROCESS
        elif self.node.level is Level.SYNCED:
            wanted = ""
        else:
            wanted = self._engine.services.doors.machine.boot()
        if wanted == identity.unsynced:
            view.relaxed = bool(wanted)
            return
        if not wanted:
            view.relaxed = False
            if view.synced < view.end:
                return  # looked at again soon
        self.node.identity = replace(identity, unsynced=wanted)
        self.do([words.Persist(self.node.identity)], lambda said: setattr(view, "relaxed", bool(wanted)))

    # -- time ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Ten times a second: found, take in, give up."""
        self.note_loss()
        self.clients.tick()
        self.attendance.look(self)

    async def stop(self) -> None:
        """The node stops: what is being written is written."""
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=2.0)

