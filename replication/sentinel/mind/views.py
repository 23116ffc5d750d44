"""What SENTINEL MASTER, REPLICAS, SENTINELS and INFO show of the world, with Redis's names and in its order."""

from __future__ import annotations

from collections.abc import Iterator

from replication.sentinel.world.group import Instance, Kind, Peer, Primary, Replica, group_of
from replication.sentinel.world.stages import Reconf
from replication.sentinel.world.world import World

Field = tuple[str, str | int]


def _flags(instance: Instance) -> str:
    group = instance if isinstance(instance, Primary) else None
    attempt = group.failover if group is not None else None
    replica = instance if isinstance(instance, Replica) else None
    flags = [
        (instance.down, "s_down"),
        (group is not None and group.objectively_down, "o_down"),
        (True, instance.kind.value),
        (instance.link.disconnected, "disconnected"),
        (isinstance(instance, Peer) and instance.primary_down, "master_down"),
        (attempt is not None, "failover_in_progress"),
        (replica is not None and replica.promoted, "promoted"),
        (replica is not None and replica.reconf is not Reconf.NONE,
         replica.reconf.value if replica is not None else ""),
        (attempt is not None and attempt.forced, "force_failover"),
        (instance.script_kill_sent, "script_kill_sent"),
    ]
    return ",".join(name for on, name in flags if on)


def instance_fields(world: World, instance: Instance, now: int) -> Iterator[Field]:
    """The fields of one instance as SENTINEL MASTER and its like show them; times are milliseconds ago."""
    link = instance.link
    yield "name", instance.name
    yield "ip", world.shown(instance.address)
    yield "port", instance.address.port
    yield "runid", instance.run_id or ""
    yield "flags", _flags(instance)
    yield "link-pending-commands", link.pending
    yield "link-refcount", len(link.owners)
    if isinstance(instance, Primary) and instance.failover is not None:
        yield "failover-state", instance.failover.stage.name.lower()
    yield "last-ping-sent", now - link.waiting_since_ms if link.waiting_since_ms else 0
    yield "last-ok-ping-reply", now - link.alive_ms
    yield "last-ping-reply", now - link.ping_seen_ms
    if instance.down:
        yield "s-down-time", now - instance.down_since_ms
    if isinstance(instance, Primary) and instance.objectively_down:
        yield "o-down-time", now - instance.objectively_down_since_ms
    yield "down-after-milliseconds", group_of(instance).down_after_ms
    if instance.kind is not Kind.PEER:
        yield "info-refresh", now - instance.info_ms if instance.info_ms else 0
        yield "role-reported", instance.role.value
        yield "role-reported-time", now - instance.role_since_ms
    if isinstance(instance, Primary):
        yield from _primary_fields(instance)
    elif isinstance(instance, Replica):
        yield from _replica_fields(instance)
    elif isinstance(instance, Peer):
        yield "last-hello-message", now - instance.hello_ms
        yield "voted-leader", instance.leader or "?"
        yield "voted-leader-epoch", instance.leader_epoch


def _primary_fields(group: Primary) -> Iterator[Field]:
    yield "config-epoch", group.config_epoch
    yield "num-slaves", len(group.replicas)
    yield "num-other-sentinels", len(group.peers)
    yield "quorum", group.quorum
    yield "failover-timeout", group.failover_timeout_ms
    yield "parallel-syncs", group.parallel_syncs
    if group.by_quorum:
        yield "quorum-group", 1
        yield "quorum-leaderless", int(bool(group.leaderless_since_ms))
        yield "quorum-isolated", int(bool(group.isolated_since_ms))
        yield "quorum-trouble", group.patience.reason
    yield from _standing_fields(group)
    if group.notification_script:
        yield "notification-script", group.notification_script
    if group.client_reconfig_script:
        yield "client-reconfig-script", group.client_reconfig_script


def _standing_fields(node: Instance) -> Iterator[Field]:
    """Where the node stands in its quorum, as it told last; nothing if it takes part in none."""
    standing = node.standing
    if standing is not None:
        yield "quorum-node-id", standing.node_id
        yield "quorum-state", standing.state
        yield "quorum-promised", standing.promised
        yield "quorum-epoch", standing.epoch
        yield "quorum-log", f"{standing.last_epoch}:{standing.offset}"


def _replica_fields(replica: Replica) -> Iterator[Field]:
    yield "master-link-down-time", replica.link_down_ms
    yield "master-link-status", "ok" if replica.link_up else "err"
    yield "master-host", replica.follows_host or "?"
    yield "master-port", replica.follows_port
    yield "slave-priority", replica.priority
    yield "slave-repl-offset", replica.offset
    yield "replica-announced", int(replica.announced)
    yield from _standing_fields(replica)


def info_section(world: World, now: int, running_scripts: int, queued_scripts: int) -> str:
    """INFO's `# Sentinel`, its lines ended as on the wire."""
    tilt_seconds = (now - world.tilt_since_ms) // 1000 if world.tilt else -1
    failures = world.crash_after_election * 1 + world.crash_after_promotion * 2
    lines = [
        "# Sentinel", f"sentinel_masters:{len(world.groups)}", f"sentinel_tilt:{int(world.tilt)}",
        f"sentinel_tilt_since_seconds:{tilt_seconds}", f"sentinel_running_scripts:{running_scripts}",
        f"sentinel_scripts_queue_length:{queued_scripts}", f"sentinel_simulate_failure_flags:{failures}",
    ]
    for number, group in enumerate(world.groups.values()):
        status = "odown" if group.objectively_down else "sdown" if group.down else "ok"
        lines.append(f"master{number}:name={group.name},status={status},"
                     f"address={world.shown(group.address)}:{group.address.port},"
                     f"slaves={len(group.replicas)},sentinels={len(group.peers) + 1}")
        if group.by_quorum:
            promised = max((node.standing.promised for node in group.nodes() if node.standing is not None), default=0)
            lines.append(f"quorum{number}:name={group.name},leaderless={int(group.leaderless_since_ms > 0)},"
                         f"isolated={int(group.isolated_since_ms > 0)},promised={promised},"
                         f"trouble={group.patience.reason.replace(',', ' ')}")
    return "".join(f"{line}\r\n" for line in lines)
