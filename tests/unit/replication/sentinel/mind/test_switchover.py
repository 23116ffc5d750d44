"""What an operator may ask of a group that goes by quorum: to switch over, and to be promoted at any price."""

from __future__ import annotations

from support.quorum_bench import (
    IDS,
    R1,
    R2,
    Group,
    P,
    asked,
    led_by,
    orders,
    reasons,
)
from support.sentinel_bench import ME, Bench, channels

from replication.sentinel.mind.messages import (
    Action,
    Refusal,
    ReplyError,
    Request,
    Send,
    Tick,
)
from replication.sentinel.mind.orders import ForceFailover
from replication.sentinel.world.group import LaneState
from replication.sentinel.world.stages import Stage


def planned() -> tuple[Group, list[Action]]:
    group = Group()
    for replica in group.group.replicas.values():
        replica.link.pubsub.state = LaneState.UP
    return group, group.step(ForceFailover("main"))


def test_a_switchover_holds_writes_until_a_replica_has_all() -> None:
    """The primary holds writes; only when a replica has all of its log are promises asked, and the replica leads."""
    group, actions = planned()
    assert asked(actions) == [(b"QUORUM", b"HOLD", b"1500")]
    assert [a.args[-1] for a in actions if isinstance(a, Send) and a.request is Request.ASK] == [ME.encode()] * 2
    group.replied(P, Request.HOLD, b"OK", group.word)
    group.info(R1, "following", 1, offset=80)
    assert group.stage is Stage.HOLDING
    group.info(P, "leading", 1, offset=99)
    group.info(R1, "following", 1, offset=98)
    assert group.stage is Stage.HOLDING
    actions = group.info(R2, "following", 1, offset=99)
    assert [args[:3] for args in asked(actions)] == [(b"QUORUM", b"PROMISE", b"2")] * 3
    for name, offset in ((P, 99), (R1, 98), (R2, 99)):
        actions += group.promise(name, offset=offset)
    assert [name for name, _ in orders(group, actions)] == [R2]
    actions = led_by(group, R2, 2)
    sent = [a.args for a in actions if isinstance(a, Send) and a.link == group.node(P).link.id]
    assert (b"SLAVEOF", b"10.0.0.3", b"6379") in sent


def test_a_primary_that_hands_over_is_switched_by_itself() -> None:
    """A leader that says that another should lead holds writes once we are elected, and who has all its log leads."""
    group = Group(quorum=2)
    for replica in group.group.replicas.values():
        replica.link.pubsub.state = LaneState.UP
    group.elect()
    assert group.group.failover is None
    group.info(P, "leading", 1, hands_over=True)
    actions = group.elect()
    assert [a.args[-1] for a in actions if isinstance(a, Send) and a.request is Request.ASK] == [ME.encode()] * 2
    assert asked(actions) == [(b"QUORUM", b"HOLD", b"1500")]
    group.replied(P, Request.HOLD, b"OK", group.word)
    group.info(P, "leading", 1, offset=99, hands_over=True)
    actions = group.info(R2, "following", 1, offset=99)
    for name, offset in ((P, 99), (R1, 98), (R2, 99)):
        actions += group.promise(name, offset=offset)
    assert [name for name, _ in orders(group, actions)] == [R2]


def test_a_switchover_that_nobody_can_take_leaves_the_primary_leading() -> None:
    """If no replica catches up within a second, nothing is asked of anybody, and the primary may write again."""
    group, _ = planned()
    group.replied(P, Request.HOLD, b"OK", group.word)
    group.info(P, "leading", 1, offset=99)
    actions = []
    for _ in range(110):
        actions += group.step(Tick(), 10)
        actions += group.live(0)
    assert "-failover-abort-not-caught-up" in channels(actions)
    assert asked(actions) == [(b"QUORUM", b"HOLD", b"0")]


def test_a_primary_that_cannot_hold_is_switched_all_the_same() -> None:
    """A node that refuses to hold writes loses nothing by it: the promises decide."""
    group, _ = planned()
    actions = group.replied(P, Request.HOLD, ReplyError("ERR unknown command"), group.word)
    assert len(asked(actions)) == 3


def refusal(actions: list[Action]) -> str:
    return next((a.text for a in actions if isinstance(a, Refusal)), "")


def test_a_failover_by_hand_needs_a_majority_or_force() -> None:
    """Without a majority it is refused with the way out; FORCE-UNSAFE then founds the group anew, and says the risk."""
    group = Group()
    group.info(P, "leading", 1, offset=100)
    group.die(P)
    group.die(R1)
    group.group.failover = None
    assert "FORCE-UNSAFE" in refusal(group.step(ForceFailover("main")))
    actions = group.step(ForceFailover("main", unsafe=True))
    assert asked(actions) == [(b"QUORUM", b"PROMISE", b"%d" % group.world.epoch, group.word.encode())]
    actions += group.promise(R2, offset=70)
    for _ in range(60):
        actions += group.step(Tick(), 10)
        actions += group.live(0)
    (name, order), = orders(group, actions)
    assert (name, order[-1]) == (R2, IDS[R2].encode())
    (told,) = reasons(actions, "+failover-unsafe")
    assert "at least 30 bytes may be lost" in told


def test_force_is_for_quorum_groups() -> None:
    """Elsewhere there is no safety that it could give up: it is refused, and nothing begins."""
    bench = Bench()
    assert refusal(bench.step(ForceFailover("main", unsafe=True))).startswith("ERR FORCE-UNSAFE is for groups")
    assert bench.group.failover is None
