"""Who is down: in our own opinion (subjectively), and in that of a quorum (objectively).

*Subjectively down* is a process
- that has not answered a ping for longer than down-after;
- or that was alive before and whose host now refuses connections, twice, `refused_after_ms` apart: nobody
  listens there any more, which no slow network or busy server can feign;
- or a primary that has called itself a replica for long enough that its INFO must be believed;
- or, in a group that goes by quorum, a primary that says that it doesn't lead (it restarted, say): nothing but an
  epoch of its own makes it, or another, lead again, so nobody waits for that; nor one that has led for longer than
  down-after without being reached by those who follow it (see `leadership`);
- or a primary that restarted and, where the operator asked for it, takes too long to be itself again.

A closed connection alone proves nothing (CLIENT KILL, a full client table); neither does a missing route.
*Objectively down* is a primary that we and enough peers, `quorum` in all, consider down at the same time.
"""

from __future__ import annotations

from replication.sentinel.mind import links
from replication.sentinel.mind.messages import Level, Reply, ReplyError, Request
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.group import Instance, Kind, Link, Primary, group_of
from replication.sentinel.world.world import World

ALIVE_REPLIES = ("PONG", "LOADING", "MASTERDOWN")
LEADERLESS_MS = 200
"""How long a primary may say that it doesn't lead: while a peer's failover goes on, that is so for an instant."""
UNHEARD_MS = 1_500
"""For how long a node hasn't heard of a member before it says so."""
ISOLATED_MS = 400
"""How long it has to repeat that at least: a node that stood still for a moment has yet to read what was sent."""


def silence_ms(link: Link, now: int) -> int:
    """For how long the process has owed an answer."""
    if link.waiting_since_ms:
        return now - link.waiting_since_ms
    return now - link.alive_ms if link.disconnected else 0


def refuses(instance: Instance, now: int) -> bool:
    """True if a process that lived has been gone, provenly, for the group's `refused_after_ms`."""
    link, limit = instance.link, group_of(instance).refused_after_ms
    return bool(limit and link.proven and link.refusals >= 2 and now - link.refused_since_ms >= limit)


def unresponsive(instance: Instance, now: int) -> bool:
    """Whether the process answers no more."""
    return silence_ms(instance.link, now) > group_of(instance).down_after_ms or refuses(instance, now)


def seems_down(world: World, instance: Instance, now: int) -> bool:
    """Whether the process counts as down at this moment, in our own opinion."""
    group = group_of(instance)
    if unresponsive(instance, now):
        return True
    if instance is not group:
        return False
    if group.by_quorum:
        leaderless, isolated = group.leaderless_since_ms, group.isolated_since_ms
        return (leaderless > 0 and now - leaderless >= LEADERLESS_MS) or (
            isolated > 0 and now - isolated >= max(ISOLATED_MS, group.down_after_ms - UNHEARD_MS))
    patience = group.down_after_ms + 2 * world.periods.info_period
    if group.role is Kind.REPLICA and now - group.role_since_ms > patience:
        return True
    return bool(group.rebooting_since_ms and now - group.rebooting_since_ms > group.reboot_down_after_ms)


def check_subjectively(turn: Turn, instance: Instance) -> None:
    """Update the opinion. A primary that goes down makes us look at its replicas at once."""
    down = seems_down(turn.world, instance, turn.now)
    if down == instance.down:
        return
    instance.down = down
    if not down:
        turn.emit(Level.WARNING, "-sdown", instance)
        instance.script_kill_sent = False
        return
    turn.emit(Level.WARNING, "+sdown", instance)
    instance.down_since_ms = turn.now
    if isinstance(instance, Primary):
        for replica in instance.replicas.values():
            links.send_info(turn, replica)


def check_objectively(turn: Turn, group: Primary) -> None:
    """Update the opinion of the quorum: it is down if we and enough peers consider it down."""
    agreeing = 1 + sum(peer.primary_down for peer in group.peers.values()) if group.down else 0
    down = group.down and agreeing >= group.quorum
    if down and not group.objectively_down:
        turn.emit(Level.WARNING, "+odown", group, f"#quorum {agreeing}/{group.quorum}")
        group.objectively_down_since_ms = turn.now
    elif group.objectively_down and not down:
        turn.emit(Level.WARNING, "-odown", group)
        group.patience.stand_at_ms, group.patience.reason = 0, ""
    group.objectively_down = down


def ponged(turn: Turn, link: Link, reply: Reply) -> None:
    """A ping was answered: with life, or with an error that says the process can't serve."""
    text = reply.text if isinstance(reply, ReplyError) else reply.decode("utf-8", "replace") \
        if isinstance(reply, bytes) else ""
    link.ping_seen_ms = turn.now
    if not text.startswith(ALIVE_REPLIES):
        if text.startswith("BUSY"):
            _kill_script(turn, link)
        return
    link.alive_ms, link.waiting_since_ms = turn.now, 0
    link.refusals = link.refused_since_ms = link.command.failures = link.pubsub.failures = 0
    link.proven = True
    owner = link.owners[0]
    if isinstance(owner, Primary) and text.startswith("PONG"):
        owner.rebooting_since_ms = 0


def _kill_script(turn: Turn, link: Link) -> None:
    """A script blocks the process for so long that it counts as down: try to end the script, once."""
    owner = link.owners[0]
    if owner.down and not owner.script_kill_sent:
        turn.send(owner, Request.OTHER, b"SCRIPT", b"KILL")
        owner.script_kill_sent = True


def forgive_gap(world: World, gap_ms: int, now: int) -> None:
    """We did not look for `gap_ms`: answers may be waiting to be read, so that time counts against nobody."""
    for link in world.links.values():
        if link.waiting_since_ms:
            link.waiting_since_ms = min(now, link.waiting_since_ms + gap_ms)
        elif link.disconnected:
            link.alive_ms = min(now, link.alive_ms + gap_ms)
