"""What INFO says about replication, from plain numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kvserver.config import Config
from replication.backlog import Backlog
from replication.history import History
from replication.primary.attached import Attached, good_count

Fields = Iterable[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class LinkView:
    """A replica's link. `total_bytes` -1: a snapshot of unknown length; all of them 0 without one."""

    host: str
    port: int
    state: str
    io_ago_s: int
    down_for_s: int
    syncing: bool
    total_bytes: int
    read_bytes: int
    unapplied_bytes: int


@dataclass(frozen=True, slots=True)
class View:
    """A node as INFO sees it."""

    config: Config
    follows: bool
    history: History
    offset: int
    backlog: Backlog | None
    replicas: Sequence[Attached]
    link: LinkView | None
    failover: str
    now_s: float


def replication_fields(view: View) -> Iterator[tuple[str, object]]:
    """The section's fields in Redis's order."""
    yield "role", "slave" if view.follows else "master"
    if view.link is not None:
        yield from _replica_fields(view.config, view.link, view.offset)
    yield "connected_slaves", len(view.replicas)
    config = view.config
    if config.min_replicas_to_write and config.min_replicas_max_lag:
        yield "min_slaves_good_slaves", good_count(view.replicas, config.min_replicas_max_lag, view.now_s)
    for number, replica in enumerate(view.replicas):
        yield (
            f"slave{number}",
            f"ip={replica.ip},port={replica.port},state={replica.phase.value},"
            f"offset={replica.ack_offset},lag={replica.lag_s(view.now_s)}",
        )
    yield "master_failover_state", view.failover
    yield "master_replid", view.history.replid.decode()
    yield "master_replid2", view.history.second_replid.decode()
    yield "master_repl_offset", view.offset
    yield "second_repl_offset", view.history.second_offset
    backlog = view.backlog
    yield "repl_backlog_active", int(backlog is not None)
    yield "repl_backlog_size", config.repl_backlog_size
    yield "repl_backlog_first_byte_offset", backlog.first_offset if backlog is not None else 0
    yield "repl_backlog_histlen", backlog.histlen if backlog is not None else 0


def _replica_fields(config: Config, link: LinkView, offset: int) -> Iterator[tuple[str, object]]:
    up = link.state == "connected"
    yield "master_host", link.host
    yield "master_port", link.port
    yield "master_link_status", "up" if up else "down"
    yield "master_last_io_seconds_ago", link.io_ago_s if up else -1
    yield "master_sync_in_progress", int(link.syncing)
    yield "slave_read_repl_offset", offset + link.unapplied_bytes
    yield "slave_repl_offset", offset
    if link.syncing:
        known = link.total_bytes >= 0
        yield "master_sync_total_bytes", link.total_bytes if known else 0
        yield "master_sync_read_bytes", link.read_bytes
        yield "master_sync_left_bytes", link.total_bytes - link.read_bytes if known else -link.read_bytes
        yield "master_sync_perc", f"{link.read_bytes / link.total_bytes * 100 if link.total_bytes > 0 else 0:.2f}"
        yield "master_sync_last_io_seconds_ago", link.io_ago_s
    if not up:
        yield "master_link_down_since_seconds", link.down_for_s
    yield "slave_priority", config.replica_priority
    yield "slave_read_only", int(config.replica_read_only)
    yield "replica_announced", int(config.replica_announced)
