"""The real machines (`replication.quorum`) with simulated links, disks and sentinels, one atomic action at a time.

Epochs are given to tries by a counter, as the sentinels' votes would; now and then two tries share one, for safety
mustn't rest on the votes. A node's log holds entries, each of a length of its own, so that offsets are bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from replication.quorum.choice import Answer, Choice, choose
from replication.quorum.identity import Identity
from replication.quorum.node import QuorumNode
from replication.quorum.records import Kind, Record
from replication.quorum.tally import Level
from replication.quorum.words import (
    Ack,
    Append,
    Ask,
    Confirmed,
    Hello,
    Lead,
    News,
    Welcome,
)
from simulation.quorum.oracle import Entry
from simulation.quorum.shells import (
    Connection,
    EntryLog,
    Full,
    Member,
    Read,
    Shells,
    Try,
    entry_of,
    id_of,
    letter,
    state_of,
)


class Deployment(Shells):
    """N members and a spare. `machine` is the class of the nodes: tests hand in ones with a rule switched off."""

    def __init__(self, n: int = 3, level: Level = Level.MEMORY, machine: type[QuorumNode] = QuorumNode) -> None:
        everybody = frozenset(id_of(slot) for slot in range(n))
        record = Record(Kind.FOUND, 1, id_of(0), (everybody,))
        first = entry_of(record)
        super().__init__(level, first)
        self.n = n
        self.machine = machine
        self.tries: dict[int, Try] = {}
        self.links: dict[object, Connection] = {}
        self.epoch = 1
        self.serial = 0
        self.members = [self._founder(slot, first if slot < n else None) for slot in range(n + 1)]
        leader = self.members[0]
        leader.node.opening = 1
        leader.durable = leader.node.identity = replace(leader.node.identity, opened=1)
        start, end = leader.log.add(first)
        leader.log.sync()
        self.perform(leader, leader.node.recorded(record, start, end))
        leader.node.commit[:] = [end, end]
        assert leader.node.leading is not None
        leader.node.leading.tally.commit[:] = [end, end]

    def _founder(self, slot: int, first: Entry | None) -> Member:
        log = EntryLog()
        identity = Identity(id_of(slot), promised=1 if first else 0)
        if first and slot:
            log.add(first)
            log.sync()
        state = state_of(log) if slot else None
        return Member(slot, self.machine(identity, log, self.level, state), log)

    def do(self, action: tuple[object, ...]) -> bool:
        """Perform one atomic action; False, and nothing happened, if it isn't possible now."""
        method: Callable[..., bool] = getattr(self, f"a_{action[0]}")
        done = method(*action[1:])
        if done:
            for member in self.members:
                if member.up:
                    member.node.check_invariants()
        return done

    # -- sentinels --------------------------------------------------------------------------------------------------

    def a_try(self, key: int, same_epoch: bool = False) -> bool:
        if same_epoch and not self.tries:
            return False
        self.epoch += not same_epoch
        self.tries[key] = Try(str(key), self.epoch)
        return True

    def a_promise(self, key: int, slot: int) -> bool:
        attempt, member = self.tries.get(key), self.members[slot]
        if attempt is None or not member.up:
            return False
        answer = self.perform(member, member.node.promise(attempt.epoch, attempt.key))
        if answer is None:
            return False
        attempt.inbox[slot] = replace(answer, places=frozenset(member.ids))
        return True

    def a_hear(self, key: int, slot: int) -> bool:
        attempt = self.tries.get(key)
        if attempt is None or slot not in attempt.inbox:
            return False
        attempt.heard[slot] = attempt.inbox.pop(slot)
        return True

    def a_choose(self, key: int) -> bool:
        attempt = self.tries.get(key)
        if attempt is None or not attempt.heard or attempt.choice is not None:
            return False
        choice = self.choose(list(attempt.heard.values()))
        if not isinstance(choice, Choice):
            return False
        attempt.choice = choice
        return True

    def choose(self, answers: list[Answer]) -> object:
        """What the sentinel decides; tests with a rule switched off override it."""
        return choose(answers)

    def a_lead(self, key: int) -> bool:
        attempt = self.tries.get(key)
        if attempt is None or attempt.choice is None:
            return False
        choice = attempt.choice
        member = next((m for m in self.members if m.node.node_id == choice.node_id), None)
        if member is None or not member.up:
            return False
        order = Lead(
            attempt.epoch, attempt.key, choice.node_id, choice.last_epoch, choice.offset, choice.refound
        )
        actions = member.node.lead(order)
        if not any(isinstance(action, Append) for action in actions):
            return False
        self._check_opening(member, attempt.epoch, choice)
        self.perform(member, actions)
        return True

    # -- links ------------------------------------------------------------------------------------------------------

    def a_connect(self, key: object, follower: int, leader: int) -> bool:
        f, led = self.members[follower], self.members[leader]
        if not f.up or f.node.leading or not led.up or not led.node.leading or f is led:
            return False
        link = Connection(f, led)
        f.link = self.links[key] = link
        self.perform(f, f.node.connect(link))
        return True

    def a_up(self, key: object) -> bool:
        """The leader's side reads the next message of a connection."""
        link = self.links.get(key)
        if link is None or not link.leader.up or not link.up:
            return False
        message, node = link.up.popleft(), link.leader.node
        if isinstance(message, Hello):
            self.perform(link.leader, node.hello(link, message))
        elif isinstance(message, Ack):
            self.perform(link.leader, node.acknowledged(link, message))
        elif isinstance(message, Ask):
            self.perform(link.leader, node.asked(link, message))
        return True

    def a_down(self, key: object) -> bool:
        """The follower reads the next message of a connection, applies it and acknowledges in the same step."""
        link = self.links.get(key)
        if link is None or not link.follower.up or link.follower.link is not link or not link.down:
            return False
        message, member = link.down.popleft(), link.follower
        node = member.node
        if isinstance(message, Welcome):
            self.perform(member, node.welcome(link, message))
        elif isinstance(message, News):
            self.perform(member, node.news(link, message))
        elif isinstance(message, Confirmed):
            self.perform(member, node.confirmed(link, message))
        elif isinstance(message, Full):
            if node.may_apply(link, message.epoch):
                member.log.entries, member.log.synced = message.entries[:], 0
            self.perform(member, node.adopted(link, message.epoch, message.state))
        elif isinstance(message, tuple) and node.may_apply(link):
            self._append(member, message)
            self.perform(member, node.grown())
        if member.node.following is not None:
            committed = member.log.count(node.commit[self.level])
            self.oracle.follows(letter(node.node_id), member.log.plain(), committed)
        return True

    # -- clients, operators -----------------------------------------------------------------------------------------

    def a_write(self, slot: int) -> bool:
        member = self.members[slot]
        leading = member.node.leading
        if not member.up or not leading:
            return False
        self.serial += 1
        self._append(member, (leading.epoch, "write", self.serial))
        member.writes.append(member.log.end)
        self.perform(member, member.node.grown())
        return True

    def a_read(self, slot: int, linearizable: bool) -> bool:
        member = self.members[slot]
        following = member.node.following
        if not member.up or not (member.node.leading or (following and following.on)):
            return False
        name = object()
        at_once = not linearizable or member.node.leading
        member.reads[name] = Read(linearizable, self.oracle.floor, member.log.plain() if at_once else None)
        self.perform(member, member.node.read(name, linearizable))
        return True

    def a_replace(self, slot: int, old: int, new: int) -> bool:
        member = self.members[slot]
        if not member.up:
            return False
        actions = member.node.replace(id_of(old), id_of(new))
        if not any(isinstance(action, Append) for action in actions):
            return False
        self.perform(member, actions)
        return True

    # -- faults -----------------------------------------------------------------------------------------------------

    def a_sync(self, slot: int) -> bool:
        member = self.members[slot]
        if not member.up or member.log.synced == member.log.end:
            return False
        member.log.sync()
        self.perform(member, member.node.grown())
        return True

    def a_backup(self, slot: int) -> bool:
        member = self.members[slot]
        member.backup = (member.durable, member.log.entries[:])
        return True

    def a_crash(self, slot: int) -> bool:
        member = self.members[slot]
        if not member.up:
            return False
        member.up = False
        member.link = None
        member.writes, member.reads = [], {}
        for link in self.links.values():
            if link.leader is member:
                link.up.clear()
        return True

    def a_restart(self, slot: int, how: str) -> bool:
        """intact: killed, the kernel had its bytes. tail: what wasn't synced is gone. wiped. old: from a copy."""
        member = self.members[slot]
        if member.up or (how == "old" and member.backup is None):
            return False
        log, identity, amnesia = member.log, member.durable, False
        if how == "tail":
            log.entries = log.disk[:]
            amnesia = self.level is Level.MEMORY
        elif how == "wiped":
            log.entries, identity, amnesia = [], Identity(identity.node_id), True
        elif how == "old" and member.backup is not None:
            identity, entries = member.backup
            log.entries, amnesia = entries[:], True
        log.sync()
        if amnesia:
            identity = self.forgets(member, identity)
        member.up, member.durable = True, identity
        member.node = self.machine(identity, log, self.level, state_of(log))
        return True

    def forgets(self, member: Member, identity: Identity) -> Identity:
        """An amnesiac draws a new id, which is nobody's member and bound by no try."""
        new = id_of(int(identity.node_id, 16) % 10 + 10 * len(member.ids))
        member.ids.add(new)
        return replace(identity, node_id=new, attempt="")
