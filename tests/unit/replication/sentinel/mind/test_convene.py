"""Failovers in a group that goes by quorum: who is asked, who is told to lead, and when nobody is."""

from __future__ import annotations

import pytest
from support.quorum_bench import (
    IDS,
    MEMBERS,
    R1,
    R2,
    Group,
    P,
    asked,
    gathering_without_the_primary,
    led_by,
    orders,
    reasons,
)
from support.sentinel_bench import channels

from replication.sentinel.mind.messages import (
    Action,
    Opened,
    Reply,
    ReplyError,
    Request,
    Send,
    Tick,
)
from replication.sentinel.world.group import Kind, Lane, LaneState
from replication.sentinel.world.stages import Stage


def test_an_elected_sentinel_asks_every_node_it_reaches_for_its_promise() -> None:
    """Nobody is selected or told to follow no one; the nodes are asked to promise the epoch to one try."""
    group, actions = gathering_without_the_primary()
    request = (b"QUORUM", b"PROMISE", b"2", group.word.encode())
    assert asked(actions) == [request, request]
    assert "+selected-slave" not in channels(actions)


def test_the_most_advanced_leads_as_soon_as_all_have_answered() -> None:
    """The longer log of the same epoch is chosen over the better priority, in the step of the last answer."""
    group, _ = gathering_without_the_primary()
    group.group.replicas[R2].priority = 1
    assert orders(group, group.promise(R2, offset=60)) == []
    actions = group.promise(R1, offset=70)
    wanted = (b"2", group.word.encode(), IDS[R1].encode(), b"1", b"70")
    assert orders(group, actions) == [(R1, wanted)]
    assert group.stage is Stage.WAIT_PROMOTION


def test_a_newer_epoch_is_ahead_of_a_longer_log() -> None:
    """The epoch of the last byte is compared before the offset."""
    group, _ = gathering_without_the_primary()
    group.world.epoch = 2
    group.promise(R1, last_epoch=1, offset=900)
    (name, _), = orders(group, group.promise(R2, last_epoch=2, offset=100))
    assert name == R2


def test_the_wish_decides_among_equals() -> None:
    """Among equally advanced nodes the lower priority leads, 0 only if nobody else can."""
    for priorities, chosen in (((100, 10), R2), ((5, 10), R1), ((0, 100), R2)):
        group, _ = gathering_without_the_primary()
        for name, priority in zip((R1, R2), priorities, strict=True):
            group.group.replicas[name].priority = priority
        group.promise(R1)
        (name, _), = orders(group, group.promise(R2))
        assert name == chosen


def test_who_is_slow_is_waited_for_no_longer_than_a_moment() -> None:
    """Once a majority has promised, a node that was asked and doesn't answer holds nothing up for more than 100 ms."""
    group = Group()
    group.info(P, "resting", 0, promised=1)
    group.step(Tick(), 210)
    group.info(P, "resting", 0, promised=1)
    group.elect()
    group.promise(R1)
    assert orders(group, group.promise(R2)) == []
    actions: list[Action] = []
    for _ in range(11):
        actions += group.step(Tick(), 10)
    assert len(orders(group, actions)) == 1


def test_promises_to_another_try_do_not_count() -> None:
    """An answer to an earlier attempt's request, which comes late, lets nobody lead."""
    group, _ = gathering_without_the_primary()
    group.promise(R1, tag="an-older-try")
    assert orders(group, group.promise(R2)) == []
    assert group.stage is Stage.GATHER_PROMISES


def test_without_a_majority_nothing_is_promoted_and_the_reason_is_told() -> None:
    """One promise of three is no majority: the attempt is given up, with an event that says who is missing."""
    group, _ = gathering_without_the_primary()
    group.promise(R1)
    group.refuse(R2, "LOADING Redis is loading the dataset in memory")
    actions = []
    for _ in range(60):
        actions += group.step(Tick(), 10)
    assert orders(group, actions) == []
    (reason,) = reasons(actions, "-failover-abort-no-quorum")
    assert "no majority has promised: 1 of 3" in reason
    assert group.group.failover is None
    assert group.group.patience.reason in reason


def test_a_newer_promise_makes_the_next_attempt_newer_and_soon() -> None:
    """A refusal that names epoch 9 ends the attempt at once, and the next one is in epoch 10, within a second."""
    group, _ = gathering_without_the_primary()
    group.refuse(R1, "NOPROMISE epoch 9 is promised already")
    actions = group.refuse(R2, "NOPROMISE epoch 9 is promised already")
    assert "-failover-abort-no-quorum" in channels(actions)
    assert group.world.epoch == 9
    for _ in range(20):
        actions += group.step(Tick(), 50)
    assert "+try-failover" in channels(actions)
    assert group.world.epoch == 10


def test_a_refused_order_is_given_up_and_tried_again_soon() -> None:
    """A chosen node whose log isn't the one that was answered doesn't lead; a new attempt follows."""
    group, _ = gathering_without_the_primary()
    group.promise(R1)
    group.promise(R2)
    actions = group.replied(R1, Request.LEAD, ReplyError("NOLEAD the log isn't the one that was answered"), group.word)
    assert "-failover-abort-lead-refused" in channels(actions)
    for _ in range(20):
        actions += group.step(Tick(), 50)
    assert "+try-failover" in channels(actions)


BAD_ANSWERS: list[Reply] = [
    b"OK", None, 7, [], [b"a", 1, 2], [b"a" * 40, 1, 2, [], b"", 6], [b"z" * 40, 1, 2, [], b""],
    [b"b" * 39, 1, 2, [], b""], [b"b" * 40, -1, 2, [], b""], [b"b" * 40, 3, 2, [], b""], [b"b" * 40, 1, -2, [], b""],
    [b"b" * 40, 1, 2**63, [], b""], [b"b" * 40, 1, 2, [b"x"], b""], [b"b" * 40, 1, 2, [[]], b""],
    [b"b" * 40, 1, 2, [MEMBERS.encode()] * 3, b""], [b"b" * 40, 1, 2, [], b"here"], [b"b" * 40, b"1", 2, [], b""],
    [b"b" * 40, 1, 2, [",".join("%040x" % n for n in range(65)).encode()], b""], [None, 1, 2, [], b""],
    [b"b" * 40, 1, 2, None, b""], [b"b" * 40, 1, 2, [], None],
]


@pytest.mark.parametrize("reply", BAD_ANSWERS, ids=range(len(BAD_ANSWERS)))
def test_an_answer_that_cannot_be_is_dropped(reply: Reply) -> None:
    """A broken or hostile node gets an event and no say, and the sentinel goes on."""
    group, _ = gathering_without_the_primary()
    actions = group.replied(R1, Request.PROMISE, reply, group.word)
    assert "-quorum-answer-dropped" in channels(actions)
    assert orders(group, group.promise(R2)) == []


def test_two_nodes_with_one_id_count_for_nothing() -> None:
    """A copied folder has no promise of its own to give, nor does its original."""
    group, _ = gathering_without_the_primary()
    group.promise(R1)
    actions = group.promise(R2, node_id=IDS[R1])
    assert "-quorum-answer-dropped" in channels(actions)
    assert orders(group, actions) == []


def test_a_leader_is_believed_in_this_epoch_only() -> None:
    """INFO that says role:master in an older epoch promotes nobody; in the attempt's epoch it does, durably."""
    group, _ = gathering_without_the_primary()
    group.promise(R1)
    group.promise(R2)
    group.replied(R1, Request.LEAD, b"OK", group.word)
    group.info(R1, "leading", 1)
    assert group.stage is Stage.WAIT_PROMOTION
    actions = led_by(group, R1, 2)
    assert "+promoted-slave" in channels(actions)
    assert group.group.config_epoch == 2
    assert group.group.current_address().host == "10.0.0.2"
    sent = [a.args for a in actions if isinstance(a, Send) and a.link == group.node(R2).link.id]
    assert (b"SLAVEOF", b"10.0.0.2", b"6379") in sent


def test_a_chosen_node_that_dies_is_given_up() -> None:
    """Who was told to lead and is gone isn't waited for."""
    group, _ = gathering_without_the_primary()
    group.promise(R1)
    group.promise(R2)
    actions = group.die(R1)
    assert "-failover-abort-slave-timeout" in channels(actions)


def test_no_node_of_a_quorum_group_is_ever_told_to_follow_no_one() -> None:
    """It turns out during a plain attempt that the group goes by quorum: the attempt is given up."""
    group = Group()
    group.group.by_quorum = False
    for replica in group.group.replicas.values():
        replica.standing, replica.role = None, Kind.REPLICA
    group.group.standing = None
    group.die(P)
    actions = group.elect()
    assert group.stage in (Stage.SELECT_SLAVE, Stage.SEND_SLAVEOF_NOONE, Stage.WAIT_PROMOTION)
    if group.stage is Stage.SELECT_SLAVE:
        actions += group.info(R1, "following", 1)
        assert group.group.failover is None
        assert not any(a.args[:1] == (b"SLAVEOF",) for a in actions if isinstance(a, Send))


def test_a_node_that_is_back_ends_the_wait() -> None:
    """After a failed attempt the next begins as soon as a node that was missing shows itself."""
    group, _ = gathering_without_the_primary()
    group.group.patience.failures = 6
    group.promise(R1)
    group.refuse(R2, "LOADING x")
    for _ in range(60):
        group.step(Tick(), 10)
    assert group.group.failover is None
    group.info(R2, "resting", 0, promised=2)
    actions = group.step(Tick(), 30)
    assert "+try-failover" in channels(actions)


def test_a_node_that_connects_while_promises_are_gathered_is_asked_too() -> None:
    """Who couldn't be reached at first is asked as soon as it can be."""
    group, _ = gathering_without_the_primary()
    link = group.group.link
    group.step(Tick(), 100)
    assert link.command.state is LaneState.CONNECTING
    actions = group.step(Opened(link.id, Lane.COMMAND, ""))
    assert len(asked(actions)) == 1
