"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket

# Below Linux's ephemeral range (32768 and up), so that no client's outgoing connection takes the port
# between our look and the server's bind.
LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000

_handed_out: set[int] = set()
_random = random.Random()


def free_port() -> int:
    """A port nobody listens on at 127.0.0.1, never the same one twice in a test run's process."""
    for _ in range(1000):
        port = _random.randrange(LOWEST_PORT, HIGHEST_PORT)
        if port in _handed_out or not _can_bind(port):
            continue
        _handed_out.add(port)
        return port
    raise OSError(f"no free port between {LOWEST_PORT} and {HIGHEST_PORT}")


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
