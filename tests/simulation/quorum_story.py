"""Stories of a group that goes by quorum: real sentinels fail over nodes that run the real quorum machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from replication.quorum.members import majority
from replication.quorum.records import Kind, Record
from replication.sentinel.mind.messages import Action, Request, Send
from replication.sentinel.world.invariants import Broken
from simulation.checkers import Checkers, Violation
from simulation.nodes import PORT, Node
from simulation.quorum.oracle import Oracle, Violation as Lost
from simulation.quorum.shells import entry_of
from simulation.sentinels import Sentinel
from simulation.story import Story
from simulation.voters import Voter


@dataclass
class QuorumCheckers(Checkers):
    """As for every group, and: nobody is told to follow no one, and each try has one node lead, in one epoch."""

    tries: dict[bytes, tuple[str, bytes, bytes]] = field(default_factory=dict)
    by_hand: bool = False
    """Operators switch over as well: such an epoch needs no votes."""

    def observe(self, sentinel: Sentinel, action: Action) -> None:
        if isinstance(action, Send):
            if action.args == (b"SLAVEOF", b"NO", b"ONE"):
                raise Violation(f"{sentinel.host} tells a voter to follow no one")
            if action.request is Request.LEAD:
                self._leads(sentinel.host, *action.args[2:5])
        super().observe(sentinel, action)

    def _leads(self, host: str, epoch: bytes, word: bytes, node_id: bytes) -> None:
        try_of = self.tries.setdefault(word, (host, epoch, node_id))
        if try_of != (host, epoch, node_id):
            raise Violation(f"{host} has {node_id!r} lead {epoch!r} by the try of {try_of}")

    def _elected(self, leader: str) -> None:
        if not self.by_hand:
            super()._elected(leader)


class QuorumStory(Story):
    """`Story` with voters; `hand_overs`: operators who say SENTINEL FAILOVER to one sentinel or several."""

    def make_checkers(self, majority: int, quorum: int, unsound: bool) -> Checkers:
        return QuorumCheckers(majority, quorum, unsound)

    def make_nodes(self, count: int) -> list[Node]:
        ids = [f"{self.rng.getrandbits(152):038x}"]
        members = frozenset(f"{ids[0]}{slot:02x}" for slot in range(count))
        founding = entry_of(Record(Kind.FOUND, 1, f"{ids[0]}00", (members,)))
        self.oracle = Oracle(founding)
        self.voters = [Voter(self.network, f"10.0.1.{i}", self.rng, self.oracle, i, founding) for i in range(count)]
        return cast("list[Node]", self.voters)

    def well(self) -> bool:
        """All sentinels name the same primary, it leads an epoch whose marker is committed, and all others follow."""
        hosts = {self.group(s).address.host for s in self.sentinels}
        calm = not any(self.group(s).failing_over or self.group(s).down for s in self.sentinels)
        leader = next((voter for voter in self.voters if voter.host in hosts), None)
        return calm and len(hosts) == 1 and leader is not None and leader.leads and self._has_majority(leader) and all(
            voter.alive and voter.settled and voter.epoch == leader.epoch
            and (voter is leader or voter.follows == (leader.host, PORT)) for voter in self.voters)

    def switch_by_hand(self) -> None:
        """Let operators say SENTINEL FAILOVER while things break, to one sentinel or two at once."""
        self._let_operators_fail_over()
        self.faults.kinds.append((4, self._switch_over))

    def _let_operators_fail_over(self) -> None:
        assert isinstance(self.checkers, QuorumCheckers)
        self.checkers.by_hand = True

    def _switch_over(self) -> None:
        for sentinel in self.rng.sample(self.sentinels, self.rng.choice((1, 1, 2))):
            if sentinel.alive and not sentinel.paused:
                sentinel.fail_over()

    def lose_folders(self) -> None:
        """Let nodes lose all they have, now and then even a majority of them, but never all."""
        self.faults.kinds.append((2, self._wipe))
        self._let_operators_fail_over()

    def _wipe(self) -> None:
        voter = self.rng.choice(self.voters)
        strange = [each for each in self.voters if not self._votes(each)]
        most = len(self.voters) - 1 if not self.rng.randrange(10) else (len(self.voters) - 1) // 2
        if voter in strange or len(strange) < most:
            voter.kill()
            voter.wipe()

    def _votes(self, voter: Voter) -> bool:
        """Whether it is a member by the newest log there is."""
        newest = max((each.node for each in self.voters), key=lambda node: (node.epochs.of(node.log.end), node.log.end))
        return any(voter.durable.node_id in members for members in newest.members.now)

    def _has_majority(self, leader: Voter) -> bool:
        """Whether a majority of its members still exists: who lost its folder is another."""
        return majority(leader.node.members.now, {voter.durable.node_id for voter in self.voters})

    def operate(self) -> None:
        """An operator puts who came back with nothing in the place of who it was; of a majority, a failover does."""
        leader = next((voter for voter in self.voters if voter.alive and voter.leads), None)
        if leader is None or not leader.node.members.now:
            return
        if not self._has_majority(leader):
            self.sentinels[0].fail_over()
            return
        for voter in self.voters:
            old = leader.node.members.now[-1].intersection(voter.durable.was)
            if voter.alive and old and not self._votes(voter):
                leader.perform(leader.node.replace(min(old), voter.durable.node_id))
                return

    def _same(self) -> bool:
        first = self.voters[0].log.plain()
        return all(voter.log.plain() == first and not voter.held for voter in self.voters)

    def logs(self) -> str:
        return "; ".join(f"{v.host} ends at {v.log.end}, holds {len(v.held)} replies back" for v in self.voters)

    def state(self) -> str:
        return "; ".join([super().state(), *(
            f"{v.host} epoch {v.epoch} promised {v.durable.promised} log {v.log.end} {'up' if v.alive else 'dead'}"
            f"{' leads' if v.leads else ''}{' settled' if v.settled else ''}" for v in self.voters)])


def run(seed: int, faults: int = 25, by_hand: bool = False, wiped: bool = False) -> QuorumStory:
    """A whole story; raises Violation naming the seed."""
    story = None
    try:
        story = QuorumStory(seed, nodes=3 if seed % 3 else 5)
        if by_hand:
            story.switch_by_hand()
        if wiped:
            story.lose_folders()
        for _ in range(2):
            story.trouble(faults)
            story.converge()
            story.settle()
    except (Violation, Broken, Lost) as violation:
        tail = "\n".join(story.checkers.log[-80:]) if story is not None else ""
        raise Violation(f"seed {seed}: {violation}\n{tail}") from None
    return story
