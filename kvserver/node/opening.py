"""Listening sockets for the addresses of `bind`."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from kvserver.config import bind_address
from kvserver.doors import Sockets

Address = tuple[str, int]
"""An address in the notation of `bind`, and a port."""
_MISSING = {
    errno.EADDRNOTAVAIL, errno.ENOPROTOOPT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPFNOSUPPORT,
    errno.EAFNOSUPPORT,
}  # fmt: skip
"""The errors of an address, or of a protocol, that this machine doesn't have."""


def open_all(sockets: Sockets, addresses: Iterable[Address], backlog: int) -> list[socket.socket]:
    """Listening sockets for all addresses (in the notation of `bind`).

    Raises:
        OSError: one can't be had (and it isn't merely missing, with a dash that allows it), or none is left.
    """
    opened: list[socket.socket] = []
    asked = 0
    try:
        for text, port in addresses:
            asked += 1
            host, optional = bind_address(text)
            try:
                opened.append(sockets.listen(host, port, backlog))
            except OSError as error:
                if not (optional and error.errno in _MISSING):
                    raise
        if asked and not opened:
            raise OSError("none of the addresses of 'bind' can be listened on")
    except OSError:
        for sock in opened:
            sock.close()
        raise
    return opened
