"""Stories of sentinels under simulation, and that the checkers would notice if the rules were broken."""

from __future__ import annotations

import pytest

from replication.sentinel.mind import discovery, election, reconcile
from replication.sentinel.mind.messages import Action, Persist
from replication.sentinel.mind.turn import Render, Turn
from replication.sentinel.options.directives import render
from replication.sentinel.world.group import Primary
from simulation.checkers import Violation
from simulation.story import Story, run


@pytest.mark.parametrize("first_seed", range(0, 40, 10))
def test_faults_never_break_safety_and_all_is_well_after_them(first_seed: int) -> None:
    """Whatever breaks, no epoch has two leaders, no vote is lost, and the cluster agrees again afterwards."""
    for seed in range(first_seed, first_seed + 10):
        run(seed)


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_primary_is_replaced_within_a_second(seed: int) -> None:
    """When the primary's process dies, every sentinel names the same new primary within one second."""
    story = Story(seed, sentinels=3, nodes=3)
    story.nodes[0].kill()
    story.clock.run_until(story.clock.now_ms + 1_000)
    views = {story.group(s).current_address().host for s in story.sentinels}
    assert len(views) == 1, story.state()
    assert views != {story.nodes[0].host}, story.state()


@pytest.mark.parametrize("seed", range(5))
def test_a_silent_primary_is_given_down_after(seed: int) -> None:
    """A primary that only fails to answer is not called down before down-after, and is replaced after it."""
    story = Story(seed, sentinels=3, nodes=3)
    story.nodes[0].pause()
    story.clock.run_until(story.clock.now_ms + story.down_after_ms - 300)
    assert "+sdown" not in story.checkers.counts
    story.clock.run_until(story.clock.now_ms + 2_500)
    assert story.checkers.counts["+switch-master"] == 3


@pytest.mark.parametrize("seed", range(3))
def test_slow_networks_do_not_flap(seed: int) -> None:
    """Delays of up to a quarter of down-after, for ten minutes, make nobody call anybody down."""
    story = Story(seed, sentinels=3, nodes=2)
    story.network.max_delay_ms = story.down_after_ms // 4
    story.clock.run_until(story.clock.now_ms + 600_000)
    assert "+sdown" not in story.checkers.counts


@pytest.mark.parametrize("paused_ms", [300, 900])
@pytest.mark.parametrize("seed", range(5))
def test_a_primary_that_pauses_for_less_than_down_after_keeps_its_place(seed: int, paused_ms: int) -> None:
    """Stopped again and again, each time shorter than down-after, with a second between, nobody is replaced."""
    story = Story(seed, sentinels=3, nodes=3)
    for sentinel in story.sentinels:
        story.group(sentinel).down_after_ms = 1_000
    for _ in range(60):
        story.nodes[0].pause()
        story.clock.run_until(story.clock.now_ms + paused_ms)
        story.nodes[0].resume()
        story.clock.run_until(story.clock.now_ms + 1_000)
    assert "+odown" not in story.checkers.counts
    assert "+try-failover" not in story.checkers.counts
    assert story.well()


@pytest.mark.parametrize("seed", range(5))
def test_a_network_cut_for_less_than_down_after_changes_nothing(seed: int) -> None:
    """A primary that nobody reaches for most of down-after, again and again, is not replaced."""
    story = Story(seed, sentinels=3, nodes=3)
    for sentinel in story.sentinels:
        story.group(sentinel).down_after_ms = 3_000
    hosts = set(story.network.processes) - {story.nodes[0].host}
    for _ in range(20):
        story.network.cut |= {frozenset((story.nodes[0].host, host)) for host in hosts}
        story.clock.run_until(story.clock.now_ms + 1_000)
        story.network.cut.clear()
        story.clock.run_until(story.clock.now_ms + 5_000)
    assert "+try-failover" not in story.checkers.counts


def test_a_quorum_of_all_waits_for_the_sentinel_that_is_away() -> None:
    """With quorum 3 of 3 and one sentinel dead nobody fails over; when it is back, they do, led by one who knows.

    The one that was away can't judge the replicas' age: it never saw the primary alive.
    """
    story = Story(11, sentinels=3, nodes=3)
    story.checkers.quorum = 3
    for sentinel in story.sentinels:
        story.group(sentinel).quorum = 3
    story.sentinels[2].durable = render(story.sentinels[2].monitor.world)
    story.sentinels[2].kill()
    story.nodes[0].kill()
    story.clock.run_until(story.clock.now_ms + 60_000)
    assert "+odown" not in story.checkers.counts
    story.sentinels[2].restart()
    story.run_until_event("+switch-master", times=3, within_ms=120_000)


def test_a_minority_never_fails_over() -> None:
    """Two of five sentinels, alone with the replicas, see the primary down and promote nobody."""
    story = Story(7, sentinels=5, nodes=3)
    here = {story.sentinels[0].host, story.sentinels[1].host, story.nodes[1].host, story.nodes[2].host}
    hosts = set(story.network.processes)
    story.network.cut |= {frozenset((a, b)) for a in here for b in hosts - here}
    story.clock.run_until(story.clock.now_ms + 120_000)
    assert story.checkers.counts["+sdown"] >= 2
    assert "+elected-leader" not in story.checkers.counts


def test_a_returning_primary_follows_the_new_one() -> None:
    """The old primary, back as it was, is turned into a replica of the new one."""
    story = Story(3, sentinels=3, nodes=3)
    story.nodes[0].kill()
    story.clock.run_until(story.clock.now_ms + 5_000)
    story.nodes[0].restart()
    story.converge(within_ms=30_000)
    assert story.nodes[0].follows is not None


def test_a_leader_cut_off_in_its_failover_follows_a_newer_one_back() -> None:
    """Who promoted a replica, and was away while others went back to the old primary, goes back as well."""
    story = Story(3, sentinels=3, nodes=3)
    old, *others = story.nodes
    for node, priority in zip(story.nodes, (1, 2, 3), strict=True):
        node.priority = priority
    for sentinel in story.sentinels:
        story.group(sentinel).down_after_ms = story.group(sentinel).failover_timeout_ms = 60_000
        story.group(sentinel).parallel_syncs = 0  # the leader waits for its replicas, as for slow ones
    old.kill()
    story.run_until_event("+promoted-slave")
    leader = next(s for s in story.sentinels if story.group(s).failing_over)
    promoted = next(n for n in others if n.follows is None)
    story.clock.run_until(story.clock.now_ms + 20)
    everyone = set(story.network.processes)
    story.network.cut |= {frozenset((leader.host, host)) for host in everyone - {leader.host}}
    old.restart()
    story.run_until_event("+convert-to-slave")
    story.clock.run_until(story.clock.now_ms + 2_000)
    promoted.kill()
    story.run_until_event("+promoted-slave", times=2)
    assert old.follows is None
    assert story.group(leader).failing_over
    story.clock.run_until(story.clock.now_ms + 1_000)
    story.converge(within_ms=60_000)
    assert story.group(leader).address.host == old.host


def test_a_promoted_replica_that_dies_at_once_is_replaced() -> None:
    """The leader does not wait for the replica it promoted when that one dies with replicas still to move."""
    story = Story(4, sentinels=3, nodes=4)
    for sentinel in story.sentinels:
        story.group(sentinel).parallel_syncs = 0
    story.nodes[0].kill()
    story.run_until_event("+promoted-slave")
    leader = next(s for s in story.sentinels if story.group(s).failing_over)
    next(s for s in story.sentinels if s is not leader).kill()  # so that the leader's voice is needed
    next(n for n in story.nodes if n.alive and n.follows is None).kill()
    story.run_until_event("+promoted-slave", times=2)
    story.clock.run_until(story.clock.now_ms + 5_000)
    alive = {s for s in story.sentinels if s.alive}
    assert len({story.group(s).current_address().host for s in alive}) == 1, story.state()


def test_all_is_well_again_after_lost_writes_and_forced_failovers() -> None:
    """Where the premises of safety are broken for a while, the cluster still finds back to one primary."""
    for seed in range(300, 310):
        run(seed, unsound=True)


def _persist_last(self: Turn, render: Render) -> list[Action]:
    return [*self.actions, Persist(render(self.world))]


def _vote_always(turn: Turn, group: Primary, epoch: int, candidate: str) -> None:
    election.adopt_epoch(turn, group, epoch)
    group.leader, group.leader_epoch = candidate, epoch
    turn.persist()


def _lead_always(world: object, group: Primary, epoch: int) -> election.Tally:
    leader = group.leader if group.leader_epoch == epoch else None
    return election.Tally(leader, 1, 1, 1)


def _run_all(seeds: range) -> None:
    for seed in seeds:
        run(seed)


def _nothing(*_: object) -> None:
    return None


@pytest.mark.parametrize(("module", "name", "broken"), [
    (Turn, "finish", _persist_last),
    (election, "vote", _vote_always),
    (election, "tally", _lead_always),
    (reconcile, "_may_correct", _nothing),
    (discovery, "_adopt_configuration", _nothing),
])
def test_checkers_notice_broken_rules(
    module: object, name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule that safety or liveness rests on is missed when it is taken out."""
    monkeypatch.setattr(module, name, broken)
    with pytest.raises(Violation):
        _run_all(range(2_000, 2_060))
