"""What an operator may want of a sentinel: one event each, carried out as a whole or refused (`steering`).

The shell has checked before what only it can: that a program can be run, that a host name resolves.
"""

from __future__ import annotations

from dataclasses import dataclass

from replication.sentinel.options.table import Option
from replication.sentinel.world.address import Address


@dataclass(frozen=True, slots=True)
class Watch:
    """SENTINEL MONITOR: watch the group that is led by `address`."""

    name: str
    address: Address
    quorum: int


@dataclass(frozen=True, slots=True)
class Unwatch:
    """SENTINEL REMOVE: forget the group."""

    name: str


@dataclass(frozen=True, slots=True)
class Reset:
    """SENTINEL RESET: forget what was found of these groups, and any failover of ours."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForceFailover:
    """SENTINEL FAILOVER: promote a replica although the primary may be well, without asking peers."""

    name: str


@dataclass(frozen=True, slots=True)
class SetOption:
    """SENTINEL SET (`group`), SENTINEL CONFIG SET (no group): the value is of the option's kind.

    `told` is what the event about it says of the change, with SENTINEL SET.
    """

    group: str | None
    option: Option
    value: object
    told: str = ""


@dataclass(frozen=True, slots=True)
class RenameCommand:
    """SENTINEL SET ... rename-command: call `old` by the name `new` on this group's nodes."""

    group: str
    old: str
    new: str
    told: str


@dataclass(frozen=True, slots=True)
class SetPeriod:
    """SENTINEL DEBUG: another value, in milliseconds, for a field of `Periods`."""

    field: str
    ms: int


@dataclass(frozen=True, slots=True)
class SimulateFailure:
    """SENTINEL SIMULATE-FAILURE: end the process at these moments of the next failover."""

    after_election: bool
    after_promotion: bool


@dataclass(frozen=True, slots=True)
class Announce:
    """The sentinel serves: tell which groups it watches."""


Order = Watch | Unwatch | Reset | ForceFailover | SetOption | RenameCommand | SetPeriod | SimulateFailure | Announce
"""What an operator wants: either carried out as a whole, or answered by a `messages.Refusal`."""
