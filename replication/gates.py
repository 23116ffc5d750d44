"""The gates of replication: what a replica, a stale one, or a primary with too few replicas refuses."""

from __future__ import annotations

from kvserver.config import Config
from kvserver.engine.command_table.row import NOT_STALE, WRITE, Row
from kvserver.engine.run import gates
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.wire.resp import error
from replication.primary.attached import Attached, enough_replicas

PASS = b""
# Sessions whose commands were accepted elsewhere.
_TRUSTED = frozenset(("primary", "loader"))

READONLY = error("READONLY You can't write against a read only replica.")
MASTERDOWN = error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
NOREPLICAS = error("NOREPLICAS Not enough good replicas to write.")


def readonly(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """A read-only replica takes writes from its primary alone."""
    if row.flags & WRITE and engine.deny_masks.get("replica") and c.kind not in _TRUSTED:
        return READONLY
    return PASS


def stale(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """With replica-serve-stale-data off, a replica without its primary serves no data."""
    if row.flags & NOT_STALE and engine.deny_masks.get("stale") and c.kind not in _TRUSTED:
        return MASTERDOWN
    return PASS


def few_replicas(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """With min-replicas-to-write, a primary that has too few good replicas takes no writes."""
    if row.flags & WRITE and engine.deny_masks.get("few-replicas") and c.kind not in _TRUSTED:
        return NOREPLICAS
    return PASS


def refresh(engine: Engine, config: Config, link_up: bool | None, replicas: list[Attached], now_s: float) -> None:
    """Have the gates asked, or not, as the present state wants; `link_up` is None on a primary."""
    few = link_up is None and not enough_replicas(
        replicas, config.min_replicas_to_write, config.min_replicas_max_lag, now_s
    )
    stale = link_up is False and not config.replica_serve_stale_data
    engine.forbid("replica", WRITE if link_up is not None and config.replica_read_only else 0)
    if link_up is None or config.replica_read_only:
        engine.state.own_volatile = None
    elif engine.state.own_volatile is None:
        engine.state.own_volatile = {}
    engine.forbid("stale", NOT_STALE if stale else 0)
    engine.forbid("few-replicas", WRITE if few else 0)


def install(engine: Engine) -> None:
    """Plug the gates into an engine."""
    engine.add_gate(gates.ORDER_REPLICAS, "few-replicas", few_replicas)
    engine.add_gate(gates.ORDER_READONLY, "replica", readonly)
    engine.add_gate(gates.ORDER_STALE, "stale", stale)
