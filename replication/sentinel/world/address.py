"""Where a process can be reached."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


class BadAddress(ValueError):
    """The host isn't known to resolve, or the port is out of range; the text is Redis's."""


def literal(host: str) -> str | None:
    """The IP address that a text is, in its usual form; None if it isn't one."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Address:
    """`host` as configured or reported, `ip` as it resolved (the same for a literal)."""

    host: str
    port: int
    ip: str

    def same(self, other: Address) -> bool:
        """Whether both name one process: the same port, and the same ip or the same name."""
        return self.port == other.port and (self.ip == other.ip or self.host.lower() == other.host.lower())

    def is_at(self, host: str | None, port: int) -> bool:
        """Whether `host`, a name or an ip, and `port` name this process; a host of None never does."""
        if host is None or port != self.port:
            return False
        return host.lower() in (self.host.lower(), self.ip.lower())
