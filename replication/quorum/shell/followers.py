"""A leader's side of the links to those who follow it: whom it feeds, what it tells them and hears (a shell).

News is told at once when it begins a round or asks for disks, else after `NEWS_S`, the latest: only readers of replicas
wait for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvserver.client.reasons import Reason
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from replication.primary.feed import Feed
from replication.quorum import words
from replication.quorum.tally import Level
from replication.quorum.wire_words import AMNESIA, Greeting, WordsError, decode_hello, encode_frame, is_name
from replication.quorum.words import News

if TYPE_CHECKING:
    from replication.quorum.shell.voting import Quorum

NEWS_S = 0.002


class Followers:
    """See `replication.voting.FollowersVoting`; a *link* of the pure node is the follower's session."""

    def __init__(self, quorum: Quorum) -> None:
        self.greetings: dict[Session, Greeting] = {}
        self._quorum = quorum
        self._late: dict[Session, News] = {}
        self._told: dict[Session, tuple[int, int]] = {}  # the last round, and up to where disks were asked for
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, c: Session, message: words.Message) -> None:
        """Send a message, behind what is in the log by now; who takes a snapshot is told when it comes on line."""
        if isinstance(message, News):
            self._spread(c, message)
        elif self._is_live(c):
            self._quorum.ours.engine.log.flush()
            c.send(encode_frame(message))

    def cut(self, c: Session) -> None:
        """End a link."""
        c.end(Reason.REPLICA_HISTORY, "the quorum's leader is another one, or none")

    @staticmethod
    def _is_live(c: Session) -> bool:
        return isinstance(c.replica, Feed) and c.replica.live

    def _spread(self, c: Session, news: News) -> None:
        """Tell news at once if a round begins with it, or disks are asked for, else soon, the latest."""
        self._late[c] = news
        if (news.round, news.wanted) != self._told.get(c, (0, 0)):
            self._send_news()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NEWS_S, self._send_news)

    def _send_news(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._quorum.ours.engine.log.flush()  # what disks are asked for comes before
        late, self._late = self._late, {}
        for c, news in late.items():
            if self._is_live(c):
                self._told[c] = news.round, news.wanted
                c.send(encode_frame(news))

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
        if hello.node_id == self._quorum.node.node_id or (twin is not None and twin.run != greeting.run):
            raise CommandError(
                f"NOQUORUM node id {hello.node_id} is another living node's: its folder is a copy. "
                "Remove quorum.id in one of them."
            )
        lead = self._quorum.node.leading
        known = 0 if lead is None else lead.tally.acknowledged(hello.node_id, Level.MEMORY)
        if known > hello.offset:
            text = f"{AMNESIA} {hello.node_id} acknowledged {known}, and its log ends at {hello.offset}"
            raise CommandError(text)
        if not self._quorum.rests():
            if hello.last_epoch:
                raise CommandError("NOQUORUM this primary belongs to no group, and the replica belongs to one")
            return None
        backlog = self._quorum.ours.feeder.backlog
        kept = backlog is not None and backlog.holds(offset) and offset == hello.offset + 1
        said = self._quorum.node.hello(c, hello, kept)
        self._quorum.do([action for action in said if getattr(action, "link", None) is not c])
        if any(isinstance(action, words.Unlink) for action in said):
            raise CommandError("NOMASTERLINK Can't feed a member: this node doesn't lead its quorum")
        self._quorum.attendance.heard(c, self._quorum.now_s())
        return not any(isinstance(action, words.Synchronize) for action in said)

    def welcome(self, c: Session) -> bytes:
        """To a follower that continues."""
        lead = self._quorum.node.leading
        if lead is None or c not in lead.links:
            return b""
        return encode_frame(words.Welcome(lead.epoch, True))

    def online(self, c: Session) -> None:
        """A follower is on line."""
        self._quorum.do(self._quorum.node.online(c))

    def acknowledged(self, c: Session, memory: int, synced: int, round_: int) -> None:
        """A follower says how far it is."""
        greeting = self.greetings.get(c)
        if greeting is not None:
            self._quorum.attendance.heard(c, self._quorum.now_s())
            ack = words.Ack(greeting.hello.node_id, memory, synced, round_)
            self._quorum.do(self._quorum.node.acknowledged(c, ack))

    def asked(self, c: Session, name: bytes) -> None:
        """A follower asks what a reader of its own has to see."""
        if is_name(name):
            self._quorum.do(self._quorum.node.asked(c, words.Ask(name)))

    def wanted(self, c: Session, offset: int) -> None:
        """A reader of a follower's waits for disks."""
        self._quorum.do(self._quorum.node.wanted(c, words.Want(offset)))

    def gone(self, c: Session) -> None:
        """A client, or a follower, is gone."""
        self._late.pop(c, None)
        self._told.pop(c, None)
        self._quorum.attendance.forget(c)
        if self.greetings.pop(c, None) is not None:
            self._quorum.do(self._quorum.node.unlinked(c))
