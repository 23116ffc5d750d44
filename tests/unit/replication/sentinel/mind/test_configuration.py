"""Which configuration is the newest: what a hello changes, also for who leads a failover at that time."""

from __future__ import annotations

from support.sentinel_bench import ME, A, Bench, channels

from replication.sentinel.mind.hello import HelloMessage
from replication.sentinel.mind.messages import Action, Emit, Hello, Persist, Request, Send
from replication.sentinel.world.group import Attempt, Kind, Replica
from replication.sentinel.world.stages import Stage

OLD, NEW, OTHER = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def hello(config_epoch: int, primary: str, epoch: int = 0) -> Hello:
    message = HelloMessage("10.0.2.1", 26379, A, epoch or config_epoch, "main", primary, 6379, config_epoch)
    return Hello(message.encode())


def with_replicas() -> tuple[Bench, Replica]:
    """A bench whose primary (OLD) has the replicas NEW and OTHER."""
    bench = Bench()
    bench.world.epoch = bench.group.config_epoch = 4
    replicas = [bench.world.add_replica(bench.group, bench.world.address(host, 6379), bench.now)
                for host in (NEW, OTHER)]
    bench.connect()
    return bench, replicas[0]


def leading(stage: Stage) -> Bench:
    """A bench that leads the failover of epoch 5 to NEW and has come to `stage`."""
    bench, promoted = with_replicas()
    group = bench.group
    bench.world.epoch = group.leader_epoch = 5
    group.leader = ME
    group.failover = Attempt(5, bench.now, stage=stage)
    if stage >= Stage.SEND_SLAVEOF_NOONE:
        group.failover.promoted = promoted
    if stage >= Stage.RECONF_SLAVES:
        group.config_epoch = 5
    return bench


def switches(actions: list[Action]) -> list[str]:
    return [action.message for action in actions if isinstance(action, Emit) and action.channel == "+switch-master"]


def test_a_newer_configuration_is_adopted_durably() -> None:
    """A higher configuration epoch changes the primary, on the disk before anybody hears of it from us."""
    bench, _ = with_replicas()
    actions = bench.step(hello(5, NEW))
    assert switches(actions) == [f"main {OLD} 6379 {NEW} 6379"]
    assert bench.group.address.host == NEW
    told = [i for i, action in enumerate(actions) if isinstance(action, Send) and action.request is Request.HELLO]
    written = next(i for i, action in enumerate(actions) if isinstance(action, Persist))
    assert all(written < i for i in told)
    assert not switches(bench.step(hello(4, OTHER)))


def test_a_leader_goes_back_to_the_old_primary_with_a_newer_configuration() -> None:
    """Who promoted a replica and still leads others over drops that when a newer epoch names the old primary."""
    bench = leading(Stage.RECONF_SLAVES)
    assert bench.group.current_address().host == NEW
    actions = bench.step(hello(6, OLD))
    assert switches(actions) == [f"main {NEW} 6379 {OLD} 6379"]
    assert bench.group.failover is None
    assert bench.group.current_address().host == OLD
    assert bench.group.config_epoch == 6


def test_a_promotion_under_way_ends_when_a_newer_configuration_is_heard_of() -> None:
    """A promotion of epoch 5 can't become the configuration after one of epoch 6, which confirms the primary."""
    bench = leading(Stage.WAIT_PROMOTION)
    assert "-failover-abort-slave-timeout" in channels(bench.step(hello(6, OLD)))
    assert bench.group.failover is None
    assert (bench.group.address.host, bench.group.config_epoch) == (OLD, 6)


def test_a_candidacy_goes_on_after_an_older_configuration() -> None:
    """A configuration older than the election we stand in, for the same primary, takes nothing from it."""
    bench = leading(Stage.WAIT_START)
    attempt = bench.group.failover
    assert attempt is not None
    attempt.epoch = bench.world.epoch = bench.group.leader_epoch = 9
    bench.step(hello(6, OLD))
    assert bench.group.failover is attempt
    assert attempt.stage is Stage.WAIT_START
    assert bench.group.config_epoch == 6


def test_our_epoch_is_never_older_than_a_configuration() -> None:
    """A hello whose configuration is newer than its own epoch still leaves us an epoch that is no older."""
    bench, _ = with_replicas()
    bench.step(hello(7, NEW, epoch=5))
    assert bench.world.epoch == bench.group.config_epoch == 7


def test_two_primaries_under_one_epoch_are_settled_by_what_is_seen() -> None:
    """Of two addresses with the same epoch, the one that leads wins over the one that is down, not otherwise."""
    bench, other = with_replicas()
    assert not switches(bench.step(hello(4, NEW)))
    other.role = Kind.PRIMARY
    assert not switches(bench.step(hello(4, NEW)))
    bench.group.down = True
    other.role = Kind.REPLICA
    assert not switches(bench.step(hello(4, NEW)))
    other.role, bench.group.down = Kind.PRIMARY, True
    assert switches(bench.step(hello(4, NEW)))


def test_a_leader_does_not_wait_for_a_promoted_replica_that_died() -> None:
    """With the promoted replica down the failover ends, so that it is judged as the primary which it is."""
    bench = leading(Stage.RECONF_SLAVES)
    assert bench.group.failover is not None
    promoted = bench.group.failover.promoted
    assert promoted is not None
    promoted.link.waiting_since_ms = promoted.link.alive_ms = bench.now - bench.group.down_after_ms - 1
    actions = bench.step(hello(5, NEW))
    assert switches(actions) == [f"main {OLD} 6379 {NEW} 6379"]
    assert bench.group.failover is None


def test_a_process_that_was_seen_alive_stays_known_after_a_switch() -> None:
    """A promoted process that dies at once is judged by its refusals, as it was before it was the primary."""
    bench, promoted = with_replicas()
    assert promoted.link.proven
    bench.step(hello(5, NEW))
    assert bench.group.link.proven
