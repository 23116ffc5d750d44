"""What the specification is made of: nodes, links, tries, and what happens inside of an action; see there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

Entry = tuple[int, str, object]
Sets = tuple[frozenset[int], ...]
MEMORY, SYNCED = 0, 1


def is_majority(sets: Sets, ids: frozenset[int]) -> bool:
    return bool(sets) and all(2 * len(members & ids) > len(members) for members in sets)


def members_in(log: list[Entry]) -> Sets:
    """The sets that count, by the last entry that names some."""
    return next((value for _, kind, value in reversed(log) if kind in ("found", "open", "close")), ())  # type: ignore[return-value]


@dataclass(eq=False)
class SpecRead:
    linearizable: bool
    at: int | None
    after: int | None = None
    round: int = 0
    asker: tuple[SpecLink, SpecRead] | None = None


@dataclass(eq=False)
class SpecLink:
    follower: SpecNode
    leader: SpecNode
    up: deque[tuple[object, ...]] = field(default_factory=deque)
    down: deque[tuple[object, ...]] = field(default_factory=deque)
    welcomed_as: int | None = None  # the id that the leader knows the follower by, in its present term
    epoch: int = 0  # the leader's epoch, once the follower has heard of it
    on: bool = False
    sent: int | None = None
    told: tuple[object, ...] | None = None


class SpecNode:
    def __init__(self, slot: int, log: list[Entry], promised: int) -> None:
        self.slot, self.id, self.up = slot, slot, True
        self.promised, self.attempt, self.opened = promised, "", 0
        self.log, self.disk, self.synced = log, log[:], len(log)
        self.backup: tuple[int, int, str, int, list[Entry]] | None = None
        self.losses = 0
        self.commit = [0, 0]
        self.leading = self.marker = self.round = 0
        self.acks: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.rounds: dict[int, int] = {}
        self.links: list[SpecLink] = []
        self.link: SpecLink | None = None
        self.writes: list[int] = []
        self.reads: list[SpecRead] = []

    @property
    def rank(self) -> tuple[int, int]:
        return (self.log[-1][0] if self.log else 0, len(self.log))


@dataclass
class SpecAnswer:
    slot: int
    id: int
    rank: tuple[int, int]
    sets: Sets
    places: frozenset[int]


@dataclass
class SpecTry:
    key: str
    epoch: int
    inbox: dict[int, SpecAnswer] = field(default_factory=dict)
    heard: dict[int, SpecAnswer] = field(default_factory=dict)
    choice: tuple[int, tuple[int, int], frozenset[int]] | None = None


class Steps:
    """What happens inside of an action."""

    level: int
    acked = 0
    answered = 0

    def ack(self, f: SpecNode, round_: int) -> None:
        assert f.link is not None
        f.link.up.append(("ack", f.id, len(f.log), f.synced, round_))

    def append(self, lead: SpecNode, kind: str, value: object) -> None:
        lead.log.append((lead.leading, kind, value))
        for link in lead.links:
            self.flush(link)
        self.advance(lead)

    def flush(self, link: SpecLink) -> None:
        log = link.leader.log
        if link.sent is not None and link.sent < len(log):
            link.down.extend(("entry", entry) for entry in log[link.sent :])
            link.sent = len(log)

    def spread(self, lead: SpecNode) -> None:
        news = (lead.leading, tuple(lead.commit), lead.round)
        for link in lead.links:
            if link.told != news:
                link.told = news
                link.down.append(("news", *news))

    def advance(self, lead: SpecNode) -> None:
        moved = False
        sets = members_in(lead.log)
        for level, own in ((MEMORY, len(lead.log)), (SYNCED, lead.synced)):
            acks = {**lead.acks[level], lead.id: own}
            to = min((sorted((acks.get(i, 0) for i in s), reverse=True)[len(s) // 2] for s in sets), default=0)
            if to > lead.commit[level] and to >= lead.marker:
                lead.commit[level] = to
                moved = True
        if moved:
            done = lead.commit[self.level]
            self.acked += sum(1 for w in lead.writes if w <= done)
            lead.writes = [w for w in lead.writes if w > done]
            if len(sets) == 2 and members_in(lead.log[:done]) == sets:
                self.append(lead, "close", sets[1:])
        self.spread(lead)
        self.answer(lead)

    def answer(self, lead: SpecNode) -> None:
        if lead.commit[self.level] < lead.marker:
            return
        rounds = {**lead.rounds, lead.id: lead.round}
        sets = members_in(lead.log)
        sure = min((sorted((rounds.get(i, 0) for i in s), reverse=True)[len(s) // 2] for s in sets), default=0)
        for read in lead.reads[:]:
            if read.at is not None and read.at <= lead.commit[self.level] and read.round <= sure:
                lead.reads.remove(read)
                if read.asker is None:
                    self.answered += 1
                else:
                    link, question = read.asker
                    link.down.append(("confirmed", lead.leading, question, read.at))

    def serve(self, f: SpecNode) -> None:
        for read in f.reads:
            if read.at is None and read.after is not None and read.after <= len(f.log):
                read.at = len(f.log)
        done = [r for r in f.reads if r.at is not None and r.at <= f.commit[self.level]]
        f.reads = [r for r in f.reads if r not in done]
        self.answered += len(done)

    def rest(self, n: SpecNode) -> None:
        if n.leading:
            for link in n.links:
                self.refuse(link)
            n.leading, n.links, n.writes, n.reads = 0, [], [], []
        else:
            self.unlink(n)

    def unlink(self, f: SpecNode) -> None:
        if f.link is not None:
            f.link, f.reads = None, []

    def refuse(self, link: SpecLink) -> None:
        """The leader's side closes a connection; the follower needn't notice."""
