"""The fields of INFO's section persistence."""

from __future__ import annotations

from collections.abc import Iterator

from persistence.aof.append_only import AppendOnly
from persistence.snapshot.loader import Loader
from persistence.snapshot.snapshotter import Snapshotter


def persistence_fields(saver: Snapshotter, loader: Loader, aof: AppendOnly) -> Iterator[tuple[str, object]]:
    """Names and values in Redis's order.

    Nothing forks here: copied on write are the old strings which a snapshot keeps.
    """
    now_s = saver.engine.services.clock.wall()
    yield "loading", int(loader.loading)
    yield "async_loading", 0
    snapshot = saver.current or aof.rewriter.current
    kept = snapshot.kept_bytes if snapshot is not None else 0
    yield "current_cow_peak", kept
    yield "current_cow_size", kept
    yield "current_cow_size_age", 0
    done, total = (snapshot.keys, snapshot.total) if snapshot is not None else (0, 0)
    yield "current_fork_perc", f"{100 * done / total if total else 0:.2f}"
    yield "current_save_keys_processed", done
    yield "current_save_keys_total", total
    yield "rdb_changes_since_last_save", saver.engine.state.dirty
    yield "rdb_bgsave_in_progress", int(saver.in_progress)
    yield "rdb_last_save_time", saver.last_save_s
    yield "rdb_last_bgsave_status", "ok" if saver.last_ok else "err"
    yield "rdb_last_bgsave_time_sec", saver.last_seconds
    yield "rdb_current_bgsave_time_sec", int(now_s - saver.began_s) if saver.in_progress else -1
    yield "rdb_saves", saver.saves
    yield "rdb_last_cow_size", saver.kept_bytes
    yield "rdb_last_load_keys_expired", loader.keys_expired
    yield "rdb_last_load_keys_loaded", loader.keys_loaded
    yield from _aof_fields(aof, now_s)
    if loader.loading:
        yield from _loading_fields(loader, now_s)


def _aof_fields(aof: AppendOnly, now_s: float) -> Iterator[tuple[str, object]]:
    rewriter, writer = aof.rewriter, aof.writer
    yield "aof_enabled", int(aof.on)
    yield "aof_rewrite_in_progress", int(rewriter.in_progress)
    yield "aof_rewrite_scheduled", int(rewriter.scheduled)
    yield "aof_last_rewrite_time_sec", rewriter.last_seconds
    yield "aof_current_rewrite_time_sec", int(now_s - rewriter.began_s) if rewriter.in_progress else -1
    yield "aof_last_bgrewrite_status", "ok" if rewriter.ok else "err"
    yield "aof_rewrites", rewriter.rewrites
    yield "aof_rewrites_consecutive_failures", rewriter.back_off.failures
    yield "aof_last_write_status", "ok" if aof.trouble is None else "err"
    yield "aof_last_cow_size", rewriter.kept_bytes
    yield "module_fork_in_progress", 0
    yield "module_fork_last_cow_size", 0
    if aof.on:
        yield "aof_current_size", rewriter.size
        yield "aof_base_size", rewriter.base_size
        yield "aof_pending_rewrite", int(rewriter.scheduled)
        yield "aof_buffer_length", writer.pending_bytes
        yield "aof_pending_bio_fsync", int(writer.syncer.running)
        yield "aof_delayed_fsync", writer.delayed


def _loading_fields(loader: Loader, now_s: float) -> Iterator[tuple[str, object]]:
    elapsed = max(now_s - loader.began_s, 0.001)
    rate = loader.loaded_bytes / elapsed
    left = loader.total_bytes - loader.loaded_bytes
    yield "loading_start_time", int(loader.began_s)
    yield "loading_total_bytes", loader.total_bytes
    yield "loading_loaded_bytes", loader.loaded_bytes
    yield "loading_loaded_perc", f"{100 * loader.loaded_bytes / max(1, loader.total_bytes):.2f}"
    yield "loading_eta_seconds", int(left / rate) if rate else 1
