"""The catalogue of a data node's metrics. A data table; every row says where its number stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from kvserver import version
from kvserver.client.reasons import Reason, over_output_limits
from kvserver.metrics.rows import COUNTER, GAUGE, HISTOGRAM, Metric, Sample, counter, gauge
from kvserver.metrics.view import NodeView, as_number, as_text
from kvserver.wire import resp


def _field(section: str, name: str, scale: float = 1.0) -> Callable[[NodeView], float | None]:
    def read(view: NodeView) -> float | None:
        number = view.number(section, name)
        return None if number is None or number < 0 else number * scale

    return read


def _flag(section: str, name: str, good: str) -> Callable[[NodeView], float | None]:
    return lambda view: view.flag(section, name, good)


def _by_command(attribute: str) -> Callable[[NodeView], Iterable[Sample]]:
    return lambda view: [((row.name,), getattr(row, attribute)) for row in view.rows()]


@cache
def _build() -> list[Sample]:
    compiled = (resp.__file__ or "").endswith((".so", ".pyd"))
    return [((version(), "compiled" if compiled else "pure"), 1)]


def _roles(view: NodeView) -> list[Sample]:
    replica = as_text(view.info("replication").get("role")) == "slave"
    return [(("primary",), int(not replica)), (("replica",), int(replica))]


def _kills(view: NodeView) -> list[Sample]:
    ended = view.server.ended
    return [(("output_limit",), over_output_limits(ended)), (("query_limit",), ended[Reason.QUERY_BUFFER])]


def _ends(view: NodeView) -> list[Sample]:
    return [((reason.word,), count) for reason, count in view.server.ended.items()]


def _per_db(field: str) -> Callable[[NodeView], Iterable[Sample]]:
    def read(view: NodeView) -> Iterable[Sample]:
        dbs = view.engine.dbs
        return [((str(db.index),), getattr(db.keys, field)) for db in dbs if db.index == 0 or len(db.keys)]

    return read


def _replicas(value: Callable[[NodeView, dict[str, str]], float | None]) -> Callable[[NodeView], Iterable[Sample]]:
    def read(view: NodeView) -> Iterable[Sample]:
        for replica in view.replicas():
            number = value(view, replica)
            if number is not None:
                yield (f"{replica.get('ip', '')}:{replica.get('port', '')}",), number

    return read


def _behind(view: NodeView, replica: dict[str, str]) -> float | None:
    own = view.number("replication", "master_repl_offset")
    acked = as_number(replica.get("offset"))
    return None if own is None or acked is None else max(own - acked, 0.0)


def _resyncs(view: NodeView) -> Iterable[Sample]:
    for kind, field in (("full", "sync_full"), ("partial", "sync_partial_ok"), ("refused", "sync_partial_err")):
        number = view.number("stats", field)
        if number is not None:
            yield (kind,), number


def _stalls(view: NodeView) -> list[Sample]:
    return [] if view.stalls is None else [((), view.stalls.distribution())]


NODE: tuple[Metric, ...] = (
    Metric("build_info", GAUGE, "Always 1: the version, and whether the hot modules are compiled.",
           lambda v: _build(), ("version", "build")),
    gauge("start_time_seconds", "When the process started, as Unix time.", lambda v: v.process.started_s),
    gauge("resident_memory_bytes", "Memory of the process that is in RAM.", lambda v: v.process.resident_bytes),
    counter("cpu_seconds_total", "Processor time used, user and system.", lambda v: v.process.cpu_s),
    # Commands
    Metric("commands_total", COUNTER, "Calls of each command that ran.", _by_command("calls"), ("command",)),
    Metric("command_seconds_total", COUNTER, "Time spent running each command.", _by_command("seconds"),
           ("command",)),
    Metric("commands_rejected_total", COUNTER, "Calls refused before they ran (arity, ACL, OOM and so on).",
           _by_command("rejected"), ("command",)),
    Metric("commands_failed_total", COUNTER, "Calls that ran and replied an error.", _by_command("failed"),
           ("command",)),
    Metric("errors_total", COUNTER, "Error replies by their code.",
           lambda v: [((code,), n) for code, n in v.engine.errors.items()], ("code",)),
    counter("internal_errors_total", "Commands that failed through a defect of the server; each is in the log.",
            lambda v: v.engine.unexpected_errors),
    # Clients and network
    gauge("connected_clients", "Connections of clients.", lambda v: len(v.server.connections)),
    gauge("blocked_clients", "Clients that wait in a blocking command.", lambda v: v.engine.blocked_count),
    gauge("max_clients", "How many clients are let in (maxclients).", lambda v: v.server.limits.maxclients),
    counter("connections_total", "Connections accepted.", lambda v: v.server.accepted),
    counter("connections_rejected_total", "Connections refused (maxclients, protected mode).",
            lambda v: v.server.rejected),
    Metric("clients_killed_total", COUNTER, "Clients disconnected because they exceeded a limit.", _kills,
           ("reason",)),
    Metric("client_disconnections_total", COUNTER, "Connections of clients and replicas that ended, by reason.",
           _ends, ("reason",)),
    counter("network_receive_bytes_total", "Bytes read from clients and from the primary.", lambda v: v.server.net_in),
    counter("network_transmit_bytes_total", "Bytes written to clients and to replicas.", lambda v: v.server.net_out),
    gauge("pubsub_channels", "Channels with subscribers.", lambda v: len(v.engine.channels)),
    gauge("pubsub_patterns", "Patterns with subscribers.", lambda v: len(v.engine.patterns)),
    # Keyspace and memory
    Metric("keys", GAUGE, "Keys in each database.", _per_db("used"), ("db",)),
    Metric("keys_with_expiry", GAUGE, "Keys in each database that have a time to live.", _per_db("expiring"),
           ("db",)),
    counter("keyspace_hits_total", "Look-ups of keys that were there.", lambda v: v.state.hits),
    counter("keyspace_misses_total", "Look-ups of keys that were not.", lambda v: v.state.misses),
    counter("keys_expired_total", "Keys deleted because their time was over.", lambda v: v.state.expired_keys),
    counter("hash_fields_expired_total", "Fields of hashes deleted because their time was over.",
            lambda v: v.state.expired_fields),
    counter("keys_evicted_total", "Keys deleted to stay below maxmemory.", lambda v: v.state.evicted_keys),
    gauge("memory_limit_bytes", "The limit of memory (maxmemory); 0 is none.",
          lambda v: getattr(v.config, "maxmemory", None)),
    # Persistence
    gauge("loading", "1 while the data set is being loaded.",
          lambda v: int(any(map(v.engine.deny_masks.get, ("loading", "starting"))))),
    gauge("rdb_last_save_timestamp_seconds", "When the last snapshot was completed, as Unix time.",
          _field("persistence", "rdb_last_save_time")),
    gauge("rdb_last_save_success", "1 when the last background save succeeded.",
          _flag("persistence", "rdb_last_bgsave_status", "ok")),
    gauge("rdb_last_save_duration_seconds", "How long the last background save took.",
          _field("persistence", "rdb_last_bgsave_time_sec")),
    gauge("rdb_save_in_progress", "1 while a background save runs.",
          _field("persistence", "rdb_bgsave_in_progress")),
    gauge("changes_since_save", "Changes made since the last snapshot.",
          _field("persistence", "rdb_changes_since_last_save")),
    gauge("aof_enabled", "1 when the append-only file is written.", _field("persistence", "aof_enabled")),
    gauge("aof_last_write_success", "1 when the last write to the append-only file succeeded.",
          _flag("persistence", "aof_last_write_status", "ok")),
    gauge("aof_size_bytes", "Size of the append-only files.", _field("persistence", "aof_current_size")),
    gauge("aof_base_size_bytes", "Size that the append-only files had after the last rewrite, or at start.",
          _field("persistence", "aof_base_size")),
    gauge("aof_buffer_bytes", "Bytes that wait to be written to the append-only file.",
          _field("persistence", "aof_buffer_length")),
    counter("aof_delayed_syncs_total", "Writes to the append-only file that a sync under way held up for seconds.",
            _field("persistence", "aof_delayed_fsync")),
    counter("aof_rewrites_total", "Rewrites of the append-only file that were begun.",
            _field("persistence", "aof_rewrites")),
    gauge("aof_rewrite_in_progress", "1 while the append-only file is rewritten.",
          _field("persistence", "aof_rewrite_in_progress")),
    gauge("aof_last_rewrite_success", "1 when the last rewrite of the append-only file succeeded.",
          _flag("persistence", "aof_last_bgrewrite_status", "ok")),
    gauge("aof_last_rewrite_duration_seconds", "How long the last rewrite of the append-only file took.",
          _field("persistence", "aof_last_rewrite_time_sec")),
    # Replication
    Metric("role", GAUGE, "1 at the role that the node has.", _roles, ("role",)),
    gauge("replication_offset_bytes", "Offset of the command log.", lambda v: v.engine.log.offset),
    gauge("connected_replicas", "Replicas attached to this node.", _field("replication", "connected_slaves")),
    gauge("async_unreplicated_seconds", "Age of the oldest write that no replica has, where it is bounded.",
          _field("replication", "async_unreplicated_ms", 1e-3)),
    gauge("async_unreplicated_bytes", "Length of the log that no replica has, where it is bounded.",
          _field("replication", "async_unreplicated_bytes")),
    Metric("replica_online", GAUGE, "1 when a replica has its snapshot and gets the stream.",
           _replicas(lambda v, r: float(r.get("state") == "online")), ("replica",)),
    Metric("replica_lag_bytes", GAUGE, "How far a replica's last acknowledgement is behind this node's offset.",
           _replicas(_behind), ("replica",)),
    Metric("replica_lag_seconds", GAUGE, "Time since the last acknowledgement of a replica.",
           _replicas(lambda v, r: as_number(r.get("lag"))), ("replica",)),
    gauge("primary_link_up", "1 when this replica is connected to its primary and up to date with its stream.",
          _flag("replication", "master_link_status", "up")),
    gauge("primary_last_io_seconds", "Time since this replica last heard of its primary.",
          _field("replication", "master_last_io_seconds_ago")),
    gauge("primary_sync_in_progress", "1 while this replica takes over a snapshot of its primary.",
          _field("replication", "master_sync_in_progress")),
    gauge("backlog_size_bytes", "Size of the backlog that partial resynchronizations are served from.",
          _field("replication", "repl_backlog_size")),
    gauge("backlog_used_bytes", "Bytes of history in the backlog.", _field("replication", "repl_backlog_histlen")),
    Metric("resyncs_total", COUNTER, "Synchronizations asked for by replicas: full, partial, or a partial one "
           "that was refused.", _resyncs, ("kind",)),
    # The event loop
    Metric("loop_stall_seconds", HISTOGRAM, "How late a timer of a hundred ticks a second fired.", _stalls),
    gauge("loop_stall_worst_seconds", "The longest stall of the event loop since the process started.",
          lambda v: None if v.stalls is None else v.stalls.worst_s),
)  # fmt: skip
"""Every metric of a data node."""
