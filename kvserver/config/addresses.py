"""What an address of `bind`, or of `http-bind`, means."""

from __future__ import annotations

from typing import NamedTuple

_WILDCARDS = {"*": "0.0.0.0", "::*": "::"}


class BindAddress(NamedTuple):
    """Where to listen: a host for the system's resolver, and whether this machine may lack it."""

    host: str
    optional: bool


def bind_address(text: str) -> BindAddress:
    """Read one address: `*` and `::*` are all of IPv4 and all of IPv6, a leading dash marks one that may be missing."""
    host = text.removeprefix("-")
    return BindAddress(_WILDCARDS.get(host, host), host != text)
