"""The catalogue of a sentinel's metrics: what it sees, what it did. Pure; read once per scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from kvserver.metrics.node import NODE
from kvserver.metrics.rows import COUNTER, GAUGE, Metric, Sample, counter, gauge
from kvserver.metrics.view import NodeView
from replication.sentinel.mind.election import usable_sentinels
from replication.sentinel.world.group import Instance, Kind, Primary
from replication.sentinel.world.world import World

_SHARED = frozenset((
    "build_info", "start_time_seconds", "resident_memory_bytes", "cpu_seconds_total",
    "commands_total", "command_seconds_total",
    "commands_rejected_total", "commands_failed_total", "errors_total", "internal_errors_total",
    "connected_clients", "max_clients", "connections_total", "connections_rejected_total", "clients_killed_total",
    "client_disconnections_total",
    "network_receive_bytes_total", "network_transmit_bytes_total", "pubsub_channels", "pubsub_patterns",
    "loop_stall_seconds", "loop_stall_worst_seconds",
))


class SentinelView(NamedTuple):
    """One scrape of a sentinel."""

    world: World
    now_ms: int
    events: Mapping[str, int]
    """How often each event was published."""
    save_failures: int
    last_switch_s: float
    """Unix time of the last +switch-master, 0 for never."""
    node: NodeView
    """The process and its server."""


def _per_group(value: Callable[[Primary], float]) -> Callable[[SentinelView], Iterable[Sample]]:
    return lambda view: [((group.name,), value(group)) for group in view.world.groups.values()]


def _group(name: str, help_: str, value: Callable[[Primary], float]) -> Metric:
    return Metric(f"sentinel_{name}", GAUGE, help_, _per_group(value), ("group",))


def _members(view: SentinelView) -> Iterable[tuple[tuple[str, str, str], Instance]]:
    for group in view.world.groups.values():
        for each in group.members():
            kind = "primary" if each is group else "replica" if each.kind is Kind.REPLICA else "sentinel"
            yield (group.name, kind, f"{view.world.shown(each.address)}:{each.address.port}"), each


def _per_member(value: Callable[[SentinelView, Instance], float]) -> Callable[[SentinelView], Iterable[Sample]]:
    return lambda view: [(labels, value(view, each)) for labels, each in _members(view)]


def _addresses(view: SentinelView) -> Iterable[Sample]:
    for group in view.world.groups.values():
        address = group.current_address()
        yield (group.name, f"{view.world.shown(address)}:{address.port}"), 1


def _offsets(view: SentinelView) -> Iterable[Sample]:
    for group in view.world.groups.values():
        for replica in group.replicas.values():
            if replica.role is Kind.REPLICA and replica.info_ms:
                yield (group.name, replica.name), replica.offset


def _promised(group: Primary) -> int:
    return max((node.standing.promised for node in group.nodes() if node.standing is not None), default=0)


def _borrowed(row: Metric) -> Metric:
    return row._replace(read=lambda view: row.read(view.node))


_MEMBER = ("group", "kind", "address")

SENTINEL: tuple[Metric, ...] = (
    *(_borrowed(row) for row in NODE if row.name in _SHARED),
    Metric("sentinel_primary_info", GAUGE, "Always 1: who leads the group, in this sentinel's configuration.",
           _addresses, ("group", "address")),
    _group("primary_subjectively_down", "Whether this sentinel considers the primary down.", lambda g: g.down),
    _group("primary_objectively_down", "Whether a quorum considers the primary down.",
           lambda g: g.objectively_down),
    _group("failover_in_progress", "Whether this sentinel is failing the group over, or trying to.",
           lambda g: g.failing_over),
    _group("replicas", "Replicas known.", lambda g: len(g.replicas)),
    _group("replicas_up", "Replicas known that this sentinel considers up.",
           lambda g: sum(not replica.down for replica in g.replicas.values())),
    _group("sentinels", "Sentinels of the group known, this one included.", lambda g: len(g.peers) + 1),
    _group("sentinels_up", "Sentinels of the group that are up, this one included.", usable_sentinels),
    _group("quorum", "Sentinels that must agree for the primary to be objectively down.", lambda g: g.quorum),
    _group("configuration_epoch", "Epoch of the election that made the current primary.",
           lambda g: g.config_epoch),
    _group("by_quorum", "Whether the group's nodes acknowledge writes by a quorum of theirs.", lambda g: g.by_quorum),
    _group("leaderless", "Whether the primary of a group that goes by quorum is up, and leads no epoch.",
           lambda g: g.leaderless_since_ms > 0),
    _group("isolated", "Whether the primary of a group that goes by quorum leads, and its followers can't reach it.",
           lambda g: g.isolated_since_ms > 0),
    _group("promised_epoch", "The newest epoch that a node of the group is known to have promised.", _promised),
    Metric("sentinel_instance_up", GAUGE, "Whether this sentinel considers the instance up.",
           _per_member(lambda view, each: not each.down), _MEMBER),
    Metric("sentinel_instance_silence_seconds", GAUGE, "Time since the instance last answered a ping as alive.",
           _per_member(lambda view, each: max(0, view.now_ms - each.link.alive_ms) / 1000), _MEMBER),
    Metric("sentinel_replica_offset_bytes", GAUGE, "Replication offset that the replica told last.", _offsets,
           ("group", "replica")),
    gauge("sentinel_epoch", "The newest election epoch this sentinel has heard of.", lambda v: v.world.epoch),
    gauge("sentinel_tilt", "Whether judgement is suspended because time jumped.", lambda v: v.world.tilt),
    Metric("sentinel_events_total", COUNTER, "Events by their channel, such as +switch-master.",
           lambda view: [((name,), count) for name, count in view.events.items()], ("event",)),
    counter("sentinel_elections_total", "Times this sentinel stood for election.",
            lambda v: v.events.get("+try-failover", 0)),
    counter("sentinel_failovers_total", "Failovers in which this sentinel promoted a replica.",
            lambda v: v.events.get("+promoted-slave", 0)),
    counter("sentinel_switches_total", "Changes of a primary's address, whoever led them.",
            lambda v: v.events.get("+switch-master", 0)),
    counter("sentinel_failovers_without_quorum_total",
            "Failovers, begun or not, for which no majority of the data nodes could be had.",
            lambda v: v.events.get("-failover-abort-no-quorum", 0)),
    counter("sentinel_unsafe_failovers_total", "Failovers by force that may have lost acknowledged writes.",
            lambda v: v.events.get("+failover-unsafe", 0)),
    gauge("sentinel_last_switch_timestamp_seconds", "When a primary's address last changed, as Unix time.",
          lambda v: v.last_switch_s or None),
    counter("sentinel_state_save_failures_total", "Times the state file could not be written.",
            lambda v: v.save_failures),
)
