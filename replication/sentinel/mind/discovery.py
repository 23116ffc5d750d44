"""Hello messages received: peers found, moved or replaced, newer epochs and configurations adopted."""

from __future__ import annotations

from replication.sentinel.mind import election, failover, links, names
from replication.sentinel.mind.hello import HelloMessage, parse_hello
from replication.sentinel.mind.messages import Level
from replication.sentinel.mind.switching import change_address
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.address import Address
from replication.sentinel.world.group import Kind, Patience, Peer, Primary

MAX_PEERS = 1_000
"""Bounds what strangers with access to the hello channel can make us remember."""


def hello_arrived(turn: Turn, payload: bytes) -> Primary | None:
    """Take in a hello; returns the group it was about, None if it is ours or makes no sense here."""
    message = parse_hello(payload)
    if message is None or message.run_id == turn.world.my_id:
        return None
    group = turn.world.groups.get(message.group)
    if group is None:
        return None
    peer = _find_peer(turn, group, message)
    election.adopt_epoch(turn, group, max(message.epoch, message.config_epoch))
    if peer is not None:
        peer.hello_ms = turn.now
        peer.hello_epoch = message.config_epoch
        peer.hello_address = (message.primary_host, message.primary_port)
        _adopt_configuration(turn, group, peer, message)
    return group


def _find_peer(turn: Turn, group: Primary, message: HelloMessage) -> Peer | None:
    known = group.peers.get(message.run_id)
    if known is not None and known.address.is_at(message.host, message.port):
        return known
    if known is None and len(group.peers) >= MAX_PEERS:
        return None
    address = names.find(turn, message.host, message.port)
    if address is None:
        return known
    if known is not None:
        turn.emit(Level.NOTICE, "+sentinel-address-switch", group,
                  f"ip {message.host} port {message.port} for {message.run_id}")
        _move_peer(turn, known, address)
        return known
    squatter = next((p for p in group.peers.values() if p.address.is_at(message.host, message.port)), None)
    if squatter is not None:
        turn.emit(Level.NOTICE, "+sentinel-invalid-addr", squatter)
        _forget_everywhere(turn, squatter.name)
    peer = turn.world.add_peer(group, message.run_id, address, turn.now)
    turn.emit(Level.NOTICE, "+sentinel", peer)
    turn.persist()
    return peer


def _move_peer(turn: Turn, known: Peer, address: Address) -> None:
    """The peer has another address, in every group."""
    others = 0
    for group in turn.world.groups.values():
        peer = group.peers.get(known.name)
        if peer is not None:
            peer.address = address
            others += peer is not known
    links.reset_link(turn, known.link)
    if others:
        turn.emit(Level.NOTICE, "+sentinel-address-update", known, f"{others} additional matching instances")
    turn.persist()


def _forget_everywhere(turn: Turn, run_id: str) -> None:
    """A sentinel with a new id answers at this one's address: the old one is gone for good."""
    for group in turn.world.groups.values():
        peer = group.peers.pop(run_id, None)
        if peer is not None:
            links.release(turn, peer)


def _adopt_configuration(turn: Turn, group: Primary, peer: Peer, message: HelloMessage) -> None:
    """Somebody was elected and promoted a replica after the failover that we know of, or the one we lead.

    Invariant: `config_epoch` never decreases, and is never newer than our epoch. What we call the primary while
    we lead a failover is the promoted replica, so it is that address which a newer configuration replaces,
    even by the one that we were about to leave: else two would be published under one epoch for ever.
    """
    newer = message.config_epoch > group.config_epoch
    if not newer and not _we_are_mistaken(group, message):
        return
    new = names.find(turn, message.primary_host, message.primary_port)
    if new is None:
        return
    group.config_epoch = message.config_epoch
    turn.persist()
    if group.failover is not None and group.failover.epoch <= message.config_epoch:
        failover.abandon(turn, group)
    old = group.current_address()
    if old.is_at(message.primary_host, message.primary_port):
        group.patience = Patience()  # whoever we left it to is done
        return
    turn.emit(Level.WARNING, "+config-update-from", peer)
    failover.announce_switch(turn, group, old, new)
    change_address(turn, group, new)
    failover.run_reconfig_script(turn, group, "observer", old, new)


def _we_are_mistaken(group: Primary, message: HelloMessage) -> bool:
    """Two primaries under one epoch (forced failovers can do that, and disks that lie): reality decides.

    True if ours is down, and what the peer names is a replica known to us that is up and says that it leads.
    """
    if message.config_epoch != group.config_epoch or group.failing_over or not group.down:
        return False
    return any(replica.address.is_at(message.primary_host, message.primary_port)
               and replica.role is Kind.PRIMARY and not replica.down for replica in group.replicas.values())
