"""What clients and replicas hold, bounded and accounted, in a real process."""

from __future__ import annotations

import contextlib
import time

import redis
from support import start_kvserver, wait_until
from support.servers import Server
from support.wire import MB, assert_clean, gone, read_exactly, received_until, rss_bytes


def used(node: Server) -> int:
    return int(node.info("memory")["used_memory"])


def listed(node: Server, name: str) -> dict[str, str]:
    """The line of CLIENT LIST about a client of this name, or nothing."""
    with node.client() as client:
        return next((line for line in client.client_list() if line["name"] == name), {})


def test_maxmemory_clients_cuts_off_who_holds_most() -> None:
    """Past the limit the client with the largest unfinished request goes, and one that NO-EVICT spares stays."""
    with start_kvserver(maxmemory_clients="1mb") as node, node.connect() as spared, node.connect() as small:
        spared.sendall(b"CLIENT NO-EVICT ON\r\nCLIENT SETNAME spared\r\n*1\r\n$800000\r\n" + b"x" * 600_000)
        small.sendall(b"CLIENT SETNAME small\r\n*1\r\n$800000\r\n" + b"x" * 100_000)
        wait_until(lambda: int(listed(node, "spared").get("qbuf", 0)) == 600_000)
        wait_until(lambda: int(listed(node, "small").get("qbuf", 0)) == 100_000)
        assert int(listed(node, "small")["tot-mem"]) >= 100_000
        with node.connect() as large:
            large.sendall(b"CLIENT SETNAME large\r\n*1\r\n$800000\r\n" + b"x" * 500_000)
            wait_until(lambda: gone(large))
        assert listed(node, "spared")
        assert listed(node, "small")
        assert node.info("stats")["evicted_clients"] == 1
        node.command("CONFIG", "SET", "maxmemory-clients", 650_000)
        wait_until(lambda: gone(small))
        assert listed(node, "spared")
        assert_clean(node)


def test_unread_replies_cost_a_client_its_connection() -> None:
    """With maxmemory-clients a client that asks and doesn't read is cut off, and the memory is free again."""
    with start_kvserver(maxmemory_clients="4mb") as node, node.connect() as link:
        node.command("SET", "k", b"x" * 200_000)
        before = rss_bytes(node)
        link.settimeout(0.2)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                link.sendall(b"GET k\r\n")
        wait_until(lambda: node.info("stats")["evicted_clients"] == 1)
        assert rss_bytes(node) - before < 64 * MB
        assert_clean(node)


def test_a_long_pipeline_may_be_sent_before_its_replies_are_read() -> None:
    """Replies wait for a client that reads none until it has sent all: more than the sockets' buffers take."""
    count = 300_000
    with start_kvserver() as node, node.connect(60.0) as link:
        node.command("SET", "k", b"x" * 40)
        reply = b"$40\r\n" + b"x" * 40 + b"\r\n"
        for _ in range(count // 1000):
            link.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 1000)
        link.sendall(b"PING\r\n")
        replies = read_exactly(link, count * len(reply) + len(b"+PONG\r\n"))
        assert replies == reply * count + b"+PONG\r\n"
        wait_until(lambda: used(node) < 8 * MB)
        assert_clean(node)


def test_a_slow_peer_gets_everything_before_the_end() -> None:
    """QUIT behind replies that wait for a slow peer closes the connection only when it has taken them."""
    with start_kvserver() as node, node.connect(60.0) as link:
        node.command("SET", "k", b"x" * MB)
        link.sendall(b"GET k\r\n" * 20 + b"QUIT\r\n")
        wait_until(lambda: any(int(line["omem"]) > MB for line in node.client().client_list()))
        reply = b"$1048576\r\n" + b"x" * MB + b"\r\n"
        assert read_exactly(link, 20 * len(reply) + len(b"+OK\r\n")) == reply * 20 + b"+OK\r\n"
        assert link.recv(1) == b""


def test_what_waits_for_a_stalled_replica_is_accounted() -> None:
    """Small writes to a replica that reads nothing take about their bytes, and these don't count against maxmemory."""
    with start_kvserver(repl_diskless_sync_delay=0) as node, node.connect() as link:
        link.sendall(b"PSYNC ? -1\r\n")
        node.command("SET", "k", "v")
        wait_until(lambda: node.info("replication").get("slave0", {}).get("state") == "online", what="on line")
        base = node.info("memory")
        pipe = node.client().pipeline(transaction=False)
        for _ in range(5000):
            pipe.set("k", "x" * 100)
        waiting = 0
        while waiting < 3 * MB:
            pipe.execute()
            pipe.reset()
            for _ in range(5000):
                pipe.set("k", "x" * 100)
            waiting = int(node.info("memory")["mem_clients_slaves"])
        now = node.info("memory")
        grown = now["used_memory"] - base["used_memory"]
        uncounted = now["mem_not_counted_for_evict"] - base["mem_not_counted_for_evict"]
        assert uncounted >= waiting
        assert grown - uncounted < 1.5 * MB, (grown, uncounted)  # the backlog of 1 MB fills meanwhile
        node.command("CLIENT", "KILL", "TYPE", "replica")
        wait_until(lambda: used(node) - base["used_memory"] < 1.5 * MB)
        assert node.info("memory")["mem_clients_slaves"] == 0


def test_an_idle_client_keeps_no_request() -> None:
    """A value that was set and deleted again is freed, although the client that sent it says no more."""
    with start_kvserver() as node, node.connect() as link:
        before = used(node)
        link.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n" + b"x" * 8_000_000 + b"\r\n")
        assert read_exactly(link, 5) == b"+OK\r\n"
        assert used(node) - before > 8_000_000
        node.command("DEL", "k")
        wait_until(lambda: used(node) - before < 1_000_000, timeout=20.0)


def test_a_refusal_for_want_of_memory_is_certain() -> None:
    """At the limit each key that still fits is taken, and the first refusal comes when nothing more is there."""
    with start_kvserver() as node:
        client = node.client()
        limit = used(node) + 300_000
        client.config_set("maxmemory", limit)
        with contextlib.suppress(redis.exceptions.OutOfMemoryError):
            for number in range(10_000):
                client.set(f"key:{number}", "x" * 100)
        assert limit - 20_000 < used(node) < limit + 20_000


def test_a_pipeline_of_writes_that_add_nothing_evicts_nothing() -> None:
    """What is read at once, and what is on its way to replicas, is no reason to evict keys."""
    request = b"*4\r\n$8\r\nSETRANGE\r\n$5\r\nkey:0\r\n$1\r\n0\r\n$100\r\n" + b"A" * 100 + b"\r\n"
    options = {"latency_tracking": "no", "maxmemory_policy": "allkeys-random", "repl_backlog_size": 16384}
    with start_kvserver(**options) as node, node.client() as client:
        for i in range(100):
            client.setrange(f"key:{i}", 100_000, "asdf")
        with start_kvserver(replicaof=f"127.0.0.1 {node.port}") as replica:
            wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
            for _ in range(5):  # the backlog has its size from now on
                client.setrange("key:1", 0, b"x" * 10_000)
            memory = node.info("memory")
            client.config_set("maxmemory", memory["used_memory"] - memory["mem_not_counted_for_evict"] + 128 * 1024)
            with node.connect(20.0) as link:
                for _ in range(20):
                    link.sendall(request * 5000)
                    assert read_exactly(link, 5000 * 9) == b":100004\r\n" * 5000
            assert client.dbsize() == 100
            assert_clean(node)


def test_who_tracks_keys_hears_of_an_eviction_before_the_reply_behind_it() -> None:
    """Past the limit each request of such a client evicts first, also one that needs no memory."""
    with start_kvserver(maxmemory_policy="volatile-random") as node, node.client() as client, node.connect() as link:
        link.sendall(b"HELLO 3\r\nCLIENT TRACKING ON\r\nSET volatile x EX 10000\r\nGET volatile\r\n")
        received_until(link, lambda data: data.endswith(b"$1\r\nx\r\n"))
        client.config_set("maxmemory", used(node) + 100_000)
        told = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$8\r\nvolatile\r\n"
        link.sendall(b"SETBIT big 1600000 0\r\n")
        data = received_until(link, lambda data: data.startswith(b":0\r\n"))
        time.sleep(0.005)  # the next measure is due
        link.sendall(b"GETBIT big 0\r\n")
        data += received_until(link, lambda more: (data + more).count(b":0") == 2 and told in data + more)
        assert data == b":0\r\n" + told + b":0\r\n"
