"""A voting data node without a process: the real quorum machine, a log of entries, links over a simulated network.

Sentinels see it by PING, INFO, hellos, QUORUM and SLAVEOF; other nodes by a link that carries the machine's messages.
The oracle hears of every epoch that is opened and of all that is committed.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import cast

from replication.quorum.choice import Answer
from replication.quorum.identity import Identity
from replication.quorum.node import QuorumNode
from replication.quorum.words import (
    Ack,
    Action,
    Append,
    Committed,
    Hello,
    Lead,
    Message,
    News,
    Persist,
    Promised,
    Refused,
    StepDown,
    Synchronize,
    Tell,
    Unlink,
    Welcome,
)
from replication.sentinel.mind.messages import Reply, ReplyError
from simulation.network import Connection, Network, Process
from simulation.quorum.oracle import Entry, Oracle
from simulation.quorum.shells import EntryLog, entry_of, record_of, state_of
from simulation.voter_links import Feed, Following

PORT = 6379
SILENT_MS = 1_500
WORD = b"quorum"


class VoterShell(Process):
    """The machine, its log and its disk, and what is done about its actions."""

    def __init__(self, network: Network, host: str, rng: Random, oracle: Oracle, slot: int, founding: Entry) -> None:
        super().__init__(network, host)
        self.rng = rng
        self.oracle = oracle
        self.slot = slot
        self.priority = 100
        self.quiet = False
        self.serial = 0
        self.configured: tuple[str, int] | None = None
        self.log = EntryLog()
        self.durable = Identity(record_of(founding).leader[:-2] + f"{slot:02x}", promised=1)
        if slot:
            self.log.add(founding)
        self._boot()
        if not slot:
            self.node.opening = 1
            self.durable = self.node.identity = replace(self.durable, opened=1)
            self._append(founding)

    def _boot(self) -> None:
        self.run_id = f"{self.rng.getrandbits(160):040x}"
        self.way: Following | None = None
        self.feeds: dict[Connection, Feed] = {}
        self.held: list[int] = []
        self.hold_until_ms = 0
        self.node = QuorumNode(self.durable, self.log, state=state_of(self.log))

    # -- the shell of the machine -----------------------------------------------------------------------------

    def perform(self, actions: list[Action]) -> Answer | str | None:
        """Do what the machine said, in order; what it answers a sentinel (a text: why not)."""
        answer: Answer | str | None = None
        for action in actions:
            if isinstance(action, Promised):
                answer = action.answer
            elif isinstance(action, Refused):
                answer = action.reason
            else:
                self._do(action)
        self.node.check_invariants()
        return answer

    def _do(self, action: Action) -> None:
        match action:
            case Persist(identity):
                self.durable = identity
            case Append(record, term) if term == self.node.term:
                if record.opens_epoch:
                    self.oracle.opens(self.host, self.slot, record.epoch, self.log.plain(), bool(record.sets))
                self._append(entry_of(record))
            case Tell(link, message):
                self._tell(cast(Connection, link), message)
            case Synchronize(link, epoch):
                connection = cast(Connection, link)
                connection.reply([WORD, epoch, self.log.entries[:], self.node.state()], None)
                self.feeds[connection].sent = len(self.log.entries)
            case Unlink(link):
                self._unlink(cast(Connection, link))
            case Committed(commit):
                self._commit(commit[self.node.level])
            case StepDown():
                self.held = []

    def _tell(self, connection: Connection, message: Message) -> None:
        if isinstance(message, Hello | Ack):
            connection.send(cast("tuple[bytes, ...]", (WORD, message)), "link")
            return
        self._flush(connection)
        connection.reply([WORD, message], None)
        if isinstance(message, Welcome) and message.go_on:
            feed = self.feeds[connection]
            feed.sent = self.log.count(feed.offered)
            self._flush(connection)

    def _unlink(self, connection: Connection) -> None:
        if self.way is not None and self.way.connection is connection:
            self.way.hang_up()
        else:
            self.feeds.pop(connection, None)
            connection.broken_by(self)

    def _append(self, entry: Entry) -> None:
        start, end = self.log.add(entry)
        for connection in self.feeds:
            self._flush(connection)
        if entry[1] != "write":
            self.perform(self.node.recorded(record_of(entry), start, end))

    def _flush(self, connection: Connection) -> None:
        feed = self.feeds[connection]
        if feed.sent is not None:
            for entry, _ in self.log.entries[feed.sent :]:
                connection.reply([WORD, entry], None)
            feed.sent = len(self.log.entries)

    def _commit(self, to: int) -> None:
        leading = self.node.leading
        assert leading is not None
        self.oracle.commits(self.host, leading.epoch, self.log.plain(), self.log.count(to))
        self.oracle.acknowledges([self.log.count(offset) for offset in self.held if offset <= to])
        self.held = [offset for offset in self.held if offset > to]

    @property
    def leads(self) -> bool:
        return self.node.leading is not None


class Voter(VoterShell):
    """The node as sentinels, other nodes, faults and stories see it."""

    def restart(self) -> None:
        """A new process; it may remember whom it followed, and doesn't lead."""
        self.alive = True
        self._boot()
        if self.configured is not None and self.rng.randrange(2):
            self.way = Following(self, self.configured)

    def wipe(self) -> None:
        """Lose the folder, being dead: who comes back is another, in the same place."""
        self.log = EntryLog()
        new_id = f"{self.rng.getrandbits(160):040x}"
        self.durable = Identity(new_id, was=(*self.durable.was, self.durable.node_id))

    # -- what faults and stories look at ----------------------------------------------------------------------

    @property
    def follows(self) -> tuple[str, int] | None:
        """Whom it was told to follow; None if it leads."""
        if self.leads:
            return None
        return self.way.target if self.way is not None else ("?", 0)

    @property
    def settled(self) -> bool:
        """Whether it leads and its marker is committed, or follows and its log is its leader's."""
        leading, following = self.node.leading, self.node.following
        if leading is not None:
            return self.node.commit[self.node.level] >= leading.tally.marker
        return following is not None and following.on

    @property
    def epoch(self) -> int:
        """The epoch that it leads or follows, 0 for none."""
        leading, following = self.node.leading, self.node.following
        return leading.epoch if leading is not None else following.epoch if following is not None else 0

    def abort_hand_over(self) -> None:
        """A switchover is an epoch: there is nothing to abort."""

    # -- time -------------------------------------------------------------------------------------------------

    def replicate(self) -> None:
        """One turn: take a write as a leader, miss those who are gone, leave a leader that is silent."""
        if not self.alive or self.paused:
            return
        now = self.network.clock.now_ms
        for connection in [c for c in self.feeds if c not in self.connections]:
            del self.feeds[connection]
            self.perform(self.node.unlinked(connection))
        if self.leads and not self.quiet and now >= self.hold_until_ms and not self.rng.randrange(8):
            self.serial += 1
            leading = self.node.leading
            assert leading is not None
            self._append((leading.epoch, "write", f"{self.slot}{self.serial:09d}"))
            self.held.append(self.log.end)
            self.perform(self.node.grown())
        if self.leads and not self.rng.randrange(8):
            for connection in self.feeds:
                connection.reply([WORD], None)
        if self.way is not None:
            self.way.tick(now)

    def follow(self, connection: Connection, words: list[object]) -> None:
        """Something came from the leader: a message, a full synchronization, an entry, or a sign of life."""
        node = self.node
        match words[1:]:
            case [int(epoch), list(entries), state]:
                if node.may_apply(connection, epoch):
                    self.log.entries, self.log.synced = list(entries), 0
                self.perform(node.adopted(connection, epoch, state))
            case []:
                self.perform(node.grown())
            case [Welcome() as welcome]:
                self.perform(node.welcome(connection, welcome))
            case [News() as news]:
                self.perform(node.news(connection, news))
            case [tuple() as entry] if node.may_apply(connection):
                self._append(cast(Entry, entry))
                self.perform(node.grown())
        if node.following is not None:
            self.oracle.follows(self.host, self.log.plain(), self.log.count(node.commit[node.level]))

    # -- as a server ------------------------------------------------------------------------------------------

    def serve(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        command = args[0]
        if connection.queued is not None and command != b"EXEC":
            connection.queued.append(args)
            return b"QUEUED"
        if command == b"EXEC":
            queued, connection.queued = connection.queued or [], None
            return [self._run(connection, each) for each in queued]
        return self._run(connection, args)

    def _run(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        match args:
            case (b"PING", *_):
                return b"PONG"
            case (b"INFO", *_):
                return self.info()
            case (b"MULTI", *_):
                connection.queued = []
            case (b"SUBSCRIBE", channel):
                connection.subscribed = True
                return [b"subscribe", channel, 1]
            case (b"PUBLISH", channel, payload):
                listeners = [c for c in self.connections if c.subscribed and c.server is self]
                for each in listeners:
                    each.reply([b"message", channel, payload], None)
                return len(listeners)
            case (b"SLAVEOF", host, port):
                return self.replicaof(host.decode(), port.decode())
            case (b"QUORUM", verb, *words):
                return self._quorum(verb, words)
            case (word, Hello() as hello) if word == WORD:
                self.feeds[connection] = Feed(hello.offset, self.network.clock.now_ms)
                self.perform(self.node.hello(connection, hello))
            case (word, Ack() as ack) if word == WORD and connection in self.feeds:
                self.feeds[connection].heard_at_ms = self.network.clock.now_ms
                self.perform(self.node.acknowledged(connection, ack))
        return b"OK"

    def replicaof(self, host: str, port: str) -> Reply:
        if (host, port) == ("NO", "ONE") or self.leads or self.node.opening:
            return ReplyError("NOQUORUM use SENTINEL FAILOVER")
        target = self.configured = (host, int(port))
        if self.way is None or self.way.target != target:
            self._rest()
            self.way = Following.__new__(Following)
            self.way = Following(self, target)
            self.way.tick(self.network.clock.now_ms)
        return b"OK"

    def _rest(self) -> None:
        way, self.way = self.way, None
        if way is not None and way.connection is not None:
            connection = way.connection
            way.hang_up()
            self.perform(self.node.unlinked(connection))

    def _quorum(self, verb: bytes, words: list[bytes]) -> Reply:
        match verb, words:
            case b"HOLD", [ms]:
                if not self.leads:
                    return ReplyError("ERR this node doesn't lead")
                self.hold_until_ms = self.network.clock.now_ms + int(ms)
                return b"OK"
            case b"PROMISE", [epoch, attempt]:
                answer = self.perform(self.node.promise(int(epoch), attempt.decode()))
                if not isinstance(answer, Answer):
                    return ReplyError(f"NOPROMISE {answer}")
                if self.node.following is None:
                    self._rest()
                sets: list[object] = [",".join(sorted(each)).encode() for each in answer.sets]
                places = ",".join((answer.node_id, *self.durable.was)).encode()
                return [answer.node_id.encode(), answer.last_epoch, answer.offset, sets, places]
            case b"LEAD", [epoch, attempt, node_id, last_epoch, offset, *refound]:
                members = frozenset(refound[0].decode().split(",")) if refound else frozenset[str]()
                order = Lead(int(epoch), attempt.decode(), node_id.decode(), int(last_epoch), int(offset), members)
                reason = self.perform(self.node.lead(order))
                if isinstance(reason, str):
                    return ReplyError(f"NOLEAD {reason}")
                self._rest()
                return b"OK"
        return ReplyError("ERR unknown subcommand")

    def _reach(self) -> int:
        since = self.network.clock.now_ms - SILENT_MS
        return self.leads + sum(feed.heard_at_ms >= since for feed in self.feeds.values()) if self.leads else 0

    def info(self) -> bytes:
        node, mine = self.node, self.node.identity
        unfounded = not node.epochs.rows()
        state = ("unfounded" if unfounded else "leading" if self.leads else "opening" if node.opening
                 else "following" if self.way else "resting")
        lines = ["# Server", f"run_id:{self.run_id}", "# Replication"]
        if self.leads or (unfounded and self.way is None):
            hosts = [c.client_process.host for c in self.feeds if c in self.connections]
            lines += ["role:master", *(f"slave{i}:ip={host},port={PORT},state=online,offset=0,lag=0"
                                       for i, host in enumerate(hosts))]
        else:
            host, port = self.follows or ("?", 0)
            up = node.following is not None and node.following.on
            lines += ["role:slave", f"master_host:{host}", f"master_port:{port}",
                      f"master_link_status:{'up' if up else 'down'}", f"slave_repl_offset:{self.log.end}",
                      f"slave_priority:{self.priority}"]
        members = " ".join(",".join(sorted(each)) for each in node.members.now)
        lines += [f"master_repl_offset:{self.log.end}", "# Quorum", f"quorum_node_id:{mine.node_id}",
                  f"quorum_state:{state}", f"quorum_promised:{mine.promised}",
                  f"quorum_last_epoch:{node.epochs.of(self.log.end)}", f"quorum_epoch:{self.epoch}",
                  f"quorum_members:{members}", f"quorum_reach:{self._reach()}"]
        return ("\r\n".join(lines) + "\r\n").encode()
