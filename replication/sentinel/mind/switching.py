"""Changing what a group is: a new primary, or a fresh start."""

from __future__ import annotations

from replication.sentinel.mind import links
from replication.sentinel.mind.messages import Level
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Patience, Primary


def reset_group(turn: Turn, group: Primary, *, forget_peers: bool) -> None:
    """Forget replicas, links and any failover under way; configuration and epochs stay."""
    for replica in list(group.replicas.values()):
        links.release(turn, replica)
    group.replicas.clear()
    if forget_peers:
        for peer in list(group.peers.values()):
            links.release(turn, peer)
        group.peers.clear()
        group.by_quorum = False
    links.release(turn, group)
    group.link = turn.world.new_link(turn.now, with_pubsub=True)
    group.link.owners.append(group)
    group.forget_process(turn.now)
    group.objectively_down, group.rebooting_since_ms = False, 0
    group.leaderless_since_ms = group.isolated_since_ms = 0
    group.failover, group.patience, group.leader = None, Patience(), None
    for peer in group.peers.values():
        peer.forget_opinion()


def change_address(turn: Turn, group: Primary, new: Address) -> None:
    """The group has another primary; the old one is watched as a replica, to be brought back later.

    What was seen of the processes stays true: one that lived is known to be dead when its host refuses.
    """
    proven = any(r.link.proven for r in group.replicas.values() if r.address.same(new))
    kept = [(r.address, r.link.proven) for r in group.replicas.values() if not r.address.same(new)]
    if not new.same(group.address):
        kept.append((group.address, group.link.proven))
    reset_group(turn, group, forget_peers=False)
    group.address, group.link.proven = new, proven
    group.down_since_ms = group.objectively_down_since_ms = 0
    turn.persist()
    for address, proven in kept:
        if turn.world.replica_at(group, address.host, address.port) is None:
            replica = turn.world.add_replica(group, address, turn.now)
            replica.link.proven = proven
            turn.emit(Level.NOTICE, "+slave", replica)
    links.spread_hello(turn, group)
