"""The first dashboard: who leads, who lags, what is served, what the sentinels see. A data table."""

from __future__ import annotations

from grafana.panel import Board, Kind, Panel, Query, Section

J = '{job=~"$job"}'
RATE = "[$__rate_interval]"
YES_NO = ((0, "no", "green"), (1, "yes", "red"))
UP_DOWN = ((0, "down", "red"), (1, "up", "green"))


def _rate(metric: str, by: str, labels: str = J) -> str:
    return f"sum by ({by}) (rate(understudy_{metric}{labels}{RATE}))"


LEADING = Section("Who leads", (
    Panel("Primary", "The address that the sentinels give to clients.",
          (Query(f"count by (address) (understudy_sentinel_primary_info{J})", "{{address}}"),),
          kind=Kind.NUMBER, width=6, height=4),
    Panel("Primaries", "Nodes that take themselves for the primary: one, except for moments of a failover.",
          (Query('sum(understudy_role{job=~"$job",role="primary"})', "primaries"),),
          kind=Kind.NUMBER, width=3, height=4, states=((0, "none", "red"), (1, "1", "green"), (2, "2", "orange"))),
    Panel("Replicas on line", "Replicas that get the stream of the primary.",
          (Query(f"sum(understudy_replica_online{J})", "replicas"),), kind=Kind.NUMBER, width=3, height=4),
    Panel("Processes that answer", "Targets that Prometheus can scrape.",
          (Query(f"sum(up{J})", "up"), Query(f"count(up{J})", "all")), kind=Kind.NUMBER, width=4, height=4),
    Panel("Sentinels up, and needed", "The smallest number that any sentinel sees, and the quorum.",
          (Query(f"min(understudy_sentinel_sentinels_up{J})", "up"),
           Query(f"max(understudy_sentinel_quorum{J})", "quorum")), kind=Kind.NUMBER, width=4, height=4),
    Panel("Last switch", "Time since the primary changed; without a value, it never did.",
          (Query(f"time() - max(understudy_sentinel_last_switch_timestamp_seconds{J})", "ago"),),
          unit="s", kind=Kind.NUMBER, width=4, height=4),
    Panel("Roles", "Which node was primary when.",
          (Query('understudy_role{job=~"$job",role="primary"}', "{{instance}}"),), kind=Kind.STATES, width=24,
          states=((0, "replica", "blue"), (1, "primary", "green"))),
))  # fmt: skip

REPLICATION = Section("Replication", (
    Panel("Lag, bytes", "How far each replica's acknowledgement is behind its primary's offset.",
          (Query(f"understudy_replica_lag_bytes{J}", "{{replica}}"),), unit="bytes"),
    Panel("Lag, seconds", "Time since each replica acknowledged; 1 is usual.",
          (Query(f"understudy_replica_lag_seconds{J}", "{{replica}}"),), unit="s"),
    Panel("Offsets", "The command log's offset on each node.",
          (Query(f"understudy_replication_offset_bytes{J}", "{{instance}}"),), unit="bytes"),
    Panel("Link to the primary", "Whether each replica's link is up.",
          (Query(f"understudy_primary_link_up{J}", "{{instance}}"),), kind=Kind.STATES, states=UP_DOWN),
    Panel("Resynchronizations", "Full ones cost a snapshot; a refused partial one becomes a full one.",
          (Query(f"sum by (kind) (increase(understudy_resyncs_total{J}{RATE}))", "{{kind}}"),)),
    Panel("Backlog", "History that partial resynchronizations can be served from, and its limit.",
          (Query(f"understudy_backlog_used_bytes{J}", "{{instance}} used"),
           Query(f"max(understudy_backlog_size_bytes{J})", "limit")), unit="bytes"),
))  # fmt: skip

TRAFFIC = Section("Traffic", (
    Panel("Commands by node", "Commands run per second.",
          (Query(_rate("commands_total", "instance"), "{{instance}}"),), unit="ops"),
    Panel("Commands by name", "The ten most frequent.",
          (Query(f"topk(10, {_rate('commands_total', 'command')})", "{{command}}"),), unit="ops"),
    Panel("Mean time of a command", "Of the ten that take the most time in all.",
          (Query(f"topk(10, {_rate('command_seconds_total', 'command')}) / "
                 f"{_rate('commands_total', 'command')} >= 0", "{{command}}"),), unit="s"),
    Panel("Errors", "Error replies per second by code.",
          (Query(_rate("errors_total", "code"), "{{code}}"),), unit="ops"),
    Panel("Refused and failed commands", "Refused before they ran, and replied to by an error.",
          (Query(_rate("commands_rejected_total", "instance"), "{{instance}} refused"),
           Query(_rate("commands_failed_total", "instance"), "{{instance}} failed")), unit="ops"),
    Panel("Network", "Bytes per second from and to clients.",
          (Query(_rate("network_receive_bytes_total", "instance"), "{{instance}} in"),
           Query(_rate("network_transmit_bytes_total", "instance"), "{{instance}} out")), unit="Bps"),
    Panel("Clients", "Connected, and waiting in a blocking command.",
          (Query(f"understudy_connected_clients{J}", "{{instance}}"),
           Query(f"understudy_blocked_clients{J}", "{{instance}} blocked"))),
    Panel("Connections", "Accepted and refused per second.",
          (Query(_rate("connections_total", "instance"), "{{instance}}"),
           Query(_rate("connections_rejected_total", "instance"), "{{instance}} refused")), unit="ops"),
    Panel("Clients disconnected at a limit", "Because of unread replies, or of requests too large.",
          (Query(f"sum by (reason) (increase(understudy_clients_killed_total{J}{RATE}))", "{{reason}}"),)),
    Panel("Why connections ended", "Connections that ended, by reason.",
          (Query(f"sum by (reason) (increase(understudy_client_disconnections_total{J}{RATE})) > 0", "{{reason}}"),)),
))  # fmt: skip

STORE = Section("Keys and memory", (
    Panel("Keys", "All databases.",
          (Query(f"sum by (instance) (understudy_keys{J})", "{{instance}}"),
           Query(f"sum by (instance) (understudy_keys_with_expiry{J})", "{{instance}} expiring"))),
    Panel("Memory", "Resident memory of each process.",
          (Query(f"understudy_resident_memory_bytes{J}", "{{instance}}"),), unit="bytes"),
    Panel("Expired and evicted", "Keys per second that went by themselves.",
          (Query(_rate("keys_expired_total", "instance"), "{{instance}} expired"),
           Query(_rate("keys_evicted_total", "instance"), "{{instance}} evicted")), unit="ops"),
    Panel("Hits", "Share of look-ups that found their key.",
          (Query(f"{_rate('keyspace_hits_total', 'instance')} / ({_rate('keyspace_hits_total', 'instance')} + "
                 f"{_rate('keyspace_misses_total', 'instance')})", "{{instance}}"),), unit="percentunit"),
    Panel("Processor", "Seconds of processor time per second; a data node can use one.",
          (Query(_rate("cpu_seconds_total", "instance"), "{{instance}}"),), unit="percentunit"),
    Panel("Stalls of the event loop", "How late a timer fired: 99.9 % of the time, and at worst since the start.",
          (Query("histogram_quantile(0.999, sum by (instance, le) "
                 f"(rate(understudy_loop_stall_seconds_bucket{J}{RATE})))", "{{instance}} 99.9 %"),
           Query(f"understudy_loop_stall_worst_seconds{J}", "{{instance}} worst")), unit="s"),
    Panel("Time since the last snapshot", "Since the last RDB file was completed, or the process started.",
          (Query(f"time() - understudy_rdb_last_save_timestamp_seconds{J}", "{{instance}}"),), unit="s"),
    Panel("Changes since the last snapshot", "What a crash would lose without an append-only file or replicas.",
          (Query(f"understudy_changes_since_save{J}", "{{instance}}"),)),
    Panel("Last snapshot succeeded", "Whether the last background save was completed.",
          (Query(f"understudy_rdb_last_save_success{J}", "{{instance}}"),), kind=Kind.STATES,
          states=((0, "failed", "red"), (1, "ok", "green"))),
))  # fmt: skip

SENTINELS = Section("Sentinels and failovers", (
    Panel("Failovers", "Led by each sentinel to the promotion of a replica.",
          (Query(f"sum by (instance) (increase(understudy_sentinel_failovers_total{J}{RATE}))", "{{instance}}"),
           Query(f"max(increase(understudy_sentinel_switches_total{J}{RATE}))", "changes of the primary"))),
    Panel("Elections", "Attempts to lead a failover; more attempts than failovers means split votes.",
          (Query(f"sum by (instance) (increase(understudy_sentinel_elections_total{J}{RATE}))", "{{instance}}"),)),
    Panel("Epoch", "The newest epoch that each sentinel knows: they agree after a moment.",
          (Query(f"understudy_sentinel_epoch{J}", "{{instance}}"),)),
    Panel("Who is up", "For how many sentinels each process is up.",
          (Query(f"sum by (address, kind) (understudy_sentinel_instance_up{J})", "{{kind}} {{address}}"),)),
    Panel("Silence", "Time since each process last answered a sentinel, at worst.",
          (Query(f"max by (address, kind) (understudy_sentinel_instance_silence_seconds{J})", "{{kind}} {{address}}"),),
          unit="s"),
    Panel("Known members", "Replicas and sentinels that each sentinel has discovered.",
          (Query(f"understudy_sentinel_replicas{J}", "{{instance}} {{group}} replicas"),
           Query(f"understudy_sentinel_sentinels{J}", "{{instance}} {{group}} sentinels"))),
    Panel("Primary held for down", "In the opinion of each sentinel alone, and of a quorum.",
          (Query(f"understudy_sentinel_primary_subjectively_down{J}", "{{instance}} {{group}}"),
           Query(f"max by (group) (understudy_sentinel_primary_objectively_down{J})", "quorum {{group}}")),
          kind=Kind.STATES, states=YES_NO),
    Panel("Failover going on, judgement suspended", "Suspended (TILT) after a clock jumped.",
          (Query(f"understudy_sentinel_failover_in_progress{J}", "{{instance}} {{group}} failover"),
           Query(f"understudy_sentinel_tilt{J}", "{{instance}} tilt")), kind=Kind.STATES, states=YES_NO),
    Panel("Events", "Events of the sentinels by channel.",
          (Query(f"sum by (event) (increase(understudy_sentinel_events_total{J}{RATE}))", "{{event}}"),)),
))  # fmt: skip

OVERVIEW = Board(
    "understudy-overview",
    "Understudy: overview",
    "Who leads, who lags, what is served, and what the sentinels see.",
    (LEADING, REPLICATION, TRAFFIC, STORE, SENTINELS),
)
