"""From the clients' rows to the numbers of the tables."""

from __future__ import annotations

from typing import Any

from ops.chaos.oversight import complaints, replaceable
from ops.chaos.places import HOSTS
from ops.chaos.proxy import Proxy
from ops.chaos.records import Failover, Period, Row
from ops.chaos.tables import Round, as_data, by_fault, remarks, totals
from ops.chaos.verdicts import gaps, judge, median_and_worst

S = 1_000_000_000
OLD, NEW = "10.0.0.1:7000", "10.0.0.2:7000"


def row(workload: str, action: str, key: str, value: Any, at: float, result: Any = None, outcome: str = "ok",
        client: str = "elements-1-0", address: str = OLD) -> Row:  # fmt: skip
    """One operation of a tenth of a second."""
    return Row(workload, client, action, key, value, result, int(at * S), int((at + 0.1) * S), outcome, address)


PERIODS = (Period("kill", 10 * S, mended=12 * S, settled=13 * S), Period("stop", 20 * S, mended=24 * S, settled=25 * S))
ROWS = (
    row("elements", "add", "set:1", "a", 1),
    row("clinging", "add", "cling:1", "b", 11),
    row("elements", "add", "set:1", "c", 12, outcome="unknown"),
    row("registers", "write", "register:0:1", "x", 1),
    row("registers", "cas", "register:0:1", ["x", "y"], 2, "x"),
    row("registers", "cas", "register:0:1", ["x", "z"], 3, "y"),
    row("counters", "increment", "counter:1", 3, 4, 3),
    row("lists", "transaction", "", [["append", "list:0:1", "1"], ["read", "list:0:1"]], 5, [["1"]]),
    row("lists", "transaction", "", [["read", "list:0:1"]], 6, [["1"]]),
    row("elements", "add", "set:1", "r", 7, outcome="refused"),
)
SETS = {"set:1": ["a", "c"], "cling:1": ["b"]}


def test_a_sound_round_is_counted() -> None:
    """Acknowledged are writes that changed something; nothing is wrong."""
    verdict = judge(ROWS, SETS, PERIODS, {})
    assert (verdict.acknowledged, verdict.unknown, verdict.refused) == (6, 1, 1)
    assert (verdict.lost, verdict.not_linear, verdict.duplicates) == (0, 0, 0)
    assert verdict.violations == verdict.unjudged == []


def test_losses_belong_to_the_fault_during_which_they_were_acknowledged() -> None:
    """An element that is gone counts for the fault before it; a list's is counted, too."""
    bad = (*ROWS, row("lists", "transaction", "", [["read", "list:0:1"]], 21, [[]], client="end"))
    verdict = judge(bad, {"set:1": ["c"]}, PERIODS, {})
    assert verdict.lost == 3
    assert dict(verdict.lost_by_period) == {"": 2, "kill": 1}
    assert verdict.not_linear == 0


def test_what_was_there_and_vanished_is_put_down_to_what_came_between() -> None:
    """A fault that loses everything gets the blame, not those during which it had been written."""
    periods = (PERIODS[0], Period("empty", 20 * S, settled=25 * S, vanished=frozenset({"a", "1"})))
    bad = (*ROWS, row("lists", "transaction", "", [["read", "list:0:1"]], 26, [[]], client="end"))
    assert dict(judge(bad, {"set:1": ["c"], "cling:1": ["b"]}, periods, {}).lost_by_period) == {"empty": 2}


def test_every_judge_is_heard() -> None:
    """A stale register, a counter that lost an increment and a doubled element are each told."""
    wrong = (row("registers", "read", "register:0:1", None, 9, "x"), row("counters", "read", "counter:1", None, 9, 0),
             row("counters", "read", "counter:2", None, 9, 5))  # fmt: skip
    verdict = judge((*ROWS, *wrong), SETS, PERIODS, {})
    assert (verdict.not_linear, verdict.duplicates, verdict.lost) == (2, 1, 0)


def test_what_nobody_could_be_asked_is_not_judged() -> None:
    """Without the last reads, and where it never got well again, the verdict says so."""
    verdict = judge(ROWS, None, [Period("kill", 10 * S, complaint="nobody leads")], {})
    assert [text.split(":")[0] for text in verdict.unjudged] == ["lost elements", "kill"]


def test_the_gap_is_a_writers_longest_silence_until_the_new_primary() -> None:
    """From the last acknowledgement before the fault to the first by who leads now; who was cut off doesn't count."""
    failover = {2: Failover(2, NEW, 11 * S)}
    acks = [9.5, 9.9, 10.2, 11.7, 15.0]
    rows = [row("elements", "add", "set:1", f"{at}", at, address=OLD if at < 11 else NEW) for at in acks]
    (gap,) = gaps(rows, PERIODS, failover)
    assert (gap.period, gap.writer, round(gap.seconds, 3)) == ("kill", "elements-1-0", 1.5)
    assert median_and_worst([gap]) == (gap.seconds, gap.seconds)
    assert gaps(rows, [Period("kill", 10 * S, frozenset({"clients-1"}))], failover) == []
    assert gaps(rows, PERIODS, {2: Failover(2, OLD, 11 * S)}) == []
    assert median_and_worst([]) is None


def test_tables_stand_side_by_side() -> None:
    """A row for each kind of servers, and one for each fault; remarks name the seed and what ended by itself."""
    judged = judge(ROWS, {"set:1": []}, PERIODS, {2: Failover(2, NEW, 11 * S)})
    ended = (Period("kill", 10 * S, notes=("node-1 ended by itself",)), PERIODS[1])
    rounds = [Round("ours", 7, PERIODS, {2: Failover(2, NEW, 11 * S)}, judged), Round("redis", 7, ended, {}, judged)]
    sheet = totals(rounds, "title")
    assert [line[0] for line in sheet.rows] == ["ours", "redis"]
    assert sheet.rows[0][1:6] == ("2", "1", "6", "1", "2")
    faults = by_fault(rounds)
    assert [line[0] for line in faults.rows] == ["kill", "stop"]
    assert faults.rows[0][1:3] == ("1 of 1", "1")
    assert all(len(line) == len(faults.columns) for line in faults.rows)
    assert "redis, seed 7: kill: node-1 ended by itself" in remarks(rounds)
    assert [entry["lost"] for entry in as_data(rounds)] == [2, 2]


def good() -> tuple[dict[int, dict[str, str]], list[dict[str, str]], Proxy]:
    """INFO of three nodes and the view of three sentinels, when all is well and node-2 leads."""
    network = Proxy(0)
    address = network.places[3].address
    nodes = {host: {"role": "slave", "master_host": address, "master_port": "7000", "master_link_status": "up",
                    "slave_repl_offset": "5"} for host in HOSTS}  # fmt: skip
    nodes[2] = {"role": "master", "quorum_committed": "1", "quorum_reach": "3"}
    view = {"ip": address, "port": "7000", "flags": "master", "num-slaves": "2", "num-other-sentinels": "2"}
    return nodes, [dict(view) for _ in HOSTS], network


def test_all_is_well_only_if_everybody_agrees() -> None:
    """One primary, followed by the others, and named by each sentinel; with a quorum, all members within reach."""
    nodes, views, network = good()
    assert complaints(nodes, views, network, True) == ""
    for change, part in (
        ({"role": "slave"}, "0 lead"),
        ({"quorum_reach": "2"}, "without all"),
        ({"master_repl_offset": "1000000"}, "999995 bytes behind"),
    ):
        nodes, views, network = good()
        nodes[2].update(change)
        assert part in complaints(nodes, views, network, True)
    nodes, views, network = good()
    nodes[3]["master_link_status"] = "down"
    assert "node-3 does not follow node-2" in complaints(nodes, views, network, False)
    nodes, views, network = good()
    views[0]["flags"] = "master,s_down"
    assert "sentinel-1 sees" in complaints(nodes, views, network, False)


def member(node_id: str, role: str, state: str) -> list[Any]:
    """A row of QUORUM MEMBERS."""
    return ["id", node_id, "role", role, "state", state, "offset", 5]


def test_a_member_without_its_data_is_replaced() -> None:
    """Only a leader is asked, and only for a member that is gone and a candidate that is there."""
    lead, here, gone = member("a", "leader", "here"), member("b", "member", "up"), member("c", "member", "unknown")
    new = member("d", "candidate", "up")
    assert replaceable([lead, here, gone, new]) == ("c", "d")
    assert replaceable([lead, here, gone]) is None
    assert replaceable([lead, here, new]) is None
    assert replaceable([here, gone, new]) is None
