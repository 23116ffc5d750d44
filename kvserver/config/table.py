"""The option table: every option of Redis 7.0, and ours. One row each; nothing else knows an option's name.

It serves the configuration file, the command line, CONFIG GET/SET/REWRITE and the annotated example.
"""

from __future__ import annotations

from kvserver.config.kinds import (
    LONG_MAX,
    UINT_MAX,
    ULONG_MAX,
    Bool,
    Enum,
    Int,
    Memory,
    Octal,
    Secret,
    SignalActions,
    Text,
)
from kvserver.config.option import Option, in_section
from kvserver.config.own_syntax import (
    Addresses,
    EventClasses,
    OomScores,
    OutputLimits,
    Percentiles,
    PrimaryAddress,
    SavePoints,
)

REDIS_VERSION = "7.0.15"
"""The release whose options, commands, replies and formats this project follows; clients choose features by it."""


def _file_name(option: str, noun: str, empty_allowed: bool) -> Text:
    def check(text: str) -> str | None:
        if not text and not empty_allowed:
            return f"{option} can't be empty"
        return f"{option} can't be a path, just a {noun}" if "/" in text or "\\" in text else None

    return Text(check=check)


_YES_NO = Bool()
_PROTECTED = Enum(("no", "yes", "local"))
_COUNT = Int(0, LONG_MAX)
_PORT = Int(0, 65535)
_FREE = Text()
_OPTIONAL = Text(unset_when_empty=True)

_NO_CLUSTER = "cluster mode is not available: this service is highly available through sentinels"
_NO_SUITES = "Python's ssl module leaves the ciphers of TLS 1.3 to OpenSSL's configuration"
_NO_SESSIONS = "Python's ssl module leaves the caching of sessions to OpenSSL, which does it"
_NO_CHILD = "no child process and no background thread exists here"
_NO_DEFRAG = "the memory allocator is Python's, which can't be defragmented while running"
_NO_SYSLOG = "logs go to the standard output or to logfile, not to syslog"
_NO_PIN = "pin the process with taskset or the service manager"
_FREED_IN_SLICES = "large values are always freed in slices, never in one go"
_TESTS_ONLY = "an aid to Redis's own tests"

_NETWORK = in_section(
    "Network",
    (
        Option("bind", Addresses(), "* -::*", "Addresses to listen on; one with a leading - may be missing."),
        Option("port", _PORT, "6379", "TCP port for clients; 0 listens on none."),
        Option("tcp-backlog", Int(), "511", "Connections the kernel may queue before they are accepted.",
               mutable=False),
        Option("protected-mode", _YES_NO, "yes",
               "Refuse clients from other machines while there is neither a password nor an explicit bind."),
        Option("unixsocket", _OPTIONAL, "", "Path of a unix socket to listen on as well.", mutable=False),
        Option("unixsocketperm", Octal(), "0", "Permissions of the unix socket; 0 leaves the default.",
               mutable=False),
        Option("timeout", Int(), "0", "Seconds after which an idle client is disconnected; 0 is never."),
        Option("tcp-keepalive", Int(), "300", "Seconds between TCP keep-alive probes; 0 sends none."),
        Option("maxclients", Int(1, UINT_MAX), "10000", "Clients connected at once."),
        Option("socket-mark-id", Int(0, UINT_MAX), "0", "Mark of the listening sockets for packet filters.",
               mutable=False, refused="sockets are not marked"),
        Option("bind-source-addr", _OPTIONAL, "", "Local address from which to connect to a primary."),
        Option("http-port", _PORT, "0", "HTTP port for metrics and health checks; 0 listens on none.",
               ours=True),
        Option("http-bind", Addresses(), "127.0.0.1", "Addresses of the HTTP port.", ours=True),
        Option("client-output-buffer-limit", OutputLimits(),
               "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
               "Bytes of unread replies after which a client of a class is disconnected: at once above the "
               "first number, after the given seconds above the second; 0 is no limit."),
        Option("client-query-buffer-limit", Memory(1 << 20), "1gb",
               "Bytes of unfinished request a client may send."),
        Option("proto-max-bulk-len", Memory(1 << 20), "512mb", "Bytes of the longest single argument."),
    ),
)  # fmt: skip

_TLS = in_section(
    "TLS",
    (
        Option("tls-port", _PORT, "0", "TCP port for TLS clients; 0 listens on none."),
        Option("tls-cert-file", _OPTIONAL, "",
               "Certificate of the server (PEM, with the chain behind it); set again, it is read again.",
               volatile=True),
        Option("tls-key-file", _OPTIONAL, "", "Private key of that certificate.", volatile=True),
        Option("tls-key-file-pass", Secret(), "", "Password of the key file.", sensitive=True),
        Option("tls-client-cert-file", _OPTIONAL, "",
               "Certificate used towards other servers; without one, the server's.", volatile=True),
        Option("tls-client-key-file", _OPTIONAL, "", "Private key used towards other servers.", volatile=True),
        Option("tls-client-key-file-pass", Secret(), "", "Password of that key file.", sensitive=True),
        Option("tls-dh-params-file", _OPTIONAL, "", "Diffie-Hellman parameters for TLS 1.2 and older.",
               volatile=True),
        Option("tls-ca-cert-file", _OPTIONAL, "", "Authorities trusted for clients and other servers.",
               volatile=True),
        Option("tls-ca-cert-dir", _OPTIONAL, "", "Folder of such authorities, named as openssl rehash does.",
               volatile=True),
        Option("tls-auth-clients", Enum(("no", "yes", "optional")), "yes",
               "Whether clients must show a certificate; optional: if they show one it must be good."),
        Option("tls-replication", _YES_NO, "no",
               "Use TLS towards a primary; as a sentinel, towards nodes and other sentinels."),
        Option("tls-cluster", _YES_NO, "no", "Use TLS towards the target of MIGRATE."),
        Option("tls-protocols", _OPTIONAL, "",
               'TLS versions offered, "TLSv1.2 TLSv1.3" say, which is also the default.'),
        Option("tls-ciphers", _OPTIONAL, "", "Ciphers of TLS 1.2 and older, in OpenSSL's notation."),
        Option("tls-ciphersuites", _OPTIONAL, "", "Ciphers of TLS 1.3.", refused=_NO_SUITES),
        Option("tls-prefer-server-ciphers", _YES_NO, "no",
               "Follow the server's order of ciphers, not the client's."),
        Option("tls-session-caching", _YES_NO, "yes", "Let clients resume TLS sessions.", refused=_NO_SESSIONS),
        Option("tls-session-cache-size", Int(), "20480", "TLS sessions remembered.", refused=_NO_SESSIONS),
        Option("tls-session-cache-timeout", Int(), "300", "Seconds a TLS session is remembered.",
               refused=_NO_SESSIONS),
    ),
)  # fmt: skip

_GENERAL = in_section(
    "Process",
    (
        Option("daemonize", _YES_NO, "no", "Run in the background, unless supervised.", mutable=False),
        Option("supervised", Enum(("upstart", "systemd", "auto", "no")), "no",
               "Tell a supervisor when ready: systemd by its notification socket (a service of type notify), upstart "
               "by stopping (expect stop); auto asks the environment.", mutable=False),
        Option("pidfile", _OPTIONAL, "",
               "File to write the process id to, removed at a clean exit; /var/run/redis.pid in the background.",
               mutable=False),
        Option("loglevel", Enum(("debug", "verbose", "notice", "warning")), "notice",
               "How much is logged."),
        Option("logfile", _FREE, "",
               "Log file, created anew if it was renamed; empty is the standard output (in the background: none).",
               mutable=False),
        Option("dir", _FREE, ".", "Working directory: where data files are read and written.",
               protected=True),
        Option("databases", Int(1), "16", "Number of databases that SELECT can choose from.", mutable=False),
        Option("hz", Int(0, clamp=(1, 500)), "10", "How often a second background tasks run."),
        Option("shutdown-timeout", Int(), "10", "Seconds SHUTDOWN waits for replicas that lag behind."),
        Option("shutdown-on-sigint", SignalActions(), "default", "How SIGINT shuts the server down."),
        Option("shutdown-on-sigterm", SignalActions(), "default", "How SIGTERM shuts the server down."),
        Option("enable-debug-command", _PROTECTED, "no", "Who may use DEBUG: local is loopback only.",
               mutable=False),
        Option("enable-protected-configs", _PROTECTED, "no",
               "Who may change protected options with CONFIG SET.", mutable=False),
        Option("enable-module-command", _PROTECTED, "no", "Who may use MODULE LOAD and UNLOAD, which can but fail.",
               mutable=False),
        Option("always-show-logo", _YES_NO, "no", "Draw a logo at start.", mutable=False,
               inert="there is no logo"),
        Option("set-proc-title", _YES_NO, "yes", "Rename the process.", mutable=False),
        Option("proc-title-template", _FREE, "{title} {listen-addr} {server-mode}",
               "What to rename the process to."),
        Option("dynamic-hz", _YES_NO, "yes", "Run background tasks more often with many clients.",
               inert="background tasks spend a bounded time each, whatever the number of clients"),
        Option("activerehashing", _YES_NO, "yes", "Grow tables while idle.",
               inert="tables grow one small part at a time, always"),
        Option("jemalloc-bg-thread", _YES_NO, "yes", "Let jemalloc purge in a thread.", inert=_NO_DEFRAG),
        Option("syslog-enabled", _YES_NO, "no", "Log to syslog.", mutable=False, refused=_NO_SYSLOG),
        Option("syslog-ident", _FREE, "redis", "Name used in syslog.", mutable=False, inert=_NO_SYSLOG),
        Option("syslog-facility", Enum(("user", *(f"local{n}" for n in range(8)))), "local0",
               "Facility used in syslog.", mutable=False, inert=_NO_SYSLOG),
        Option("crash-log-enabled", _YES_NO, "yes", "Write what every thread was doing when crashing."),
        Option("crash-memcheck-enabled", _YES_NO, "yes", "Test the memory when crashing.",
               inert="a crash says what every thread was doing, and leaves the memory alone"),
        Option("disable-thp", _YES_NO, "yes", "Disable transparent huge pages.", mutable=False,
               inert="nothing forks, so huge pages do no harm"),
        Option("io-threads", Int(1, 128), "1", "Threads that read and write sockets.", mutable=False,
               refused="one thread serves all clients"),
        Option("io-threads-do-reads", _YES_NO, "no", "Let the I/O threads read too.", mutable=False,
               inert="one thread serves all clients"),
        Option("oom-score-adj", Enum(("no", "yes", "relative", "absolute"), (("yes", "relative"),)), "no",
               "Adjust the kernel's out-of-memory score (Linux)."),
        Option("oom-score-adj-values", OomScores(), "0 200 800", "Scores for primary, replica, children."),
        Option("server_cpulist", _OPTIONAL, "", "Processors for the main thread.", mutable=False,
               refused=_NO_PIN),
        Option("bio_cpulist", _OPTIONAL, "", "Processors for background threads.", mutable=False,
               refused=_NO_PIN),
        Option("aof_rewrite_cpulist", _OPTIONAL, "", "Processors for the AOF rewrite.", mutable=False,
               refused=_NO_PIN),
        Option("bgsave_cpulist", _OPTIONAL, "", "Processors for BGSAVE.", mutable=False, refused=_NO_PIN),
        Option("ignore-warnings", _FREE, "", "Warnings about the system not to give.",
               inert="those warnings are not given"),
        Option("use-exit-on-panic", _YES_NO, "no", "How to end after an assertion.", hidden=True,
               inert=_TESTS_ONLY),
        Option("watchdog-period", Int(), "0", "Milliseconds after which a stall is logged.", hidden=True,
               refused="stalls are measured in the metrics instead"),
    ),
)  # fmt: skip

_SECURITY = in_section(
    "Security",
    (
        Option("requirepass", Secret(), "", "Password that clients must give with AUTH; empty is none.",
               sensitive=True),
        Option("aclfile", _FREE, "", "File of users.", mutable=False),
        Option("acllog-max-len", _COUNT, "128", "Entries of ACL LOG."),
        Option("acl-pubsub-default", Enum(("allchannels", "resetchannels")), "resetchannels",
               "Channels of a new user."),
    ),
)  # fmt: skip

_SNAPSHOTS = in_section(
    "Snapshots (RDB)",
    (
        Option("save", SavePoints(), "3600 1 300 100 60 10000",
               'Write a snapshot after so many seconds if there were so many changes; "" is never.'),
        Option("dbfilename", _file_name("dbfilename", "filename", True), "dump.rdb",
               "Name of the snapshot file, in dir.", protected=True),
        Option("rdbcompression", _YES_NO, "yes", "Compress strings in snapshots (LZF)."),
        Option("rdbchecksum", _YES_NO, "yes", "End snapshots with a checksum, and verify it when loading.",
               mutable=False),
        Option("stop-writes-on-bgsave-error", _YES_NO, "yes",
               "Refuse writes while the last snapshot has failed."),
        Option("rdb-del-sync-files", _YES_NO, "no",
               "Delete the snapshot files that served replication when nothing else needs them.",
               inert="snapshots for replicas are never files"),
        Option("sanitize-dump-payload", Enum(("no", "yes", "clients")), "no",
               "Check loaded values deeply.", inert="loaded values are always checked"),
        Option("rdb-save-incremental-fsync", _YES_NO, "yes", "Sync snapshots to disk bit by bit."),
        Option("rdb-key-save-delay", Int(-(2**31)), "0", "Microseconds to wait at each key saved.",
               hidden=True),
        Option("key-load-delay", Int(-(2**31)), "0", "Microseconds to wait at each key loaded.",
               hidden=True),
        Option("loading-process-events-interval-bytes", Int(1024), "2097152",
               "Bytes loaded between two looks at clients.", hidden=True,
               inert="loading yields to clients by time, not by bytes"),
    ),
)  # fmt: skip

_LOG_FILE = in_section(
    "Append-only file (AOF)",
    (
        Option("appendonly", _YES_NO, "no", "Keep a log of every write, replayed at start."),
        Option("appendfilename", _file_name("appendfilename", "filename", False), "appendonly.aof",
               "First part of the names of the log's files.", mutable=False),
        Option("appenddirname", _file_name("appenddirname", "dirname", False), "appendonlydir",
               "Folder of the log's files, in dir.", mutable=False),
        Option("appendfsync", Enum(("everysec", "always", "no")), "everysec",
               "When the log reaches the disk: each second, before each reply, or when the system likes."),
        Option("no-appendfsync-on-rewrite", _YES_NO, "no",
               "Don't sync the log while it is rewritten or a snapshot is saved."),
        Option("auto-aof-rewrite-percentage", Int(), "100",
               "Rewrite the log once it has grown by so many percent; 0 is never."),
        Option("auto-aof-rewrite-min-size", Memory(), "64mb", "Bytes below which the log isn't rewritten."),
        Option("aof-load-truncated", _YES_NO, "yes", "Start although the log ends in half a command."),
        Option("aof-use-rdb-preamble", _YES_NO, "yes", "Begin a rewritten log with a snapshot."),
        Option("aof-timestamp-enabled", _YES_NO, "no", "Note the time in the log now and then."),
        Option("aof-rewrite-incremental-fsync", _YES_NO, "yes", "Sync a rewritten log bit by bit."),
        Option("aof-disable-auto-gc", _YES_NO, "no", "Keep the log's files that are no longer needed."),
    ),
)  # fmt: skip

_REPLICATION = in_section(
    "Replication",
    (
        Option("replicaof", PrimaryAddress(), "", "Host and port of the primary to copy.", ("slaveof",),
               mutable=False),
        Option("masterauth", Secret(), "", "Password to give to the primary.", sensitive=True),
        Option("masteruser", Secret(), "", "User name to give to the primary.", sensitive=True),
        Option("replica-serve-stale-data", _YES_NO, "yes",
               "Answer reads while the copy of the primary is not up to date.", ("slave-serve-stale-data",)),
        Option("replica-read-only", _YES_NO, "yes",
               "Refuse writes from clients while a replica; without, what they write is in no file.",
               ("slave-read-only",)),
        Option("repl-diskless-sync", _YES_NO, "yes", "Send snapshots to replicas without a file."),
        Option("repl-diskless-sync-delay", Int(), "5",
               "Seconds to wait for more replicas before sending such a snapshot."),
        Option("repl-diskless-sync-max-replicas", Int(), "0",
               "Replicas that end that wait at once; 0 is any number."),
        Option("repl-diskless-load", Enum(("disabled", "on-empty-db", "swapdb")), "disabled",
               "Load a snapshot from the primary without a file, and when.",
               inert="a snapshot from the primary is always loaded beside the old data, without a file"),
        Option("repl-ping-replica-period", Int(1), "10", "Seconds between a primary's pings of replicas.",
               ("repl-ping-slave-period",)),
        Option("repl-timeout", Int(1), "60", "Seconds of silence after which a replication link is dead."),
        Option("repl-disable-tcp-nodelay", _YES_NO, "no", "Save packets to replicas, at the price of delay.",
               inert="packets to replicas are never delayed"),
        Option("repl-backlog-size", Memory(1), "1mb",
               "Bytes of recent stream kept so that a replica can continue where it stopped."),
        Option("repl-backlog-ttl", _COUNT, "3600",
               "Seconds without replicas after which the backlog is given up; 0 is never."),
        Option("replica-priority", Int(), "100",
               "Rank in a failover: the lowest is promoted first, 0 never.", ("slave-priority",)),
        Option("replica-announced", _YES_NO, "yes", "Let sentinels tell clients about this replica."),
        Option("replica-announce-ip", _OPTIONAL, "", "Address a replica tells its primary.",
               ("slave-announce-ip",)),
        Option("replica-announce-port", _PORT, "0", "Port a replica tells its primary; 0 is the real one.",
               ("slave-announce-port",)),
        Option("min-replicas-to-write", Int(), "0", "Refuse writes with fewer good replicas than this.",
               ("min-slaves-to-write",)),
        Option("min-replicas-max-lag", Int(), "10", "Seconds of lag up to which a replica is good.",
               ("min-slaves-max-lag",)),
        Option("async-max-unreplicated-ms", Int(), "0",
               "Refuse writes while the oldest one that no replica has acknowledged is older than this (0: take them).",
               ours=True),
        Option("async-max-unreplicated-bytes", Memory(), "0",
               "Refuse writes while no replica has acknowledged this much of the log (0: take them).",
               ours=True),
        Option("durability", Enum(("async", "quorum", "quorum-fsync")), "async",
               "When a write is acknowledged: at once, when a majority of the group has it in memory, or on disks.",
               ours=True),
        Option("reads", Enum(("default", "local", "committed", "linearizable")), "default",
               "What a read may show: anything, what can't be lost any more, or also nothing outdated. The default is "
               "committed where durability is quorum or quorum-fsync, else local.",
               ours=True),
        Option("quorum-nodes", Int(0, 31), "0",
               "How many data nodes vote in the group that this node belongs to (3, 5, ...); 0: it is in none.",
               ours=True, mutable=False),
        Option("quorum-timeout-ms", Int(1), "1000",
               "How long a reply waits for a majority before the client is told that the outcome is unknown.",
               ours=True),
        Option("quorum-found", Enum(("auto", "manual")), "auto",
               "Found the group as soon as quorum-nodes nodes hold the data, or when QUORUM FOUND says so.",
               ours=True),
        Option("replica-lazy-flush", _YES_NO, "no", "Free the old data in the background before a load.",
               ("slave-lazy-flush",), inert=_FREED_IN_SLICES),
        Option("replica-ignore-maxmemory", _YES_NO, "yes", "Leave maxmemory to the primary.",
               ("slave-ignore-maxmemory",)),
        Option("replica-ignore-disk-write-errors", _YES_NO, "no",
               "Go on as a replica when the log can't be written."),
        Option("propagation-error-behavior", Enum(("ignore", "panic", "panic-on-replicas")), "ignore",
               "What a replica does when a replicated command fails.",
               inert="such a failure is logged and counted"),
    ),
)  # fmt: skip

_MEMORY = in_section(
    "Memory",
    (
        Option("maxmemory", Memory(0, ULONG_MAX), "0",
               "Bytes of memory in use above which keys are evicted or writes refused; 0 is no limit."),
        Option("maxmemory-policy",
               Enum(("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru",
                     "allkeys-lfu", "allkeys-random", "noeviction")),
               "noeviction", "Which keys go when maxmemory is reached; noeviction refuses writes instead."),
        Option("maxmemory-samples", Int(1), "5", "Keys looked at to find one to evict."),
        Option("maxmemory-eviction-tenacity", Int(0, 100), "10", "How long eviction may take at a time."),
        Option("maxmemory-clients", Memory(0, LONG_MAX, percent=True), "0",
               "Bytes all clients may hold together; 0 is no limit."),
        Option("active-expire-effort", Int(1, 10), "1", "How hard to look for expired keys.",
               inert="expired keys are looked for all the time, a bounded slice at a time"),
        Option("lfu-log-factor", Int(), "10", "How slowly the access counter of LFU grows."),
        Option("lfu-decay-time", Int(), "1", "Minutes after which that counter falls by one."),
        Option("lazyfree-lazy-eviction", _YES_NO, "no", "Free evicted values in the background.",
               inert=_FREED_IN_SLICES),
        Option("lazyfree-lazy-expire", _YES_NO, "no", "Free expired values in the background.",
               inert=_FREED_IN_SLICES),
        Option("lazyfree-lazy-server-del", _YES_NO, "no", "Free overwritten values in the background.",
               inert=_FREED_IN_SLICES),
        Option("lazyfree-lazy-user-del", _YES_NO, "no", "Make DEL behave as UNLINK.",
               inert=_FREED_IN_SLICES),
        Option("lazyfree-lazy-user-flush", _YES_NO, "no", "Make FLUSHALL asynchronous by default.",
               inert=_FREED_IN_SLICES),
        Option("activedefrag", _YES_NO, "no", "Defragment the memory while running.", refused=_NO_DEFRAG),
        Option("active-defrag-ignore-bytes", Memory(1), "100mb", "Waste below which nothing is done.",
               inert=_NO_DEFRAG),
        Option("active-defrag-threshold-lower", Int(0, 1000), "10", "Percentage at which to begin.",
               inert=_NO_DEFRAG),
        Option("active-defrag-threshold-upper", Int(0, 1000), "100", "Percentage of greatest effort.",
               inert=_NO_DEFRAG),
        Option("active-defrag-cycle-min", Int(1, 99), "1", "Least effort in percent.", inert=_NO_DEFRAG),
        Option("active-defrag-cycle-max", Int(1, 99), "25", "Greatest effort in percent.",
               inert=_NO_DEFRAG),
        Option("active-defrag-max-scan-fields", Int(1, LONG_MAX), "1000", "Size above which a value waits.",
               inert=_NO_DEFRAG),
    ),
)  # fmt: skip

_TYPES = in_section(
    "Encodings, as OBJECT ENCODING tells them",
    (
        Option("hash-max-listpack-entries", _COUNT, "512", "Fields up to which a hash is packed.",
               ("hash-max-ziplist-entries",)),
        Option("hash-max-listpack-value", Memory(), "64", "Bytes up to which a hash's value is packed.",
               ("hash-max-ziplist-value",)),
        Option("list-max-listpack-size", Int(-(2**31)), "-2",
               "Elements in one node of a list; -1 to -5 are 4, 8, 16, 32 and 64 kilobytes instead.",
               ("list-max-ziplist-size",)),
        Option("list-compress-depth", Int(), "0", "Nodes at each end of a list that aren't compressed.",
               inert="lists are not compressed in memory"),
        Option("set-max-intset-entries", _COUNT, "512", "Members up to which a set of integers is packed."),
        Option("zset-max-listpack-entries", _COUNT, "128", "Members up to which a sorted set is packed.",
               ("zset-max-ziplist-entries",)),
        Option("zset-max-listpack-value", Memory(), "64", "Bytes up to which its member is packed.",
               ("zset-max-ziplist-value",)),
        Option("hll-sparse-max-bytes", Memory(), "3000", "Bytes up to which a HyperLogLog is sparse."),
        Option("stream-node-max-bytes", Memory(), "4096", "Bytes in one node of a stream; 0 is any number."),
        Option("stream-node-max-entries", _COUNT, "100", "Entries in one node of a stream; 0 is any number."),
    ),
)  # fmt: skip

_OBSERVE = in_section(
    "Observation",
    (
        Option("slowlog-log-slower-than", Int(-1, LONG_MAX), "10000",
               "Microseconds above which a command enters the slow log; negative is never, 0 is all."),
        Option("slowlog-max-len", _COUNT, "128", "Entries of the slow log."),
        Option("latency-monitor-threshold", _COUNT, "0",
               "Milliseconds above which an event is kept for LATENCY; 0 is never."),
        Option("latency-tracking", _YES_NO, "yes", "Keep a histogram of each command's latency."),
        Option("latency-tracking-info-percentiles", Percentiles(), "50 99 99.9",
               "Percentiles that INFO latencystats tells."),
        Option("notify-keyspace-events", EventClasses(), "", "Events published about keys."),
        Option("busy-reply-threshold", _COUNT, "5000",
               "Milliseconds after which other clients are told that a script is running.",
               ("lua-time-limit",)),
        Option("lua-enable-deprecated-api", _YES_NO, "no", "Give scripts getfenv, setfenv and newproxy.",
               mutable=False, hidden=True),
        Option("tracking-table-max-keys", _COUNT, "1000000", "Keys remembered for client-side caching; 0 is no limit."),
    ),
)  # fmt: skip

_CLUSTER_SWITCH = in_section(
    "Cluster",
    [Option("cluster-enabled", _YES_NO, "no", "Be a node of a cluster.", mutable=False, refused=_NO_CLUSTER)],
)

_CLUSTER = in_section(
    "Cluster",
    [
        Option(name, kind, default, doc, aliases, mutable=mutable, inert=_NO_CLUSTER)
        for name, kind, default, doc, aliases, mutable in (
            ("cluster-config-file", _FREE, "nodes.conf", "File of the cluster's state.", (), False),
            ("cluster-port", _PORT, "0", "Port of the cluster bus.", (), False),
            ("cluster-node-timeout", _COUNT, "15000", "Milliseconds until a node is down.", (), True),
            ("cluster-announce-ip", _OPTIONAL, "", "Address told to the cluster.", (), True),
            ("cluster-announce-hostname", _OPTIONAL, "", "Host name told to the cluster.", (), True),
            ("cluster-announce-port", _PORT, "0", "Port told to the cluster.", (), True),
            ("cluster-announce-tls-port", _PORT, "0", "TLS port told to the cluster.", (), True),
            ("cluster-announce-bus-port", _PORT, "0", "Bus port told to the cluster.", (), True),
            ("cluster-replica-validity-factor", Int(), "10", "How stale a promoted node may be.",
             ("cluster-slave-validity-factor",), True),
            ("cluster-migration-barrier", Int(), "1", "Replicas that stay.", (), True),
            ("cluster-allow-replica-migration", _YES_NO, "yes", "Let replicas move.", (), True),
            ("cluster-require-full-coverage", _YES_NO, "yes", "Stop when slots are missing.", (), True),
            ("cluster-replica-no-failover", _YES_NO, "no", "Never promote this node.",
             ("cluster-slave-no-failover",), True),
            ("cluster-allow-reads-when-down", _YES_NO, "no", "Read in a broken cluster.", (), True),
            ("cluster-allow-pubsubshard-when-down", _YES_NO, "yes", "Publish in one.", (), True),
            ("cluster-link-sendbuf-limit", Memory(0, ULONG_MAX), "0", "Bytes queued on the bus.", (), True),
            ("cluster-preferred-endpoint-type", Enum(("ip", "hostname", "unknown-endpoint")), "ip",
             "How nodes are named to clients.", (), True),
        )
    ],
)  # fmt: skip

OPTIONS: tuple[Option, ...] = (
    *_NETWORK, *_TLS, *_GENERAL, *_SECURITY, *_SNAPSHOTS, *_LOG_FILE, *_REPLICATION, *_MEMORY, *_TYPES,
    *_OBSERVE, *_CLUSTER_SWITCH, *_CLUSTER,
)  # fmt: skip
"""All options, in the order of the example configuration."""

BY_NAME: dict[str, Option] = {name: option for option in OPTIONS for name in option.names}
"""Every name and alias."""
