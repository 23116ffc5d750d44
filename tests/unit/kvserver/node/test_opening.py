"""The sockets a node listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kvserver.doors.real import RealSockets
from kvserver.node.opening import open_all

MISSING = "192.0.2.1"
"""An address kept for documentation: no machine has it."""


@pytest.fixture
def taken() -> Iterator[int]:
    """The port of a socket that listens on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def test_an_address_with_a_dash_may_be_missing() -> None:
    """What the machine lacks is left out if a dash allows it, as long as something is left."""
    opened = open_all(RealSockets(), [(f"-{MISSING}", 0), ("127.0.0.1", 0)], 5)
    assert [sock.getsockname()[0] for sock in opened] == ["127.0.0.1"]
    opened[0].close()
    with pytest.raises(OSError, match="none of the addresses"):
        open_all(RealSockets(), [(f"-{MISSING}", 0)], 5)
    with pytest.raises(OSError, match="assign requested address"):
        open_all(RealSockets(), [("127.0.0.1", 0), (MISSING, 0)], 5)


def test_an_address_with_a_dash_may_not_be_taken(taken: int) -> None:
    """A dash excuses an address that isn't there, not one where somebody else listens."""
    with pytest.raises(OSError, match="in use"):
        open_all(RealSockets(), [("127.0.0.2", 0), ("-127.0.0.1", taken)], 5)
