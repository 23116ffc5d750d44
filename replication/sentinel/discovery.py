"""Hello messages received: peers found, moved or replaced, newer epochs and configurations adopted."""

from __future__ import annotations

from replication.sentinel import election, failover, links
from replication.sentinel.groups import change_address
from replication.sentinel.hello import HelloMessage, parse_hello
from replication.sentinel.messages import Level
from replication.sentinel.turn import Turn
from replication.sentinel.world import BadAddress, Peer, Primary

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
    election.adopt_epoch(turn, group, message.epoch)
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
    try:
        address = turn.world.address(message.host, message.port)
    except BadAddress:
        return known
    if known is not None:
        turn.emit(Level.NOTICE, "+sentinel-address-switch", group,
                  f"ip {message.host} port {message.port} for {message.run_id}")
        _move_peer(turn, known, message)
        return known
    squatter = next((p for p in group.peers.values() if p.address.is_at(message.host, message.port)), None)
    if squatter is not None:
        turn.emit(Level.NOTICE, "+sentinel-invalid-addr", squatter)
        _forget_everywhere(turn, squatter.name)
    peer = turn.world.add_peer(group, message.run_id, address, turn.now)
    turn.emit(Level.NOTICE, "+sentinel", peer)
    turn.persist()
    return peer


def _move_peer(turn: Turn, known: Peer, message: HelloMessage) -> None:
    """The peer has another address, in every group."""
    address = turn.world.address(message.host, message.port)
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
    """Somebody was elected and promoted a replica after the failover that we know of."""
    if message.config_epoch <= group.config_epoch:
        return
    try:
        new = turn.world.address(message.primary_host, message.primary_port)
    except BadAddress:
        return
    group.config_epoch = message.config_epoch
    turn.persist()
    if group.address.is_at(message.primary_host, message.primary_port):
        return
    turn.emit(Level.WARNING, "+config-update-from", peer)
    old = group.address
    failover.announce_switch(turn, group, new)
    change_address(turn, group, new)
    failover.run_reconfig_script(turn, group, "observer", old, new)
