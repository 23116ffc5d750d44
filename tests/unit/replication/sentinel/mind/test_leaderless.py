"""Nodes of a quorum that lead no more, or not yet: how that is seen, and what is done about it."""

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
from support.sentinel_bench import channels

from replication.sentinel.mind.messages import (
    Action,
    Request,
    Send,
    Tick,
)


def test_a_primary_that_does_not_lead_is_replaced_at_once() -> None:
    """A restarted primary rests: nobody waits for down-after, and it leads again, without a change of address."""
    group = Group()
    group.group.down_after_ms = 30_000
    group.info(P, "resting", 0, promised=1)
    assert not group.group.down
    actions = group.step(Tick(), 210)
    actions += group.elect()
    assert "+odown" in channels(actions)
    for name in IDS:
        actions += group.promise(name)
    assert [name for name, _ in orders(group, actions)] == [P]
    actions += led_by(group, P, 2)
    actions += group.step(Tick(), 1)
    for name in (R1, R2):
        group.info(name, "following", 2, last_epoch=2)
    actions += group.step(Tick(), 100)
    assert group.group.failover is None
    assert "+switch-master" not in channels(actions)
    assert (group.group.config_epoch, group.group.address.host, group.group.down) == (2, "10.0.0.1", False)


def test_a_primary_that_rests_for_a_moment_is_left_alone() -> None:
    """While a peer's attempt goes on the primary doesn't lead; when it leads again nothing has happened."""
    group = Group()
    actions = group.info(P, "resting", 0, promised=2)
    actions += group.step(Tick(), 100)
    actions += group.info(P, "leading", 2, last_epoch=2)
    actions += group.step(Tick(), 500)
    assert "+sdown" not in channels(actions)


def test_an_empty_node_in_the_primarys_place_is_no_primary() -> None:
    """It says role:master, and leads no epoch: the group needs another."""
    group = Group()
    group.replied(P, Request.INFO, b"role:master\r\nquorum_node_id:" + b"e" * 40 + b"\r\nquorum_state:unfounded\r\n")
    assert "+sdown" in channels(group.step(Tick(), 210))


def test_a_primary_is_replaced_once_a_newer_leader_is_known() -> None:
    """A sentinel died after it had a replica lead: the primary's epoch is over, though it doesn't know."""
    group = Group()
    group.info(R1, "leading", 2, last_epoch=2)
    assert "+sdown" in channels(group.step(Tick(), 210))


def test_nobody_is_asked_while_no_majority_can_answer() -> None:
    """With two of three nodes gone no epoch is opened and no promise taken; the event names who is missing, once."""
    group = Group()
    group.die(R1)
    actions = group.die(P)
    for _ in range(40):
        actions += group.step(Tick(), 100)
        actions += group.live(0)
    told = reasons(actions, "-failover-abort-no-quorum")
    assert [text for text in told if "10.0.0.1:6379" in text and "10.0.0.2:6379" in text] == told[-1:]
    assert "+try-failover" not in channels(actions)


def test_an_old_leader_is_fenced_and_led_over() -> None:
    """A replica that says it leads an older epoch promises the present one, and then follows."""
    group = Group()
    group.info(P, "leading", 5, last_epoch=5)
    actions = group.info(R1, "leading", 1)
    sent = [a.args for a in actions if isinstance(a, Send) and a.link == group.node(R1).link.id]
    assert [args[:3] for args in sent if args[0] in (b"QUORUM", b"SLAVEOF")] == [
        (b"QUORUM", b"PROMISE", b"5"), (b"SLAVEOF", b"10.0.0.1", b"6379")]
    again = group.info(R1, "leading", 1)
    assert asked(again) == []


def test_a_leader_of_a_newer_epoch_is_not_fenced() -> None:
    """Whoever leads a newer epoch than our primary isn't told anything: we have yet to hear of it."""
    group = Group()
    assert asked(group.info(R1, "leading", 3, last_epoch=3)) == []


def test_a_resting_member_follows_at_once() -> None:
    """A node that restarted counts for nothing until it follows: it is told the primary in the step it is seen."""
    group = Group()
    actions = group.info(R1, "resting", 0, promised=1)
    sent = [a.args for a in actions if isinstance(a, Send) and a.link == group.node(R1).link.id]
    assert (b"SLAVEOF", b"10.0.0.1", b"6379") in sent
    assert not any(a.args[0] == b"SLAVEOF" for a in group.info(R1, "resting", 0) if isinstance(a, Send))


def test_a_resting_member_waits_while_nobody_leads() -> None:
    """There is nobody to follow then."""
    group = Group()
    group.info(P, "resting", 0, promised=1)
    actions = group.info(R1, "resting", 0, promised=1)
    assert not any(a.args[0] == b"SLAVEOF" for a in actions if isinstance(a, Send))


def isolate(group: Group, reach: int, syncing: bool = False) -> list[Action]:
    """The primary says of how many members it hears; the others say whether they receive a data set from it."""
    for name in (R1, R2):
        group.info(name, "following", 1)
        group.group.replicas[name].syncing = syncing
    lines = ["role:master", f"quorum_node_id:{IDS[P]}", "quorum_state:leading", "quorum_promised:1", "quorum_epoch:1",
             "quorum_last_epoch:1", f"quorum_members:{','.join(IDS.values())}", f"quorum_reach:{reach}"]
    return group.replied(P, Request.INFO, "".join(f"{line}\r\n" for line in lines).encode())


def pass_time(group: Group, ms: int, mute: str = "") -> list[Action]:
    """Everybody answers pings but who is mute."""
    actions: list[Action] = []
    for _ in range(ms // 100):
        actions += group.step(Tick(), 100) + group.live(group.node(mute).link.id if mute else 0)
    return actions


def test_a_primary_that_its_followers_cannot_reach_is_replaced_after_down_after() -> None:
    """It leads, answers us and hears no majority for longer than down-after: the others are asked, and it isn't."""
    group = Group()
    group.group.down_after_ms = 2_500
    isolate(group, reach=1)  # it hasn't heard of them for 1.5 s when it says so
    assert "+sdown" not in channels(pass_time(group, 900))
    assert "+sdown" in channels(pass_time(group, 300))
    actions = group.elect()
    assert len(asked(actions)) == 2
    group.promise(R1)
    actions = group.promise(R2)
    assert [name for name, _ in orders(group, actions)] == [R1]
    sent = [a.args[:3] for a in led_by(group, R1, 2) if isinstance(a, Send) and a.link == group.group.link.id]
    assert sent.index((b"QUORUM", b"PROMISE", b"2")) < sent.index((b"SLAVEOF", b"10.0.0.2", b"6379"))


def test_followers_that_are_receiving_data_reach_their_primary() -> None:
    """A long full synchronization is no isolation, nor is a primary that hears of a majority."""
    for reach, syncing in ((1, True), (2, False)):
        group = Group()
        isolate(group, reach, syncing)
        pass_time(group, 1_500)
        assert not group.group.down


def test_followers_that_stand_still_are_not_cut_off() -> None:
    """If those whom the primary doesn't hear don't answer us either, it isn't its fault."""
    group = Group()
    group.group.down_after_ms = 60_000
    pass_time(group, 5_000, mute=R1)
    isolate(group, reach=1)
    assert group.group.isolated_since_ms == 0


def test_a_primary_that_hears_its_followers_again_is_left_alone() -> None:
    """It stood still for a moment, and had yet to read what they had sent."""
    group = Group()
    isolate(group, reach=1)
    pass_time(group, 300)
    isolate(group, reach=3)
    assert "+sdown" not in channels(pass_time(group, 1_000))
