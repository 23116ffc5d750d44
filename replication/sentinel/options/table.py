"""Every option of a sentinel, one row each: what it is called, what it may be, where it can be read and set.

Two tables, in the order in which a file is written: options of this sentinel (SENTINEL CONFIG), and options of
a group (SENTINEL SET). A row with one value names the attribute that holds it; the default is that attribute's.
Statements with several values say how they are read and written. The file holds what the operator configured
and what the sentinel must not forget: its id, the newest epoch, each group's configuration epoch and last vote,
known replicas and peers. All are Redis 7.0's but `refused-down-after-milliseconds` and `by-quorum`, which are written
only if they differ from their defaults, so that a real Sentinel can take the file over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import NamedTuple

from replication.sentinel.options.kinds import (
    DELAY,
    EPOCH,
    PERIOD,
    PORT,
    QUORUM,
    DirectiveError,
    Kind,
    RunId,
    Text,
    YesNo,
)
from replication.sentinel.world.group import Primary
from replication.sentinel.world.world import World

Words = tuple[str, ...]


class Option(NamedTuple):
    """An option with one value."""

    name: str
    attribute: str
    """The field of `World`, or of `Primary`, that holds the value."""
    kind: Kind
    in_file: bool = True
    by_command: bool = True
    """Whether SENTINEL CONFIG (ours) or SENTINEL SET (a group's) can set it."""
    always: bool = False
    """Written even if it has its default value."""
    default_period: str = ""
    """The field of `Periods` that is the default, which SENTINEL DEBUG can change."""
    reconnects: bool = False
    """Connections made with the former value must be made anew."""
    secret: bool = False
    """Not shown in the event that tells of a change."""
    program: str = ""
    """What Redis's errors call it, if the value is a program that this sentinel runs."""

    def default(self, owner: World | Primary, world: World) -> object:
        """The value of this option if nobody sets it."""
        if self.default_period:
            return getattr(world.periods, self.default_period)
        return next(each.default for each in fields(owner) if each.name == self.attribute)

    def apply(self, owner: World | Primary, world: World, value: object) -> None:
        """Take a value of this option's kind. An epoch lifts that of the sentinel, and never lowers it."""
        if isinstance(value, int) and self.kind is EPOCH:
            world.epoch = max(world.epoch, value)
            if owner is world:
                return
        setattr(owner, self.attribute, value)

    def show(self, owner: World | Primary) -> str:
        """The present value as a text."""
        return self.kind.show(getattr(owner, self.attribute))


class Statement(NamedTuple):
    """An option of a group with several values, of which there may be several. `arity`: how many it takes."""

    name: str
    arity: tuple[int, ...]
    read: Callable[[World, Primary, Words, int], None]
    """Take the values (after the group's name). Raises DirectiveError, BadAddress or DuplicateInstance."""
    write: Callable[[World, Primary], Iterator[Words]]
    """The values, without the group's name, of each statement to be written."""


def _monitor(world: World, group: Primary) -> Iterator[Words]:
    leading = group.current_address()
    yield world.shown(leading), str(leading.port), str(group.quorum)


def _no_such_group(world: World, group: Primary, values: Words, now: int) -> None:
    raise AssertionError("`monitor` makes the group that other statements are about")


def _add_replica(world: World, group: Primary, values: Words, now: int) -> None:
    world.add_replica(group, world.address_or_literal(values[0], PORT.read(values[1], "")), now)


def _replicas(world: World, group: Primary) -> Iterator[Words]:
    """Also the former primary, in the place of the replica that leads now, while that is being settled."""
    leading = group.current_address()
    for replica in group.replicas.values():
        address = group.address if replica.address.same(leading) else replica.address
        yield world.shown(address), str(address.port)


def _add_peer(world: World, group: Primary, values: Words, now: int) -> None:
    """A peer without an id (Redis before 2.8.6 wrote such) is left to be found anew."""
    if len(values) == 3:
        world.add_peer(group, values[2], world.address_or_literal(values[0], PORT.read(values[1], "")), now)


def _peers(world: World, group: Primary) -> Iterator[Words]:
    for peer in group.peers.values():
        yield world.shown(peer.address), str(peer.address.port), peer.name


def _rename(world: World, group: Primary, values: Words, now: int) -> None:
    if values[0].lower() in group.renamed:
        raise DirectiveError("Same command renamed multiple times with rename-command.")
    group.renamed[values[0].lower()] = values[1]


def _renamed(world: World, group: Primary) -> Iterator[Words]:
    yield from group.renamed.items()


def _nothing(world: World, group: Primary) -> Iterator[Words]:
    yield from ()


def add_group(world: World, values: Words, now: int) -> None:
    """`monitor name host port quorum`: the one statement that makes a group.

    Raises DirectiveError, BadAddress or DuplicateInstance.
    """
    name, host, port, quorum_text = values
    quorum = QUORUM.read(quorum_text, "quorum")
    world.add_group(name, world.address(host, PORT.read(port, "port")), quorum, now)


OURS: tuple[Option, ...] = (
    Option("myid", "my_id", RunId(), by_command=False, always=True),
    Option("deny-scripts-reconfig", "deny_scripts_reconfig", YesNo(), by_command=False),
    Option("resolve-hostnames", "resolve_hostnames", YesNo()),
    Option("announce-hostnames", "announce_hostnames", YesNo()),
)
"""Options of this sentinel that are written before the groups..."""

OURS_AFTER_GROUPS: tuple[Option, ...] = (
    Option("current-epoch", "epoch", EPOCH, by_command=False, always=True),
    Option("announce-ip", "announce_ip", Text()),
    Option("announce-port", "announce_port", PORT),
    Option("sentinel-user", "peer_user", Text(), reconnects=True),
    Option("sentinel-pass", "peer_pass", Text(), reconnects=True),
)
"""...and after them."""

GROUP: tuple[Option | Statement, ...] = (
    Statement("monitor", (3,), _no_such_group, _monitor),
    Option("quorum", "quorum", QUORUM, in_file=False),
    Option("down-after-milliseconds", "down_after_ms", PERIOD, default_period="default_down_after"),
    Option("failover-timeout", "failover_timeout_ms", PERIOD, default_period="default_failover_timeout"),
    Option("parallel-syncs", "parallel_syncs", PERIOD),
    Option("refused-down-after-milliseconds", "refused_after_ms", DELAY),
    Option("master-reboot-down-after-period", "reboot_down_after_ms", DELAY),
    Option("notification-script", "notification_script", Text(), program="Notification script"),
    Option("client-reconfig-script", "client_reconfig_script", Text(), program="Client reconfiguration script"),
    Option("auth-pass", "auth_pass", Text(), reconnects=True, secret=True),
    Option("auth-user", "auth_user", Text(), reconnects=True),
    Option("by-quorum", "by_quorum", YesNo(), by_command=False),
    Option("config-epoch", "config_epoch", EPOCH, by_command=False, always=True),
    Option("leader-epoch", "leader_epoch", EPOCH, by_command=False, always=True),
    Statement("known-replica", (2,), _add_replica, _replicas),
    Statement("known-slave", (2,), _add_replica, _nothing),
    Statement("known-sentinel", (2, 3), _add_peer, _peers),
    Statement("rename-command", (2,), _rename, _renamed),
)

OURS_BY_NAME: dict[str, Option] = {row.name: row for row in (*OURS, *OURS_AFTER_GROUPS)}
GROUP_BY_NAME: dict[str, Option | Statement] = {row.name: row for row in GROUP}
SETTABLE_OURS: dict[str, Option] = {name: row for name, row in OURS_BY_NAME.items() if row.by_command}
"""What SENTINEL CONFIG shows and sets, in the order in which it shows them."""
SETTABLE_OF_GROUP: dict[str, Option] = {
    row.name: row for row in GROUP if isinstance(row, Option) and row.by_command}
"""What SENTINEL SET takes with one value; it takes `rename-command` with two."""
