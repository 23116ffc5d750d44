"""A group: a primary, its replicas, the other sentinels (peers) that watch it, the links to all of them, and
the attempt to fail it over, if this sentinel makes one.

`Primary` stands for the group as well as for the process that leads it now: after a failover the object stays,
with another address and a fresh link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from replication.sentinel.world.address import Address
from replication.sentinel.world.gathering import Gathering
from replication.sentinel.world.stages import TRANSITIONS, Outcome, Reconf, Stage
from replication.sentinel.world.standing import Standing


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
    """Whether a connection stands, or is being made."""

    DOWN = 0
    CONNECTING = 1
    UP = 2


@dataclass(slots=True)
class Connection:
    """One lane as the decisions see it."""

    state: LaneState = LaneState.DOWN
    since_ms: int = 0
    """When it came into its state."""
    active_ms: int = 0
    """When something last arrived on it (on the subscription's lane)."""
    retry_ms: int = 0
    """When the next attempt is due."""
    failures: int = 0
    """Attempts since the last answered ping."""


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
    """Our own address on this link, once it stood: what we announce, unless we are told otherwise."""
    pending: int = 0
    """Requests on the command lane that have yet to be answered."""
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
        """The connection of this lane."""
        return self.command if lane is Lane.COMMAND else self.pubsub

    @property
    def ready(self) -> bool:
        """Whether requests can be sent."""
        return self.command.state is LaneState.UP

    @property
    def disconnected(self) -> bool:
        """Whether a connection that should stand doesn't."""
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
    """When it last became that; stays when the process is back."""
    published_ms: int = 0
    """When our hello was last sent to it; 0: one is due."""
    script_kill_sent: bool = False
    info_ms: int = 0
    info_in_flight: bool = False
    info_text: bytes | None = None
    role: Kind = Kind.PRIMARY
    """The role the process itself reported last."""
    role_since_ms: int = 0
    standing: Standing | None = None
    """Where it stands in a quorum, as its last INFO said; None: in none, or nothing is known of it."""

    def forget_process(self, now: int) -> None:
        """Another process is meant from here on: nothing that was seen of the former one counts."""
        self.run_id = self.info_text = self.standing = None
        self.down = self.script_kill_sent = self.info_in_flight = False
        self.info_ms = 0
        self.role, self.role_since_ms = self.kind, now


@dataclass(slots=True, eq=False)
class Replica(Instance):
    """A node that follows the group's primary, or should."""

    group: Primary = None  # type: ignore[assignment]  # set by World.add_replica, the only maker
    priority: int = 100
    offset: int = 0
    """Its replication offset in bytes, as it told last."""
    announced: bool = True
    follows_host: str | None = None
    follows_port: int = 0
    follows_since_ms: int = 0
    link_up: bool = False
    syncing: bool = False
    """It is receiving a data set from its primary."""
    link_down_ms: int = 0
    """For how long the replica says its own link to its primary has been down."""
    corrected_ms: int = 0
    """When we last told it, outside of a failover, to follow the primary."""

    @property
    def promoted(self) -> bool:
        """Whether the attempt under way chose this replica."""
        return self.group.failover is not None and self.group.failover.promoted is self

    @property
    def reconf(self) -> Reconf:
        """How far the attempt under way has led this replica over to the promoted one."""
        move = self.group.failover.moves.get(self.name) if self.group.failover is not None else None
        return Reconf.NONE if move is None else move.state


@dataclass(slots=True, eq=False)
class Peer(Instance):
    """Another sentinel that watches the group."""

    group: Primary = None  # type: ignore[assignment]  # set by World.add_peer, the only maker
    primary_down: bool = False
    """The peer says that it, too, considers the primary down."""
    answered_ms: int = 0
    asked_ms: int = 0
    leader: str | None = None
    """Who has its vote in `leader_epoch`, as it told; None: unknown."""
    leader_epoch: int = 0
    hello_ms: int = 0
    """When its last hello came, and, below, the configuration that it named."""
    hello_epoch: int = 0
    hello_address: tuple[str, int] = ("", 0)

    def forget_opinion(self) -> None:
        """What it said of the primary is too old, or was said of another one."""
        self.primary_down, self.leader = False, None


@dataclass(slots=True)
class Move:
    """One replica on its way to the promoted one."""

    state: Reconf
    sent_ms: int


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt of this sentinel to fail a group over: made when it stands for election, dropped at the end.

    Nothing of it outlives it. What must (votes, epochs, how long to wait before the next one) is the group's.
    """

    epoch: int
    """The epoch that it was opened with, and in which it is elected."""
    started_ms: int
    forced: bool = False
    """An operator wants it: the votes of others aren't needed."""
    planned: bool = False
    """...and the primary leads: it is to hand over (in a group that goes by quorum)."""
    shuns: bool = False
    """The primary isn't asked: it leads, but nobody follows it, and what nobody else has must not win."""
    unsafe: bool = False
    """...even where that may lose what was acknowledged (FORCE-UNSAFE, in a group that goes by quorum)."""
    stage: Stage = Stage.WAIT_START
    stage_since_ms: int = 0
    promoted: Replica | Primary | None = None
    """The replica chosen, from SEND_SLAVEOF_NOONE on. By quorum it may be the primary itself, which leads anew."""
    gathering: Gathering | None = None
    """What nodes promised, in a group that goes by quorum, once we are elected."""
    moves: dict[str, Move] = field(default_factory=dict)
    """The replicas told to follow the promoted one, by name, from RECONF_SLAVES on."""

    def __post_init__(self) -> None:
        self.stage_since_ms = self.started_ms

    def after(self, outcome: Outcome, now: int) -> bool:
        """Go on as the table says; False: the attempt is over. KeyError: a stage can't end so."""
        following = TRANSITIONS[self.stage][outcome]
        if following is not None:
            self.stage, self.stage_since_ms = following, now
        return following is not None


@dataclass(slots=True)
class Patience:
    """What keeps this sentinel from standing for election, though the primary is objectively down."""

    stand_at_ms: int = 0
    """When it will stand, once it has decided to: sentinels stand one after the other. 0: not decided."""
    until_ms: int = 0
    """It doesn't stand before this moment..."""
    since_ms: int = 0
    candidate: str | None = None
    """...because this peer has its vote, or (None) because its own last attempt failed."""
    missing: set[str] = field(default_factory=set)
    """The nodes whose promises its last attempt lacked: once one of them is back, it needn't wait longer."""
    reason: str = ""
    """Why nothing was promoted, in a group that goes by quorum; empty once something was."""
    failures: int = 0
    """Its attempts that were given up since the last success: each makes the next pause longer."""


@dataclass(slots=True, eq=False)
class Primary(Instance):
    """The group, and the process that leads it: options first, then what was learned, then what goes on."""

    quorum: int = 1
    down_after_ms: int = 30_000
    refused_after_ms: int = 100
    """A proven process that refuses connections this long is dead; 0: refusals are only silence."""
    failover_timeout_ms: int = 180_000
    parallel_syncs: int = 1
    auth_user: str | None = None
    auth_pass: str | None = field(default=None, repr=False)
    notification_script: str | None = None
    client_reconfig_script: str | None = None
    reboot_down_after_ms: int = 0
    renamed: dict[str, str] = field(default_factory=dict)

    replicas: dict[str, Replica] = field(default_factory=dict)
    peers: dict[str, Peer] = field(default_factory=dict)

    # These three are the safety of elections, and durable: no reset, switch or end of an attempt lowers them.
    config_epoch: int = 0
    """The epoch of the election that made the present primary."""
    leader_epoch: int = 0
    """The newest epoch in which this sentinel has voted."""
    leader: str | None = None
    """For whom; None after a reset or a restart: then nobody gets that epoch's vote any more."""

    isolated_since_ms: int = 0
    """Since when it is known that the primary leads and doesn't hear its followers, though we hear all; 0: it isn't."""
    leaderless_since_ms: int = 0
    """Since when it is known, in a group that goes by quorum, that the primary is up and doesn't lead; 0: it isn't."""
    by_quorum: bool = False
    """Its nodes acknowledge by quorum: it is failed over by promises. Learned from them, and durable: a sentinel that
    restarts, and finds an empty node first, would have that one lead."""
    objectively_down: bool = False
    objectively_down_since_ms: int = 0
    rebooting_since_ms: int = 0
    failover: Attempt | None = None
    """The attempt that this sentinel makes; None while it makes none, whatever others do."""
    patience: Patience = field(default_factory=Patience)
    """Outlives an attempt: it is what a failed one leaves behind."""

    @property
    def failing_over(self) -> bool:
        """Whether this sentinel stands for election or leads a failover."""
        return self.failover is not None

    def current_address(self) -> Address:
        """The address clients should use: the promoted replica's, once it has taken the role."""
        attempt = self.failover
        if attempt is not None and attempt.promoted is not None and attempt.stage >= Stage.RECONF_SLAVES:
            return attempt.promoted.address
        return self.address

    def nodes(self) -> Iterator[Primary | Replica]:
        """The primary and its replicas."""
        yield self
        yield from self.replicas.values()

    def members(self) -> Iterator[Instance]:
        """The primary, its replicas, its peers."""
        yield self
        yield from self.replicas.values()
        yield from self.peers.values()


def group_of(instance: Instance) -> Primary:
    """The group an instance belongs to."""
    if isinstance(instance, (Replica, Peer)):
        return instance.group
    assert isinstance(instance, Primary)
    return instance
