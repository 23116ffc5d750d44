"""Keeping in touch: when to connect, what to send regularly, when to give a connection up.

A lost connection is tried again at once, then with growing pauses up to one ping period. The first pause is
the group's `refused_after_ms`: a second refusal after it confirms the first (see `detector`).
"""

from __future__ import annotations

from replication.sentinel.mind.hello import HelloMessage
from replication.sentinel.mind.messages import Cause, Connect, Level, Request
from replication.sentinel.mind.turn import Turn
from replication.sentinel.world.address import literal
from replication.sentinel.world.group import (
    Connection,
    Instance,
    Kind,
    Lane,
    LaneState,
    Link,
    Primary,
    Replica,
    group_of,
)
from replication.sentinel.world.stages import Stage
from replication.sentinel.world.world import HELLO_CHANNEL, World

MAX_PENDING = 100
"""Unanswered requests on one link, per owner, above which nothing regular is sent."""
EAGER_INFO_PERIOD_MS = 100
WATCHFUL_INFO_PERIOD_MS = 1_000
FIRST_RETRY_MS = 100
RESET_RETRY_MS = 10


def ping_period(world: World, instance: Instance) -> int:
    """A quarter of down-after, at most the configured period: one late pong is not yet a verdict."""
    return max(20, min(world.periods.ping_period, group_of(instance).down_after_ms // 4))


def connect_timeout(instance: Instance) -> int:
    """How long an attempt to connect may take, in milliseconds: down-after, between 0.5 and 5 s."""
    return max(500, min(group_of(instance).down_after_ms, 5_000))


def reset_link(turn: Turn, link: Link) -> None:
    """Close both lanes; they may connect again at once."""
    for lane in Lane:
        connection = link.lane(lane)
        if connection.state is not LaneState.DOWN:
            turn.close(link, lane)
        _mark_down(link, lane, turn.now)
        connection.retry_ms, connection.failures = turn.now, 0


def release(turn: Turn, instance: Instance) -> None:
    """The instance is forgotten; its link closes with its last owner."""
    link = instance.link
    link.owners.remove(instance)
    if not link.owners:
        reset_link(turn, link)
        del turn.world.links[link.id]


def _mark_down(link: Link, lane: Lane, now: int) -> None:
    connection = link.lane(lane)
    connection.state, connection.since_ms = LaneState.DOWN, now
    if lane is Lane.COMMAND:
        link.pending = 0
        for owner in link.owners:
            owner.info_in_flight = False


def opened(turn: Turn, link: Link, lane: Lane, local_ip: str) -> None:
    """A connection stands: authenticate, give it its name, and begin."""
    connection = link.lane(lane)
    connection.state, connection.since_ms, connection.active_ms = LaneState.UP, turn.now, turn.now
    link.local_ip = local_ip or link.local_ip
    owner = link.owners[0]
    credentials = _credentials(turn.world, owner)
    if credentials:
        turn.send(owner, Request.OTHER, b"AUTH", *credentials, lane=lane)
    name = f"sentinel-{turn.world.my_id[:8]}-{lane.value}".encode()
    turn.send(owner, Request.OTHER, b"CLIENT", b"SETNAME", name, lane=lane)
    if lane is Lane.COMMAND:
        send_ping(turn, owner)
        if owner.kind is not Kind.PEER:
            send_info(turn, owner)
    else:
        turn.send(owner, Request.OTHER, b"SUBSCRIBE", HELLO_CHANNEL, lane=lane)


def _credentials(world: World, instance: Instance) -> tuple[bytes, ...]:
    group = group_of(instance)
    user, password = group.auth_user, group.auth_pass
    if instance.kind is Kind.PEER:
        user, password = (world.peer_user, world.peer_pass) if world.peer_pass else (None, world.own_pass)
    if not password:
        return ()
    return (user.encode(), password.encode()) if user else (password.encode(),)


def closed(turn: Turn, link: Link, lane: Lane, cause: Cause, detail: str) -> None:
    """A connection ended or an attempt failed: note the evidence, and when to try again."""
    connection = link.lane(lane)
    was_up = connection.state is LaneState.UP
    _mark_down(link, lane, turn.now)
    if lane is Lane.COMMAND and cause is Cause.REFUSED:
        link.refusals += 1
        link.refused_since_ms = link.refused_since_ms or turn.now
    elif lane is Lane.COMMAND and cause is Cause.UNREACHABLE:
        link.refusals = link.refused_since_ms = 0
    first_loss = was_up and connection.failures == 0
    connection.failures += 1
    connection.retry_ms = turn.now + (0 if first_loss else _pause(turn.world, link, connection.failures, cause))
    turn.emit(Level.DEBUG, f"-{lane.value}-link-reconnection", link.owners[0], f"#{detail or cause.value}")
    turn.wake_at(connection.retry_ms)


def _pause(world: World, link: Link, failures: int, cause: Cause) -> int:
    """How long until the next attempt: the time to confirm a first refusal, then doubling.

    A dying process still accepts what its kernel resets a moment later: that is worth another look soon.
    """
    if cause is Cause.REFUSED:
        first, doublings = group_of(link.owners[0]).refused_after_ms or FIRST_RETRY_MS, link.refusals - 1
    else:
        first, doublings = RESET_RETRY_MS, failures - 1
    return min(first << max(0, min(doublings, 7)), world.periods.ping_period)


def keep_connected(turn: Turn, instance: Instance) -> None:
    """Start the attempts that are due, and end those that take too long."""
    if instance.address.port == 0:
        return
    link = instance.link
    for lane in (Lane.COMMAND, Lane.PUBSUB) if link.with_pubsub else (Lane.COMMAND,):
        connection = link.lane(lane)
        if connection.state is LaneState.CONNECTING:
            if turn.now - connection.since_ms > connect_timeout(instance):
                turn.close(link, lane)
                closed(turn, link, lane, Cause.UNREACHABLE, "no answer in time")
        elif connection.state is LaneState.DOWN and turn.now >= connection.retry_ms:
            connection.state, connection.since_ms = LaneState.CONNECTING, turn.now
            if turn.world.resolve_hostnames and literal(instance.address.host) is None:
                turn.look_up(instance.address.host)  # it may mean another machine since the connection was lost
            turn.actions.append(Connect(link.id, lane, instance.address))


def drop_stuck(turn: Turn, instance: Instance) -> None:
    """Close connections that look alive and aren't: no pong for half of down-after, no hello for long."""
    link, now, periods = instance.link, turn.now, turn.world.periods
    half = group_of(instance).down_after_ms // 2
    if (_old(link.command, now, periods.min_link_reconnect_period) and link.waiting_since_ms
            and now - link.waiting_since_ms > half and now - link.ping_seen_ms > half):
        _drop(turn, link, Lane.COMMAND)
    if (_old(link.pubsub, now, periods.min_link_reconnect_period)
            and now - link.pubsub.active_ms > periods.publish_period * 3):
        _drop(turn, link, Lane.PUBSUB)


def _old(connection: Connection, now: int, age: int) -> bool:
    return connection.state is LaneState.UP and now - connection.since_ms > age


def _drop(turn: Turn, link: Link, lane: Lane) -> None:
    turn.close(link, lane)
    closed(turn, link, lane, Cause.LOST, "dropped: it had stopped answering")


def send_ping(turn: Turn, instance: Instance) -> None:
    """Send a PING now; from the first that stays unanswered on, the process owes us an answer."""
    link = instance.link
    if turn.send(instance, Request.PING, b"PING"):
        link.ping_sent_ms = turn.now
        link.waiting_since_ms = link.waiting_since_ms or turn.now


def send_info(turn: Turn, instance: Instance) -> None:
    """Ask for INFO now, unless the answer to an earlier request is still due."""
    if not instance.info_in_flight and turn.send(instance, Request.INFO, b"INFO"):
        instance.info_in_flight = True


def info_period(world: World, instance: Instance) -> int:
    """How old a node's INFO may grow. Closely watched: whoever takes part in a failover, or should follow us.

    So is the primary of a group that goes by quorum: only its INFO tells that it has stopped to lead.
    """
    if isinstance(instance, Primary) and instance.by_quorum:
        eager = instance.leaderless_since_ms or instance.isolated_since_ms or (
            instance.failover is not None and instance.failover.stage is Stage.WAIT_PROMOTION)
        return EAGER_INFO_PERIOD_MS if eager else min(WATCHFUL_INFO_PERIOD_MS, world.periods.info_period)
    if isinstance(instance, Replica):
        group = instance.group
        if group.failover is not None and group.failover.stage >= Stage.WAIT_PROMOTION:
            return EAGER_INFO_PERIOD_MS
        astray = instance.role is not Kind.REPLICA or not group.address.is_at(
            instance.follows_host, instance.follows_port)
        lacking = group.standing is not None and group.standing.lacks_members
        if group.failing_over or group.down or instance.link_down_ms or astray or lacking:
            return min(WATCHFUL_INFO_PERIOD_MS, world.periods.info_period)
    return world.periods.info_period


def send_regular(turn: Turn, instance: Instance) -> None:
    """The PING, INFO and hello that are due."""
    link, now = instance.link, turn.now
    if not link.ready or link.pending >= MAX_PENDING * len(link.owners):
        return
    if instance.kind is not Kind.PEER and (
            not instance.info_ms or now - instance.info_ms >= info_period(turn.world, instance)):
        send_info(turn, instance)
    period = ping_period(turn.world, instance)
    if now - link.ping_seen_ms >= period and now - link.ping_sent_ms >= period // 2:
        send_ping(turn, instance)
    if now - instance.published_ms >= turn.world.periods.publish_period or not instance.published_ms:
        send_hello(turn, instance)


def send_hello(turn: Turn, instance: Instance) -> None:
    """Publish our view of the group through this instance, unless we can't yet say who we are."""
    world, group = turn.world, group_of(instance)
    own_ip = world.announce_ip or instance.link.local_ip
    if not own_ip:
        return
    address = group.current_address()
    message = HelloMessage(own_ip, world.announce_port or world.port, world.my_id, world.epoch, group.name,
                           world.shown(address), address.port, group.config_epoch)
    if turn.send(instance, Request.HELLO, b"PUBLISH", HELLO_CHANNEL, message.encode()):
        instance.published_ms = turn.now


def spread_hello(turn: Turn, group: Primary) -> None:
    """Tell everybody at once: the configuration changed."""
    for instance in group.members():
        instance.published_ms = 0
        send_hello(turn, instance)
