"""Debugging a script on a running node: what the others see meanwhile, and how it ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import redis
from support import Server, start_kvserver, wait_until

from kvserver.wire.resp import encode_request

SCRIPT = b"redis.call('INCR', 'steps')\nlocal a = redis.call('GET', 'steps')\nreturn a"
HARMLESS = b"local a = 1\na = 2\nreturn a"


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_kvserver(busy_reply_threshold=100) as server:
        yield server


def debug(node: Server, script: bytes) -> socket.socket:
    """Begin a session; the script has stopped before its first line."""
    link = node.connect()
    link.sendall(encode_request([b"SCRIPT", b"DEBUG", b"SYNC"]))
    assert link.recv(64) == b"+OK\r\n"
    link.sendall(encode_request([b"EVAL", script, b"0"]))
    assert b"* Stopped at 1" in link.recv(4096)
    return link


def say(link: socket.socket, line: bytes) -> bytes:
    link.sendall(encode_request(line.split(b" ")))
    return link.recv(1 << 16)


def is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.exceptions.ResponseError as failure:
        return str(failure).startswith("BUSY")
    return False


def test_the_others_are_told_and_may_end_it(node: Server) -> None:
    """While a person thinks, the others hear BUSY as for any slow script, and SCRIPT KILL ends the session."""
    client = node.client()
    with debug(node, HARMLESS) as link:
        wait_until(lambda: is_busy(client), what="the script to be slow")
        assert say(link, b"print").endswith(b"context.\r\n")
        wait_until(lambda: is_busy(client), what="the script to be slow again")
        assert client.script_kill()
        assert b"killed by user" in link.makefile("rb").read()
    assert client.ping()


def test_who_hangs_up_leaves_the_script_to_itself(node: Server) -> None:
    """The script of a person who has gone runs to its end, and what it wrote stays."""
    client = node.client()
    client.delete("steps")
    link = debug(node, SCRIPT)
    say(link, b"step")
    link.close()
    wait_until(lambda: not is_busy(client), what="the script to end")
    assert client.get("steps") == b"1"
    assert client.execute_command("EVAL", "return redis.breakpoint()", 0) is None


def test_a_session_ends_with_its_connection(node: Server) -> None:
    """The last lines, the script's reply, and the end of the connection come in this order."""
    with debug(node, HARMLESS) as link:
        link.sendall(encode_request([b"continue"]))
        assert link.makefile("rb").read() == b"*1\r\n+<endsession>\r\n:2\r\n"


def test_no_session_inside_a_transaction(node: Server) -> None:
    """Within EXEC nobody can be waited for."""
    with node.connect() as link:
        for words in ([b"SCRIPT", b"DEBUG", b"SYNC"], [b"MULTI"], [b"EVAL", HARMLESS, b"0"]):
            link.sendall(encode_request(words))
            assert link.recv(4096).startswith(b"+")
        link.sendall(encode_request([b"EXEC"]))
        assert b"can't be debugged" in link.recv(4096)
