"""Acknowledgements, lag, WAIT and output limits of attached replicas."""

from kvserver.config.kinds import BufferLimit
from replication.primary.attached import (
    Attached,
    Phase,
    Released,
    Waiter,
    Waiters,
    acked_count,
    enough_replicas,
    good_count,
    on_disk_count,
    over_limit,
    silent,
)


def _replica(number: int, offset: int = 0, acked_at_s: float = 100.0, phase: Phase = Phase.ONLINE) -> Attached:
    return Attached(number, "127.0.0.1", 7000 + number, phase, acked_at_s, offset)


def test_acknowledged_offsets_never_go_back() -> None:
    """A late or smaller acknowledgement renews the time but not the offset."""
    replica = _replica(1, 50)
    replica.acknowledge(40, 105.0)
    assert (replica.ack_offset, replica.acked_at_s) == (50, 105.0)
    replica.acknowledge(60, 106.0)
    assert replica.ack_offset == 60


def test_good_replicas_are_online_and_recent() -> None:
    """Only on-line replicas within min-replicas-max-lag count for min-replicas-to-write."""
    replicas = [_replica(1), _replica(2, acked_at_s=80.0), _replica(3, phase=Phase.SEND_SNAPSHOT)]
    assert good_count(replicas, 10, 100.0) == 1
    assert enough_replicas(replicas, 1, 10, 100.0)
    assert not enough_replicas(replicas, 2, 10, 100.0)
    assert enough_replicas(replicas, 0, 10, 100.0)
    assert enough_replicas(replicas, 2, 0, 100.0)
    assert silent(replicas, 15, 100.0) == [replicas[1]]


def test_wait_counts_only_online_replicas_at_the_offset() -> None:
    """A replica still loading its snapshot has acknowledged nothing."""
    replicas = [_replica(1, 10), _replica(2, 20), _replica(3, 99, phase=Phase.WAIT_SNAPSHOT)]
    assert [acked_count(replicas, offset) for offset in (10, 11, 20, 21)] == [2, 1, 1, 0]


def test_waiters_are_released_by_acknowledgement_or_time() -> None:
    """WAIT ends when enough have acknowledged, or at its deadline with those that have; 0 waits for ever."""
    replicas = [_replica(1, 10), _replica(2, 5)]
    waiters = Waiters()
    waiters.add(Waiter(1, needed=2, offset=8, deadline_ms=0))
    waiters.add(Waiter(2, needed=2, offset=8, deadline_ms=500))
    waiters.add(Waiter(3, needed=1, offset=8, deadline_ms=500))
    waiters.add(Waiter(4, needed=1, offset=99, deadline_ms=500))
    waiters.forget(4)
    assert waiters.release(replicas, 100) == [Released(3, 1)]
    assert waiters.release(replicas, 500) == [Released(2, 1)]
    replicas[1].acknowledge(8, 101.0)
    assert waiters.release(replicas, 501) == [Released(1, 2)]
    assert not waiters


def test_waiting_for_disks() -> None:
    """WAITAOF counts what is in files: this node's, and those of replicas that tell of theirs."""
    replicas = [_replica(1, 10), _replica(2, 10)]
    replicas[0].acknowledge(10, 101.0, 8)
    replicas[0].acknowledge(10, 102.0)
    assert [on_disk_count(replicas, offset) for offset in (0, 8, 9)] == [2, 1, 0]
    waiters = Waiters()
    waiters.add(Waiter(1, needed=1, offset=8, deadline_ms=0, local=1))
    waiters.add(Waiter(2, needed=2, offset=8, deadline_ms=0, local=0))
    waiters.add(Waiter(3, needed=0, offset=9, deadline_ms=500, local=1))
    assert waiters.release(replicas, 100, -1) == []
    assert waiters.release(replicas, 100, 8) == [Released(1, 1, 1)]
    assert waiters.release(replicas, 500, 8) == [Released(3, 0, 0)]
    replicas[1].acknowledge(10, 103.0, 9)
    assert waiters.release(replicas, 501, None) == [Released(2, 2, 0)]


def test_waiting_for_a_file_that_is_no_more() -> None:
    """WAITAOF for the file of a node that gives it up is refused; who waits for replicas alone goes on."""
    waiters = Waiters()
    waiters.add(Waiter(1, needed=1, offset=8, deadline_ms=0, local=1))
    waiters.add(Waiter(2, needed=1, offset=8, deadline_ms=0, local=0))
    assert waiters.release([], 100, None) == [Released(1, 0, 0, refused=True)]
    assert len(waiters) == 1


def test_output_limits() -> None:
    """The hard limit drops at once, the soft one only after its time without a pause, zero never."""
    replica = _replica(1)
    limit = BufferLimit(1000, 100, 10)
    assert over_limit(replica, 1000, limit, 0.0)
    assert not over_limit(replica, 100, limit, 1.0)
    assert not over_limit(replica, 100, limit, 11.0)
    assert over_limit(replica, 100, limit, 11.5)
    assert not over_limit(replica, 99, limit, 12.0)
    assert not over_limit(replica, 100, limit, 13.0)
    assert not over_limit(replica, 1 << 40, BufferLimit(0, 0, 0), 99.0)
    assert limit.at_least(5000).hard_bytes == 5000
    assert BufferLimit(0, 0, 0).at_least(5000).hard_bytes == 0
