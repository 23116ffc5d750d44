"""Our sentinels and a group of real nodes that go by quorum: whoever leads next has all that was acknowledged."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import redis
import redis.sentinel
from support.quorums import QUORUM, is_whole, promise, start_group, state
from support.servers import Server, start_kvsentinel, start_kvserver, start_redis_sentinel
from support.waiting import wait_until

NAME = "mymaster"


class Watched:
    """Three nodes that are a group, and their sentinels, which know all of each other."""

    def __init__(self, stack: ExitStack, sentinels: int = 3, down_after_ms: int = 1_000) -> None:
        self.nodes = start_group(stack)
        self.lines = [f"sentinel monitor {NAME} 127.0.0.1 {self.nodes[0].port} {sentinels // 2 + 1}",
                      f"sentinel down-after-milliseconds {NAME} {down_after_ms}"]
        self.sentinels = [stack.enter_context(start_kvsentinel(*self.lines)) for _ in range(sentinels)]
        wait_until(lambda: all(self.knows_all(each) for each in self.sentinels), timeout=30, what="discovery")

    def knows_all(self, sentinel: Server) -> bool:
        found = sentinel.client(decode_responses=True).execute_command("SENTINEL", "MASTER", NAME)
        fields = dict(zip(found[::2], found[1::2], strict=True)) if isinstance(found, list) else found
        counts = (int(fields["num-slaves"]), int(fields["num-other-sentinels"]))
        return counts == (2, len(self.sentinels) - 1) and int(fields.get("quorum-group", 0)) == 1

    def address(self, sentinel: Server) -> int:
        return int(sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def leaders(self) -> list[Server]:
        return [node for node in self.nodes if node.answers() and state(node) == "leading"]

    def is_whole(self) -> bool:
        """Whether one node leads, all sentinels name it, and the others follow it."""
        leaders = self.leaders()
        return (len(leaders) == 1 and all(self.address(each) == leaders[0].port for each in self.sentinels)
                and all(state(node) == "following" for node in self.nodes if node is not leaders[0]))

    def events(self, sentinel: Server) -> dict[str, int]:
        text = sentinel.log_text()
        return {word: text.count(word) for word in (
            "+failover-state-gather-promises", "+selected-slave", "+failover-state-hold", "+quorum-fence",
            "+failover-state-send-slaveof-noone", "+failover-unsafe", "+try-failover")}

    def told(self, event: str) -> int:
        return sum(self.events(each)[event] for each in self.sentinels)


@contextmanager
def writing(watched: Watched) -> Iterator[list[str]]:
    """A client that asks the sentinels who leads, and writes one key after another; the keys that were acknowledged."""
    stop = threading.Event()
    acknowledged: list[str] = []

    def write() -> None:
        finder = redis.sentinel.Sentinel([each.address for each in watched.sentinels], socket_timeout=2.0)
        client = finder.master_for(NAME, socket_timeout=2.0)
        number = 0
        while not stop.is_set():
            number += 1
            try:
                client.set(f"key:{number}", number)
                acknowledged.append(f"key:{number}")
            except redis.RedisError:
                stop.wait(0.01)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()


def goes_on(acknowledged: list[str]) -> None:
    """Wait until more is acknowledged than now."""
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) > before + 20, timeout=30, what="acknowledged writes")


def all_there(watched: Watched, acknowledged: list[str]) -> bool:
    (leader,) = watched.leaders()
    return int(leader.command("EXISTS", *acknowledged)) == len(acknowledged) > 0


def test_a_killed_primary_is_replaced_by_promises_and_nothing_acknowledged_is_lost(stack: ExitStack) -> None:
    """With writes flowing the primary dies: a node leads the next epoch with all of them; the old one follows it."""
    watched = Watched(stack)
    with writing(watched) as acknowledged:
        goes_on(acknowledged)
        watched.nodes[0].kill()
        goes_on(acknowledged)
        watched.nodes[0].start_again()
        wait_until(watched.is_whole, timeout=30, what="all follow the new leader")
        goes_on(acknowledged)
    assert all_there(watched, acknowledged)
    assert watched.leaders() != [watched.nodes[0]]
    assert state(watched.leaders()[0], "quorum_epoch") >= 2
    assert watched.told("+failover-state-gather-promises") > 0
    assert watched.told("+failover-state-send-slaveof-noone") == 0


def test_a_group_that_was_killed_whole_leads_again_without_waiting_for_down_after(stack: ExitStack) -> None:
    """All nodes die and come back, and rest: long before down-after one of them leads, with all acknowledged writes."""
    watched = Watched(stack, down_after_ms=120_000)
    with writing(watched) as acknowledged:
        goes_on(acknowledged)
        for node in watched.nodes:
            node.kill()
        for node in watched.nodes:
            node.respawn()
        wait_until(watched.is_whole, timeout=60, what="a leader, and the others follow")
        goes_on(acknowledged)
    assert all_there(watched, acknowledged)


def test_a_switchover_by_hand_is_an_epoch_and_loses_nothing(stack: ExitStack) -> None:
    """SENTINEL FAILOVER holds writes, has another node lead the next epoch, and the old leader follows it."""
    watched = Watched(stack)
    with writing(watched) as acknowledged:
        goes_on(acknowledged)
        watched.sentinels[0].command("SENTINEL", "FAILOVER", NAME)
        wait_until(lambda: watched.is_whole() and watched.leaders() != [watched.nodes[0]], what="the switchover")
        goes_on(acknowledged)
    assert all_there(watched, acknowledged)
    assert state(watched.leaders()[0], "quorum_epoch") == 2
    assert watched.told("+failover-state-hold") == watched.told("+try-failover") == 1


def test_a_stopped_primary_is_deposed_and_follows_when_it_goes_on(stack: ExitStack) -> None:
    """Stopped for longer than down-after it is replaced; when it runs again it leads nothing, and follows."""
    watched = Watched(stack)
    old = watched.nodes[0]
    with writing(watched) as acknowledged:
        goes_on(acknowledged)
        old.send_signal(signal.SIGSTOP)
        goes_on(acknowledged)
        old.send_signal(signal.SIGCONT)
        wait_until(watched.is_whole, timeout=30, what="all follow the new leader")
        goes_on(acknowledged)
    assert all_there(watched, acknowledged)
    assert watched.leaders() != [old]


def test_a_majority_that_is_gone_for_good_is_given_up_only_by_force(stack: ExitStack) -> None:
    """With one of three nodes left nothing is promoted, and FAILOVER says how to force it; then it leads alone."""
    watched = Watched(stack, sentinels=1)
    with writing(watched) as acknowledged:
        goes_on(acknowledged)
    watched.nodes[0].kill()
    watched.nodes[1].kill()
    sentinel = watched.sentinels[0]
    trouble = "no majority can be asked to promise"
    wait_until(lambda: trouble in sentinel.log_text(), timeout=30, what="the reason")
    with pytest.raises(redis.ResponseError, match="FORCE-UNSAFE promotes the most advanced node that is there"):
        sentinel.command("SENTINEL", "FAILOVER", NAME)
    assert not watched.leaders()
    with pytest.raises(redis.ResponseError, match=r"NOQUORUM 1 usable Sentinels\. No majority of the data nodes"):
        sentinel.command("SENTINEL", "CKQUORUM", NAME)
    sentinel.command("SENTINEL", "FAILOVER", NAME, "FORCE-UNSAFE")
    wait_until(lambda: watched.address(sentinel) == watched.nodes[2].port, what="the forced failover")
    assert "bytes may be lost" in sentinel.log_text()
    wait_until(lambda: not state(watched.nodes[2], "quorum_reason"), what="a group of one")
    assert watched.nodes[2].command("SET", "after", "1")


def test_force_is_refused_where_no_quorum_could_be_lost(stack: ExitStack) -> None:
    """FORCE-UNSAFE names what it is for, and does nothing to a group without a quorum; other words are no option."""
    sentinel = stack.enter_context(start_kvsentinel(f"sentinel monitor {NAME} 127.0.0.1 1 1"))
    with pytest.raises(redis.ResponseError, match="FORCE-UNSAFE is for groups that acknowledge by quorum"):
        sentinel.command("SENTINEL", "FAILOVER", NAME, "FORCE-UNSAFE")
    with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
        sentinel.command("SENTINEL", "FAILOVER", NAME, "SOON")


def test_a_real_sentinel_cannot_break_the_promise(stack: ExitStack) -> None:
    """Redis's Sentinel has no node lead; ours does, beside it, and nothing acknowledged is lost."""
    watched = Watched(stack, sentinels=1)
    with writing(watched) as acknowledged:
        goes_on(acknowledged)
    ours = watched.sentinels[0]
    ours.stop()
    theirs = stack.enter_context(start_redis_sentinel(*watched.lines, f"sentinel failover-timeout {NAME} 3000"))
    wait_until(lambda: theirs.log_text().count("+slave slave") >= 2, what="its replicas")
    watched.nodes[0].kill()
    wait_until(lambda: "+failover-state-wait-promotion" in theirs.log_text(), timeout=30, what="its attempt")
    wait_until(lambda: "-failover-abort-slave-timeout" in theirs.log_text(), timeout=30, what="its failure")
    assert not watched.leaders()
    ours.start_again()
    wait_until(lambda: bool(watched.leaders()), timeout=30, what="our failover")
    wait_until(lambda: not state(watched.leaders()[0], "quorum_reason"), timeout=30, what="a majority that follows")
    assert all_there(watched, acknowledged)


def test_a_leader_that_is_not_counted_hands_over_by_itself(stack: ExitStack) -> None:
    """A node beside the group was told to lead: sentinels have it hold writes, and one of the members lead."""
    members = start_group(stack)
    spare = stack.enter_context(start_kvserver(replicaof=[members[0].host, members[0].port], **QUORUM))
    wait_until(lambda: state(spare) == "following", what="the node beside the group")
    members[0].command("SET", "k", "v")
    length = members[0].info("replication")["master_repl_offset"]
    wait_until(lambda: spare.info("replication")["master_repl_offset"] >= length, what="its log")
    answer, *_ = [promise(node, 7, "try") for node in (spare, *members)]
    spare.command("QUORUM", "LEAD", 7, "try", answer.node_id, answer.last_epoch, answer.offset)
    for node in members:
        node.command("REPLICAOF", spare.host, spare.port)
    wait_until(lambda: state(spare, "quorum_hands_over") == 1, what="members that have its log")
    assert state(spare, "quorum_member") == 0
    stack.enter_context(start_kvsentinel(f"sentinel monitor {NAME} 127.0.0.1 {spare.port} 1"))
    wait_until(lambda: any(state(node) == "leading" for node in members), timeout=30, what="a member that leads")
    leader = next(node for node in members if state(node) == "leading")
    wait_until(lambda: is_whole([leader, spare, *(node for node in members if node is not leader)]), timeout=30,
               what="all follow it")  # fmt: skip
    assert leader.command("GET", "k") == b"v"
    assert state(leader, "quorum_member") == 1
    assert state(leader, "quorum_hands_over") == 0
