"""Primaries that misbehave: what they send is no snapshot, is cut short, or they fall silent."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from support import wait_until
from support.replicas import start


class FakePrimary:
    """Answers the handshake, then sends `payload` and closes, again and again."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                with peer, suppress(OSError):
                    self._answer(peer)

    def _answer(self, peer: socket.socket) -> None:
        while data := peer.recv(65536):
            if b"PSYNC" in data:
                self.asked += 1
                peer.sendall(self.payload)
                return
            peer.sendall(b"+PONG\r\n" if b"PING" in data else b"+OK\r\n")

    def close(self) -> None:
        self._listener.close()


FULL = b"+FULLRESYNC " + b"a" * 40 + b" 10\r\n"


@pytest.mark.parametrize(
    "payload",
    [
        b"garbage without end " * 1000,
        b"+FULLRESYNC nonsense\r\n",
        FULL + b"$-5\r\n",
        FULL + b"$100\r\nREDIS0011truncated",
        FULL + b"$30\r\n" + b"\xff" * 30,
        FULL + b"$EOF:" + b"m" * 40 + b"\r\nREDIS0010\xfa" + b"m" * 40,
        FULL + b"-ERR no\r\n",
        b"+CONTINUE " + b"b" * 40 + b"\r\n*99999999999\r\n",
        b"+CONTINUE\r\n*1\r\n$3\r\nFOO\r\n*2\r\n$4\r\nBLPO\r\n",
        b"-ERR unknown command\r\n",
    ],
)
def test_a_primary_that_sends_nonsense(stack: ExitStack, payload: bytes) -> None:
    """Nonsense from a primary leaves the data alone and the node serving, which tries again."""
    fake = FakePrimary(payload)
    stack.callback(fake.close)
    node = start(stack)
    node.command("SET", "a", "b")
    node.command("REPLICAOF", "127.0.0.1", fake.port)
    wait_until(lambda: fake.asked >= 2, what="a second attempt")
    assert node.command("GET", "a") == b"b"
    assert "Traceback" not in node.log_text()
    node.command("REPLICAOF", "NO", "ONE")
    assert node.command("SET", "a", "c")


def test_a_silent_primary_is_left(stack: ExitStack) -> None:
    """A primary that accepts the stream's connection and then says nothing is given up after repl-timeout."""
    listener = socket.create_server(("127.0.0.1", 0))
    stack.callback(listener.close)
    node = start(stack, repl_timeout=1)
    node.command("REPLICAOF", "127.0.0.1", listener.getsockname()[1])
    first, _ = listener.accept()
    listener.settimeout(15)
    second, _ = listener.accept()
    first.close()
    second.close()


def empty_snapshot() -> bytes:
    """An RDB file without keys, and without a checksum."""
    return b"REDIS0010\xff" + bytes(8)


HUGE_STRING = b"REDIS0010\x00\x01k\x81\x00\x00\x00\x7f" + bytes(4)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(FULL + b"$%d\r\n" % (len(empty_snapshot()) - 4) + empty_snapshot(), id="announced too short"),
        pytest.param(FULL + b"$%d\r\n" % (len(empty_snapshot()) + 9) + empty_snapshot(), id="announced too long"),
        pytest.param(FULL + b"$%d\r\n" % (1 << 45) + empty_snapshot() + bytes(1000), id="no end"),
        pytest.param(FULL + b"$EOF:%b\r\n" % (b"m" * 40) + HUGE_STRING + bytes(90), id="huge string"),
    ],
)
def test_a_snapshot_of_the_wrong_size(stack: ExitStack, payload: bytes) -> None:
    """A snapshot that isn't as long as announced, or holds a string that isn't, changes nothing."""
    fake = FakePrimary(payload)
    stack.callback(fake.close)
    node = start(stack)
    node.command("SET", "a", "b")
    node.command("REPLICAOF", "127.0.0.1", fake.port)
    wait_until(lambda: fake.asked >= 2, what="a second attempt")
    assert node.command("GET", "a") == b"b"
    assert "Traceback" not in node.log_text()


class StallingPrimary(FakePrimary):
    """Sends its payload, and then nothing more; the connection stays open."""

    def _answer(self, peer: socket.socket) -> None:
        super()._answer(peer)
        with suppress(OSError):
            while peer.recv(65536):
                pass


@pytest.mark.parametrize(
    ("payload", "complaint", "kept"),
    [
        (FULL + b"$100000\r\nREDIS0010", "Timeout receiving bulk data from MASTER", 1),
        (FULL + b"$EOF:" + b"m" * 40 + b"\r\nREDIS0010", "Timeout receiving bulk data from MASTER", 1),
        (FULL, "Timeout receiving bulk data from MASTER", 1),
        (FULL + b"$18\r\n" + empty_snapshot(), "MASTER timeout: no data nor PING received", 0),
    ],
)
def test_a_primary_that_stalls(stack: ExitStack, payload: bytes, complaint: str, kept: int) -> None:
    """Whoever falls silent, during the snapshot or behind it, is left after repl-timeout and asked again."""
    fake = StallingPrimary(payload)
    stack.callback(fake.close)
    node = start(stack, repl_timeout=1)
    node.command("SET", "a", "b")
    node.command("REPLICAOF", "127.0.0.1", fake.port)
    wait_until(lambda: fake.asked >= 2, what="a second attempt")
    assert complaint in node.log_text()
    assert node.command("DBSIZE") == kept
