"""The sentinel's mind: `step(event, now_ms)` returns what to do, `deadline_ms` when to call it at the latest.

Pure and synchronous; the same object runs under asyncio (`runner`) and under simulation. Each event first
changes what is known, then the group it concerns is looked after: connections, regular requests, opinions,
failover. A full round over all groups happens at least every `ROUND_MS`.

TILT: if the time between two rounds was negative or long, this process was stopped, or the clock jumped.
Whatever was overdue then proves nothing, so for a while we observe and tell, but neither judge nor act.
Shorter gaps are forgiven (`detector.forgive_gap`) without ceremony, and so is what passes before the first step, in
which a sentinel on a slow machine begins to serve: it would be blind for its first half minute.
"""

from __future__ import annotations

from random import Random

from replication.sentinel.mind import (
    convene,
    detector,
    discovery,
    election,
    failover,
    links,
    names,
    reconcile,
    steering,
)
from replication.sentinel.mind.messages import (
    Action,
    Closed,
    DownQuery,
    Event,
    Heard,
    Hello,
    Level,
    Opened,
    Replied,
    ReplyError,
    Request,
    Resolved,
)
from replication.sentinel.mind.orders import Order
from replication.sentinel.mind.turn import Render, Turn
from replication.sentinel.world.group import Lane, LaneState, Link, Primary
from replication.sentinel.world.world import World

ROUND_MS = 100
FORGIVEN_GAP_MS = 250


class Monitor:
    """The world, and the rules that drive it. `render` gives the durable part as configuration lines."""

    def __init__(self, world: World, render: Render, rng: Random, now_ms: int) -> None:
        self.world = world
        self._render = render
        self._rng = rng
        self._round_ms = now_ms - ROUND_MS  # the first step is a round
        self._wake_ms: int | None = None
        self._begun = False

    @property
    def deadline_ms(self) -> int:
        """The latest moment for the next step."""
        round_due = self._round_ms + ROUND_MS
        return round_due if self._wake_ms is None else min(round_due, self._wake_ms)

    def step(self, event: Event, now_ms: int) -> list[Action]:
        """Take in one event. Never raises for what the event says; the order of the result matters."""
        turn = self.begin(now_ms)
        if isinstance(event, Order):
            concerned = steering.carry_out(turn, event)
        else:
            group = self._take_in(turn, event)
            concerned = [] if group is None else [group]
        for group in concerned:
            if self.world.groups.get(group.name) is group:
                self._look_after(turn, group)
        return self.end(turn)

    def begin(self, now_ms: int) -> Turn:
        """Open a step by hand, for a single decision; close it with `end`."""
        turn = Turn(self.world, now_ms, self._rng)
        self._check_clock(turn)
        if self._wake_ms is not None and now_ms >= self._wake_ms:
            self._wake_ms = None
        return turn

    def end(self, turn: Turn) -> list[Action]:
        """Close a step: when the next one is due, and what to do."""
        if turn.wake_ms is not None and (self._wake_ms is None or turn.wake_ms < self._wake_ms):
            self._wake_ms = max(turn.wake_ms, turn.now + 1)
        return turn.finish(self._render)

    def _check_clock(self, turn: Turn) -> None:
        gap = turn.now - self._round_ms
        if 0 <= gap < ROUND_MS and (self._wake_ms is None or turn.now < self._wake_ms):
            return
        world = self.world
        if not self._begun:  # the process was still starting: that proves nothing, of nodes or of the clock
            self._begun = True
            detector.forgive_gap(world, max(0, gap - ROUND_MS), turn.now)
        elif gap < 0 or gap > world.periods.tilt_trigger:
            if gap < 0:
                world.shift_clock(gap)
            world.tilt, world.tilt_since_ms = True, turn.now
            turn.emit_text(Level.WARNING, "+tilt", "#tilt mode entered", None)
            for group in world.groups.values():
                failover.abandon(turn, group)
        elif gap > FORGIVEN_GAP_MS:
            detector.forgive_gap(world, gap, turn.now)
        self._round(turn)

    def _round(self, turn: Turn) -> None:
        self._round_ms = turn.now
        world = self.world
        if world.tilt and turn.now - world.tilt_since_ms >= world.periods.tilt_period:
            world.tilt = False
            turn.emit_text(Level.WARNING, "-tilt", "#tilt mode exited", None)
            for peer in [peer for group in world.groups.values() for peer in group.peers.values()]:
                peer.forget_opinion()  # of before: nobody was asked meanwhile
        for group in list(world.groups.values()):
            self._look_after(turn, group)

    def _look_after(self, turn: Turn, group: Primary) -> None:
        """Monitoring, for every member; then judging and acting, unless judgement is suspended."""
        members = list(group.members())
        for instance in members:
            links.keep_connected(turn, instance)
            links.send_regular(turn, instance)
        if turn.world.tilt:
            return
        for instance in members:
            links.drop_stuck(turn, instance)
            detector.check_subjectively(turn, instance)
        detector.check_objectively(turn, group)
        failover.start_if_due(turn, group)
        failover.advance(turn, group)
        election.ask_peers(turn, group)
        self._wake_for(turn, group)

    def _wake_for(self, turn: Turn, group: Primary) -> None:
        """Refusals ripen between two rounds."""
        for instance in (group, *group.peers.values()):
            link = instance.link
            if link.proven and link.refusals >= 2 and not instance.down and group.refused_after_ms:
                turn.wake_at(link.refused_since_ms + group.refused_after_ms)

    def _take_in(self, turn: Turn, event: Event) -> Primary | None:
        match event:
            case Opened(link_id, lane, local_ip):
                return self._opened(turn, link_id, lane, local_ip)
            case Closed(link_id, lane, cause, detail):
                link = self._link(link_id)
                if link is None or link.lane(lane).state is LaneState.DOWN:
                    return None
                links.closed(turn, link, lane, cause, detail)
                return self._group_of_link(link)
            case Replied():
                return self._replied(turn, event)
            case Heard(link_id, payload):
                link = self._link(link_id)
                if link is not None:
                    link.pubsub.active_ms = turn.now
                return discovery.hello_arrived(turn, payload) if link is not None and payload else None
            case Hello(payload):
                return discovery.hello_arrived(turn, payload)
            case DownQuery():
                election.answer(turn, event)
                return None
            case Resolved():
                names.resolved(turn, event)
                return None
            case _:
                return None

    def _link(self, link_id: int) -> Link | None:
        return self.world.links.get(link_id)

    def _group_of_link(self, link: Link) -> Primary | None:
        owner = link.owners[0]
        return self.world.groups.get(getattr(owner, "group", owner).name)

    def _opened(self, turn: Turn, link_id: int, lane: Lane, local_ip: str) -> Primary | None:
        link = self._link(link_id)
        if link is None or link.lane(lane).state is not LaneState.CONNECTING:
            return None
        links.opened(turn, link, lane, local_ip)
        return self._group_of_link(link)

    def _replied(self, turn: Turn, event: Replied) -> Primary | None:
        link = self._link(event.link)
        if link is None or not link.ready:
            return None
        link.pending = max(0, link.pending - 1)
        group = self.world.groups.get(event.group)
        if event.request is Request.PING:
            detector.ponged(turn, link, event.reply)
            return group if any(owner.down for owner in link.owners) else None
        owner = next((o for o in link.owners if getattr(o, "group", o) is group), None)
        if owner is None or group is None:
            return None
        if event.request is Request.INFO:
            reconcile.info_arrived(turn, owner, event.reply)
            return group
        if convene.replied(turn, group, owner, event.request, event.reply, event.tag):
            return group
        if event.request is Request.ASK and owner.name in group.peers:
            election.answered(turn, group.peers[owner.name], event.reply)
            return group
        if event.request is Request.HELLO and isinstance(event.reply, ReplyError):
            owner.published_ms = max(1, turn.now - self.world.periods.publish_period + ROUND_MS)
        return None
