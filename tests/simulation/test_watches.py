"""What watches a simulation from outside: each watch is shown what is right, and what it has to see."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.histories.operation import Outcome
from replication.quorum.identity import Identity, encode
from replication.sentinel.mind.messages import Answer
from simulation.checkers import Checkers, Violation
from simulation.quorum.oracle import Entry, Oracle, Violation as Broken
from simulation.whole.clients import Note, Notes
from simulation.whole.cluster import Cluster
from simulation.whole.judging import judge
from simulation.whole.story import Story
from simulation.whole.watches import Promises, Streams
from simulation.whole.world import World

A, B = "a" * 40, "b" * 40
FOUND: Entry = (1, "found", "A")


def persisted(promises: Promises, ip: str, identity: Identity) -> str:
    """What the watch says when a member's identity is on a disk."""
    promises.saw(ip, "/data/quorum.id", encode(identity).encode())
    return promises.trouble


def test_one_promise_in_an_epoch_whatever_restarts() -> None:
    """The same try may be promised again, after a restart too; another try in the epoch is seen."""
    promises = Promises()
    first = Identity(A, promised=5, attempt="x")
    assert not persisted(promises, "n1", first)
    assert not persisted(promises, "n1", first)
    assert not persisted(promises, "n2", Identity(B, promised=5, attempt="y"))
    assert "promised epoch 5 twice" in persisted(promises, "n1", Identity(A, promised=5, attempt="y"))


def test_one_node_opens_an_epoch() -> None:
    """The node that opened an epoch may say so again; another one that opens it is seen, under a new id as well."""
    promises = Promises()
    assert not persisted(promises, "n1", Identity(A, promised=5, opened=5))
    assert not persisted(promises, "n1", Identity(A, promised=6, opened=5))
    assert promises.epochs == 1
    assert "which another node had opened" in persisted(promises, "n2", Identity(B, promised=5, opened=5))


def test_equal_offset_in_one_history_means_equal_bytes() -> None:
    """Streams may overlap, come late and in parts, as long as they say the same; histories aren't compared."""
    streams = Streams()
    for name, replid, start, data in (
        ("n1", b"one", 0, b"abcdef"), ("n2", b"one", 0, b"abc"), ("n2", b"one", 3, b"defgh"),
        ("n1", b"one", 100, b"later"), ("n3", b"two", 0, b"other"),
    ):  # fmt: skip
        streams._saw(name, replid, start, data)
        assert not streams.trouble
    streams._saw("n3", b"one", 4, b"eX")
    assert "n3 has other bytes at 4 of one" in streams.trouble


class _Sentinel:
    """What the checkers ask a sentinel."""

    host = "s1"

    def __init__(self) -> None:
        self.monitor = SimpleNamespace(world=SimpleNamespace(my_id=A))
        self.network = SimpleNamespace(clock=SimpleNamespace(now_ms=0))
        self.durable: list[str] = []


@pytest.mark.parametrize(("durable", "then", "verdict"), [
    (4, B, ""), (4, A, "voted for"), (3, B, "its disk knows of 3"),
])
def test_one_vote_in_an_epoch_on_the_disk_first(durable: int, then: str, verdict: str) -> None:
    """A vote may be told twice, if it is the same and the disk has it."""
    sentinel, checkers = _Sentinel(), Checkers(2, 2)
    sentinel.durable = [f"sentinel leader-epoch main {durable}"]

    def vote(*leaders: str) -> None:
        for leader in leaders:
            checkers.observe(cast("Any", sentinel), Answer(False, leader, 4))

    if verdict:
        with pytest.raises(Violation, match=verdict):
            vote(B, then)
    else:
        vote(B, then)


def oracle() -> Oracle:
    """One that knows of a write that A committed in epoch 1."""
    known = Oracle(FOUND)
    known.commits("A", 1, [FOUND, (1, "write", 1)], 2)
    known.acknowledges([2])
    return known


@pytest.mark.parametrize(("break_it", "verdict"), [
    (lambda o: o.opens("B", 1, 2, [FOUND], False), "without an entry committed"),
    (lambda o: o.opens("B", 1, 1, [FOUND, (1, "write", 1)], False), "opened twice"),
    (lambda o: o.commits("A", 2, [FOUND, (2, "write", 9)], 2), "another entry"),
    (lambda o: o.follows("B", [FOUND, (2, "write", 9)], 2), "takes for committed what isn't"),
    (lambda o: o.answers([FOUND], True, 2), "misses what was acknowledged"),
    (lambda o: o.answers([FOUND, (2, "write", 9)], False, 0), "a write that is lost"),
])
def test_the_oracle_sees_each_promise_broken(break_it: Callable[[Oracle], object], verdict: str) -> None:
    """Each way to break a promise has its verdict; what is right has none."""
    good = oracle()
    good.opens("B", 1, 2, [FOUND, (1, "write", 1)], False)
    good.answers([FOUND, (1, "write", 1), (2, "write", 2)], True, 2)
    with pytest.raises(Broken, match=verdict):
        break_it(oracle())


@pytest.mark.parametrize(("there", "lost"), [(["x.1", "x.2"], 0), (["x.2"], 1), ([], 2)])
def test_an_acknowledged_write_that_is_gone_is_counted(there: list[str], lost: int) -> None:
    """What lists hold at the end is compared with what clients were told; in a quorum a loss is a violation."""
    notes = Notes([
        Note("x", "add", "list:x", f"x.{n}", n, n + 1, Outcome.OK, n) for n in (1, 2)
    ])  # fmt: skip
    verdict = judge(notes, {"list:x": there}, 10, True, False)
    assert verdict.lost == lost
    assert bool(verdict.violations) == bool(lost)
    assert not judge(notes, {"list:x": there}, 10, False, False).violations


class _Deployment:
    """Nodes that answer DEBUG DIGEST with what they are given."""

    def __init__(self, digests: dict[str, bytes]) -> None:
        self.digests, self.node_ips = digests, list(digests)

    async def ask(self, ip: str, *words: object) -> bytes:
        """The digest."""
        return self.digests[ip]

    async def contents(self, ip: str) -> dict[object, object]:
        """What a node holds."""
        return {"key": self.digests[ip]}

    def state(self) -> str:
        """Nothing."""
        return ""


def test_different_contents_at_the_end_are_told() -> None:
    """Nodes that hold the same pass; one that doesn't is told of, with the keys that differ."""
    story = Story(1)
    story.world.run(story._same_everywhere(cast("Cluster", _Deployment({"n1": b"x", "n2": b"x"}))))
    story = Story(1)
    with pytest.raises(Violation, match=r"not the same everywhere: key: \[b'x', b'y'\]"):
        story.world.run(story._same_everywhere(cast("Cluster", _Deployment({"n1": b"x", "n2": b"y"}))))


def test_who_never_gets_well_is_told() -> None:
    """A condition that comes true in time passes; one that doesn't is a violation after that time, and no sooner."""
    for holds, within_s in ((True, 5), (False, 5)):
        world = World(1)
        cluster = cast("Any", SimpleNamespace(world=world, state=lambda: "the state"))
        began_s = world.now_s
        if holds:
            took = world.run(Cluster.until(cluster, lambda w=world, b=began_s: w.now_s - b > 3, within_s, "well"))
            assert 3 < took < within_s
        else:
            with pytest.raises(Violation, match="not well within 5 s: the state"):
                world.run(Cluster.until(cluster, lambda: False, within_s, "well"))
            assert world.now_s - began_s >= within_s
