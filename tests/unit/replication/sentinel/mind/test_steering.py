"""What operators want: carried out in a step as a whole, durably, or refused without a change."""

from __future__ import annotations

import pytest
from support.sentinel_bench import A, Bench, channels

from replication.sentinel.mind.messages import Action, Close, Crash, Persist, Refusal
from replication.sentinel.mind.orders import (
    Announce,
    ForceFailover,
    Order,
    RenameCommand,
    Reset,
    SetOption,
    SetPeriod,
    SimulateFailure,
    Unwatch,
    Watch,
)
from replication.sentinel.options.directives import render
from replication.sentinel.options.table import SETTABLE_OF_GROUP, SETTABLE_OURS
from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Kind, LaneState

QUORUM, PASSWORD = SETTABLE_OF_GROUP["quorum"], SETTABLE_OF_GROUP["auth-pass"]


def refusal(actions: list[Action]) -> str | None:
    return next((action.text for action in actions if isinstance(action, Refusal)), None)


def written(actions: list[Action]) -> tuple[str, ...]:
    return next(action.lines for action in actions if isinstance(action, Persist))


@pytest.mark.parametrize(("order", "line"), [
    (Watch("other", Address("10.0.0.9", 6379, "10.0.0.9"), 2), "sentinel monitor other 10.0.0.9 6379 2"),
    (SetOption("main", QUORUM, 3, "quorum 3"), "sentinel monitor main 10.0.0.1 6379 3"),
    (SetOption("main", PASSWORD, "secret", "auth-pass ******"), "sentinel auth-pass main secret"),
    (SetOption(None, SETTABLE_OURS["announce-port"], 7000), "sentinel announce-port 7000"),
    (RenameCommand("main", "CONFIG", "hidden", "x"), "sentinel rename-command main config hidden"),
])
def test_what_changes_the_configuration_is_written_in_the_same_step(order: Order, line: str) -> None:
    """The step that carries an order out asks for the file to be written, with the change in it."""
    actions = Bench().step(order)
    assert refusal(actions) is None
    assert line in written(actions)


@pytest.mark.parametrize(("order", "text"), [
    (Watch("main", Address("10.0.0.9", 6379, "10.0.0.9"), 2), "ERR Duplicate master name."),
    (Unwatch("nosuch"), "ERR No such master with that name"),
    (Reset(("main", "nosuch")), "ERR No such master with that name"),
    (ForceFailover("nosuch"), "ERR No such master with that name"),
    (ForceFailover("main"), "NOGOODSLAVE No suitable replica to promote"),
    (SetOption("nosuch", QUORUM, 3, "x"), "ERR No such master with that name"),
    (RenameCommand("nosuch", "a", "b", "x"), "ERR No such master with that name"),
])
def test_what_is_refused_changes_nothing(order: Order, text: str) -> None:
    """A refused order leaves the configuration as it was, tells no event and writes no file."""
    bench = Bench()
    before = render(bench.world)
    actions = bench.step(order)
    assert refusal(actions) == text
    assert render(bench.world) == before
    assert channels(actions) == []
    assert not any(isinstance(action, Persist) for action in actions)


def test_a_group_that_is_removed_is_forgotten_with_its_links() -> None:
    """Connections to its members are closed, and its name is free again."""
    bench = Bench()
    bench.connect()
    actions = bench.step(Unwatch("main"))
    assert channels(actions) == ["-monitor"]
    assert sum(isinstance(action, Close) for action in actions) == 4
    assert not bench.world.links
    assert refusal(bench.step(Watch("main", bench.group.address, 2))) is None


def test_a_reset_keeps_what_elections_need() -> None:
    """Replicas, peers and attempts are forgotten; the epoch of the last vote stays, and nobody gets it again."""
    bench = Bench()
    bench.group.leader, bench.group.leader_epoch, bench.world.epoch = A, 7, 7
    bench.step(Reset(("main",)))
    assert not bench.group.peers
    assert (bench.group.leader, bench.group.leader_epoch) == (None, 7)


def test_a_forced_failover_needs_no_votes_and_comes_once() -> None:
    """It leads at once; a second one is refused while the first goes on."""
    bench = Bench()
    replica = bench.world.add_replica(bench.group, Address("10.0.1.1", 6379, "10.0.1.1"), bench.now)
    for connection in (replica.link.command, replica.link.pubsub):
        connection.state, connection.since_ms, connection.active_ms = LaneState.UP, bench.now, bench.now
    replica.role, replica.info_ms = Kind.REPLICA, bench.now
    assert channels(bench.step(ForceFailover("main"))) == [
        "+new-epoch", "+try-failover", "+vote-for-leader", "+elected-leader", "+failover-state-select-slave",
        "+selected-slave", "+failover-state-send-slaveof-noone", "+failover-state-wait-promotion"]
    assert refusal(bench.step(ForceFailover("main"))) == "INPROG Failover already in progress"


def test_a_password_that_changes_is_used_on_fresh_connections() -> None:
    """The links on which the former one was sent are closed; other options leave them alone."""
    bench = Bench()
    bench.connect()
    assert not any(isinstance(action, Close) for action in bench.step(SetOption("main", QUORUM, 3, "quorum 3")))
    actions = bench.step(SetOption("main", PASSWORD, "secret", "auth-pass ******"))
    assert {action.link for action in actions if isinstance(action, Close)} == {bench.group.link.id}


def test_timing_and_simulated_crashes_are_not_written() -> None:
    """SENTINEL DEBUG and SIMULATE-FAILURE last as long as the process."""
    bench = Bench()
    for order in (SetPeriod("info_period", 500), SimulateFailure(after_election=True, after_promotion=False)):
        assert not any(isinstance(action, (Persist, Crash)) for action in bench.step(order))
    assert bench.world.periods.info_period == 500
    assert (bench.world.crash_after_election, bench.world.crash_after_promotion) == (True, False)


def test_every_group_is_announced_at_the_start() -> None:
    """One +monitor for each."""
    bench = Bench()
    bench.step(Watch("other", Address("10.0.0.9", 6379, "10.0.0.9"), 2))
    assert channels(bench.step(Announce())) == ["+monitor", "+monitor"]
