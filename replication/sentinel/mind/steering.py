"""Carrying out what an operator wants: groups to watch or to forget, failovers by hand, options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from replication.sentinel.mind import convene, election, failover, links
from replication.sentinel.mind.messages import Level, Refusal
from replication.sentinel.mind.orders import (
    Announce,
    ForceFailover,
    Order,
    RenameCommand,
    Reset,
    SetOption,
    SetPeriod,
    SimulateFailure,
    Unwatch,
    Watch,
)
from replication.sentinel.mind.selection import select_replica
from replication.sentinel.mind.switching import reset_group
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.group import Instance, Primary
from replication.sentinel.world.world import DuplicateInstance

NO_GROUP = "ERR No such master with that name"
NOT_BY_QUORUM = "ERR FORCE-UNSAFE is for groups that acknowledge by quorum; SENTINEL FAILOVER alone is enough here"
NO_MAJORITY = (
    "NOQUORUM No majority of the nodes can be asked to promise. FORCE-UNSAFE promotes the most advanced node that is "
    "there, and may lose acknowledged writes"
)


class _Refused(Exception):
    """It can't be done; the text is the error for the client. Raised before anything was changed."""


def carry_out(turn: Turn, order: Order) -> list[Primary]:
    """Do it; which groups must be looked after then. If it can't be done: a `Refusal`, and nothing changed."""
    try:
        return _HANDLERS[type(order)](turn, order)
    except _Refused as refusal:
        turn.actions.append(Refusal(str(refusal)))
        return []


def _named(turn: Turn, name: str) -> Primary:
    group = turn.world.groups.get(name)
    if group is None:
        raise _Refused(NO_GROUP)
    return group


def _watch(turn: Turn, order: Watch) -> list[Primary]:
    try:
        group = turn.world.add_group(order.name, order.address, order.quorum, turn.now)
    except DuplicateInstance as problem:
        raise _Refused(f"ERR {problem}") from None
    turn.persist()
    _tell_watched(turn, group)
    return [group]


def _tell_watched(turn: Turn, group: Primary) -> None:
    turn.emit(Level.WARNING, "+monitor", group, f"quorum {group.quorum}")


def _announce(turn: Turn, order: Announce) -> list[Primary]:
    groups = list(turn.world.groups.values())
    for group in groups:
        _tell_watched(turn, group)
    return groups


def _unwatch(turn: Turn, order: Unwatch) -> list[Primary]:
    group = _named(turn, order.name)
    turn.emit(Level.WARNING, "-monitor", group)
    for instance in list(group.members()):
        links.release(turn, instance)
    del turn.world.groups[group.name]
    turn.persist()
    return []


def _reset(turn: Turn, order: Reset) -> list[Primary]:
    groups = [_named(turn, name) for name in order.names]
    for group in groups:
        reset_group(turn, group, forget_peers=True)
        turn.emit(Level.WARNING, "+reset-master", group)
        turn.persist()
    return groups


def _force_failover(turn: Turn, order: ForceFailover) -> list[Primary]:
    group = _named(turn, order.name)
    if order.unsafe and not group.by_quorum:
        raise _Refused(NOT_BY_QUORUM)
    if order.unsafe:
        failover.abandon(turn, group)  # which may be the one that finds nobody, again and again
    if group.failing_over:
        raise _Refused("INPROG Failover already in progress")
    planned = group.by_quorum and not (order.unsafe or group.down or group.leaderless_since_ms)
    if (planned or not group.by_quorum) and select_replica(turn.world, group, turn.now) is None:
        raise _Refused("NOGOODSLAVE No suitable replica to promote")
    if group.by_quorum and not order.unsafe and not convene.hopeful(group, turn.now):
        raise _Refused(NO_MAJORITY)
    failover.start(turn, group, forced=True, planned=planned, unsafe=order.unsafe)
    if group.by_quorum:  # the others leave it to us, though we don't wait for their votes: tries can't collide
        for peer in group.peers.values():
            election.ask(turn, peer)
    return [group]


def _set_option(turn: Turn, order: SetOption) -> list[Primary]:
    world = turn.world
    stale: list[Instance]
    if order.group is None:
        order.option.apply(world, world, order.value)
        stale = [peer for group in world.groups.values() for peer in group.peers.values()]
    else:
        group = _named(turn, order.group)
        order.option.apply(group, world, order.value)
        stale = [group, *group.replicas.values()]
        turn.emit(Level.WARNING, "+set", group, order.told)
    if order.option.reconnects:
        for instance in stale:
            links.reset_link(turn, instance.link)
    turn.persist()
    return []


def _rename_command(turn: Turn, order: RenameCommand) -> list[Primary]:
    group, old = _named(turn, order.group), order.old.lower()
    group.renamed.pop(old, None)
    if old != order.new.lower():
        group.renamed[old] = order.new
    turn.emit(Level.WARNING, "+set", group, order.told)
    turn.persist()
    return []


def _set_period(turn: Turn, order: SetPeriod) -> list[Primary]:
    setattr(turn.world.periods, order.field, order.ms)
    return []


def _simulate_failure(turn: Turn, order: SimulateFailure) -> list[Primary]:
    turn.world.crash_after_election = order.after_election
    turn.world.crash_after_promotion = order.after_promotion
    return []


_HANDLERS: dict[type[Order], Callable[[Turn, Any], list[Primary]]] = {
    Announce: _announce,
    ForceFailover: _force_failover,
    RenameCommand: _rename_command,
    Reset: _reset,
    SetOption: _set_option,
    SetPeriod: _set_period,
    SimulateFailure: _simulate_failure,
    Unwatch: _unwatch,
    Watch: _watch,
}
