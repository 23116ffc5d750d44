"""The real machines beside the specification: after each action both show the same."""

from __future__ import annotations

from replication.quorum.records import Record
from replication.quorum.tally import Level
from simulation.quorum.deployment import Deployment
from simulation.quorum.oracle import Entry
from simulation.quorum.shells import Member
from simulation.quorum.spec_parts import SpecNode, members_in
from simulation.quorum.specification import Specification


class Disagreement(Exception):
    """The machines and the specification part."""


class Pair:
    """A deployment and a specification that take the same actions."""

    def __init__(self, deployment: Deployment) -> None:
        self.real = deployment
        self.spec = Specification(deployment.n, int(deployment.level))

    def do(self, action: tuple[object, ...]) -> bool:
        """Perform an action on both. Raises Disagreement, naming what differs."""
        real, spec = self.real.do(action), self.spec.do(action)
        if real != spec:
            raise Disagreement(f"{action}: possible for the {'machines' if real else 'specification'} alone")
        if action[0] == "lead" and real:
            self._follow_refounding()
        if not real:
            return False
        for member, node in zip(self.real.members, self.spec.nodes, strict=True):
            if member.up:
                self._compare(action, member, node)
        counts = self.real.oracle.counts
        if (counts.acked, counts.reads) != (self.spec.acked, self.spec.answered):
            raise Disagreement(f"{action}: {counts.acked} writes and {counts.reads} reads answered, "
                               f"{self.spec.acked} and {self.spec.answered} by the specification")  # fmt: skip
        return True

    def _follow_refounding(self) -> None:
        """What a refounding dropped is committed no more: a matter of the oracle, which the specification lacks."""
        for member, node in zip(self.real.members, self.spec.nodes, strict=True):
            node.commit = [member.log.count(offset) for offset in member.node.commit]

    @staticmethod
    def _compare(action: object, member: Member, node: SpecNode) -> None:
        mine, theirs = _shown(member), _specified(node)
        if mine != theirs:
            wrong = [f"{key}: {mine[key]} instead of {theirs[key]}" for key in mine if mine[key] != theirs[key]]
            raise Disagreement(f"{action}: node {node.slot}: {'; '.join(wrong)}")


def _shown(member: Member) -> dict[str, object]:
    node = member.node
    leading, following = node.leading, node.following
    return {
        "id": int(node.node_id, 16),
        "promised": (node.identity.promised, node.identity.attempt),
        "opened": node.identity.opened,
        "durable": member.durable == node.identity,
        "leads": leading.epoch if leading else 0,
        "log": [_plain(entry) for entry in member.log.plain()],
        "synced": member.log.count(member.log.synced),
        "commit": [member.log.count(node.commit[level]) for level in Level],
        "members": tuple(frozenset(int(i, 16) for i in members) for members in node.members.now),
        "follows": (following is not None, bool(following and following.on)),
        "reads": len(node.reads),
        "rounds": leading.tally.round if leading else 0,
    }


def _specified(node: SpecNode) -> dict[str, object]:
    return {
        "id": node.id,
        "promised": (node.promised, node.attempt),
        "opened": node.opened,
        "durable": True,
        "leads": node.leading,
        "log": node.log,
        "synced": node.synced,
        "commit": node.commit,
        "members": members_in(node.log),
        "follows": (node.link is not None, bool(node.link and node.link.on)),
        "reads": len(node.reads),
        "rounds": node.round if node.leading else 0,
    }


def _plain(entry: Entry) -> tuple[int, str, object]:
    epoch, kind, value = entry
    if not isinstance(value, Record):
        return entry
    return epoch, kind, tuple(frozenset(int(i, 16) for i in members) for members in value.sets) or None
