"""The same scripts on us and on a real server: replies and error texts are equal, byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Server, start_kvserver, start_redis

from kvserver.wire.resp import encode_request

SCRIPTS = [
    line
    for line in Path(__file__).with_name("scripts.lua").read_text(encoding="utf-8").splitlines()
    if not line.startswith("--")
]
FLAG = b"+END\r\n"


class Wire:
    """A connection whose replies are read as they are, up to a mark sent behind each request."""

    def __init__(self, server: Server, protocol: int) -> None:
        self.sock: socket.socket = server.connect(20.0)
        self.ask("HELLO", str(protocol))

    def ask(self, *args: str) -> bytes:
        mark = encode_request([b"EVAL", b"return {ok='END'}", b"0"])
        self.sock.sendall(encode_request([arg.encode() for arg in args]) + mark)
        received = b""
        while not received.endswith(FLAG):
            data = self.sock.recv(1 << 16)
            assert data, f"the server ended the connection: {received!r}"
            received += data
        return received.removesuffix(FLAG)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with start_redis() as real, start_kvserver() as ours:
        yield real, ours


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("prefix", ["", "redis.setresp(3) "])
def test_scripts(servers: tuple[Server, Server], protocol: int, prefix: str) -> None:
    """Whatever a script does, with either protocol for it and for its caller, the reply is Redis's."""
    real, ours = (Wire(server, protocol) for server in servers)
    for setup in ("FLUSHALL", "HSET hh f v", "RPUSH l a b c", "ZADD z 1.5 m", "SADD s x"):
        assert real.ask(*setup.split()) == ours.ask(*setup.split())
    different = []
    for script in SCRIPTS:
        request = ("EVAL", prefix + script, "1", "k1", "a1", "a2")
        expected, got = real.ask(*request), ours.ask(*request)
        if expected != got:
            different.append(f"{script}\n  real {expected!r}\n  ours {got!r}")
    assert not different, "\n".join(different)
