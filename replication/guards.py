"""The gates of replication: what a replica, a stale one, or a primary with too few replicas refuses."""

from __future__ import annotations

from kvserver.engine import gates
from kvserver.engine.executor import Engine
from kvserver.engine.session import Session
from kvserver.resp import error
from kvserver.spec import NOT_STALE, WRITE, Row

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


def install(engine: Engine) -> None:
    """Plug the gates into an engine."""
    engine.add_gate(gates.ORDER_REPLICAS, "few-replicas", few_replicas)
    engine.add_gate(gates.ORDER_READONLY, "replica", readonly)
    engine.add_gate(gates.ORDER_STALE, "stale", stale)
