"""Each invariant of the world is missed when it is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.sentinel_bench import ME, A, B, Bench

from replication.quorum.choice import Answer, Choice
from replication.sentinel.world.address import Address
from replication.sentinel.world.gathering import Gathering
from replication.sentinel.world.group import Attempt, Move, Replica
from replication.sentinel.world.invariants import COMPARED, ROWS, Broken
from replication.sentinel.world.stages import Reconf, Stage


def replica_of(bench: Bench, host: str = "10.0.1.1") -> Replica:
    return bench.world.add_replica(bench.group, Address(host, 6379, host), bench.now)


NODES = [digit * 40 for digit in "abc"]


def promised(*names: str) -> Gathering:
    """The nodes of these names have promised, each with the same log."""
    answers = {name: Answer(node_id, 4, 70, (frozenset(NODES),)) for name, node_id in zip(names, NODES, strict=False)}
    return Gathering("a-try", answers=answers)


def convening(bench: Bench, stage: Stage) -> Attempt:
    """An attempt in its epoch 5 that goes by promises, as it should be, in a world that was checked."""
    group, replica = bench.group, replica_of(bench)
    bench.world.epoch = group.leader_epoch = 5
    group.leader, group.by_quorum = ME, True
    attempt = group.failover = Attempt(5, bench.now, stage=stage)
    if stage > Stage.WAIT_START:
        attempt.gathering = promised(replica.name, group.name)
    if stage > Stage.GATHER_PROMISES:
        assert attempt.gathering is not None
        attempt.promoted, attempt.gathering.choice = replica, Choice(NODES[0], 4, 70)
    group.config_epoch = 5 if stage >= Stage.RECONF_SLAVES else 0
    bench.check_invariants(bench.world)
    return attempt


def gathering_of(attempt: Attempt) -> Gathering:
    assert attempt.gathering is not None
    return attempt.gathering


def leading(bench: Bench, stage: Stage) -> Attempt:
    """An attempt in its epoch 5, as it should be, in a world that was checked."""
    group = bench.group
    bench.world.epoch = group.leader_epoch = 5
    group.leader = ME
    group.failover = Attempt(5, bench.now, stage=stage)
    if stage >= Stage.SEND_SLAVEOF_NOONE:
        group.failover.promoted = replica_of(bench)
    if stage >= Stage.RECONF_SLAVES:
        group.config_epoch = 5
        group.failover.moves[replica_of(bench, "10.0.1.2").name] = Move(Reconf.SENT, bench.now)
    bench.check_invariants(bench.world)
    return group.failover


def _newer_epoch(bench: Bench) -> None:
    bench.group.config_epoch = 1


def _stand_without_a_vote(bench: Bench) -> None:
    leading(bench, Stage.WAIT_START)
    bench.group.leader_epoch = 4
    bench.check_invariants = type(bench.check_invariants)()


def _stand_with_a_vote_for_another(bench: Bench) -> None:
    leading(bench, Stage.WAIT_START)
    bench.group.leader = A


def _lead_without_the_configuration(bench: Bench) -> None:
    leading(bench, Stage.WAIT_PROMOTION).stage = Stage.RECONF_SLAVES


def _go_on_under_a_newer_configuration(bench: Bench) -> None:
    leading(bench, Stage.SELECT_SLAVE)
    bench.group.config_epoch = 5


def _choose_nobody(bench: Bench) -> None:
    leading(bench, Stage.SEND_SLAVEOF_NOONE).promoted = None


def _choose_too_early(bench: Bench) -> None:
    leading(bench, Stage.SELECT_SLAVE).promoted = replica_of(bench)


def _forget_the_promoted(bench: Bench) -> None:
    leading(bench, Stage.SEND_SLAVEOF_NOONE)
    bench.group.replicas.clear()


def _select_by_quorum(bench: Bench) -> None:
    leading(bench, Stage.SELECT_SLAVE)
    bench.group.by_quorum = True


def _gather_nowhere(bench: Bench) -> None:
    convening(bench, Stage.GATHER_PROMISES).gathering = None


def _lead_with_too_few(bench: Bench) -> None:
    del gathering_of(convening(bench, Stage.WAIT_PROMOTION)).answers[bench.group.name]


def _lead_who_is_behind(bench: Bench) -> None:
    gathering = gathering_of(convening(bench, Stage.WAIT_PROMOTION))
    gathering.answers[bench.group.name] = Answer(NODES[1], 4, 71, (frozenset(NODES),))


def _lead_another_than_chosen(bench: Bench) -> None:
    attempt = convening(bench, Stage.WAIT_PROMOTION)
    attempt.promoted = bench.group


def _lead_two_with_one_id(bench: Bench) -> None:
    gathering = gathering_of(convening(bench, Stage.WAIT_PROMOTION))
    gathering.answers["another"] = Answer(NODES[0], 4, 70, (frozenset(NODES),))


def _draw_a_second_try(bench: Bench) -> None:
    gathering_of(convening(bench, Stage.GATHER_PROMISES)).word = "another-try"


def _use_a_try_again(bench: Bench) -> None:
    old = convening(bench, Stage.GATHER_PROMISES)
    bench.world.epoch = bench.group.leader_epoch = 6
    bench.group.failover = Attempt(6, bench.now, stage=Stage.GATHER_PROMISES, gathering=old.gathering)


def _move_the_promoted(bench: Bench) -> None:
    attempt = leading(bench, Stage.RECONF_SLAVES)
    assert attempt.promoted is not None
    attempt.moves[attempt.promoted.name] = Move(Reconf.SENT, bench.now)


def _move_a_stranger(bench: Bench) -> None:
    leading(bench, Stage.RECONF_SLAVES).moves["10.9.9.9:1"] = Move(Reconf.SENT, bench.now)


def _agree_on_who_is_up(bench: Bench) -> None:
    bench.group.objectively_down = True


def _two_at_one_address(bench: Bench) -> None:
    replica_of(bench).address = bench.group.address


def _watch_ourselves(bench: Bench) -> None:
    bench.world.add_peer(bench.group, ME, Address("10.0.2.5", 26379, "10.0.2.5"), bench.now)


def _call_a_peer_by_another_id(bench: Bench) -> None:
    bench.group.peers[A].run_id = B


def _call_a_replica_by_another_name(bench: Bench) -> None:
    bench.group.replicas["x:1"] = bench.group.replicas.pop(replica_of(bench).name)


def _name_another_group(bench: Bench) -> None:
    bench.group.peers[A].group = bench.world.add_group("other", Address("10.0.0.9", 1, "10.0.0.9"), 1, bench.now)


def _forget_a_link(bench: Bench) -> None:
    del bench.world.links[bench.group.link.id]


def _keep_a_link_of_nobody(bench: Bench) -> None:
    bench.world.new_link(bench.now, with_pubsub=False)


def _take_a_link_of_another(bench: Bench) -> None:
    bench.group.peers[A].link = bench.group.peers[B].link


def _await_from_nobody(bench: Bench) -> None:
    bench.group.link.pending = 1


def _await_info_from_nobody(bench: Bench) -> None:
    bench.group.info_in_flight = True


def _forget_our_epoch(bench: Bench) -> None:
    bench.world.epoch = 5
    bench.check_invariants(bench.world)
    bench.world.epoch = 4


def _forget_a_vote(bench: Bench) -> None:
    bench.world.epoch = bench.group.leader_epoch = 5
    bench.check_invariants(bench.world)
    bench.group.leader_epoch = 4


def _forget_a_configuration(bench: Bench) -> None:
    bench.world.epoch = bench.group.config_epoch = 5
    bench.check_invariants(bench.world)
    bench.group.config_epoch = 4


def _vote_twice(bench: Bench) -> None:
    bench.world.epoch = bench.group.leader_epoch = 5
    bench.group.leader = A
    bench.check_invariants(bench.world)
    bench.group.leader = B


def _vote_again_after_a_reset(bench: Bench) -> None:
    bench.world.epoch = bench.group.leader_epoch = 5
    bench.check_invariants(bench.world)
    bench.group.leader = B


BREAKS: list[tuple[str, Callable[[Bench], None]]] = [
    ("no epoch of a group is newer", _newer_epoch),
    ("has voted for itself", _stand_without_a_vote),
    ("has voted for itself", _stand_with_a_vote_for_another),
    ("an attempt's epoch is the configuration's", _lead_without_the_configuration),
    ("an attempt's epoch is the configuration's", _go_on_under_a_newer_configuration),
    ("a replica is chosen in", _choose_nobody),
    ("a replica is chosen in", _choose_too_early),
    ("who is promoted is a replica", _forget_the_promoted),
    ("in a group that goes by quorum nobody is selected", _select_by_quorum),
    ("in a group that goes by quorum nobody is selected", _gather_nowhere),
    ("by quorum only he is told to lead", _lead_with_too_few),
    ("by quorum only he is told to lead", _lead_who_is_behind),
    ("by quorum only he is told to lead", _lead_another_than_chosen),
    ("by quorum only he is told to lead", _lead_two_with_one_id),
    ("a try is drawn once", _draw_a_second_try),
    ("a try is drawn once", _use_a_try_again),
    ("only other replicas of the group are led over", _move_the_promoted),
    ("only other replicas of the group are led over", _move_a_stranger),
    ("objectively down is only", _agree_on_who_is_up),
    ("no two nodes of a group have the same address", _two_at_one_address),
    ("a peer is known by its run id", _watch_ourselves),
    ("a peer is known by its run id", _call_a_peer_by_another_id),
    ("each member is known by its name", _call_a_replica_by_another_name),
    ("each member is known by its name", _name_another_group),
    ("the links are those of the members", _forget_a_link),
    ("the links are those of the members", _keep_a_link_of_nobody),
    ("the links are those of the members", _take_a_link_of_another),
    ("nothing is awaited", _await_from_nobody),
    ("nothing is awaited", _await_info_from_nobody),
    ("our epoch never goes back", _forget_our_epoch),
    ("the epochs of a group never go back", _forget_a_vote),
    ("the epochs of a group never go back", _forget_a_configuration),
    ("one vote for each epoch and group", _vote_twice),
    ("one vote for each epoch and group", _vote_again_after_a_reset),
]


@pytest.mark.parametrize(("sentence", "break_it"), BREAKS, ids=[each.__name__ for _, each in BREAKS])
def test_a_broken_invariant_is_missed(sentence: str, break_it: Callable[[Bench], None]) -> None:
    """What must hold is checked: a world in which it doesn't is refused, with the sentence that says what should."""
    bench = Bench()
    bench.check_invariants(bench.world)
    break_it(bench)
    with pytest.raises(Broken) as found:
        bench.check_invariants(bench.world)
    assert sentence in str(found.value)


def test_every_invariant_has_been_broken_once() -> None:
    """No row without a test that breaks it."""
    for sentence, _ in (*ROWS, *COMPARED):
        assert any(part in sentence for part, _ in BREAKS), sentence


BY_PROMISES = (Stage.HOLDING, Stage.GATHER_PROMISES)
BY_SELECTION = (Stage.SELECT_SLAVE, Stage.SEND_SLAVEOF_NOONE)


@pytest.mark.parametrize("stage", Stage)
def test_an_attempt_as_it_should_be_breaks_nothing(stage: Stage) -> None:
    """In each of its stages an attempt of the right shape is accepted, whichever way it goes."""
    if stage not in BY_PROMISES:
        leading(Bench(), stage)
    if stage not in BY_SELECTION:
        convening(Bench(), stage)
