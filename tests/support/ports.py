"""TCP ports for servers under test, chosen by the kernel and kept for us.

Each port is held by a socket that is bound and doesn't listen. With SO_REUSEADDR on both sides a server can listen
on it all the same, as often as it likes, and nobody else comes by it: the kernel gives a bound port neither to who
asks for any port nor to an outgoing connection. So tests run beside each other and beside whatever else runs.
"""

from __future__ import annotations

import os
import socket
from collections import deque

KEPT = 200
"""Ports held by one process: more than any test uses, fewer than the files a process may open."""

_held: deque[socket.socket] = deque()


def free_port() -> int:
    """A port nobody listens on, at whichever address; it stays ours for as long as the next 200 are asked for."""
    return _hold(0)


def free_ports(*offsets: int) -> int:
    """A first port such that it and those that are `offsets` above it are free; all are ours, as with `free_port`."""
    for _ in range(100):
        first = free_port()
        try:
            for offset in offsets:
                _hold(first + offset)
        except (OSError, OverflowError):
            continue
        return first
    raise OSError(f"no free ports at distances of {offsets}")


def _hold(port: int) -> int:
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", port))
    except BaseException:
        holder.close()
        raise
    if os.name != "posix":  # a bound port couldn't be listened on there
        number: int = holder.getsockname()[1]
        holder.close()
        return number
    _held.append(holder)
    if len(_held) > KEPT:
        _held.popleft().close()
    return int(holder.getsockname()[1])
