"""Groups that acknowledge by quorum: how they are known, and which epochs their nodes teach."""

from __future__ import annotations

from support.quorum_bench import R1, Group, P
from support.sentinel_bench import Bench, channels

from replication.sentinel.mind.messages import Action, Persist, Replied, Request
from replication.sentinel.mind.orders import Reset
from replication.sentinel.mind.selection import suitable
from replication.sentinel.mind.views import info_section, instance_fields
from replication.sentinel.world.group import Instance, LaneState

NODE = "a" * 40


def info(bench: Bench, node: Instance, *lines: str) -> list[Action]:
    """The node answers INFO with these lines."""
    return bench.step(Replied(node.link.id, Request.INFO, "main", "".join(f"{line}\r\n" for line in lines).encode()), 1)


def standing(promised: int, last_epoch: int, node_id: str = NODE) -> tuple[str, ...]:
    return (f"quorum_node_id:{node_id}", "quorum_state:leading", f"quorum_promised:{promised}",
            f"quorum_last_epoch:{last_epoch}", f"quorum_epoch:{last_epoch}")


def test_a_group_goes_by_quorum_once_it_is_founded() -> None:
    """A node that isn't founded yet makes no quorum group; a founded one does, until none takes part any more."""
    bench = Bench()
    bench.connect()
    info(bench, bench.group, "role:master", *standing(0, 0))
    assert not bench.group.by_quorum
    actions = info(bench, bench.group, "role:master", *standing(1, 1))
    assert bench.group.by_quorum
    assert any(isinstance(action, Persist) and "sentinel by-quorum main yes" in action.lines for action in actions)
    info(bench, bench.group, "role:master", *standing(0, 0, "b" * 40))  # an empty node in its place
    assert bench.group.by_quorum
    info(bench, bench.group, "loading:1", "role:master")  # it doesn't know yet what it is
    assert bench.group.by_quorum
    info(bench, bench.group, "loading:0", "role:master")
    assert not bench.group.by_quorum


def test_a_reset_forgets_that_a_group_went_by_quorum() -> None:
    """SENTINEL RESET learns it anew from the nodes."""
    bench = Bench()
    bench.connect()
    info(bench, bench.group, "role:master", *standing(1, 1))
    bench.step(Reset(("main",)))
    assert not bench.group.by_quorum


def test_epochs_that_nodes_promised_are_ours() -> None:
    """A newer promise than any epoch we know raises ours, durably; an older one, or one that can't be, doesn't."""
    bench = Bench()
    bench.connect()
    actions = info(bench, bench.group, "role:master", *standing(9, 3))
    assert bench.world.epoch == 9
    assert "+new-epoch" in channels(actions)
    assert any(isinstance(action, Persist) and "sentinel current-epoch 9" in action.lines for action in actions)
    info(bench, bench.group, "role:master", *standing(4, 3))
    info(bench, bench.group, "role:master", *standing(2**63, 3))
    assert bench.world.epoch == 9


def test_sentinel_master_shows_a_quorum_only_where_there_is_one() -> None:
    """Where each node stands, and what is wrong, are fields of groups that go by quorum; others look as in Redis."""
    group = Group()
    group.info(P, "resting", 0, promised=4)
    fields = dict(instance_fields(group.world, group.group, group.now))
    assert [fields[f"quorum-{name}"] for name in ("group", "leaderless", "isolated", "state", "promised", "log")] == [
        1, 1, 0, "resting", 4, "1:70"]
    assert dict(instance_fields(group.world, group.group.replicas[R1], group.now))["quorum-state"] == "following"
    assert "quorum0:name=main,leaderless=1,isolated=0,promised=4,trouble=\r\n" in info_section(group.world, 0, 0, 0)
    assert "quorum0" not in info_section(Bench().world, 0, 0, 0)
    assert not any(name.startswith("quorum-") for name, _ in instance_fields(Bench().world, Bench().group, group.now))


def test_a_voter_that_is_empty_and_follows_nobody_is_not_promoted() -> None:
    """Who came back with nothing may be all that a sentinel sees: it has nobody's data, and is no candidate."""
    group = Group()
    replica = group.group.replicas[R1]
    replica.link.pubsub.state = LaneState.UP
    assert suitable(group.world, group.group, replica, group.now)
    info(group, replica, "role:master", *standing(0, 0))
    assert not suitable(group.world, group.group, replica, group.now)
