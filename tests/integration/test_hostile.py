"""Clients that break the protocol, flood, dawdle or vanish: the node bounds what they cost and serves the others."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from support import Server, start_kvserver, wait_until
from support.wire import MB, assert_clean, clients, read_exactly, received, received_until, rss_bytes

BIG_LINE = 70_000

# What is sent, and the only thing that comes back before the connection is closed.
BROKEN = {
    "count too big": (b"*1000000000000\r\n", b"invalid multibulk length"),
    "count beyond 64 bits": (b"*99999999999999999999\r\n", b"invalid multibulk length"),
    "count no number": (b"*abc\r\n", b"invalid multibulk length"),
    "count with a sign": (b"*+1\r\n$4\r\nPING\r\n", b"invalid multibulk length"),
    "count with a space": (b"* 1\r\n$4\r\nPING\r\n", b"invalid multibulk length"),
    "count with an underscore": (b"*1_0\r\n", b"invalid multibulk length"),
    "negative length": (b"*1\r\n$-5\r\n", b"invalid bulk length"),
    "length of null": (b"*1\r\n$-1\r\n", b"invalid bulk length"),
    "length too big": (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
    "length beyond 64 bits": (b"*1\r\n$" + b"9" * 30 + b"\r\n", b"invalid bulk length"),
    "length no number": (b"*1\r\n$x\r\n", b"invalid bulk length"),
    "length empty": (b"*1\r\n$\r\n", b"invalid bulk length"),
    "a number inside": (b"*1\r\n:5\r\n", b"expected '$', got ':'"),
    "nested arrays": (b"*1\r\n*1\r\n*1\r\n", b"expected '$', got '*'"),
    "a line inside": (b"*2\r\n+PING\r\n", b"expected '$', got '+'"),
    "endless inline request": (b"a" * BIG_LINE, b"too big inline request"),
    "endless count": (b"*" + b"1" * BIG_LINE, b"too big mbulk count string"),
    "endless length": (b"*1\r\n$" + b"1" * BIG_LINE, b"too big bulk count string"),
    "open quote": (b'SET k "v\r\n', b"unbalanced quotes in request"),
    "text behind a quote": (b'SET "k"v 1\r\n', b"unbalanced quotes in request"),
}

# Odd, and yet answered; the connection stays.
ODD = {
    "no arguments": (b"*0\r\nPING\r\n", b"+PONG\r\n"),
    "negative count": (b"*-1\r\nPING\r\n", b"+PONG\r\n"),
    "empty lines": (b"\r\n\r\n\nPING\r\n", b"+PONG\r\n"),
    "empty command": (b"*1\r\n$0\r\n\r\n", b"-ERR unknown command '', with args beginning with: \r\n"),
    "a reply": (b"+OK\r\n", b"-ERR unknown command '+OK', with args beginning with: \r\n"),
    "binary name": (
        b"*1\r\n$4\r\n\x00\r\n\xff\r\n", b"-ERR unknown command '\x00  \xff', with args beginning with: \r\n",
    ),
    "HTTP GET": (b"GET / HTTP/1.1\r\n", b"-ERR wrong number of arguments for 'get' command\r\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_kvserver() as server:
        yield server
        assert server.command("PING") is True
        assert_clean(server)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_protocol_ends_the_connection(node: Server, name: str) -> None:
    """A request that is none is answered by Redis's protocol error, after the replies before it, and the end."""
    data, text = BROKEN[name]
    with node.connect() as link:
        link.sendall(b"*1\r\n$4\r\nPING\r\n" + data)
        assert received(link) == b"+PONG\r\n-ERR Protocol error: " + text + b"\r\n"


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_are_answered(node: Server, name: str) -> None:
    """What is odd, but no breach of the protocol, gets a reply, and the connection goes on."""
    data, expected = ODD[name]
    with node.connect() as link:
        link.sendall(data)
        assert read_exactly(link, len(expected)) == expected
        link.sendall(b"ECHO on\r\n")
        assert read_exactly(link, 8) == b"$2\r\non\r\n"


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r\n", b"Host: localhost\r\n", b"*1\r\n$4\r\npost\r\n"])
def test_browsers_are_cut_off(node: Server, line: bytes) -> None:
    """A connection that speaks HTTP at us is closed without a reply before its body could hold commands."""
    with node.connect() as link:
        link.sendall(line + b"SET smuggled 1\r\n")
        assert received(link) == b""
    assert node.command("EXISTS", "smuggled") == 0
    wait_until(lambda: "Possible SECURITY ATTACK" in node.log_text())


def test_garbage_is_survived(node: Server) -> None:
    """Random bytes, in any cut, end in an error reply or a close, never in a crash."""
    rng = random.Random(20)
    alphabet = [b"*", b"$", b"\r\n", b"3", b"-", b"1", b"PING", b'"', b"\x00", b"\xff", b"SET", b" ", b"GET k", b"\n"]
    for _ in range(150):
        with node.connect() as link:
            with contextlib.suppress(OSError):
                for _ in range(rng.randrange(1, 6)):
                    link.sendall(b"".join(rng.choices(alphabet, k=rng.randrange(1, 60))))
                link.shutdown(socket.SHUT_WR)
            received(link)
    assert node.command("PING")
    assert "Traceback" not in node.log_text()


def test_unfinished_requests_are_cheap(node: Server) -> None:
    """Hundreds of connections that announce huge requests and send little hold little memory."""
    before = rss_bytes(node)
    with contextlib.ExitStack() as stack:
        for i in range(300):
            link = stack.enter_context(node.connect())
            head = (b"*1000000\r\n$3\r\nSET\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nxx", b"*2147483647\r\n")
            link.sendall(head[i % 3])
        wait_until(lambda: clients(node) > 300)
        assert rss_bytes(node) - before < 24 * MB
    wait_until(lambda: clients(node) == 1)


def test_a_slow_reader_is_held_back(node: Server) -> None:
    """A client that asks for much and reads nothing isn't served further: memory stays, nothing is lost."""
    value = os.urandom(MB)
    node.command("SET", "big", value)
    before = rss_bytes(node)
    with node.connect(30.0) as link:
        link.sendall(b"GET big\r\n" * 300)
        assert node.command("ECHO", "others") == b"others"
        assert rss_bytes(node) - before < 64 * MB
        one = b"$%d\r\n%b\r\n" % (MB, value)
        for _ in range(300):
            assert read_exactly(link, len(one)) == one
        link.sendall(b"PING\r\n")
        assert read_exactly(link, 7) == b"+PONG\r\n"


def test_a_slow_reader_that_leaves_is_forgotten(node: Server) -> None:
    """A client that closes, or only half closes, its socket while replies wait for it leaves nothing behind."""
    node.command("SET", "big", b"x" * MB)
    closed, half = node.connect(), node.connect()
    for link in (closed, half):
        link.sendall(b"GET big\r\n" * 100)
    wait_until(lambda: clients(node) == 3)
    closed.close()
    half.shutdown(socket.SHUT_WR)
    wait_until(lambda: clients(node) == 1)
    half.close()


def test_a_half_closed_socket_gets_its_replies(node: Server) -> None:
    """A client that sends its requests and closes its sending side still gets the replies."""
    with node.connect() as link:
        link.sendall(b"PING\r\nECHO bye\r\n*1\r\n$3\r\nunf")
        link.shutdown(socket.SHUT_WR)
        assert received(link) == b"+PONG\r\n$3\r\nbye\r\n"


def test_a_stopped_client_hinders_nobody(node: Server) -> None:
    """A client process that is stopped in the middle of its replies costs the others nothing."""
    node.command("SET", "big", b"x" * MB)
    script = (
        "import socket,sys\n"
        f"s=socket.create_connection(('127.0.0.1',{node.port}))\n"
        "s.sendall(b'GET big\\r\\n'*200)\n"
        "print('sent',flush=True)\n"
        "while s.recv(65536): pass\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        for i in range(100):
            assert node.command("ECHO", str(i)) == b"%d" % i
    finally:
        child.send_signal(signal.SIGCONT)
        child.kill()
        child.wait()
    wait_until(lambda: clients(node) == 1)


def blocked_clients(node: Server) -> int:
    return int(node.info("clients")["blocked_clients"])


def test_killed_while_blocked(node: Server) -> None:
    """CLIENT KILL of a blocked client takes nothing off the list that another command fills at once."""
    with node.connect() as link:
        link.sendall(b"CLIENT ID\r\n")
        number = int(link.recv(100)[1:-2])
        link.sendall(b"BLPOP q:killed 0\r\n")
        wait_until(lambda: blocked_clients(node) == 1)
        with node.client() as client, client.pipeline(transaction=False) as pipe:
            pipe.execute_command("CLIENT", "KILL", "ID", number)
            pipe.rpush("q:killed", "kept")
            pipe.info("clients")
            replies = pipe.execute()
        assert replies[:2] == [1, 1]
        assert replies[2]["blocked_clients"] == 0
        assert received(link) == b""
    assert node.command("LRANGE", "q:killed", 0, -1) == [b"kept"]


LEAVING: dict[str, tuple[bytes, Callable[[Server], bool]]] = {
    "blocked": (b"BLPOP q:leaving 0\r\n", lambda node: blocked_clients(node) == 0),
    "blocked in a long pipeline": (
        b"BLPOP q:leaving 0\r\n" + b"ECHO %b\r\n" % (b"x" * 1000) * 1200, lambda node: blocked_clients(node) == 0,
    ),
    "in MULTI": (b"MULTI\r\nSET half:done 1\r\n", lambda node: node.command("EXISTS", "half:done") == 0),
    "watching": (b"WATCH w1 w2\r\n", lambda node: True),
    "subscribed": (b"SUBSCRIBE gone\r\n", lambda node: node.command("PUBSUB", "NUMSUB", "gone") == [b"gone", 0]),
    "pattern": (b"PSUBSCRIBE gone*\r\n", lambda node: node.command("PUBSUB", "NUMPAT") == 0),
}  # fmt: skip


@pytest.mark.parametrize("state", LEAVING)
def test_leaving_in_any_state(node: Server, state: str) -> None:
    """A client that vanishes while it waits, queues, watches or listens leaves nothing behind."""
    data, forgotten = LEAVING[state]
    with node.connect(0.5) as link:
        with contextlib.suppress(TimeoutError):  # a blocked client's requests are read only so far
            link.sendall(data)
        wait_until(lambda: clients(node) == 2)
        if state.startswith("blocked"):
            wait_until(lambda: blocked_clients(node) == 1)
        else:
            link.recv(1, socket.MSG_PEEK)
    wait_until(lambda: clients(node) == 1)
    wait_until(lambda: forgotten(node))


def test_a_pipeline_of_ten_thousand(node: Server) -> None:
    """Ten thousand commands in one write get ten thousand replies in order, and others are served meanwhile."""
    with node.connect(30.0) as link:
        link.sendall(b"".join(b"*2\r\n$4\r\nECHO\r\n$5\r\n%05d\r\n" % i for i in range(10_000)))
        assert node.command("ECHO", "meanwhile") == b"meanwhile"
        expected = b"".join(b"$5\r\n%05d\r\n" % i for i in range(10_000))
        assert read_exactly(link, len(expected)) == expected


def test_long_and_binary_keys(node: Server) -> None:
    """Keys of any bytes, empty or of megabytes, are keys like others."""
    keys = (b"", b"\x00", b"\r\n", bytes(range(256)), b"k" * (2 * MB), "clé☃".encode(), b"*", b"$-1\r\n")
    with node.client() as client:
        for key in keys:
            assert client.set(key, key)
            assert client.get(key) == key
            assert client.type(key) == b"string"
            assert client.delete(key) == 1


def test_values_of_64_mb(node: Server) -> None:
    """A value of 64 MB goes in and comes out whole."""
    value = os.urandom(1024) * (64 * 1024)
    with node.client(socket_timeout=60.0) as client:
        assert client.set("huge", value)
        assert client.strlen("huge") == 64 * MB
        assert client.get("huge") == value
        assert client.delete("huge") == 1


def test_replies_are_never_broken_by_what_was_sent(node: Server) -> None:
    """Line breaks that a client smuggles into an error text don't end the reply early."""
    with node.connect() as link:
        link.sendall(b"*2\r\n$10\r\nBAD\r\n+OK\r\n\r\n$1\r\nx\r\nPING\r\n")
        data = received_until(link, lambda data: data.endswith(b"+PONG\r\n"))
        assert data.count(b"\r\n") == 2


def test_clients_that_come_and_go(node: Server) -> None:
    """Connections that are opened and reset at once, hundreds of them, leave neither clients nor errors."""
    for i in range(300):
        link = node.connect()
        if i % 2:
            link.sendall(b"PING\r\n")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        link.close()
    wait_until(lambda: clients(node) == 1)
