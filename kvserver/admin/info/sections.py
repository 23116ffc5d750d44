"""The sections about the server as a whole: server, clients, memory, stats, cpu, cluster, keyspace.

Every field of Redis 7.0 is there, since dashboards and exporters look for them: what is measured is told, and what
doesn't exist here (forks, defragmentation, I/O threads ...) has the value that Redis gives when it is off, zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kvserver.admin.clients.memory_limit import CLIENT_BYTES
from kvserver.admin.clients.pause import BLOCKED_KIND
from kvserver.admin.context import Admin
from kvserver.admin.eviction import unlimited_bytes
from kvserver.client.reasons import Reason, over_output_limits
from kvserver.config import REDIS_VERSION
from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run.session import ATT_TRACKING
from kvserver.wire import resp
from kvserver.wire.numbers import human

Fields = Iterable[tuple[str, object]]
_TTL_SAMPLE = 20
LRU_CLOCK_BITS = 24
_CPU = (
    "used_cpu_sys", "used_cpu_user", "used_cpu_sys_children", "used_cpu_user_children",
    "used_cpu_sys_main_thread", "used_cpu_user_main_thread",
)  # fmt: skip
_ABSENT = (
    "active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
    "total_active_defrag_time", "current_active_defrag_time", "dump_payload_sanitizations",
    "io_threaded_reads_processed", "io_threaded_writes_processed", "reply_buffer_shrinks", "reply_buffer_expands",
)  # fmt: skip
"""Statistics of what doesn't exist here."""


def server(admin: Admin) -> Fields:
    """Section server."""
    node, process, state = admin.node, admin.process, admin.node.engine.state
    uptime_s = process.uptime_s()
    hot = "interpreted" if str(resp.__file__).endswith(".py") else "compiled"
    return [
        ("redis_version", REDIS_VERSION),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", process.machine.build),
        ("redis_mode", "standalone"),
        ("os", process.machine.system),
        ("arch_bits", process.machine.arch_bits),
        ("monotonic_clock", process.machine.monotonic_clock),
        ("multiplexing_api", "asyncio"),
        ("atomicvar_api", "gil"),
        ("gcc_version", process.machine.compiler),
        ("process_id", process.machine.pid),
        ("process_supervised", node.supervisor.name),
        ("run_id", process.run_id),
        ("tcp_port", node.port or node.config.tls_port),
        ("server_time_usec", state.wall_us()),
        ("uptime_in_seconds", uptime_s),
        ("uptime_in_days", uptime_s // 86400),
        ("hz", node.housekeeper.hz),
        ("configured_hz", admin.config.hz),
        ("lru_clock", state.now_ms // 1000 & ((1 << LRU_CLOCK_BITS) - 1)),
        ("executable", process.machine.executable),
        ("config_file", node.config_file),
        ("io_threads_active", 0),
        ("interpreter", process.machine.interpreter),
        ("hot_modules", hot),
    ]


def clients(admin: Admin) -> Fields:
    """Section clients. The recent maxima are those of the clients connected now."""
    engine = admin.node.engine
    sessions = list(engine.sessions.values())
    return [
        ("connected_clients", sum(c.kind != "replica" for c in sessions)),
        ("cluster_connections", 0),
        ("maxclients", admin.config.maxclients),
        ("client_recent_max_input_buffer", max((c.buffered() for c in sessions), default=0)),
        ("client_recent_max_output_buffer", max((c.port.pending_bytes() for c in sessions), default=0)),
        ("blocked_clients", engine.blocked_count),
        ("tracking_clients", sum(bool(c.attention & ATT_TRACKING) for c in sessions)),
        ("clients_in_timeout_table", sum(_has_deadline(c.blocked) for c in sessions)),
        ("paused_clients", sum(c.blocked is not None and c.blocked.kind == BLOCKED_KIND for c in sessions)),
    ]


def _has_deadline(wait: object) -> bool:
    return bool(getattr(wait, "deadline_ms", 0))


def memory(admin: Admin) -> Fields:
    """Section memory; "used" is what has been allocated since the program was loaded."""
    process, config = admin.process, admin.config
    used, resident = process.used_bytes(), process.machine.resident_bytes()
    sessions = list(admin.node.engine.sessions.values())
    pending = sum(CLIENT_BYTES + c.port.pending_bytes() + c.buffered() for c in sessions if c.kind != "replica")
    dataset = max(0, used - pending)
    net = max(1, used)
    return [
        *_sized("used_memory", used),
        *_sized("used_memory_rss", resident),
        *_sized("used_memory_peak", process.peak_bytes),
        ("used_memory_peak_perc", f"{used / max(1, process.peak_bytes) * 100:.2f}%"),
        ("used_memory_overhead", used - dataset),
        ("used_memory_startup", 0),
        ("used_memory_dataset", dataset),
        ("used_memory_dataset_perc", f"{min(100.0, dataset / net * 100):.2f}%"),
        *_allocator(used + process.startup_bytes, resident),
        *_sized("total_system_memory", process.machine.total_bytes),
        *_sized("maxmemory", config.maxmemory),
        ("maxmemory_policy", config.maxmemory_policy),
        ("mem_fragmentation_ratio", f"{resident / (used + process.startup_bytes):.2f}"),
        ("mem_fragmentation_bytes", resident - used - process.startup_bytes),
        ("mem_not_counted_for_evict", unlimited_bytes(admin.node.engine)),
        ("mem_replication_backlog", 0),
        ("mem_clients_slaves", 0),
        ("mem_clients_normal", pending),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", 0),
        ("mem_allocator", "python"),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", len(admin.node.engine.state.trash)),
        ("lazyfreed_objects", admin.node.engine.state.freed_in_slices),
    ]


def _allocator(allocated: int, resident: int) -> Fields:
    """What is allocated and what the system gives for it; Redis's fields where no jemalloc tells more than that."""
    return [
        ("allocator_allocated", allocated),
        ("allocator_active", resident),
        ("allocator_resident", resident),
        ("allocator_frag_ratio", f"{resident / allocated:.2f}"),
        ("allocator_frag_bytes", resident - allocated),
        ("allocator_rss_ratio", "1.00"),
        ("allocator_rss_bytes", 0),
        ("rss_overhead_ratio", "1.00"),
        ("rss_overhead_bytes", 0),
    ]


def _sized(name: str, size: int) -> Fields:
    return (name, size), (f"{name}_human", human(size))


def stats(admin: Admin) -> Fields:
    """Section stats; persistence and replication add theirs."""
    engine, traffic, rates = admin.node.engine, admin.node.server, admin.rates
    state = engine.state
    tracker = admin.tracker
    return [
        ("total_connections_received", traffic.accepted),
        ("total_commands_processed", engine.commands),
        ("instantaneous_ops_per_sec", round(rates.per_second("commands"))),
        ("total_net_input_bytes", traffic.net_in),
        ("total_net_output_bytes", traffic.net_out),
        ("total_net_repl_input_bytes", traffic.net_repl_in),
        ("total_net_repl_output_bytes", traffic.net_repl_out),
        ("instantaneous_input_kbps", f"{rates.per_second('input') / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{rates.per_second('output') / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", f"{rates.per_second('repl_input') / 1024:.2f}"),
        ("instantaneous_output_repl_kbps", f"{rates.per_second('repl_output') / 1024:.2f}"),
        ("rejected_connections", traffic.rejected),
        ("sync_full", 0),
        ("sync_partial_ok", 0),
        ("sync_partial_err", 0),
        ("expired_subkeys", state.expired_fields),
        ("expired_keys", state.expired_keys),
        *_expiry(admin),
        ("evicted_keys", state.evicted_keys),
        ("evicted_clients", admin.client_limit.evicted),
        ("total_eviction_exceeded_time", admin.evictor.exceeded_ms()),
        ("current_eviction_exceeded_time", admin.evictor.exceeding_ms()),
        ("keyspace_hits", state.hits),
        ("keyspace_misses", state.misses),
        ("pubsub_channels", len(engine.channels)),
        ("pubsub_patterns", len(engine.patterns)),
        ("pubsubshard_channels", len(engine.shard_channels)),
        ("latest_fork_usec", 0),
        ("total_forks", 0),
        ("migrate_cached_sockets", 0),
        ("total_reads_processed", traffic.reads),
        ("total_writes_processed", traffic.writes),
        ("slave_expires_tracked_keys", len(state.own_volatile or ())),
        *((name, 0) for name in _ABSENT),
        ("tracking_total_keys", tracker.table.used),
        ("tracking_total_items", tracker.items),
        ("tracking_total_prefixes", len(tracker.prefixes)),
        ("unexpected_error_replies", engine.unexpected_errors),
        ("total_error_replies", sum(engine.errors.values())),
        ("client_query_buffer_limit_disconnections", traffic.ended[Reason.QUERY_BUFFER]),
        ("client_output_buffer_limit_disconnections", over_output_limits(traffic.ended)),
        *((f"client_disconnects_{reason.word}", count) for reason, count in traffic.ended.items()),
    ]


def _expiry(admin: Admin) -> Fields:
    """What the cycle that deletes expired keys found, and what it took."""
    cycle = admin.node.housekeeper.cycle
    return [
        ("expired_stale_perc", f"{cycle.stale * 100:.2f}"),
        ("expired_time_cap_reached_count", cycle.cut_short),
        ("expire_cycle_cpu_milliseconds", int(cycle.spent_s * 1000)),
    ]


def cpu(admin: Admin) -> Fields:
    """Section cpu, seconds."""
    seconds = (*admin.process.machine.cpu_s(), *admin.process.machine.thread_cpu_s())
    return [(name, f"{each:.6f}") for name, each in zip(_CPU, seconds, strict=True)]


def nothing(admin: Admin) -> Fields:
    """A section without fields."""
    return ()


def cluster(admin: Admin) -> Fields:
    """Section cluster."""
    return [("cluster_enabled", 0)]


def keyspace(admin: Admin) -> Fields:
    """Section keyspace: databases that aren't empty."""
    state = admin.node.engine.state
    return [
        (
            f"db{db.index}",
            f"keys={len(db.keys)},expires={db.keys.expiring},avg_ttl={average_ttl_ms(db, state.now_ms)}",
        )
        for db in admin.node.engine.dbs
        if len(db.keys)
    ]


def average_ttl_ms(db: Db, now_ms: int) -> int:
    """The mean time to live, estimated from a few keys as they lie in the table (its order is random)."""
    sample = [when - now_ms for when in db.keys.some_times(_TTL_SAMPLE)]
    return max(0, sum(sample) // len(sample)) if sample else 0


SECTIONS: dict[str, Callable[[Admin], Fields]] = {
    "server": server,
    "clients": clients,
    "memory": memory,
    "stats": stats,
    "cpu": cpu,
    "modules": nothing,
    "cluster": cluster,
    "keyspace": keyspace,
}
