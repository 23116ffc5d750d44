"""Each invariant of the world is missed when it is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.sentinel_bench import ME, A, B, Bench

from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Attempt, Move, Replica
from replication.sentinel.world.invariants import COMPARED, ROWS, Broken
from replication.sentinel.world.stages import Reconf, Stage


def replica_of(bench: Bench, host: str = "10.0.1.1") -> Replica:
    return bench.world.add_replica(bench.group, Address(host, 6379, host), bench.now)


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


@pytest.mark.parametrize("stage", Stage)
def test_an_attempt_as_it_should_be_breaks_nothing(stage: Stage) -> None:
    """In each of its stages an attempt of the right shape is accepted."""
    leading(Bench(), stage)
