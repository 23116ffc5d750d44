"""Votes, detection, selection and jobs: the rules one at a time."""

from __future__ import annotations

import pytest
from support.sentinel_bench import ME, A, B, Bench, channels

from replication.sentinel.mind import detector, election
from replication.sentinel.mind.messages import (
    Action,
    Answer,
    Cause,
    Close,
    Connect,
    DownQuery,
    Opened,
    Persist,
    ReplyError,
    Send,
    Tick,
)
from replication.sentinel.mind.script_queue import MAX_QUEUED, MAX_RUNNING, Jobs
from replication.sentinel.mind.selection import select_replica
from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Kind, Lane, LaneState, Primary


def query(epoch: int, candidate: str) -> DownQuery:
    return DownQuery("10.0.0.1", 6379, epoch, candidate)


def answer_of(actions: list[Action]) -> Answer:
    return next(action for action in actions if isinstance(action, Answer))


def test_a_vote_is_persisted_before_it_is_told() -> None:
    """The state is on disk, with the vote in it, before the answer leaves."""
    actions = Bench().step(query(1, A))
    kinds = [type(action) for action in actions]
    assert kinds.index(Persist) < kinds.index(Answer)
    persisted = next(action for action in actions if isinstance(action, Persist))
    assert "sentinel leader-epoch main 1" in persisted.lines
    assert answer_of(actions) == Answer(False, A, 1)


def test_one_vote_per_epoch() -> None:
    """A second candidate of an epoch is told whom the vote went to; a newer epoch has a vote of its own."""
    bench = Bench()
    bench.step(query(1, A))
    assert answer_of(bench.step(query(1, B))) == Answer(False, A, 1)
    assert answer_of(bench.step(query(2, B))) == Answer(False, B, 2)
    assert answer_of(bench.step(query(1, A))) == Answer(False, B, 2)


def test_no_vote_for_an_epoch_older_than_the_newest_known() -> None:
    """Who has heard of epoch 5 does not vote in epoch 3."""
    bench = Bench()
    bench.world.epoch = 5
    assert answer_of(bench.step(query(3, A))) == Answer(False, "*", 0)


def test_asking_without_a_candidate_costs_no_vote() -> None:
    """The question whether the primary is down changes nothing."""
    bench = Bench()
    actions = bench.step(query(1, "*"))
    assert answer_of(actions) == Answer(False, "*", 0)
    assert not any(isinstance(action, Persist) for action in actions)


def test_leadership_needs_a_majority_of_all_known_voters() -> None:
    """Two of three votes elect, one doesn't; with a quorum of three, two don't either."""
    bench = Bench()
    bench.world.epoch = bench.group.leader_epoch = 1
    bench.group.leader = ME
    assert election.tally(bench.world, bench.group, 1).leader is None
    bench.group.peers[A].leader, bench.group.peers[A].leader_epoch = ME, 1
    assert election.tally(bench.world, bench.group, 1).leader == ME
    bench.group.quorum = 3
    assert election.tally(bench.world, bench.group, 1).leader is None


def test_a_silent_primary_is_down_after_down_after() -> None:
    """Without an answer to a ping, down-after must pass in full."""
    bench = Bench()
    bench.connect()
    waited = 0
    while "+sdown" not in channels(bench.step(Tick(), 50)):
        waited += 50
        assert waited < 2_000
    assert waited >= bench.group.down_after_ms


def test_a_refusal_must_be_confirmed() -> None:
    """One refused connection is no verdict, two of them 100 ms apart are."""
    bench = Bench(down_after_ms=30_000)
    bench.connect()
    assert channels(bench.lose(Cause.LOST, 10)) == ["-cmd-link-reconnection"]
    assert "+sdown" not in channels(bench.lose(Cause.REFUSED, 1))
    bench.step(Tick(), 100)
    assert bench.group.link.command.state is LaneState.CONNECTING
    assert "+sdown" in channels(bench.lose(Cause.REFUSED, 1))


def test_a_process_never_seen_alive_is_given_time() -> None:
    """Refused connections to a primary that hasn't started yet count as silence only."""
    bench = Bench(down_after_ms=30_000)
    bench.step(Tick(), 1)
    for _ in range(20):
        assert "+sdown" not in channels(bench.lose(Cause.REFUSED, 5))
        bench.step(Tick(), 1_000)


def test_an_answer_ends_all_suspicion() -> None:
    """A pong after a refusal clears it: the process is back."""
    bench = Bench(down_after_ms=30_000)
    bench.connect()
    bench.lose(Cause.LOST, 10)
    bench.lose(Cause.REFUSED, 1)
    bench.step(Tick(), 101)
    bench.step(Opened(bench.group.link.id, Lane.COMMAND, "10.0.2.0"))
    bench.pong()
    assert bench.group.link.refusals == 0
    assert not bench.group.down


@pytest.mark.parametrize("reply", [b"PONG", ReplyError("LOADING x"), ReplyError("MASTERDOWN x")])
def test_signs_of_life(reply: object) -> None:
    """A node that loads or lacks its primary is alive."""
    bench = Bench()
    bench.connect()
    bench.step(Tick(), 600)
    bench.pong(reply)
    assert bench.group.link.alive_ms == bench.now


def test_a_busy_script_is_killed_once_the_node_is_down() -> None:
    """BUSY is no life; when the node counts as down for it, SCRIPT KILL is sent, once."""
    bench = Bench()
    bench.connect()
    bench.group.down = True
    sent = [a.args for a in bench.pong(ReplyError("BUSY x")) if isinstance(a, Send)]
    assert (b"SCRIPT", b"KILL") in sent
    sent = [a.args for a in bench.pong(ReplyError("BUSY x")) if isinstance(a, Send)]
    assert (b"SCRIPT", b"KILL") not in sent


def test_a_gap_is_forgiven() -> None:
    """If we did not look for a while, unanswered pings don't count that while."""
    bench = Bench()
    bench.connect()
    bench.step(Tick(), 300)
    assert "+sdown" not in channels(bench.step(Tick(), 1_500))
    assert not bench.world.tilt


def test_a_slow_start_is_no_tilt() -> None:
    """What passes before the first step is forgiven: judgement isn't suspended, and nobody counts as silent for it."""
    bench = Bench()
    actions = bench.step(Tick(), 10_000)
    assert not bench.world.tilt
    assert "+sdown" not in channels(actions)
    assert detector.silence_ms(bench.group.link, bench.now) <= 100


@pytest.mark.parametrize("jump_ms", [-10, 5_000])
def test_tilt(jump_ms: int) -> None:
    """Time that jumps suspends judgement for the tilt period; we then say that nothing is down."""
    bench = Bench()
    bench.connect()
    bench.group.down = True
    assert "+tilt" in channels(bench.step(Tick(), jump_ms))
    assert answer_of(bench.step(query(0, "*"))).down is False
    seen = []
    for _ in range(400):
        seen += channels(bench.step(Tick(), 100))
    assert "-tilt" in seen


def test_opinions_of_before_tilt_are_forgotten_at_its_end() -> None:
    """Nobody was asked meanwhile: a peer that said "down" long ago doesn't make a quorum now."""
    bench = Bench()
    bench.connect()
    bench.group.peers[A].primary_down = True
    bench.step(Tick(), 5_000)
    assert bench.world.tilt
    seen: list[str] = []
    while "-tilt" not in seen:
        seen += channels(bench.step(Tick(), 100))
    assert "+sdown" in seen
    assert "+odown" not in seen


def test_objectively_down_needs_the_quorum() -> None:
    """With a quorum of two, one peer must agree; when it takes that back the primary isn't down any more."""
    bench = Bench()
    turn = bench.monitor.begin(bench.now)
    bench.group.down = True
    detector.check_objectively(turn, bench.group)
    assert not bench.group.objectively_down
    bench.group.peers[A].primary_down = True
    detector.check_objectively(turn, bench.group)
    assert bench.group.objectively_down
    bench.group.peers[A].primary_down = False
    detector.check_objectively(turn, bench.group)
    assert channels(turn.actions) == ["+odown", "-odown"]


def _replica(bench: Bench, host: str, priority: int, offset: int, run_id: str) -> None:
    world = bench.world
    replica = world.add_replica(bench.group, Address(host, 6379, host), bench.now)
    replica.link.command.state = replica.link.pubsub.state = LaneState.UP
    replica.role, replica.info_ms = Kind.REPLICA, bench.now
    replica.priority, replica.offset, replica.run_id = priority, offset, run_id


@pytest.mark.parametrize(("replicas", "chosen"), [
    ([("a", 100, 5, "x"), ("b", 10, 1, "y")], "b"),
    ([("a", 100, 5, "x"), ("b", 100, 6, "y")], "b"),
    ([("a", 100, 5, "y"), ("b", 100, 5, "x")], "b"),
    ([("a", 0, 9, "x"), ("b", 100, 1, "y")], "b"),
    ([("a", 0, 9, "x")], None),
])
def test_selection(replicas: list[tuple[str, int, int, str]], chosen: str | None) -> None:
    """Lower priority first (0 never), then the larger offset, then the smaller run id."""
    bench = Bench()
    for replica in replicas:
        _replica(bench, *replica)
    best = select_replica(bench.world, bench.group, bench.now)
    assert (best.address.host if best else None) == chosen


def test_selection_refuses_the_unfit() -> None:
    """A replica that is down, disconnected, unheard of for long or cut off for long isn't chosen."""
    bench = Bench()
    _replica(bench, "a", 100, 5, "x")
    replica = next(iter(bench.group.replicas.values()))
    assert select_replica(bench.world, bench.group, bench.now) is replica
    for name, value in (("down", True), ("info_ms", bench.now - 60_000), ("link_down_ms", 20_000)):
        before = getattr(replica, name)
        setattr(replica, name, value)
        assert select_replica(bench.world, bench.group, bench.now) is None, name
        setattr(replica, name, before)
    replica.link.command.state = LaneState.DOWN
    assert select_replica(bench.world, bench.group, bench.now) is None


def test_links_of_a_peer_are_shared() -> None:
    """Two groups that know the same peer keep one connection, which closes when both have forgotten it."""
    bench = Bench()
    world = bench.world
    other = world.add_group("other", world.address("10.0.0.9", 6379), 2, bench.now)
    peer = world.add_peer(other, A, world.address("10.0.2.1", 26379), bench.now)
    assert peer.link is bench.group.peers[A].link
    assert len(peer.link.owners) == 2


def test_reconnecting_to_a_closing_server_is_not_a_hot_loop() -> None:
    """A server that accepts and closes at once is tried with growing pauses."""
    bench = Bench(down_after_ms=30_000)
    bench.connect()
    attempts = 0
    for _ in range(100):
        for action in bench.step(Tick(), 10):
            if isinstance(action, Connect) and action.link == bench.group.link.id and action.lane is Lane.COMMAND:
                attempts += 1
                bench.step(Opened(action.link, action.lane, ""))
        if bench.group.link.command.state is LaneState.UP:
            bench.lose(Cause.LOST)
    assert attempts < 12


def test_a_connection_attempt_is_abandoned() -> None:
    """An attempt without an answer is closed after the time for connecting, and tried again."""
    bench = Bench()
    bench.step(Tick(), 1)
    seen: list[Action] = []
    for _ in range(20):
        seen += bench.step(Tick(), 100)
    assert any(isinstance(action, Close) for action in seen)
    assert any(isinstance(action, Connect) for action in seen)


def test_jobs_are_bounded_and_retried() -> None:
    """At most 256 wait and 16 run; exit status 1 is tried again later, 2 is not."""
    jobs = Jobs()
    for number in range(MAX_QUEUED + 10):
        jobs.add((str(number),))
    assert len(jobs.queue) == MAX_QUEUED
    started = jobs.startable(0)
    assert len(started) == MAX_RUNNING
    assert jobs.startable(0) == []
    assert not jobs.finished(started[0], 1, 0, 0, 30_000)
    assert started[0].start_ms == 30_000
    assert jobs.finished(started[1], 2, 0, 0, 30_000)
    assert not jobs.finished(started[2], 0, 0, 0, 30_000)
    assert started[0] in jobs.queue
    assert started[2] not in jobs.queue


def test_a_member_is_described_as_in_redis_events() -> None:
    """Type, name and address; then, for a member, the group and its address."""
    bench = Bench()
    turn = bench.monitor.begin(bench.now)
    assert turn.describe(bench.group) == "master main 10.0.0.1 6379"
    assert turn.describe(bench.group.peers[A]) == f"sentinel {A} 10.0.2.1 26379 @ main 10.0.0.1 6379"
    assert isinstance(bench.group, Primary)
