"""A sentinel on a bench that watches a group which goes by quorum; what its nodes say is told by hand."""

from __future__ import annotations

from collections.abc import Sequence

from replication.sentinel.mind.messages import (
    Action,
    Cause,
    Closed,
    Emit,
    Replied,
    Reply,
    ReplyError,
    Request,
    Send,
    Tick,
)
from replication.sentinel.world.group import Instance, Lane, LaneState
from replication.sentinel.world.stages import Stage
from support.sentinel_bench import ME, A, B, Bench

IDS = {"main": "a" * 40, "10.0.0.2:6379": "b" * 40, "10.0.0.3:6379": "c" * 40}
P, R1, R2 = IDS
MEMBERS = ",".join(IDS.values())


class Group(Bench):
    """A primary and two replicas, which go by quorum in epoch 1, and a sentinel that sees them all well."""

    def __init__(self, quorum: int = 1) -> None:
        super().__init__(quorum)
        for host in ("10.0.0.2", "10.0.0.3"):
            self.world.add_replica(self.group, self.world.address(host, 6379), self.now)
        self.connect()
        self.info(P, "leading", 1)
        for name in (R1, R2):
            self.info(name, "following", 1)

    def node(self, name: str) -> Instance:
        return self.group if name == P else self.group.replicas[name]

    def info(self, name: str, state: str, epoch: int, promised: int = 0, offset: int = 70, last_epoch: int = 1,
             follows: bool = True, hands_over: bool = False) -> list[Action]:
        role = "role:master" if state == "leading" else "role:slave"
        link = ["master_host:10.0.0.1", "master_port:6379", "master_link_status:up"] if state == "following" else [
            "master_host:?", "master_port:0", "master_link_status:down"] if role == "role:slave" else []
        lines = [role, *link, f"slave_repl_offset:{offset}", f"master_repl_offset:{offset}",
                 f"quorum_node_id:{IDS[name]}", f"quorum_state:{state}", f"quorum_promised:{promised or epoch}",
                 f"quorum_last_epoch:{last_epoch}", f"quorum_epoch:{epoch}", f"quorum_members:{MEMBERS}",
                 f"quorum_reach:{3 * (state == 'leading')}", f"quorum_hands_over:{int(hands_over)}"]
        return self.replied(name, Request.INFO, "".join(f"{line}\r\n" for line in lines).encode())

    def replied(self, name: str, request: Request, reply: Reply, tag: str = "") -> list[Action]:
        return self.step(Replied(self.node(name).link.id, request, "main", reply, tag))

    def die(self, name: str) -> list[Action]:
        """The node's process ends, and its host refuses; that is seen at once."""
        link = self.node(name).link
        actions = self.step(Closed(link.id, Lane.COMMAND, Cause.LOST), 1)
        for _ in range(12):
            actions += self.step(Tick(), 25)
            if link.command.state is LaneState.CONNECTING:
                actions += self.step(Closed(link.id, Lane.COMMAND, Cause.REFUSED), 1)
            actions += self.live(link.id)
        return actions

    def live(self, without: int) -> list[Action]:
        actions: list[Action] = []
        for each in self.group.members():
            if each.link.id != without and each.link.waiting_since_ms and each.link.ready:
                actions += self.step(Replied(each.link.id, Request.PING, "main", b"PONG"))
        return actions

    def elect(self) -> list[Action]:
        """Time passes until we stand; then a peer votes for us."""
        actions: list[Action] = []
        for _ in range(20):
            actions += self.step(Tick(), 20)
            if self.group.failover is not None:
                break
        vote = [0, ME.encode(), self.world.epoch]
        for peer in (A, B):
            link = self.group.peers[peer].link
            actions += self.step(Replied(link.id, Request.ASK, "main", vote))
        return actions

    @property
    def word(self) -> str:
        assert self.group.failover is not None
        assert self.group.failover.gathering is not None
        return self.group.failover.gathering.word

    @property
    def stage(self) -> Stage | None:
        return None if self.group.failover is None else self.group.failover.stage

    def promise(self, name: str, last_epoch: int = 1, offset: int = 70, tag: str = "", node_id: str = "",
                sets: Sequence[str] = (MEMBERS,)) -> list[Action]:
        reply: list[object] = [(node_id or IDS[name]).encode(), last_epoch, offset, [s.encode() for s in sets], b""]
        return self.replied(name, Request.PROMISE, reply, tag or self.word)

    def refuse(self, name: str, text: str) -> list[Action]:
        return self.replied(name, Request.PROMISE, ReplyError(text), self.word)


def asked(actions: list[Action]) -> list[tuple[bytes, ...]]:
    return [a.args for a in actions if isinstance(a, Send) and a.args[0] == b"QUORUM"]


def orders(group: Group, actions: list[Action]) -> list[tuple[str, tuple[bytes, ...]]]:
    """Who was told to lead, and how."""
    names = {group.node(name).link.id: name for name in IDS}
    return [(names[a.link], a.args[2:]) for a in actions if isinstance(a, Send) and a.request is Request.LEAD]


def reasons(actions: list[Action], channel: str) -> list[str]:
    return [a.message for a in actions if isinstance(a, Emit) and a.channel == channel]


def gathering_without_the_primary() -> tuple[Group, list[Action]]:
    """The primary is dead, we are elected in epoch 2, and have just asked the others."""
    group = Group()
    group.die(P)
    actions = group.elect()
    assert group.stage is Stage.GATHER_PROMISES
    return group, actions


def led_by(group: Group, name: str, epoch: int) -> list[Action]:
    group.replied(name, Request.LEAD, b"OK", group.word)
    return group.info(name, "leading", epoch, last_epoch=epoch)
