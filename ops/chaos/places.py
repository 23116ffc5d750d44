"""Where things are: nine places on three hosts, and which of them don't hear each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

HOSTS = (1, 2, 3)
KINDS = ("node", "sentinel", "clients")
PORTS = {"node": 7000, "sentinel": 17000, "clients": 0}
SERVICE = "chaos"

Pair: TypeAlias = tuple[str, str]
"""Names of two places, who sends and who receives."""


@dataclass(frozen=True)
class Place:
    """One address, with one process: a data node, a sentinel, or all clients of a host."""

    kind: str
    host: int
    address: str

    @property
    def name(self) -> str:
        """As in `node-1`."""
        return f"{self.kind}-{self.host}"

    @property
    def port(self) -> int:
        """The port at which others reach it; 0 for clients."""
        return PORTS[self.kind]


def places(network: str) -> tuple[Place, ...]:
    """All places, their addresses within the network (`198.18.0`, say)."""
    return tuple(Place(k, host, f"{network}.{10 * host + n}") for host in HOSTS for n, k in enumerate(KINDS, 1))


def both_ways(some: Iterable[str], others: Iterable[str]) -> frozenset[Pair]:
    """The pairs between two groups, in both directions."""
    one = one_way(some, others)
    return one | {(b, a) for a, b in one}


def one_way(some: Iterable[str], others: Iterable[str]) -> frozenset[Pair]:
    """The pairs from one group to another."""
    others = tuple(others)
    return frozenset((a, b) for a in some for b in others if a != b)


class Network(Protocol):
    """What lies between the places."""

    kind: str
    """For the operator: how it was made."""
    limits: tuple[str, ...]
    """Names of faults that can't be made here."""
    places: tuple[Place, ...]

    async def open(self) -> None:
        """Make it."""

    async def close(self) -> None:
        """Remove it."""

    def command(self, place: Place, words: list[str]) -> list[str]:
        """What starts a process at a place."""

    def listen(self, place: Place) -> int:
        """The port at which the process itself listens."""

    async def serves(self, place: Place, is_up: bool) -> None:
        """The process at a place is there now, or has ended."""

    async def shape(self, cut: frozenset[Pair], rough: frozenset[str]) -> None:
        """From now on nothing gets through between `cut`; the links of the `rough` are slow, and lose some."""
