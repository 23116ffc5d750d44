"""Groups that go by quorum under simulation: nothing acknowledged is lost, and the group finds back to a leader."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from replication.quorum.choice import Answer, Choice, NoChoice, choose
from replication.sentinel.mind import convene, leadership, reconcile
from replication.sentinel.world import invariants
from simulation.checkers import Violation
from simulation.nodes import PORT
from simulation.quorum_story import QuorumStory, run
from simulation.voters import Voter


@pytest.mark.parametrize("seed", range(4))
def test_faults_lose_nothing_that_was_acknowledged(seed: int) -> None:
    """Whatever breaks, every leader holds all that was acknowledged, and all is well after the faults."""
    assert run(seed).oracle.counts.acked > 20


@pytest.mark.parametrize("seed", range(1_000, 1_003))
def test_switchovers_among_faults_lose_nothing(seed: int) -> None:
    """Operators who switch over at several sentinels while things break get no two leaders, and lose no write."""
    run(seed, by_hand=True)


@pytest.mark.parametrize("seed", [37, 7_000, 500_110])
def test_nodes_that_lost_their_folders_lose_nothing_for_others(seed: int) -> None:
    """Who comes back with nothing is a new node, which vouches for nobody; an operator gives it its old place."""
    run(seed, by_hand=seed > 100, wiped=True)


def leaders(story: QuorumStory) -> list[Voter]:
    return [voter for voter in story.voters if voter.alive and voter.leads]


def run_until_well(story: QuorumStory, within_ms: int) -> None:
    """Let time pass, in which nothing breaks any more, until all is well."""
    assert story.clock.run_until(story.clock.now_ms + within_ms, story.well), story.state()


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_primary_is_replaced_by_promises_within_a_second(seed: int) -> None:
    """Every sentinel names the same new primary a second later; it leads a newer epoch, which a majority follows."""
    story = QuorumStory(seed, sentinels=3, nodes=3)
    story.voters[0].kill()
    story.clock.run_until(story.clock.now_ms + 1_000)
    (leader,) = leaders(story)
    assert {story.group(s).current_address().host for s in story.sentinels} == {leader.host}, story.state()
    assert leader.epoch == 2
    assert leader.settled


@pytest.mark.parametrize("seed", range(4))
def test_a_group_that_was_killed_whole_leads_again_soon(seed: int) -> None:
    """All nodes die and come back: nobody leads, and long before down-after somebody does, with all that was there."""
    story = QuorumStory(seed, sentinels=3, nodes=3)
    for sentinel in story.sentinels:
        story.group(sentinel).down_after_ms = 60_000
    acknowledged = story.oracle.floor
    for voter in story.voters:
        voter.kill()
    story.clock.run_until(story.clock.now_ms + story.rng.randrange(1, 2_000))
    for voter in story.voters:
        voter.restart()
    run_until_well(story, within_ms=5_000)
    assert story.oracle.floor >= acknowledged > 1


@pytest.mark.parametrize("seed", range(4))
def test_a_primary_that_restarts_at_once_does_not_leave_the_group_without_a_leader(seed: int) -> None:
    """A restarted node leads no more, though it answers; nobody waits for down-after to have one lead."""
    story = QuorumStory(seed, sentinels=3, nodes=3)
    for sentinel in story.sentinels:
        story.group(sentinel).down_after_ms = 60_000
    story.voters[0].kill()
    story.clock.run_until(story.clock.now_ms + 10)
    story.voters[0].restart()
    run_until_well(story, within_ms=3_000)


@pytest.mark.parametrize("seed", range(4))
def test_a_switchover_moves_the_lead_and_aborts_nothing(seed: int) -> None:
    """SENTINEL FAILOVER of a healthy group: another node leads within a second, the old one follows it, once."""
    story = QuorumStory(seed, sentinels=3, nodes=3)
    story.switch_by_hand()
    story.sentinels[1].fail_over()
    story.clock.run_until(story.clock.now_ms + 1_000)
    (leader,) = leaders(story)
    assert leader is not story.voters[0]
    assert leader.epoch == 2
    run_until_well(story, within_ms=3_000)
    assert leader.epoch == 2, "one epoch was enough"
    assert story.checkers.counts["+try-failover"] == 1


def test_without_a_majority_nothing_is_promoted_until_it_is_back() -> None:
    """Two of three nodes are gone: no epoch is opened, an event says why; with one of them back there is a leader."""
    story = QuorumStory(5, sentinels=3, nodes=3)
    story.voters[0].kill()
    story.voters[1].kill()
    story.clock.run_until(story.clock.now_ms + 20_000)
    assert not leaders(story)
    assert story.checkers.counts["-failover-abort-no-quorum"] > 0
    assert story.voters[2].durable.promised <= 2
    story.voters[1].restart()
    assert story.clock.run_until(story.clock.now_ms + 5_000, lambda: bool(leaders(story))), story.state()


def test_a_primary_cut_off_with_a_sentinel_is_deposed_and_joins_again() -> None:
    """The majority's side has a leader of a newer epoch; the old one acknowledges nothing, and follows once it can."""
    story = QuorumStory(6, sentinels=3, nodes=3)
    old = story.voters[0]
    here = {old.host, story.sentinels[0].host}
    others = set(story.network.processes) - here
    story.network.cut |= {frozenset((a, b)) for a in here for b in others}
    story.clock.run_until(story.clock.now_ms + story.down_after_ms + 3_000)
    assert len(leaders(story)) == 2
    new = next(voter for voter in leaders(story) if voter is not old)
    assert new.settled
    story.network.cut.clear()
    run_until_well(story, within_ms=10_000)
    assert leaders(story) == [new]
    assert old.follows == (new.host, PORT)


def test_a_primary_that_its_followers_cannot_reach_is_replaced() -> None:
    """It answers the sentinels, and acknowledges nothing: after down-after somebody leads whom the others follow."""
    story = QuorumStory(9, sentinels=3, nodes=3)
    old = story.voters[0]
    cut = {frozenset((old.host, voter.host)) for voter in story.voters[1:]}
    story.network.cut |= cut
    story.clock.run_until(story.clock.now_ms + story.down_after_ms + 6_000)
    (leader,) = leaders(story)
    assert leader is not old
    assert leader.settled
    story.network.cut -= cut
    run_until_well(story, within_ms=10_000)


def test_a_sentinel_that_dies_once_it_has_chosen_is_replaced() -> None:
    """Whom it told to lead may lead or not: the others find a leader that all follow."""
    for crash_after in range(4, 40, 3):
        story = QuorumStory(7, sentinels=3, nodes=3)
        first = min(story.sentinels, key=lambda s: s.monitor.world.my_id)
        story.voters[0].kill()
        group = story.group(first)
        story.clock.run_until(story.clock.now_ms + 2_000, lambda group=group: group.failing_over)
        first.crash_in = crash_after
        story.clock.run_until(story.clock.now_ms + 5_000)
        first.restart()
        story.voters[0].restart()
        run_until_well(story, within_ms=60_000)


def test_a_majority_that_lost_its_folders_is_founded_anew_and_told() -> None:
    """All places promise, and most hold nothing: the one that holds something founds the group, with an event."""
    story = QuorumStory(8, sentinels=3, nodes=3)
    for voter in story.voters:
        voter.kill()
    story.clock.run_until(story.clock.now_ms + 1_000)
    for voter in story.voters[:2]:
        voter.wipe()
    for voter in story.voters:
        voter.restart()
    run_until_well(story, within_ms=30_000)
    assert leaders(story) == [story.voters[2]]
    assert story.checkers.counts["+quorum-refound"] == 1


# -- rules taken out --------------------------------------------------------------------------------------------------


def _first_come(answers: Iterable[Answer], prefer: object = ()) -> Choice | NoChoice:
    """A majority, and then just anybody."""
    there = list(answers)
    found = choose(there)
    return Choice(there[-1].node_id, *there[-1].rank) if isinstance(found, Choice) else found


def _run_all(seeds: range) -> None:
    for seed in seeds:
        run(seed, faults=12)


def _nothing(*_: object) -> None:
    return None


@pytest.mark.parametrize(("module", "name", "broken"), [
    (convene, "choose", _first_come),
    (leadership, "learn", _nothing),
    (reconcile, "_join", _nothing),
])
def test_rules_taken_out_are_missed(
    module: object, name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A choice of anybody loses writes; without leaderless primaries noticed, or members led back, nobody gets well."""
    monkeypatch.setattr(module, name, broken)
    if name == "choose":
        monkeypatch.setattr(invariants, "choose", broken)
    with pytest.raises(Violation):
        _run_all(range(40))
