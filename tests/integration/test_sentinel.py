"""The sentinel as a process: its file, its events, its clients, its scripts, and trouble of every kind."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
import redis.sentinel
from support import Server, free_port, start_kvsentinel, start_kvserver, wait_until

NAME = "mymaster"


class Deployment:
    """Our nodes and our sentinels: a primary, `replicas` replicas, `sentinels` sentinels."""

    def __init__(self, stack: ExitStack, replicas: int, sentinels: int, *lines: str) -> None:
        self.nodes = [stack.enter_context(start_kvserver(repl_diskless_sync_delay=0))]
        primary = ("127.0.0.1", str(self.nodes[0].port))
        self.nodes += [stack.enter_context(start_kvserver(replicaof=primary, repl_diskless_sync_delay=0))
                       for _ in range(replicas)]
        quorum = sentinels // 2 + 1
        self.lines = [f"sentinel monitor {NAME} 127.0.0.1 {primary[1]} {quorum}",
                      f"sentinel down-after-milliseconds {NAME} 2000", *lines]
        self.sentinels = [stack.enter_context(start_kvsentinel(*self.lines)) for _ in range(sentinels)]
        wait_until(lambda: all(self.complete(s) for s in self.sentinels), timeout=30, what="discovery")

    def complete(self, sentinel: Server) -> bool:
        found = sentinel.client(decode_responses=True).sentinel_master(NAME)
        return bool(found["num-slaves"] == len(self.nodes) - 1 and "disconnected" not in found["flags"]
                    and found["num-other-sentinels"] == len(self.sentinels) - 1)

    def address(self, sentinel: Server) -> tuple[str, int]:
        host, port = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return host.decode(), int(port)


@pytest.fixture
def small() -> Iterator[Deployment]:
    """One primary, one replica, one sentinel."""
    with ExitStack() as stack:
        yield Deployment(stack, 1, 1)


def test_our_sentinels_fail_over_our_primary() -> None:
    """Killed, our primary is replaced; the client's data is there, the other replica follows, so does the old one."""
    with ExitStack() as stack:
        made = Deployment(stack, 2, 3)
        finder = redis.sentinel.Sentinel([s.address for s in made.sentinels], socket_timeout=1.0)
        client = finder.master_for(NAME, socket_timeout=1.0)
        client.set("before", "1")
        assert client.execute_command("WAIT", 2, 5000) == 2
        made.nodes[0].kill()
        wait_until(lambda: client.set("after", "2"), timeout=20, what="a write after the failover")
        assert client.get("before") == b"1"
        wait_until(lambda: len({made.address(s) for s in made.sentinels}) == 1, what="one view")
        made.nodes[0].start_again()

        def all_follow() -> bool:
            leader = made.address(made.sentinels[0])[1]
            infos = [n.info("replication") for n in made.nodes if n.port != leader]
            return all(i["role"] == "slave" and i["master_port"] == leader and i["master_link_status"] == "up"
                       for i in infos)

        wait_until(all_follow, timeout=30, what="every other node follows")


def test_events_are_published_with_their_texts(small: Deployment) -> None:
    """A subscriber to all patterns sees a forced failover step by step, in order, in Redis's words."""
    sentinel = small.sentinels[0]
    old, new = small.nodes
    events: list[tuple[str, str]] = []
    listener = sentinel.client(decode_responses=True).pubsub()
    listener.psubscribe("*")
    listener.get_message(timeout=5)
    sentinel.command("SENTINEL", "FAILOVER", NAME)

    def seen() -> bool:
        message = listener.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message:
            events.append((message["channel"], message["data"]))
        return any(channel == "+switch-master" for channel, _ in events)

    wait_until(seen, timeout=20, what="+switch-master")
    master = f"master {NAME} 127.0.0.1 {old.port}"
    replica = f"slave 127.0.0.1:{new.port} 127.0.0.1 {new.port} @ {NAME} 127.0.0.1 {old.port}"
    my_id = sentinel.command("SENTINEL", "MYID").decode()
    assert [event for event in events if "role-change" not in event[0]] == [
        ("+new-epoch", "1"), ("+try-failover", master), ("+vote-for-leader", f"{my_id} 1"),
        ("+elected-leader", master), ("+failover-state-select-slave", master), ("+selected-slave", replica),
        ("+failover-state-send-slaveof-noone", replica), ("+failover-state-wait-promotion", replica),
        ("+promoted-slave", replica), ("+failover-state-reconf-slaves", master), ("+failover-end", master),
        ("+switch-master", f"{NAME} 127.0.0.1 {old.port} 127.0.0.1 {new.port}"),
    ]


def test_state_survives_a_restart(small: Deployment) -> None:
    """Id, epochs, replicas and what SENTINEL SET changed are there after a kill and a new start."""
    sentinel = small.sentinels[0]
    sentinel.command("SENTINEL", "SET", NAME, "quorum", "1", "failover-timeout", "7000")
    sentinel.command("SENTINEL", "FAILOVER", NAME)
    wait_until(lambda: small.address(sentinel)[1] == small.nodes[1].port, what="the failover")
    wait_until(lambda: "known-replica" in (sentinel.folder / "sentinel.conf").read_text(), what="the state")
    my_id = sentinel.command("SENTINEL", "MYID")
    sentinel.kill()
    sentinel.start_again()
    found = sentinel.client(decode_responses=True).sentinel_master(NAME)
    assert sentinel.command("SENTINEL", "MYID") == my_id
    assert (found["port"], found["config-epoch"], found["failover-timeout"]) == (small.nodes[1].port, 1, 7000)
    assert found["num-slaves"] == 1


def test_a_vote_is_on_disk_when_it_is_told(small: Deployment) -> None:
    """After a vote the file has its epoch, and a restarted sentinel doesn't vote again in that epoch."""
    sentinel = small.sentinels[0]
    ask = ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", str(small.nodes[0].port), "7")
    candidate = "c" * 40
    assert sentinel.command(*ask, candidate) == [0, candidate.encode(), 7]
    assert f"sentinel leader-epoch {NAME} 7" in (sentinel.folder / "sentinel.conf").read_text()
    sentinel.kill()
    sentinel.start_again()
    assert sentinel.command(*ask, "d" * 40) == [0, b"*", 7]


def test_no_vote_without_a_disk(small: Deployment) -> None:
    """If the file can't be written the vote is refused, and given once it can be written again."""
    sentinel = small.sentinels[0]
    ask = ("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", str(small.nodes[0].port), "7", "c" * 40)
    hidden = sentinel.folder.with_name(sentinel.folder.name + "-hidden")
    sentinel.folder.rename(hidden)
    try:
        with pytest.raises(redis.ResponseError, match="can't be saved"):
            sentinel.command(*ask)
        with pytest.raises(redis.ResponseError, match="Failed to save config file"):
            sentinel.command("SENTINEL", "FLUSHCONFIG")
    finally:
        hidden.rename(sentinel.folder)
    assert sentinel.command(*ask) == [0, b"c" * 40, 7]


def test_a_stopped_sentinel_tilts_and_recovers(small: Deployment) -> None:
    """A sentinel that was stopped for some seconds says so, and calls nobody down for it."""
    sentinel = small.sentinels[0]
    sentinel.command("SENTINEL", "DEBUG", "tilt-trigger", "500", "tilt-period", "1000")
    sentinel.send_signal(signal.SIGSTOP)
    wait_until(lambda: _state(sentinel.pid) == "T", what="stopped")
    _elapse(1.2)
    sentinel.send_signal(signal.SIGCONT)
    wait_until(lambda: sentinel.info("sentinel")["sentinel_tilt"] == 1, what="tilt")
    wait_until(lambda: sentinel.info("sentinel")["sentinel_tilt"] == 0, what="the end of tilt")
    assert "+sdown" not in sentinel.log_text()


def test_passwords_on_all_links() -> None:
    """Nodes and sentinels with passwords are watched, found and failed over; clients must authenticate."""
    with ExitStack() as stack:
        primary = stack.enter_context(start_kvserver(requirepass="node", masterauth="node"))
        replicaof = ("127.0.0.1", str(primary.port))
        stack.enter_context(start_kvserver(requirepass="node", masterauth="node", replicaof=replicaof))
        lines = [f"sentinel monitor {NAME} 127.0.0.1 {primary.port} 2", f"sentinel auth-pass {NAME} node",
                 "requirepass peer", "sentinel sentinel-pass peer"]
        sentinels = [stack.enter_context(start_kvsentinel(*lines)) for _ in range(2)]
        with pytest.raises(redis.AuthenticationError):
            sentinels[0].command("SENTINEL", "MASTERS")
        for sentinel in sentinels:
            sentinel.password = "peer"

        def complete() -> bool:
            found = [s.client(decode_responses=True).sentinel_master(NAME) for s in sentinels]
            return all(f["num-slaves"] == 1 and f["num-other-sentinels"] == 1 for f in found)

        wait_until(complete, timeout=20, what="discovery")
        assert sentinels[0].command("SENTINEL", "CKQUORUM", NAME).startswith(b"OK 2 usable Sentinels")


def test_scripts_run_with_their_arguments(tmp_path: Path) -> None:
    """The notification script gets events, the reconfiguration script gets both addresses."""
    script = tmp_path / "note.sh"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/notes\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with ExitStack() as stack:
        made = Deployment(stack, 1, 1, f"sentinel notification-script {NAME} {script}",
                          f"sentinel client-reconfig-script {NAME} {script}")
        made.sentinels[0].command("SENTINEL", "FAILOVER", NAME)
        old, new = (node.port for node in made.nodes)
        for text in (f"+try-failover master {NAME} 127.0.0.1 {old}",
                     f"{NAME} leader start 127.0.0.1 {old} 127.0.0.1 {new}"):
            wait_until(lambda text=text: text in (tmp_path / "notes").read_text(), what=text)


@pytest.mark.parametrize(("lines", "error"), [
    (["sentinel monitor a 127.0.0.1 1"], "Unrecognized sentinel configuration statement."),
    (["sentinel down-after-milliseconds a 1"], "No such master with specified name."),
    (["sentinel monitor a no.such.host. 1 1"], "Can't resolve instance hostname."),
    (["port 26379", "nosuch 1"], "Bad directive or wrong number of arguments"),
    (["sentinel monitor a 127.0.0.1 1 1", "sentinel notification-script a /no/such"],
     "Notification script seems non existing or non executable."),
])
def test_a_bad_file_is_refused(tmp_path: Path, lines: list[str], error: str) -> None:
    """A file that can't be honoured ends the start with its line and the reason, and stays as it was."""
    path = tmp_path / "sentinel.conf"
    path.write_text("\n".join(lines) + "\n")
    run = subprocess.run([sys.executable, "-m", "replication.sentinel", str(path)], capture_output=True,
                         text=True, timeout=30, check=False)
    assert run.returncode == 1
    assert error in run.stderr
    assert f">>> '{lines[-1]}'" in run.stderr
    assert "Traceback" not in run.stderr
    assert path.read_text() == "\n".join(lines) + "\n"


def test_a_file_is_needed(tmp_path: Path) -> None:
    """Without a file, or with one that isn't there, a sentinel doesn't start."""
    for args, error in (([], "Sentinel needs config file on disk"), ([str(tmp_path / "no")], "can't open")):
        run = subprocess.run([sys.executable, "-m", "replication.sentinel", *args], capture_output=True,
                             text=True, timeout=30, check=False)
        assert run.returncode == 1
        assert error in run.stderr


def test_garbage_from_a_node_does_no_harm() -> None:
    """A "primary" that answers with nonsense is down after a while, and the sentinel goes on serving."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n" + os.urandom(1000))
        await writer.drain()
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        lines = [f"sentinel monitor {NAME} 127.0.0.1 {port} 1", f"sentinel down-after-milliseconds {NAME} 500"]
        with await asyncio.to_thread(start_kvsentinel, *lines) as sentinel:
            await asyncio.to_thread(wait_until, lambda: b"s_down" in _flags(sentinel), 20.0, "s_down")
            assert "Traceback" not in sentinel.log_text()
        server.close()

    asyncio.run(story())


def test_metrics_over_http() -> None:
    """With http-port, metrics tell what the sentinel sees, and health is answered."""
    with ExitStack() as stack:
        http_port = free_port()
        made = Deployment(stack, 1, 1, f"http-port {http_port}")
        text = urllib.request.urlopen(f"http://127.0.0.1:{http_port}/metrics").read().decode()
        address = f"127.0.0.1:{made.nodes[0].port}"
        assert f'understudy_sentinel_primary_info{{address="{address}",group="{NAME}"}} 1.0' in text
        assert f'understudy_sentinel_replicas_up{{group="{NAME}"}} 1.0' in text
        assert urllib.request.urlopen(f"http://127.0.0.1:{http_port}/readyz").read() == b"ok\n"


def _flags(server: Server) -> bytes:
    reply = redis.Redis(port=server.port, protocol=2)
    reply.response_callbacks.clear()
    fields = reply.execute_command("SENTINEL", "MASTER", NAME)
    return dict(zip(fields[::2], fields[1::2], strict=True))[b"flags"]  # type: ignore[no-any-return]


def _state(pid: int) -> str:
    """The process's state letter, as the kernel tells it."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


def _elapse(seconds: float) -> None:
    """Let time pass that the stopped process must miss: there is nothing to poll for."""
    signal.sigtimedwait([], seconds)


@pytest.mark.parametrize("moment", ["crash-after-election", "crash-after-promotion"])
def test_a_leader_that_crashes_is_replaced(moment: str) -> None:
    """If the elected sentinel dies in the middle of its failover, another one sees the group to its end."""
    with ExitStack() as stack:
        made = Deployment(stack, 2, 3)
        for sentinel in made.sentinels:
            sentinel.command("SENTINEL", "SIMULATE-FAILURE", moment)
        made.nodes[0].kill()

        def one_crashed() -> bool:
            return any(s.returncode is not None for s in made.sentinels)

        wait_until(one_crashed, timeout=20, what="the simulated crash")
        crashed = next(s for s in made.sentinels if s.returncode is not None)
        assert crashed.returncode == 99
        living = [s for s in made.sentinels if s is not crashed]
        for sentinel in living:
            sentinel.command("SENTINEL", "SIMULATE-FAILURE", "help")  # which also takes it back
        crashed.start_again()

        def settled() -> bool:
            (leader, *others) = {made.address(s)[1] for s in made.sentinels}
            infos = {n.port: n.info("replication") for n in made.nodes[1:]}
            return not others and leader in infos and infos.pop(leader)["role"] == "master" and all(
                i["master_port"] == leader and i["master_link_status"] == "up" for i in infos.values())

        wait_until(settled, timeout=45, what="one primary that all name and the replica follows")


def test_groups_come_and_go_at_run_time(small: Deployment) -> None:
    """MONITOR adds a group and its replicas are found; RESET forgets them, they are found again; REMOVE ends it."""
    sentinel = small.sentinels[0]
    client = sentinel.client(decode_responses=True)
    with start_kvserver(repl_diskless_sync_delay=0) as node, start_kvserver(
            replicaof=("127.0.0.1", str(node.port)), repl_diskless_sync_delay=0):
        sentinel.command("SENTINEL", "MONITOR", "other", "127.0.0.1", str(node.port), "1")
        wait_until(lambda: client.sentinel_master("other")["num-slaves"] == 1, timeout=20, what="its replica")
        assert sentinel.command("ROLE") == [b"sentinel", [NAME.encode(), b"other"]]
        assert sentinel.command("SENTINEL", "RESET", "oth*") in (1, True)
        wait_until(lambda: client.sentinel_master("other")["num-slaves"] == 1, timeout=20, what="its replica, again")
        sentinel.command("SENTINEL", "REMOVE", "other")
        assert "other" not in (sentinel.folder / "sentinel.conf").read_text()
        assert sentinel.command("ROLE") == [b"sentinel", [NAME.encode()]]


def test_names_are_resolved_and_announced_when_allowed() -> None:
    """With resolve-hostnames and announce-hostnames a group may be given by name, and is shown by it."""
    with start_kvserver() as node:
        lines = ["sentinel resolve-hostnames yes", "sentinel announce-hostnames yes",
                 f"sentinel monitor {NAME} localhost {node.port} 1"]
        with start_kvsentinel(*lines) as sentinel:
            assert sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[0] == b"localhost"
            wait_until(lambda: b"disconnected" not in _flags(sentinel), what="the link to the primary")
            sentinel.restart()
            assert sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[0] == b"localhost"


def test_a_replica_that_announces_a_name_is_found_by_it() -> None:
    """A name that the primary's INFO tells is looked up, and the replica watched under its address."""
    with start_kvserver() as node:
        primary = ("127.0.0.1", str(node.port))
        with start_kvserver(replicaof=primary, replica_announce_ip="localhost") as replica:
            lines = ["sentinel resolve-hostnames yes", f"sentinel monitor {NAME} 127.0.0.1 {node.port} 1"]
            with start_kvsentinel(*lines) as sentinel:
                client = sentinel.client(decode_responses=True)
                wait_until(lambda: client.sentinel_slaves(NAME), timeout=20, what="the replica")
                (found,) = client.sentinel_slaves(NAME)
                assert found["ip"] in ("127.0.0.1", "::1")
                assert found["port"] == replica.port


def test_a_group_can_be_added_by_name_while_names_are_allowed() -> None:
    """SENTINEL MONITOR looks a name up if resolve-hostnames is on, and refuses what has no address."""
    with start_kvserver() as node, start_kvsentinel(f"sentinel monitor {NAME} 127.0.0.1 {node.port} 1") as sentinel:
        add = ("SENTINEL", "MONITOR", "named")
        for host in ("localhost", "x" * 70):
            with pytest.raises(redis.ResponseError, match="Invalid IP address or hostname specified"):
                sentinel.command(*add, host, str(node.port), "1")
            sentinel.command("SENTINEL", "CONFIG", "SET", "resolve-hostnames", "yes")
        sentinel.command(*add, "localhost", str(node.port), "1")
        host, port = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "named")
        assert host in (b"127.0.0.1", b"::1")
        assert int(port) == node.port


def test_two_answers_of_a_pipeline_and_resp3() -> None:
    """Requests in one chunk are answered in order, and with RESP3 maps are maps."""
    with start_kvserver() as node, start_kvsentinel(f"sentinel monitor {NAME} 127.0.0.1 {node.port} 1") as sentinel:
        client = sentinel.client(protocol=3)
        assert client.execute_command("SENTINEL", "DEBUG")[b"PING-PERIOD"] == b"1000"
        pipe = client.pipeline(transaction=False)
        pipe.ping()
        pipe.execute_command("SENTINEL", "MYID")
        alive, my_id = pipe.execute()
        assert alive is True
        assert len(my_id) == 40
