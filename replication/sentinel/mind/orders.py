"""What an operator may want of a sentinel: one event each, carried out as a whole or refused (`steering`).

The shell has checked before what only it can: that a program can be run, that a host name resolves.
"""

from __future__ import annotations

from typing import NamedTuple

from replication.sentinel.options.table import Option
from replication.sentinel.world.address import Address


class Watch(NamedTuple):
    """SENTINEL MONITOR: watch the group that is led by `address`."""

    name: str
    address: Address
    quorum: int


class Unwatch(NamedTuple):
    """SENTINEL REMOVE: forget the group."""

    name: str


class Reset(NamedTuple):
    """SENTINEL RESET: forget what was found of these groups, and any failover of ours."""

    names: tuple[str, ...]


class ForceFailover(NamedTuple):
    """SENTINEL FAILOVER: promote a replica although the primary may be well, without asking peers.

    `unsafe` (FORCE-UNSAFE): in a group that goes by quorum, where nobody may lead without a loss, somebody is to all
    the same.
    """

    name: str
    unsafe: bool = False


class SetOption(NamedTuple):
    """SENTINEL SET (`group`), SENTINEL CONFIG SET (no group): the value is of the option's kind.

    `told` is what the event about it says of the change, with SENTINEL SET.
    """

    group: str | None
    option: Option
    value: object
    told: str = ""


class RenameCommand(NamedTuple):
    """SENTINEL SET ... rename-command: call `old` by the name `new` on this group's nodes."""

    group: str
    old: str
    new: str
    told: str


class SetPeriod(NamedTuple):
    """SENTINEL DEBUG: another value, in milliseconds, for a field of `Periods`."""

    field: str
    ms: int


class SimulateFailure(NamedTuple):
    """SENTINEL SIMULATE-FAILURE: end the process at these moments of the next failover."""

    after_election: bool
    after_promotion: bool


class Announce(NamedTuple):
    """The sentinel serves: tell which groups it watches."""


Order = Watch | Unwatch | Reset | ForceFailover | SetOption | RenameCommand | SetPeriod | SimulateFailure | Announce
"""What an operator wants: either carried out as a whole, or answered by a `messages.Refusal`."""
