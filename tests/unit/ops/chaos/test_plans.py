"""What is planned before anything happens: places, faults, workloads, configuration files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ops.chaos.deployment import Servers, node_lines, sentinel_lines
from ops.chaos.faults import BY_NAME, FAULTS, MIXED, Cut, Fill, Kill, Roughen, Stop, groups, members, order
from ops.chaos.places import both_ways, one_way, places
from ops.chaos.proxy import Proxy
from ops.chaos.workloads import SWAP, WORKLOADS, Draw, is_refusal, transaction

NAMED = groups(primary=2, best=3)


def test_every_host_has_each_kind_of_place() -> None:
    """Nine places, with an address each."""
    found = places("198.18.0")
    assert len({place.address for place in found}) == len({place.name for place in found}) == 9
    assert [place.name for place in found if place.host == 2] == ["node-2", "sentinel-2", "clients-2"]


def test_cuts_are_pairs() -> None:
    """Both ways are two one ways, and nobody is cut from itself."""
    assert one_way({"a"}, {"a", "b"}) == {("a", "b")}
    assert both_ways({"a"}, {"b"}) == {("a", "b"), ("b", "a")}


def test_groups_are_those_of_the_moment() -> None:
    """Who leads decides what a fault strikes."""
    assert members(NAMED, ("primary", "best")) == {"node-2", "node-3"}
    assert members(NAMED, ("primary-host",)) == {"node-2", "sentinel-2", "clients-2"}
    assert members(NAMED, ("rest",), frozenset({"node-2"})) == NAMED["everywhere"] - {"node-2"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_names_groups_that_there_are(fault: object) -> None:
    """A step of the table can be carried out whoever leads."""
    for step in BY_NAME[fault.name].steps:  # type: ignore[attr-defined]
        match step:
            case Kill(who) | Stop(who) | Roughen(who) | Fill(who):
                assert who == ("leader",) or members(NAMED, who)
            case Cut(some, others, _):
                ours = members(NAMED, some)
                assert both_ways(ours, members(NAMED, others, ours))


def test_the_seed_chooses_the_order() -> None:
    """The same seed gives the same order of all faults; a mixed one is two others."""
    drawn = order(FAULTS, random.Random(1))
    assert drawn == order(FAULTS, random.Random(1))
    assert drawn != order(FAULTS, random.Random(2))
    assert {faults[0].name for faults in drawn if len(faults) == 1} == {f.name for f in FAULTS} - {MIXED}
    (both,) = [faults for faults in drawn if len(faults) == 2]
    assert MIXED not in {fault.name for fault in both}


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_written_values_are_written_once(workload: object) -> None:
    """No two requests write the same, so that a judge knows who wrote what it finds."""
    draw = Draw("w-1-0", random.Random(4))
    written: list[object] = []
    for number in range(300):
        draw.now_s = number / 10
        request = workload.draw(draw)  # type: ignore[attr-defined]
        assert all(isinstance(word, str) for command in request.commands for word in command)
        match request.action:
            case "add" | "write":
                written.append(request.value)
            case "cas":
                written.append(request.value[1])
            case "transaction":
                written += [step[2] for step in request.value if step[0] == "append"]
    assert len(written) == len(set(written))


def test_a_client_swaps_what_it_saw() -> None:
    """Compare-and-set expects the value that the client read last, by a script that tells what it found."""
    draw = Draw("w-1-0", random.Random(4))
    workload = next(w for w in WORKLOADS if w.name == "registers")
    requests = [workload.draw(draw) for _ in range(200)]
    read = next(r for r in requests if r.action == "read")
    assert read.decode("7") == "7"
    swap = next(r for r in (workload.draw(draw) for _ in range(200)) if r.action == "cas" and r.key == read.key)
    assert swap.value[0] == "7"
    assert swap.commands == (("EVAL", SWAP, "1", swap.key, "7", swap.value[1]),)


def test_a_transaction_tells_what_it_read() -> None:
    """Of EXEC's replies only the lists count."""
    request = transaction([["append", "k", "1"], ["read", "k"], ["read", "l"]])
    assert request.commands[0] == ("MULTI",)
    assert request.commands[-1] == ("EXEC",)
    assert request.decode([1, ["1"], []]) == [["1"], []]


def test_refusals_are_told_from_silence() -> None:
    """Only errors that promise that nothing happened count as refusals."""
    assert is_refusal("READONLY You can't write against a read only replica.")
    assert is_refusal("NOQUORUM The write was not done: why.")
    assert not is_refusal("NOQUORUM The outcome is unknown: why.")
    assert not is_refusal("ERR whatever")


def test_servers_are_told_their_places() -> None:
    """Both kinds call from their own address, and tell the one at which the others reach them."""
    network = Proxy(0)
    node, sentinel, _ = network.places[3:6]
    lines = node_lines(Servers("redis"), network, node, Path("/d"))
    assert {f"bind {node.address}", f"bind-source-addr {node.address}", "replica-announce-port 7000", "port 7001",
            f"replicaof {network.places[0].address} 7000"} <= set(lines)  # fmt: skip
    assert not any(line.startswith("durability") for line in lines)
    assert "durability quorum" in node_lines(Servers("understudy", "quorum"), network, node, Path("/d"))
    assert "appendfsync always" in node_lines(Servers("understudy", "quorum-fsync"), network, node, Path("/d"))
    watched = f"sentinel monitor chaos {network.places[0].address} 7000 2"
    assert watched in sentinel_lines(Servers("redis"), network, sentinel, Path("/d"))
