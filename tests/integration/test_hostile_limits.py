"""The limits that options set to clients, met by clients that don't keep to them."""

from __future__ import annotations

import contextlib

import pytest
import redis
from support import start_kvserver, wait_until
from support.wire import MB, assert_clean, gone, read_exactly, received, rss_bytes


def test_arguments_count_against_the_query_buffer() -> None:
    """A request of endlessly many small arguments is bounded by client-query-buffer-limit, as one long one is."""
    with start_kvserver(client_query_buffer_limit="1mb") as node:
        for piece in (b"$1\r\nx\r\n" * 10_000, b"$60000\r\n" + b"x" * 60_000 + b"\r\n"):
            with node.connect() as link:
                with contextlib.suppress(OSError):
                    link.sendall(b"*2000000000\r\n$4\r\nMSET\r\n")
                    for _ in range(1000):
                        link.sendall(piece)
                    pytest.fail("the server takes an endless request")
                assert gone(link)
        with node.connect() as link:
            with contextlib.suppress(OSError):
                link.sendall(b"*2\r\n$4\r\nECHO\r\n$500000000\r\n")
                for _ in range(1000):
                    link.sendall(b"x" * 60_000)
                pytest.fail("the server takes an endless argument")
            assert gone(link)
        assert node.info("stats")["client_query_buffer_limit_disconnections"] == 3
        assert_clean(node)


def test_an_endless_transaction_is_bounded() -> None:
    """What MULTI has queued counts as the client's unserved requests."""
    with start_kvserver(client_query_buffer_limit="1mb") as node, node.connect() as link:
        link.sendall(b"MULTI\r\n" + b"*2\r\n$4\r\nECHO\r\n$1000\r\n%b\r\n" % (b"x" * 1000) * 3000)
        wait_until(lambda: gone(link))
        assert node.command("PING") is True


def test_a_deaf_subscriber_is_disconnected() -> None:
    """A subscriber that doesn't read is ended at client-output-buffer-limit, and the publisher goes on."""
    with start_kvserver(client_output_buffer_limit="pubsub 2mb 1mb 60") as node, node.connect() as link:
        link.sendall(b"SUBSCRIBE news\r\n")
        read_exactly(link, len(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
        client = node.client()
        before = rss_bytes(node)

        def publish() -> bool:
            return client.publish("news", b"x" * 100_000) == 0

        wait_until(publish, what="the subscriber is gone")
        assert rss_bytes(node) - before < 32 * MB
        assert node.info("stats")["client_output_buffer_limit_disconnections"] == 1
        assert_clean(node)


def test_a_soft_limit_needs_time() -> None:
    """A subscriber above the soft limit is ended once it has stayed there for the seconds given."""
    with start_kvserver(client_output_buffer_limit="pubsub 0 64kb 1") as node, node.connect() as link:
        link.sendall(b"SUBSCRIBE news\r\n")
        read_exactly(link, 20)
        client = node.client()
        for _ in range(100):
            client.publish("news", b"x" * 100_000)
        wait_until(lambda: client.publish("news", b"x") == 0)


def test_maxclients() -> None:
    """Beyond maxclients a new client is told so and closed; a place that frees up is given again."""
    with start_kvserver(maxclients=5) as node:
        links = [node.connect() for _ in range(5)]
        for link in links:
            link.sendall(b"PING\r\n")
        wait_until(lambda: read_exactly(links[4], 7) == b"+PONG\r\n")
        with node.connect() as late:
            assert received(late) == b"-ERR max number of clients reached\r\n"
        links[0].close()
        wait_until(lambda: node.command("PING") is True)
        assert node.info("stats")["rejected_connections"] >= 1
        for link in links:
            link.close()
        assert_clean(node)


def test_idle_clients_are_closed_but_not_subscribers() -> None:
    """`timeout` ends clients that ask nothing; subscribed and blocked ones may wait."""
    with start_kvserver(timeout=1) as node, node.connect() as idle, node.connect() as ear, node.connect() as waiter:
        ear.sendall(b"SUBSCRIBE a\r\n")
        waiter.sendall(b"BLPOP empty 0\r\n")
        idle.sendall(b"PING\r\n")
        read_exactly(idle, 7)
        assert received(idle) == b""
        assert not gone(ear)
        assert not gone(waiter)


def test_before_authentication_requests_are_small() -> None:
    """A client that hasn't authenticated may send ten arguments of 16 kB, and run nothing."""
    with start_kvserver(requirepass="secret") as node:
        for data, text in (
            (b"*11\r\n", b"unauthenticated multibulk length"),
            (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", b"unauthenticated bulk length"),
        ):
            with node.connect() as link:
                link.sendall(data)
                assert received(link) == b"-ERR Protocol error: " + text + b"\r\n"
        with node.connect() as link:
            refused = b"-NOAUTH Authentication required.\r\n"
            link.sendall(b"GET k\r\nMULTI\r\nSUBSCRIBE x\r\nNOSUCH\r\n")
            assert read_exactly(link, len(refused) * 3) == refused * 3
            read_exactly(link, len(b"-ERR unknown command 'NOSUCH', with args beginning with: \r\n"))
            link.sendall(b"AUTH wrong\r\n")
            wrong = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
            assert read_exactly(link, len(wrong)) == wrong
            link.sendall(b"AUTH secret\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n" + b"x" * 20000 + b"\r\n")
            expected = b"+OK\r\n$20000\r\n" + b"x" * 20000 + b"\r\n"
            assert read_exactly(link, len(expected)) == expected
        assert_clean(node)


def test_proto_max_bulk_len() -> None:
    """proto-max-bulk-len bounds one argument, at start-up and by CONFIG SET, and so a string grown by APPEND."""
    with start_kvserver(proto_max_bulk_len="1mb") as node:
        client = node.client()
        assert client.set("k", b"x" * MB)
        with node.connect() as link:
            link.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n")
            assert received(link) == b"-ERR Protocol error: invalid bulk length\r\n"
        with pytest.raises(redis.ResponseError, match="string exceeds maximum allowed size"):
            client.append("k", "y")
        with pytest.raises(redis.ResponseError, match="string exceeds maximum allowed size"):
            client.setrange("k", MB, "y")
        assert client.strlen("k") == MB
        assert client.config_set("proto-max-bulk-len", 2 * MB)
        assert node.client().set("k", b"x" * (2 * MB))
