"""The gates of replication: what a replica, a stale one, or a primary with too few replicas refuses."""

from __future__ import annotations

from kvserver.config import Config
from kvserver.engine.command_table.row import NOT_STALE, WRITE
from kvserver.engine.run.executor import Engine
from replication.primary.attached import Attached, enough_replicas


def refresh(engine: Engine, config: Config, link_up: bool | None, replicas: list[Attached], now_s: float) -> None:
    """Have the gates asked, or not, as the present state wants; `link_up` is None on a primary."""
    few = link_up is None and not enough_replicas(
        replicas, config.min_replicas_to_write, config.min_replicas_max_lag, now_s
    )
    stale = link_up is False and not config.replica_serve_stale_data
    engine.forbid("readonly", WRITE if link_up is not None and config.replica_read_only else 0)
    if link_up is None or config.replica_read_only:
        engine.state.own_volatile = None
    elif engine.state.own_volatile is None:
        engine.state.own_volatile = {}
    engine.forbid("stale", NOT_STALE if stale else 0)
    engine.forbid("few-replicas", WRITE if few else 0)
