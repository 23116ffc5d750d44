"""The protocol as plainly as it can be said: the specification that the real machines are compared with.

Logs are lists of entries here, an offset is a number of entries, a step changes what it changes at once, and nobody
returns actions. It takes the same actions as `deployment.Deployment`, and after each of them both agree.

 1 PROMISE   A node promises (epoch e, try t) if e is newer than its promise, or to the very same try again. It stops
             to lead and to follow anything older. It answers (id, epoch of its last entry, offset, members).
 2 CHOICE    Among the answers: one such that those who promised hold a majority of the members in *its* log (of each
             set), none of them ahead of it by (epoch of last entry, offset); members first.
 3 LEAD      names an id and what it had answered. Obeyed if the promise is that try's, the log is that, and e was never
             opened here: `opened = e`, the marker, then serving. Who restarts leads no more.
 4 FOLLOW    An older leader steps down. The log goes on where it is if the leader's entry there is of the epoch of the
             follower's last one; else all is replaced. To follow e is to promise it.
 5 ACK       leaves in the step that applied, over a link that was welcomed; it counts in the leader's present term.
 6 COMMIT    The majority-th offset (by each set), once at or past the marker of the leader's own epoch.
 7 AMNESIA   Who may have lost a promise, or what it acknowledged, has a new id, and is nobody's member.
 8 MEMBERS   `open (old, new)` counts once it is in a log; committed, it is followed by `close (new)`.
 9 READS     are executed at the end of the log and held until that is committed; linearizable ones also until a round
             that began after they came was answered by a majority.
10 REFOUND   When the places of all members have promised and nobody may lead: the most advanced, with who is there.
"""

from __future__ import annotations

from simulation.quorum.spec_parts import (
    MEMORY,
    SYNCED,
    Entry,
    SpecAnswer,
    SpecLink,
    SpecNode,
    SpecRead,
    SpecTry,
    Steps,
    is_majority,
    members_in,
)


class Messages(Steps):
    """What arrives over links."""

    links: dict[object, SpecLink]

    def a_up(self, key: object) -> bool:
        link = self.links.get(key)
        if link is None or not link.leader.up or not link.up:
            return False
        kind, *args = link.up.popleft()
        getattr(self, f"up_{kind}")(link, link.leader, *args)
        return True

    def up_hello(self, link: SpecLink, lead: SpecNode, who: int, promised: int, rank: tuple[int, int]) -> None:
        if not lead.leading:
            self.refuse(link)
            return
        if promised > lead.leading:
            self.rest(lead)
            self.refuse(link)
            return
        link.welcomed_as = who
        lead.links.append(link)
        epoch, offset = rank
        goes_on = 0 < offset <= len(lead.log) and lead.log[offset - 1][0] == epoch
        link.down.append(("welcome", lead.leading, goes_on))
        if goes_on:
            link.sent = offset
            self.flush(link)
        else:
            link.down.append(("full", lead.leading, lead.log[:], lead.commit[:]))
            link.sent = len(lead.log)
        self.spread(lead)

    def up_ack(self, link: SpecLink, lead: SpecNode, who: int, memory: int, synced: int, round_: int) -> None:
        if not lead.leading or link not in lead.links or link.welcomed_as != who:
            return
        for level, offset in ((MEMORY, memory), (SYNCED, synced)):
            lead.acks[level][who] = max(lead.acks[level].get(who, 0), offset)
        lead.rounds[who] = max(lead.rounds.get(who, 0), round_)
        self.advance(lead)

    def up_ask(self, link: SpecLink, lead: SpecNode, read: SpecRead) -> None:
        if not lead.leading or link not in lead.links:
            return
        lead.round += 1
        at = max(lead.commit[self.level], lead.marker)
        lead.reads.append(SpecRead(True, at, round=lead.round, asker=(link, read)))
        self.spread(lead)
        self.advance(lead)

    def a_down(self, key: object) -> bool:
        link = self.links.get(key)
        if link is None or not link.follower.up or link.follower.link is not link or not link.down:
            return False
        f = link.follower
        kind, *args = link.down.popleft()
        if kind == "entry":
            if link.on:
                f.log = [*f.log, args[0]]  # type: ignore[list-item]
                self.ack(f, 0)
            return True
        epoch = args[0]
        assert isinstance(epoch, int)
        if epoch < f.promised:
            self.unlink(f)
            return True
        if epoch > f.promised:
            f.promised, f.attempt = epoch, ""
        link.epoch = epoch
        getattr(self, f"down_{kind}")(link, f, *args[1:])
        return True

    def down_welcome(self, link: SpecLink, f: SpecNode, goes_on: bool) -> None:
        if goes_on:
            link.on = True
            self.ack(f, 0)

    def down_full(self, link: SpecLink, f: SpecNode, log: list[Entry], commit: list[int]) -> None:
        f.log, f.synced, f.commit, f.reads = log[:], 0, commit[:], []
        link.on = True
        self.ack(f, 0)

    def down_news(self, link: SpecLink, f: SpecNode, commit: tuple[int, int], round_: int) -> None:
        if link.on:
            f.commit = [max(had, min(new, len(f.log))) for had, new in zip(f.commit, commit, strict=True)]
            self.ack(f, round_)
            self.serve(f)

    def down_confirmed(self, link: SpecLink, f: SpecNode, read: SpecRead, at: int) -> None:
        read.after = at
        self.serve(f)


class Specification(Messages):
    """N members and a spare."""

    def __init__(self, n: int, level: int) -> None:
        self.level, self.epoch, self.serial = level, 1, 0
        self.tries: dict[int, SpecTry] = {}
        self.links: dict[object, SpecLink] = {}
        first: Entry = (1, "found", (frozenset(range(n)),))
        self.nodes = [SpecNode(s, [first] if s < n else [], int(s < n)) for s in range(n + 1)]
        leader = self.nodes[0]
        leader.leading = leader.opened = leader.marker = 1
        leader.commit = [1, 1]

    def do(self, action: tuple[object, ...]) -> bool:
        return bool(getattr(self, f"a_{action[0]}")(*action[1:]))

    # -- sentinels --------------------------------------------------------------------------------------------------

    def a_try(self, key: int, same_epoch: bool = False) -> bool:
        if same_epoch and not self.tries:
            return False
        self.epoch += not same_epoch
        self.tries[key] = SpecTry(str(key), self.epoch)
        return True

    def a_promise(self, key: int, slot: int) -> bool:
        t, n = self.tries.get(key), self.nodes[slot]
        if t is None or not n.up or not (t.epoch > n.promised or (t.epoch == n.promised and t.key == n.attempt)):
            return False
        n.promised, n.attempt = t.epoch, t.key
        if n.leading and n.leading < t.epoch:
            self.rest(n)
        if n.link is not None and n.link.epoch < t.epoch:
            self.unlink(n)
        places = frozenset(n.slot + 10 * losses for losses in range(n.losses + 1))
        t.inbox[slot] = SpecAnswer(slot, n.id, n.rank, members_in(n.log), places)
        return True

    def a_hear(self, key: int, slot: int) -> bool:
        t = self.tries.get(key)
        if t is None or slot not in t.inbox:
            return False
        t.heard[slot] = t.inbox.pop(slot)
        return True

    def a_choose(self, key: int) -> bool:
        t = self.tries.get(key)
        if t is None or not t.heard or t.choice is not None:
            return False
        answers = list(t.heard.values())
        ids = frozenset(a.id for a in answers)
        able = []
        for a in answers:
            voters = frozenset().union(*a.sets) & ids
            if is_majority(a.sets, voters) and all(v.rank <= a.rank for v in answers if v.id in voters):
                able.append(a)
        if able:
            best = max(able, key=lambda a: (a.rank, any(a.id in s for s in a.sets)))
            t.choice = (best.id, best.rank, frozenset())
            return True
        best = max(answers, key=lambda a: (a.rank, any(a.id in s for s in a.sets)))
        places = frozenset().union(*(a.places for a in answers))
        if not best.sets or not frozenset().union(*best.sets) <= places:
            return False
        t.choice = (best.id, best.rank, frozenset(a.id for a in answers if a.places & best.sets[-1]))
        return True

    def a_lead(self, key: int) -> bool:
        t = self.tries.get(key)
        if t is None or t.choice is None:
            return False
        wanted, rank, refound = t.choice
        n = next((node for node in self.nodes if node.id == wanted), None)
        if n is None or not n.up or (n.promised, n.attempt) != (t.epoch, t.key):
            return False
        if n.opened >= t.epoch or n.rank != rank:
            return False
        self.rest(n)
        n.opened = n.leading = t.epoch
        n.acks, n.rounds, n.round = ({}, {}), {}, 0
        n.marker = len(n.log) + 1
        self.append(n, "found" if refound else "marker", (refound,) if refound else None)
        if refound:
            self.cut(t.epoch)
        return True

    def cut(self, epoch: int) -> None:
        """A refounding drops what others had committed: the deployment's oracle says where (see `agree`)."""

    # -- links ------------------------------------------------------------------------------------------------------

    def a_connect(self, key: object, f: int, lead: int) -> bool:
        follower, leader = self.nodes[f], self.nodes[lead]
        if not follower.up or follower.leading or not leader.up or not leader.leading or f == lead:
            return False
        self.unlink(follower)
        follower.link = self.links[key] = SpecLink(follower, leader)
        follower.link.up.append(("hello", follower.id, follower.promised, follower.rank))
        return True

    # -- clients, operators -----------------------------------------------------------------------------------------

    def a_write(self, slot: int) -> bool:
        n = self.nodes[slot]
        if not n.up or not n.leading:
            return False
        self.serial += 1
        n.writes.append(len(n.log) + 1)
        self.append(n, "write", self.serial)
        return True

    def a_read(self, slot: int, linearizable: bool) -> bool:
        n = self.nodes[slot]
        if not n.up or not (n.leading or (n.link is not None and n.link.on)):
            return False
        if n.leading:
            n.round += linearizable
            n.reads.append(SpecRead(linearizable, len(n.log), round=n.round if linearizable else 0))
            self.spread(n)
            self.answer(n)
        elif linearizable:
            read = SpecRead(True, None)
            n.reads.append(read)
            assert n.link is not None
            n.link.up.append(("ask", read))
        else:
            n.reads.append(SpecRead(False, len(n.log)))
            self.serve(n)
        return True

    def a_replace(self, slot: int, old: int, new: int) -> bool:
        n = self.nodes[slot]
        done = n.commit[self.level]
        sets = members_in(n.log)
        if not n.up or not n.leading or done < n.marker or len(sets) != 1 or members_in(n.log[:done]) != sets:
            return False
        if old not in sets[0] or new in sets[0] or old == n.id or n.acks[self.level].get(new, 0) < done:
            return False
        self.append(n, "open", (sets[0], sets[0] - {old} | {new}))
        return True

    # -- faults -----------------------------------------------------------------------------------------------------

    def a_sync(self, slot: int) -> bool:
        n = self.nodes[slot]
        if not n.up or n.synced == len(n.log):
            return False
        n.disk, n.synced = n.log[:], len(n.log)
        if n.leading:
            self.advance(n)
        elif n.link is not None and n.link.on:
            self.ack(n, 0)
        return True

    def a_backup(self, slot: int) -> bool:
        n = self.nodes[slot]
        n.backup = (n.id, n.promised, n.attempt, n.opened, n.log[:])
        return True

    def a_crash(self, slot: int) -> bool:
        n = self.nodes[slot]
        if not n.up:
            return False
        n.up, n.link = False, None
        for link in self.links.values():
            if link.leader is n:
                link.up.clear()
        return True

    def a_restart(self, slot: int, how: str) -> bool:
        n = self.nodes[slot]
        if n.up or (how == "old" and n.backup is None):
            return False
        forgets = how in ("wiped", "old") or (how == "tail" and self.level == MEMORY)
        if how == "tail":
            n.log = n.disk[:]
        elif how == "wiped":
            n.log, n.promised, n.attempt, n.opened = [], 0, "", 0
        elif how == "old" and n.backup is not None:
            _, n.promised, n.attempt, n.opened, log = n.backup
            n.log = log[:]
        if forgets:
            n.losses += 1
            n.id, n.attempt = slot + 10 * n.losses, ""
        n.up, n.disk, n.synced, n.commit = True, n.log[:], len(n.log), [0, 0]
        n.leading, n.link, n.links, n.writes, n.reads = 0, None, [], [], []
        return True
