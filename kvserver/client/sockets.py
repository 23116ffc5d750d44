"""Small questions to sockets: their addresses, their options, whether the peer has hung up."""

from __future__ import annotations

import asyncio
import select
import socket
from typing import Any


def hung_up(descriptors: list[int]) -> set[int]:
    """Return those of the file descriptors whose peers have closed their end, without reading what waits.

    Where the system can't tell (POLLRDHUP is Linux's) none.
    """
    if not descriptors or not hasattr(select, "POLLRDHUP"):
        return set()
    poll = select.poll()
    for fd in descriptors:
        poll.register(fd, select.POLLRDHUP)
    return {fd for fd, _ in poll.poll(0)}


def address(name: Any, transport: asyncio.BaseTransport) -> str:
    """Show a socket address as CLIENT LIST does: ip:port, [ip6]:port, path:0."""
    if isinstance(name, tuple) and len(name) >= 2:
        host = f"[{name[0]}]" if ":" in str(name[0]) else name[0]
        return f"{host}:{name[1]}"
    own = transport.get_extra_info("sockname")
    path = name or own
    return f"{path.decode() if isinstance(path, bytes) else path}:0"


def is_local(host: str) -> bool:
    """Whether a peer's address is one of this machine's own loopback."""
    return host == "::1" or host.startswith(("127.", "::ffff:127."))


def tune_socket(sock: Any, keepalive_s: int) -> None:
    """Ask the kernel to notice dead peers (tcp-keepalive)."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if keepalive_s:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", keepalive_s),
            ("TCP_KEEPINTVL", max(keepalive_s // 3, 1)),
            ("TCP_KEEPCNT", 3),
        ):
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def duplicate(known: Any) -> socket.socket:
    """A second handle of a socket that the loop has; it shares the first one's mode, and never blocks."""
    sock = socket.fromfd(known.fileno(), known.family, known.type, known.proto)
    sock.setblocking(False)
    return sock
