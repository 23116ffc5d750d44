"""What one sentinel knows: the groups it watches, and every process in them.

A *group* is a primary, its replicas, and the other sentinels (peers) that watch the same primary under the
same name. `Primary` stands for the group as well as for the process that leads it now: after a failover the
object stays, with another address and a fresh link.

Nothing here decides. Times are milliseconds of whatever clock the caller passes as `now`; 0 means "never".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from enum import Enum, IntEnum
from itertools import chain, count

RUN_ID_LENGTH = 40
MAX_SANE_EPOCH = 2**62
"""Elections will never reach it; a peer that claims it would leave no epoch to stand in."""
HELLO_CHANNEL = b"__sentinel__:hello"

Resolve = Callable[[str], "str | None"]
"""Host name or address literal in, address literal out; None when it does not resolve."""


class Kind(Enum):
    """What a watched process is; the value is the wire word."""

    PRIMARY = "master"
    REPLICA = "slave"
    PEER = "sentinel"


class Lane(Enum):
    """The two connections to a node: requests, and the hello subscription. Peers have the first only."""

    COMMAND = "cmd"
    PUBSUB = "pubsub"


class LaneState(IntEnum):
    DOWN = 0
    CONNECTING = 1
    UP = 2


class Stage(IntEnum):
    """Where a failover stands. The names in lower case are those of SENTINEL MASTER's failover-state."""

    NONE = 0
    WAIT_START = 1
    SELECT_SLAVE = 2
    SEND_SLAVEOF_NOONE = 3
    WAIT_PROMOTION = 4
    RECONF_SLAVES = 5
    UPDATE_CONFIG = 6


class Reconf(Enum):
    """How far a replica is in following the promoted one; the value is the wire flag."""

    NONE = ""
    SENT = "reconf_sent"
    IN_PROGRESS = "reconf_inprog"
    DONE = "reconf_done"


@dataclass(frozen=True, slots=True)
class Address:
    """`host` as configured or reported, `ip` as it resolved (the same for a literal)."""

    host: str
    port: int
    ip: str

    def same(self, other: Address) -> bool:
        return self.port == other.port and (self.ip == other.ip or self.host.lower() == other.host.lower())

    def is_at(self, host: str | None, port: int) -> bool:
        if host is None or port != self.port:
            return False
        return host.lower() in (self.host.lower(), self.ip.lower())


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


@dataclass(slots=True)
class Connection:
    """One lane as the decisions see it. `failures` counts attempts since the last answered ping."""

    state: LaneState = LaneState.DOWN
    since_ms: int = 0
    active_ms: int = 0
    retry_ms: int = 0
    failures: int = 0


@dataclass(slots=True)
class Link:
    """The connections to one process and what pings over them told.

    Groups that share a peer share its link (`owners`), so that five sentinels watching a hundred primaries
    keep five connections, not five hundred.
    """

    id: int
    created_ms: int
    with_pubsub: bool
    owners: list[Instance] = field(default_factory=list)
    command: Connection = field(default_factory=Connection)
    pubsub: Connection = field(default_factory=Connection)
    local_ip: str = ""
    pending: int = 0
    waiting_since_ms: int = 0
    """When the oldest unanswered ping was sent; 0 when none is out."""
    ping_sent_ms: int = 0
    ping_seen_ms: int = 0
    """The last reply to a ping, whatever it said."""
    alive_ms: int = 0
    """The last reply to a ping that counts as life."""
    proven: bool = False
    """True once a ping was answered: only then does a refused connection mean that the process died."""
    refused_since_ms: int = 0
    refusals: int = 0

    def __post_init__(self) -> None:
        self.waiting_since_ms = self.ping_seen_ms = self.alive_ms = self.created_ms
        self.command.retry_ms = self.pubsub.retry_ms = self.created_ms

    def lane(self, lane: Lane) -> Connection:
        return self.command if lane is Lane.COMMAND else self.pubsub

    @property
    def ready(self) -> bool:
        return self.command.state is LaneState.UP

    @property
    def disconnected(self) -> bool:
        if not self.ready:
            return True
        return self.with_pubsub and self.pubsub.state is not LaneState.UP


@dataclass(slots=True, eq=False)
class Instance:
    """What primaries, replicas and peers have in common."""

    kind: Kind
    name: str
    address: Address
    link: Link
    run_id: str | None = None
    down: bool = False
    """Subjectively down: in the opinion of this sentinel alone."""
    down_since_ms: int = 0
    published_ms: int = 0
    script_kill_sent: bool = False
    info_ms: int = 0
    info_in_flight: bool = False
    info_text: bytes | None = None
    role: Kind = Kind.PRIMARY
    """The role the process itself reported last."""
    role_since_ms: int = 0


@dataclass(slots=True, eq=False)
class Replica(Instance):
    group: Primary = None  # type: ignore[assignment]  # set by World.add_replica, the only maker
    priority: int = 100
    offset: int = 0
    announced: bool = True
    follows_host: str | None = None
    follows_port: int = 0
    follows_since_ms: int = 0
    link_up: bool = False
    link_down_ms: int = 0
    """For how long the replica says its own link to its primary has been down."""
    promoted: bool = False
    reconf: Reconf = Reconf.NONE
    reconf_sent_ms: int = 0


@dataclass(slots=True, eq=False)
class Peer(Instance):
    group: Primary = None  # type: ignore[assignment]  # set by World.add_peer, the only maker
    primary_down: bool = False
    """The peer says that it, too, holds the primary for down."""
    answered_ms: int = 0
    asked_ms: int = 0
    leader: str | None = None
    leader_epoch: int = 0
    hello_ms: int = 0
    hello_epoch: int = 0
    hello_address: tuple[str, int] = ("", 0)


@dataclass(slots=True, eq=False)
class Primary(Instance):
    quorum: int = 1
    down_after_ms: int = 30_000
    refused_after_ms: int = 100
    """A proven process that refuses connections this long is dead; 0: refusals are only silence."""
    failover_timeout_ms: int = 180_000
    parallel_syncs: int = 1
    auth_user: str | None = None
    auth_pass: str | None = None
    notification_script: str | None = None
    client_reconfig_script: str | None = None
    reboot_down_after_ms: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    replicas: dict[str, Replica] = field(default_factory=dict)
    peers: dict[str, Peer] = field(default_factory=dict)

    config_epoch: int = 0
    leader: str | None = None
    leader_epoch: int = 0
    objectively_down: bool = False
    objectively_down_since_ms: int = 0
    rebooting_since_ms: int = 0

    stage: Stage = Stage.NONE
    stage_since_ms: int = 0
    failover_epoch: int = 0
    forced: bool = False
    promoted: Replica | None = None
    start_at_ms: int = 0
    """When this sentinel will stand for election, once it has decided to; 0: not decided."""
    started_ms: int = 0
    attempts: int = 0
    hold_until_ms: int = 0
    """No failover of our own before this moment..."""
    hold_since_ms: int = 0
    held_for: str | None = None
    """...because this peer has our vote, or (None) because our own last attempt failed."""

    @property
    def failing_over(self) -> bool:
        return self.stage is not Stage.NONE

    def current_address(self) -> Address:
        """The address clients should use: the promoted replica's, once it has taken the role."""
        if self.promoted is not None and self.stage >= Stage.RECONF_SLAVES:
            return self.promoted.address
        return self.address

    def members(self) -> Iterator[Instance]:
        yield self
        yield from self.replicas.values()
        yield from self.peers.values()


def group_of(instance: Instance) -> Primary:
    """The group an instance belongs to."""
    if isinstance(instance, (Replica, Peer)):
        return instance.group
    assert isinstance(instance, Primary)
    return instance


class DuplicateInstance(ValueError):
    """The name, address or run id is already watched."""


class BadAddress(ValueError):
    """The host does not resolve, or the port is out of range."""


@dataclass(slots=True)
class World:
    """All of it, and the ways to add to it. Invariant: `links` holds exactly the links with owners."""

    my_id: str
    resolve: Resolve
    port: int = 26379
    epoch: int = 0
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
    peer_pass: str | None = None
    own_pass: str | None = None
    """`requirepass`, used towards peers when no sentinel-pass is set."""
    crash_after_election: bool = False
    crash_after_promotion: bool = False
    link_ids: Iterator[int] = field(default_factory=lambda: count(1))

    def shown(self, address: Address) -> str:
        return address.host if self.announce_hostnames else address.ip

    def address(self, host: str, port: int) -> Address:
        """Resolve, or raise BadAddress with Redis's words."""
        if not 0 <= port <= 65535:
            raise BadAddress("Invalid port number.")
        ip = self.resolve(host)
        if ip is None:
            raise BadAddress("Can't resolve instance hostname.")
        return Address(host, port, ip)

    def address_or_literal(self, host: str, port: int) -> Address:
        """As `address`, for hosts that were accepted before: one that no longer resolves is kept as it is."""
        return Address(host, port, self.resolve(host) or host)

    def new_link(self, now: int, *, with_pubsub: bool) -> Link:
        link = Link(next(self.link_ids), now, with_pubsub)
        self.links[link.id] = link
        return link

    def add_group(self, name: str, address: Address, quorum: int, now: int) -> Primary:
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
        name = f"{self.shown(address)}:{address.port}"
        if name in group.replicas:
            raise DuplicateInstance("Duplicate hostname and port for replica.")
        replica = Replica(Kind.REPLICA, name, address, self.new_link(now, with_pubsub=True), group=group)
        replica.role, replica.role_since_ms, replica.follows_since_ms = Kind.REPLICA, now, now
        replica.link.owners.append(replica)
        group.replicas[name] = replica
        return replica

    def add_peer(self, group: Primary, run_id: str, address: Address, now: int) -> Peer:
        if run_id in group.peers:
            raise DuplicateInstance("Duplicate runid for sentinel.")
        shared = next((g.peers[run_id].link for g in self.groups.values() if run_id in g.peers), None)
        link = shared or self.new_link(now, with_pubsub=False)
        peer = Peer(Kind.PEER, run_id, address, link, run_id=run_id, group=group, hello_ms=now)
        link.owners.append(peer)
        group.peers[run_id] = peer
        return peer

    def group_at(self, host: str, port: int) -> Primary | None:
        return next((g for g in self.groups.values() if g.address.is_at(host, port)), None)

    def replica_at(self, group: Primary, host: str, port: int) -> Replica | None:
        ip = self.resolve(host) or host
        return next((r for r in group.replicas.values() if r.address.is_at(host, port)
                     or r.address.is_at(ip, port)), None)

    def shift_clock(self, shift_ms: int) -> None:
        """Move every remembered moment by `shift_ms`, as the clock itself was moved."""
        lanes = chain.from_iterable((link.command, link.pubsub) for link in self.links.values())
        members = chain.from_iterable(group.members() for group in self.groups.values())
        things: Iterator[Link | Connection | Instance] = chain(self.links.values(), lanes, members)
        for thing in things:
            for name in (each.name for each in fields(thing)):
                if name.endswith("_ms") and name not in _DURATIONS and getattr(thing, name):
                    setattr(thing, name, max(1, getattr(thing, name) + shift_ms))


_DURATIONS = frozenset({"down_after_ms", "refused_after_ms", "failover_timeout_ms", "reboot_down_after_ms",
                        "link_down_ms"})
