"""Which replica to promote: one that is up and fresh; lowest priority, then furthest, then lowest id."""

from __future__ import annotations

from collections.abc import Iterator

from replication.sentinel.mind.links import ping_period
from replication.sentinel.world.group import Kind, Primary, Replica
from replication.sentinel.world.world import World


def suitable(world: World, group: Primary, replica: Replica, now: int) -> bool:
    """Up, connected, recently heard of, allowed to lead (priority 0: never), no stray, and not cut off for too long.

    "Too long" is ten times down-after beyond the time for which the primary has been down for us: such a
    replica was behind already when the primary died.
    """
    periods = world.periods
    if replica.down or replica.link.disconnected or replica.priority == 0:
        return False
    if replica.role is Kind.PRIMARY and replica.standing is not None and not replica.standing.founded:
        return False  # it votes in a quorum, and neither follows nor has anybody's data
    if now - replica.link.alive_ms > 5 * max(ping_period(world, replica), periods.ping_period):
        return False
    info_validity = 5 * periods.ping_period if group.down else 3 * periods.info_period
    if not replica.info_ms or now - replica.info_ms > info_validity:
        return False
    down_for = now - group.down_since_ms if group.down else 0
    return replica.link_down_ms <= down_for + 10 * group.down_after_ms


def candidates(world: World, group: Primary, now: int) -> Iterator[Replica]:
    """The replicas that may be promoted at this moment."""
    return (replica for replica in group.replicas.values() if suitable(world, group, replica, now))


def preference(replica: Replica) -> tuple[int, int, bool, str]:
    """Smaller is better. A replica that doesn't tell its run id comes last among equals."""
    return replica.priority, -replica.offset, replica.run_id is None, (replica.run_id or "").lower()


def select_replica(world: World, group: Primary, now: int) -> Replica | None:
    """The best of them, None if there is none."""
    return min(candidates(world, group, now), key=preference, default=None)
