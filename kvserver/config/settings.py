"""The attributes of a Config, one per option, with their types (a test compares them with the table).

Sizes are bytes; a negative maxmemory_clients is a percentage of maxmemory. Passwords and user names are
bytes, other text is `str` decoded with surrogateescape; empty means not set.
"""

from __future__ import annotations

from kvserver.config.kinds import BufferLimits, Endpoint, SavePoint


class Settings:
    """Typed names for the values in force."""

    bind: tuple[str, ...]
    port: int
    tcp_backlog: int
    protected_mode: bool
    unixsocket: str
    unixsocketperm: int
    timeout: int
    tcp_keepalive: int
    maxclients: int
    socket_mark_id: int
    bind_source_addr: str
    http_port: int
    http_bind: tuple[str, ...]
    client_output_buffer_limit: BufferLimits
    client_query_buffer_limit: int
    proto_max_bulk_len: int
    tls_port: int
    tls_cert_file: str
    tls_key_file: str
    tls_key_file_pass: bytes
    tls_client_cert_file: str
    tls_client_key_file: str
    tls_client_key_file_pass: bytes
    tls_dh_params_file: str
    tls_ca_cert_file: str
    tls_ca_cert_dir: str
    tls_auth_clients: str
    tls_replication: bool
    tls_cluster: bool
    tls_protocols: str
    tls_ciphers: str
    tls_ciphersuites: str
    tls_prefer_server_ciphers: bool
    tls_session_caching: bool
    tls_session_cache_size: int
    tls_session_cache_timeout: int
    daemonize: bool
    supervised: str
    pidfile: str
    loglevel: str
    logfile: str
    dir: str
    databases: int
    hz: int
    shutdown_timeout: int
    shutdown_on_sigint: tuple[str, ...]
    shutdown_on_sigterm: tuple[str, ...]
    enable_debug_command: str
    enable_protected_configs: str
    enable_module_command: str
    always_show_logo: bool
    set_proc_title: bool
    proc_title_template: str
    dynamic_hz: bool
    activerehashing: bool
    jemalloc_bg_thread: bool
    syslog_enabled: bool
    syslog_ident: str
    syslog_facility: str
    crash_log_enabled: bool
    crash_memcheck_enabled: bool
    disable_thp: bool
    io_threads: int
    io_threads_do_reads: bool
    oom_score_adj: str
    oom_score_adj_values: tuple[int, ...]
    server_cpulist: str
    bio_cpulist: str
    aof_rewrite_cpulist: str
    bgsave_cpulist: str
    ignore_warnings: str
    use_exit_on_panic: bool
    watchdog_period: int
    requirepass: bytes
    aclfile: str
    acllog_max_len: int
    acl_pubsub_default: str
    save: tuple[SavePoint, ...]
    dbfilename: str
    rdbcompression: bool
    rdbchecksum: bool
    stop_writes_on_bgsave_error: bool
    rdb_del_sync_files: bool
    sanitize_dump_payload: str
    rdb_save_incremental_fsync: bool
    rdb_key_save_delay: int
    key_load_delay: int
    loading_process_events_interval_bytes: int
    appendonly: bool
    appendfilename: str
    appenddirname: str
    appendfsync: str
    no_appendfsync_on_rewrite: bool
    auto_aof_rewrite_percentage: int
    auto_aof_rewrite_min_size: int
    aof_load_truncated: bool
    aof_use_rdb_preamble: bool
    aof_timestamp_enabled: bool
    aof_rewrite_incremental_fsync: bool
    aof_disable_auto_gc: bool
    replicaof: Endpoint | None
    masterauth: bytes
    masteruser: bytes
    replica_serve_stale_data: bool
    replica_read_only: bool
    repl_diskless_sync: bool
    repl_diskless_sync_delay: int
    repl_diskless_sync_max_replicas: int
    repl_diskless_load: str
    repl_ping_replica_period: int
    repl_timeout: int
    repl_disable_tcp_nodelay: bool
    repl_backlog_size: int
    repl_backlog_ttl: int
    replica_priority: int
    replica_announced: bool
    replica_announce_ip: str
    replica_announce_port: int
    min_replicas_to_write: int
    min_replicas_max_lag: int
    async_max_unreplicated_ms: int
    async_max_unreplicated_bytes: int
    durability: str
    reads: str
    quorum_nodes: int
    quorum_timeout_ms: int
    quorum_found: str
    replica_lazy_flush: bool
    replica_ignore_maxmemory: bool
    replica_ignore_disk_write_errors: bool
    propagation_error_behavior: str
    maxmemory: int
    maxmemory_policy: str
    maxmemory_samples: int
    maxmemory_eviction_tenacity: int
    maxmemory_clients: int
    active_expire_effort: int
    lfu_log_factor: int
    lfu_decay_time: int
    lazyfree_lazy_eviction: bool
    lazyfree_lazy_expire: bool
    lazyfree_lazy_server_del: bool
    lazyfree_lazy_user_del: bool
    lazyfree_lazy_user_flush: bool
    activedefrag: bool
    active_defrag_ignore_bytes: int
    active_defrag_threshold_lower: int
    active_defrag_threshold_upper: int
    active_defrag_cycle_min: int
    active_defrag_cycle_max: int
    active_defrag_max_scan_fields: int
    hash_max_listpack_entries: int
    hash_max_listpack_value: int
    list_max_listpack_size: int
    list_compress_depth: int
    set_max_intset_entries: int
    zset_max_listpack_entries: int
    zset_max_listpack_value: int
    hll_sparse_max_bytes: int
    stream_node_max_bytes: int
    stream_node_max_entries: int
    slowlog_log_slower_than: int
    slowlog_max_len: int
    latency_monitor_threshold: int
    latency_tracking: bool
    latency_tracking_info_percentiles: tuple[float, ...]
    notify_keyspace_events: str
    busy_reply_threshold: int
    lua_enable_deprecated_api: bool
    tracking_table_max_keys: int
    cluster_enabled: bool
    cluster_config_file: str
    cluster_port: int
    cluster_node_timeout: int
    cluster_announce_ip: str
    cluster_announce_hostname: str
    cluster_announce_port: int
    cluster_announce_tls_port: int
    cluster_announce_bus_port: int
    cluster_replica_validity_factor: int
    cluster_migration_barrier: int
    cluster_allow_replica_migration: bool
    cluster_require_full_coverage: bool
    cluster_replica_no_failover: bool
    cluster_allow_reads_when_down: bool
    cluster_allow_pubsubshard_when_down: bool
    cluster_link_sendbuf_limit: int
    cluster_preferred_endpoint_type: str
