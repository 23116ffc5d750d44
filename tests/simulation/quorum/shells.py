"""The outside of the machines: logs, links, members, and what a node's shell does with the actions it is given."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from replication.quorum.choice import Answer, Choice
from replication.quorum.identity import Identity
from replication.quorum.members import Sets
from replication.quorum.node import QuorumNode
from replication.quorum.records import Kind, Record
from replication.quorum.tally import Level
from replication.quorum.words import (
    Ack,
    Action,
    Append,
    Ask,
    Committed,
    Done,
    Execute,
    Hello,
    Lost,
    Message,
    Persist,
    Promised,
    State,
    StepDown,
    Synchronize,
    Tell,
    Unlink,
    Welcome,
)
from simulation.quorum.oracle import Entry, Oracle

_LENGTHS = {"marker": 70, "found": 90, "open": 130, "close": 80, "write": 33}


def id_of(number: int) -> str:
    """The id that a node with this number has: slot, plus ten for each time it lost its data."""
    return f"{number:040x}"


def letter(node_id: str) -> str:
    """A short name: the slot's letter, a stroke for each time it lost its data."""
    number = int(node_id, 16)
    return "ABCDEFG"[number % 10] + "'" * (number // 10)


@dataclass
class EntryLog:
    """A command log of entries. `disk` is what a loss of power leaves."""

    entries: list[tuple[Entry, int]] = field(default_factory=list)  # with the offset of its last byte
    disk: list[tuple[Entry, int]] = field(default_factory=list)
    synced: int = 0

    @property
    def kept(self) -> int:
        """A killed process leaves all of it: the kernel has it."""
        return self.end

    @property
    def end(self) -> int:
        return self.entries[-1][1] if self.entries else 0

    def add(self, entry: Entry) -> tuple[int, int]:
        """Append; the offsets of its first and last byte."""
        start = self.end + 1
        end = self.end + _LENGTHS[entry[1]] + (int(str(entry[2])) % 7 if entry[1] == "write" else 0)
        self.entries.append((entry, end))
        return start, end

    def sync(self) -> None:
        self.disk, self.synced = self.entries[:], self.end

    def plain(self) -> list[Entry]:
        return [entry for entry, _ in self.entries]

    def count(self, offset: int) -> int:
        """How many entries end at or before an offset."""
        return sum(1 for _, end in self.entries if end <= offset)


@dataclass(eq=False)
class Connection:
    """A follower's link; queues of messages each way."""

    follower: Member
    leader: Member
    up: deque[Message] = field(default_factory=deque)
    down: deque[object] = field(default_factory=deque)
    sent: int | None = None  # entries of the leader's log that were put on the way
    offered: int = 0  # the offset that the follower named


@dataclass
class Full:
    """A full synchronization on its way."""

    epoch: int
    entries: list[tuple[Entry, int]]
    state: State


@dataclass
class Read:
    """A client's read. `need`: what had been acknowledged or shown before it came, in entries."""

    linearizable: bool
    need: int
    shows: list[Entry] | None


@dataclass
class Try:
    """One sentinel's attempt to have one node lead one epoch."""

    key: str
    epoch: int
    inbox: dict[int, Answer] = field(default_factory=dict)
    heard: dict[int, Answer] = field(default_factory=dict)
    choice: Choice | None = None


class Member:
    """A process and its disk."""

    def __init__(self, slot: int, node: QuorumNode, log: EntryLog) -> None:
        self.slot = slot
        self.node = node
        self.log = log
        self.durable = node.identity
        self.backup: tuple[Identity, list[tuple[Entry, int]]] | None = None
        self.up = True
        self.link: Connection | None = None
        self.ids = {node.node_id}
        self.writes: list[int] = []  # offsets whose replies are held
        self.reads: dict[object, Read] = {}


class Shells:
    """What the shells of all nodes do with the actions of their machines."""

    def __init__(self, level: Level, first: Entry) -> None:
        self.level = level
        self.oracle = Oracle(first)
        self.members: list[Member] = []

    def _check_opening(self, member: Member, epoch: int, choice: Choice) -> None:
        plain = member.log.plain()
        cut = self.oracle.opens(letter(choice.node_id), member.slot, epoch, plain, bool(choice.refound))
        if cut is None:
            return
        for other in self.members:  # what was dropped is committed no more, for anybody
            offset = other.log.entries[cut - 1][1] if 0 < cut <= len(other.log.entries) else 0
            for level in Level:
                other.node.commit[level] = min(other.node.commit[level], offset)
            for read in other.reads.values():
                read.need = min(read.need, cut)

    def perform(self, member: Member, actions: list[Action]) -> Answer | None:
        """Do what a machine said, in order; a promise's answer."""
        answer = None
        for action in actions:
            if isinstance(action, Promised):
                answer = action.answer
            elif isinstance(action, Persist):
                member.durable = action.identity
            elif isinstance(action, Tell):
                self._tell(action)
            else:
                self._perform_one(member, action)
        return answer

    def _tell(self, action: Tell) -> None:
        link, message = action.link, action.message
        assert isinstance(link, Connection)
        if isinstance(message, Hello | Ack | Ask):
            link.up.append(message)
            link.offered = message.offset if isinstance(message, Hello) else link.offered
            return
        self._flush(link)
        link.down.append(message)
        if isinstance(message, Welcome) and message.go_on:
            leading = link.leader.node.leading
            assert leading is not None
            link.sent = link.leader.log.count(link.offered)
            self._flush(link)

    def _perform_one(self, member: Member, action: Action) -> None:
        if isinstance(action, Append) and member.node.term == action.term:
            self._append(member, entry_of(action.record))
            self.oracle.counts.changes += action.record.kind is Kind.CLOSE
        elif isinstance(action, Synchronize):
            link = action.link
            assert isinstance(link, Connection)
            link.down.append(Full(action.epoch, member.log.entries[:], member.node.state()))
            link.sent = len(member.log.entries)
        elif isinstance(action, Unlink):
            if member.link is action.link:
                member.link = None
        elif isinstance(action, StepDown):
            member.writes = []
        elif isinstance(action, Committed):
            self._commit(member, action.commit[self.level])
        elif isinstance(action, Execute):
            member.reads[action.name].shows = member.log.plain()
        elif isinstance(action, Done):
            read = member.reads.pop(action.name)
            assert read.shows is not None
            self.oracle.answers(read.shows, read.linearizable, read.need)
        elif isinstance(action, Lost):
            for name in action.names:
                member.reads.pop(name, None)

    def _commit(self, member: Member, to: int) -> None:
        leading = member.node.leading
        assert leading is not None
        self.oracle.commits(letter(member.node.node_id), leading.epoch, member.log.plain(), member.log.count(to))
        acked = [offset for offset in member.writes if offset <= to]
        member.writes = [offset for offset in member.writes if offset > to]
        self.oracle.acknowledges([member.log.count(offset) for offset in acked])

    def _append(self, member: Member, entry: Entry) -> None:
        """Put an entry into a log, and on the way to whoever follows."""
        start, end = member.log.add(entry)
        for link in self._followers(member):
            self._flush(link)
        if entry[1] != "write":
            self.perform(member, member.node.recorded(record_of(entry), start, end))

    def _followers(self, member: Member) -> list[Connection]:
        leading = member.node.leading
        return [link for link in leading.links if isinstance(link, Connection)] if leading else []

    def _flush(self, link: Connection) -> None:
        """The stream comes before what is said beside it; each entry may arrive, and be acknowledged, by itself."""
        if link.sent is not None and link.sent < len(link.leader.log.entries):
            link.down.extend(entry for entry, _ in link.leader.log.entries[link.sent :])
            link.sent = len(link.leader.log.entries)


def entry_of(record: Record) -> Entry:
    """A record as an entry of a log."""
    return (record.epoch, record.kind.value, record)


def record_of(entry: Entry) -> Record:
    """The record that an entry is."""
    assert isinstance(entry[2], Record)
    return entry[2]


def state_of(log: EntryLog) -> State:
    """What a node reads of its own log when it starts."""
    epochs: list[tuple[int, int]] = []
    members: list[tuple[int, Sets]] = []
    start = 1
    for (epoch, kind, value), end in log.entries:
        if kind in ("marker", "found"):
            epochs.append((epoch, start))
        if isinstance(value, Record) and value.sets:
            members.append((end, value.sets))
        start = end + 1
    return State(tuple(epochs), tuple(members), (0, 0))
