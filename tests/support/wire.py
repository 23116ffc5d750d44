"""Plain sockets to a server under test, and what the process behind it costs."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from support.servers import Server

MB = 1 << 20


def assert_clean(server: Server) -> None:
    """Nothing in the log tells of an error of ours."""
    text = server.log_text()
    assert "Traceback" not in text, text[-3000:]
    assert "unexpectedly" not in text, text[-3000:]


def received(link: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := link.recv(65536):
            data += chunk
    return data


def read_exactly(link: socket.socket, n: int) -> bytes:
    data = b""
    while len(data) < n:
        chunk = link.recv(min(n - len(data), 1 << 16))
        assert chunk, f"closed after {data[-200:]!r}"
        data += chunk
    return data


def gone(link: socket.socket) -> bool:
    """Whether the server has closed the connection (bytes still on their way are taken and dropped)."""
    link.settimeout(0.05)
    try:
        while link.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def rss_bytes(server: Server) -> int:
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def clients(server: Server) -> int:
    """How many clients it has, the one that asks included."""
    return int(server.info("clients")["connected_clients"])


def received_until(link: socket.socket, whole: Callable[[bytes], bool]) -> bytes:
    """What comes until it is whole; the end of the connection fails, where waiting on would take all the time."""
    data = b""
    while not whole(data):
        piece = link.recv(4096)
        assert piece, f"the connection ended behind {data!r}"
        data += piece
    return data
