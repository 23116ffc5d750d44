"""Host names: asked for when one is met that isn't known, or may have changed; taken in when the answer is there.

A step never waits for a resolver. What depends on a name that isn't known is left out, as if the name did not
resolve, and comes again: a hello within the publish period, the INFO of a primary as soon as the name is known.
"""

from __future__ import annotations

from replication.sentinel.mind import links
from replication.sentinel.mind.messages import Resolved
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.address import Address, BadAddress, literal
from replication.sentinel.world.group import Instance, Peer, Primary


def find(turn: Turn, host: str, port: int, ask_again: Primary | None = None) -> Address | None:
    """The address of a host that a node or a peer named; None if it isn't known, then it is being looked up.

    With `ask_again` that group's primary is asked for INFO when the name is known.
    """
    try:
        return turn.world.address(host, port)
    except BadAddress:
        if turn.world.resolve_hostnames and literal(host) is None:
            turn.look_up(host, ask_again)
        return None


def resolved(turn: Turn, event: Resolved) -> None:
    """A look-up ended. Who is known by that name is at that address now; a name without one stays what it was."""
    world = turn.world
    waiting = world.lookups.pop(event.host, set())
    if event.ip is None or not world.resolve_hostnames:
        return
    world.learn_name(event.host, event.ip)
    for group in world.groups.values():
        for instance in list(group.members()):
            if instance.address.host == event.host and instance.address.ip != event.ip:
                _move(turn, group, instance, event.ip)
    for name in sorted(waiting & world.groups.keys()):
        links.send_info(turn, world.groups[name])


def _move(turn: Turn, group: Primary, instance: Instance, ip: str) -> None:
    """A connection that stands is kept; one that doesn't is tried at the new address, at once.

    If another node of the group is there, this name means it too: then nothing is changed.
    """
    new = Address(instance.address.host, instance.address.port, ip)
    nodes = (group, *group.replicas.values())
    if not isinstance(instance, Peer) and any(each is not instance and each.address.same(new) for each in nodes):
        return
    instance.address = new
    if not instance.link.ready:
        links.reset_link(turn, instance.link)
