"""When a leader that isn't counted gives way."""

from __future__ import annotations

from dataclasses import dataclass

from replication.quorum.identity import Identity
from replication.quorum.node import QuorumNode
from replication.quorum.records import Kind, Record
from replication.quorum.words import Ack, Append, Hello, Lead, State

A, B, C, D = (digit * 40 for digit in "abcd")
ABC = frozenset((A, B, C))


@dataclass
class Log:
    """A log whose every byte is safe."""

    end: int

    @property
    def kept(self) -> int:
        return self.end

    @property
    def synced(self) -> int:
        return self.end


def leads(node_id: str) -> tuple[QuorumNode, Log]:
    """A node that was told to lead epoch 2 of a group whose members are A, B and C."""
    log = Log(90)
    node = QuorumNode(Identity(node_id, promised=1), log, state=State(((1, 1),), ((90, (ABC,)),), (0, 0)))
    node.promise(2, "try")
    node.lead(Lead(2, "try", node_id, 1, 90))
    log.end = 160
    node.recorded(Record(Kind.MARKER, 2, node_id), 91, 160)
    return node, log


def follows(node: QuorumNode, member: str, offset: int) -> None:
    """A follower is welcomed, and acknowledges."""
    node.hello(member, Hello(member, 2, 1, 90))
    node.acknowledged(member, Ack(member, offset, offset, 0))


def test_a_leader_that_is_no_member_gives_way_once_its_epoch_is_committed() -> None:
    """Not before a majority of the members has its marker, nor while a change of members is open."""
    node, log = leads(D)
    follows(node, A, 90)
    assert not node.hands_over()
    follows(node, A, 160)
    assert not node.hands_over()
    follows(node, B, 160)
    assert node.hands_over()
    (append,) = node.resize(C, "")
    assert isinstance(append, Append)
    log.end = 290
    node.recorded(append.record, 161, 290)
    assert not node.hands_over()


def test_a_leader_that_is_a_member_stays() -> None:
    """Whoever else has all of its log."""
    node, _ = leads(A)
    follows(node, B, 160)
    follows(node, C, 160)
    assert node.commit[0] == 160
    assert not node.hands_over()


def test_without_a_member_that_has_what_is_committed_nobody_gives_way() -> None:
    """A link that is gone counts for nothing."""
    node, _ = leads(D)
    for member in (A, B):
        follows(node, member, 160)
    assert node.hands_over()
    for member in (A, B):
        node.unlinked(member)
    assert not node.hands_over()
