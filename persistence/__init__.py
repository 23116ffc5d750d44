"""What survives a crash: RDB files (`rdb/`), the append-only file (`aof/`), point-in-time snapshots without a fork.

`plugin.attach` adds it to a node; `snapshotter`, `loader` and `disk` touch files, the formats do not.
"""
