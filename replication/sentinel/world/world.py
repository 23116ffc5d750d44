"""Everything one sentinel knows, and the ways to add to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import count

from replication.sentinel.world.address import Address, BadAddress, literal
from replication.sentinel.world.group import (
    Attempt,
    Connection,
    Instance,
    Kind,
    Link,
    Move,
    Patience,
    Peer,
    Primary,
    Replica,
)

RUN_ID_LENGTH = 40
MAX_SANE_EPOCH = 2**62
"""Elections will never reach it; a peer that claims it would leave no epoch to stand in."""
HELLO_CHANNEL = b"__sentinel__:hello"
MAX_NAMES = 10_000
"""Host names whose addresses are remembered; strangers with access to the hello channel can invent any number."""


@dataclass(slots=True)
class Periods:
    """Timing of this sentinel in milliseconds; the fields SENTINEL DEBUG shows and sets, in its order."""

    info_period: int = 10_000
    ping_period: int = 1_000
    ask_period: int = 1_000
    publish_period: int = 2_000
    default_down_after: int = 30_000
    default_failover_timeout: int = 180_000
    tilt_trigger: int = 2_000
    tilt_period: int = 30_000
    slave_reconf_timeout: int = 10_000
    min_link_reconnect_period: int = 15_000
    election_timeout: int = 10_000
    script_max_runtime: int = 60_000
    script_retry_delay: int = 30_000


class DuplicateInstance(ValueError):
    """The name, address or run id is already watched."""


@dataclass(slots=True)
class World:
    """All of it, and the ways to add to it. Invariant: `links` holds exactly the links with owners."""

    my_id: str
    port: int = 26379
    """The port at which peers reach us, unless `announce_port` says another."""
    epoch: int = 0
    """The newest election epoch that we have heard of. Never lowered."""
    groups: dict[str, Primary] = field(default_factory=dict)
    links: dict[int, Link] = field(default_factory=dict)
    periods: Periods = field(default_factory=Periods)
    tilt: bool = False
    tilt_since_ms: int = 0
    announce_ip: str | None = None
    announce_port: int = 0
    deny_scripts_reconfig: bool = True
    resolve_hostnames: bool = False
    announce_hostnames: bool = False
    peer_user: str | None = None
    peer_pass: str | None = field(default=None, repr=False)
    own_pass: str | None = field(default=None, repr=False)
    """`requirepass`, used towards peers when no sentinel-pass is set."""
    crash_after_election: bool = False
    crash_after_promotion: bool = False
    names: dict[str, str] = field(default_factory=dict)
    """The addresses of host names, as the last look-up of each told."""
    lookups: dict[str, set[str]] = field(default_factory=dict)
    """The names that are being looked up, and which groups want their primary's INFO again then."""
    link_ids: Iterator[int] = field(default_factory=lambda: count(1))

    def shown(self, address: Address) -> str:
        """The host of an address as clients and peers are told it."""
        return address.host if self.announce_hostnames else address.ip

    def known_ip(self, host: str) -> str | None:
        """The address of a host: a literal is its own, a name's is what was looked up, while names are allowed."""
        return literal(host) or (self.names.get(host) if self.resolve_hostnames else None)

    def learn_name(self, host: str, ip: str) -> None:
        """A look-up told the address of a host name; the oldest of too many names is forgotten."""
        self.names.pop(host, None)
        self.names[host] = ip
        if len(self.names) > MAX_NAMES:
            del self.names[next(iter(self.names))]

    def address(self, host: str, port: int) -> Address:
        """The address of a host that is known. Raises BadAddress with Redis's words."""
        if not 0 <= port <= 65535:
            raise BadAddress("Invalid port number.")
        ip = self.known_ip(host)
        if ip is None:
            raise BadAddress("Can't resolve instance hostname.")
        return Address(host, port, ip)

    def address_or_literal(self, host: str, port: int) -> Address:
        """As `address`, for hosts that were accepted before: one that isn't known is kept as it is."""
        return Address(host, port, self.known_ip(host) or host)

    def new_link(self, now: int, *, with_pubsub: bool) -> Link:
        """A link without owners yet, which whoever makes it gives one."""
        link = Link(next(self.link_ids), now, with_pubsub)
        self.links[link.id] = link
        return link

    def add_group(self, name: str, address: Address, quorum: int, now: int) -> Primary:
        """A group to watch, with the default options. Raises DuplicateInstance if there is one of that name."""
        if name in self.groups:
            raise DuplicateInstance("Duplicate master name.")
        group = Primary(Kind.PRIMARY, name, address, self.new_link(now, with_pubsub=True), quorum=quorum)
        group.down_after_ms = self.periods.default_down_after
        group.failover_timeout_ms = self.periods.default_failover_timeout
        group.role_since_ms = now
        group.link.owners.append(group)
        self.groups[name] = group
        return group

    def add_replica(self, group: Primary, address: Address, now: int) -> Replica:
        """A replica of the group. Raises DuplicateInstance if one is known at that address."""
        name = f"{self.shown(address)}:{address.port}"
        if name in group.replicas:
            raise DuplicateInstance("Duplicate hostname and port for replica.")
        replica = Replica(Kind.REPLICA, name, address, self.new_link(now, with_pubsub=True), group=group)
        replica.role, replica.role_since_ms, replica.follows_since_ms = Kind.REPLICA, now, now
        replica.link.owners.append(replica)
        group.replicas[name] = replica
        return replica

    def add_peer(self, group: Primary, run_id: str, address: Address, now: int) -> Peer:
        """A peer that watches the group, over the link to it if other groups have one. Raises DuplicateInstance."""
        if run_id in group.peers:
            raise DuplicateInstance("Duplicate runid for sentinel.")
        shared = next((g.peers[run_id].link for g in self.groups.values() if run_id in g.peers), None)
        link = shared or self.new_link(now, with_pubsub=False)
        peer = Peer(Kind.PEER, run_id, address, link, run_id=run_id, group=group, hello_ms=now)
        link.owners.append(peer)
        group.peers[run_id] = peer
        return peer

    def group_at(self, host: str, port: int) -> Primary | None:
        """The group whose primary is at this name or address."""
        return next((g for g in self.groups.values() if g.address.is_at(host, port)), None)

    def replica_at(self, group: Primary, host: str, port: int) -> Replica | None:
        """The replica of the group at this name or address, or at the address that the name is known to have."""
        ip = self.known_ip(host) or host
        return next((r for r in group.replicas.values() if r.address.is_at(host, port)
                     or r.address.is_at(ip, port)), None)

    def shift_clock(self, shift_ms: int) -> None:
        """Move every remembered moment by `shift_ms`, as the clock itself was moved."""
        for thing in self._remembering():
            for name in (each.name for each in fields(thing)):
                if name.endswith("_ms") and name not in _DURATIONS and getattr(thing, name):
                    setattr(thing, name, max(1, getattr(thing, name) + shift_ms))

    def _remembering(self) -> Iterator[Link | Connection | Instance | Patience | Attempt | Move]:
        """All that has moments in it: fields whose names end in `_ms`."""
        for link in self.links.values():
            yield from (link, link.command, link.pubsub)
        for group in self.groups.values():
            yield from group.members()
            yield group.patience
            if group.failover is not None:
                yield group.failover
                yield from group.failover.moves.values()


_DURATIONS = frozenset({"down_after_ms", "refused_after_ms", "failover_timeout_ms", "reboot_down_after_ms",
                        "link_down_ms"})
