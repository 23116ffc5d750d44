"""The shell of a node's role: tells `role` what happened, and does what it says, in the order it says it.

It decides nothing about who leads or follows. What it adds is time, new ids, and where the log stands; `hands` does
to the engine what the role says.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from kvserver.config import Config
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.services.offers import SnapshotStream
from kvserver.wire.resp import encode_request
from replication.handover.decide import Order
from replication.hands import Hands
from replication.history import History
from replication.primary.attached import Parts, furthest
from replication.primary.feeder import Feeder
from replication.primary.waiting import Waiting
from replication.replica.handshake import Full, Settings, settings_of
from replication.replica.incoming import Incoming
from replication.replica.link import Link
from replication.replica.wire import LinkError, Wire
from replication.role import Role
from replication.role_messages import (
    Abort,
    Action,
    Continued,
    Event,
    Follow,
    Forget,
    HandOver,
    LinkLost,
    Promote,
    Rejected,
    Rest,
    Restarted,
    SnapshotBegins,
    SnapshotComplete,
    StreamWanted,
    Tick,
)
from replication.role_states import State
from replication.voting import NoVoting, Voting

PING = encode_request([b"PING"])


class Replication:
    """What the node is and does in replication: `role` decides, `hands` acts on the engine."""

    def __init__(self, engine: Engine, config: Config, log: Any) -> None:
        self.engine = engine
        self._clock = engine.services.clock
        self.config = config
        self.log = log
        self.role = Role(self._new_id())
        self.feeder = Feeder(engine, config, log, self._snapshot)
        self.waiting = Waiting(engine, self.feeder.records)
        self.hands = Hands(engine, config, log, self.role, self.feeder, self.waiting, self)
        self.listening_port = config.port
        self.voting: Voting = NoVoting()
        self.on_synchronized: Callable[[bool], None] = lambda partial: None
        self.received: Callable[[int], None] = lambda size: None  # bytes of the primary's data set and stream
        self._todo, self._acting = deque[Action](), False
        self._beats = 0
        engine.on_close.append(self._closed)

    def _new_id(self) -> bytes:
        """A replication id that no other node has."""
        return self.engine.services.doors.chance.token(20).encode()

    @property
    def history(self) -> History:
        """The ids of the stream that the node holds."""
        return self.role.history

    @property
    def is_replica(self) -> bool:
        """Whether the node follows another."""
        return self.role.follows

    @property
    def link(self) -> Link | None:
        """The link to the primary; None on who follows nobody."""
        return self.hands.link

    # -- orders, and what the link tells ----------------------------------------------------------------------

    def follow(self, host: str, port: int) -> None:
        """Become a replica of a node (or of another one)."""
        self._step(Follow((host, port), self.settle(), self._new_id()))

    def promote(self) -> None:
        """Become a primary; no effect on one."""
        self._step(Promote(self.settle(), self._new_id()))
        self._keep_bound()

    def rest(self) -> None:
        """Neither lead nor follow, as a quorum's member that waits for its sentinels."""
        self._step(Rest(self.settle(), self._new_id()))

    def hand_over(self, order: Order) -> None:
        """Hold writes back, and have a replica that has caught up take over."""
        self._step(HandOver(order))

    def abort_hand_over(self, reason: str) -> None:
        """Give a hand-over up; a role already given away is taken back."""
        self._step(Abort(reason, self.settle(), self._new_id()))

    def stream_wanted(self) -> None:
        """A replica asks for the stream: it is recorded from here on, if it wasn't."""
        self._step(StreamWanted(self.settle(), self._new_id()))

    def begin_history(self) -> None:
        """Give the stream another id, which nobody knows yet."""
        self._step(Forget(self._new_id()))

    def restarted(self, saved_id: bytes, offset: int) -> None:
        """The data set that was loaded stands at this offset of this history."""
        self.engine.log.offset = offset
        self._step(Restarted(saved_id, offset, self.config.replicaof is not None, self._new_id()))

    def begin_as_member(self) -> None:
        """The data that were loaded are a quorum group's, whose epochs say who may continue: no id does."""
        self._step(Restarted(self._new_id(), self.engine.log.offset, True, self._new_id()))

    def admits(self, term: int) -> bool:
        """Whether a link of this term may have an effect."""
        return self.role.admits(term)

    def continued(self, term: int, replid: bytes | None) -> None:
        """The primary lets us continue, perhaps under a new id."""
        self._step(Continued(term, replid, self.settle()))
        self.on_synchronized(True)

    def snapshot_begins(self, term: int) -> None:
        """The primary sends a data set."""
        self._step(SnapshotBegins(term))

    def adopt(self, term: int, full: Full, incoming: Incoming, wire: Wire) -> None:
        """A whole data set was received: put it in force. Raises LinkError: it must not be."""
        self.settle()
        if not self.voting.link.may_adopt(wire, incoming.aux):
            raise LinkError("a newer epoch was promised meanwhile")
        self.hands.incoming = incoming
        self._step(SnapshotComplete(term, full.replid, full.offset))
        self.hands.incoming = None
        self.voting.link.adopted(wire, incoming.aux)
        self.on_synchronized(False)

    def refused(self, term: int, reason: str) -> None:
        """The primary refused us: the link tries again, but doesn't wrest the role back."""
        self._step(Rejected(term, reason, self.settle(), self._new_id()))

    def lost(self, term: int) -> None:
        """The attempt is over: reads may be stale."""
        self._step(LinkLost(term))

    def settle(self) -> int:
        """The log's offset, with everything that was applied in it, and everything in it told to the sinks."""
        if self.link is not None:
            self.link.settle()
        self.engine.log.flush()
        return self.engine.log.offset

    def _step(self, event: Event) -> None:
        """Take a step. An action that brings about another step has the rest of its own done first."""
        self._todo.extend(self.role.step(event, self._clock.monotonic()))
        if self._acting:
            return
        self._acting = True
        try:
            while self._todo:
                self.hands.do(self._todo.popleft())
        finally:
            self._acting = False

    # -- what the rest of the node asks and tells --------------------------------------------------------------

    def resize_backlog(self) -> None:
        """repl-backlog-size has changed."""
        if self.feeder.backlog is not None:
            self.feeder.backlog.resize(self.config.repl_backlog_size)

    def settings(self) -> Settings:
        """What to tell the primary."""
        role = self.role
        replid, offset = self.history.replid if role.shared else None, self.engine.log.offset
        return settings_of(self.config, self.listening_port, replid, offset, role.state is State.ASKING)

    def refresh_denials(self) -> None:
        """Have the gates look at the commands that the present state forbids."""
        self.hands.refresh_denials()
        self._keep_bound()

    def position(self) -> tuple[bytes, int, int] | None:
        """Where in which history a snapshot taken now stands: id, offset, the stream's database.

        Flushes the log. None when nothing is recorded, so that nobody could continue from there.
        """
        log = self.engine.log
        log.flush()
        if not self.role.recording:
            return None
        stream_db = self.link.stream_db if self.link is not None else max(log.selected, 0)
        return self.history.replid, log.offset, stream_db

    def _snapshot(self, parts: Parts) -> tuple[SnapshotStream, bytes]:
        """A snapshot for replicas, and its history. Behind it a primary's stream selects its database anew."""
        if not self.role.follows:
            self.engine.log.selected = -1
        snapshot = self.engine.services.persistence.open_snapshot(Parts.DATA in parts, Parts.FUNCTIONS in parts)
        return snapshot, self.history.replid

    def synced_offset(self) -> int | None:
        """How far the append-only file is on the disk: None without one, -1 before its first."""
        return self.waiting.synced_offset()

    def file_synced(self) -> None:
        """The append-only file may have got further, or been switched off."""
        self.waiting.look()
        if self.link is not None:
            self.link.file_synced()

    def acknowledged(self) -> None:
        """Some replica acknowledged: perhaps WAIT is over, perhaps writes are allowed again."""
        self.waiting.look()
        if self.engine.deny_masks.get("few-replicas"):
            self.refresh_denials()
        if self.engine.deny_masks.get("unreplicated"):
            self.hands.bound.unreplicated.acknowledge(furthest(self.feeder.records()))

    def ask_for_acks(self) -> None:
        """Have the replicas acknowledge at once."""
        self.hands.ask_for_acks()

    def _closed(self, c: Session) -> None:
        self.waiting.forget(c)
        self.voting.followers.gone(c)
        if c.kind == "replica":
            self.feeder.detach(c)
            self.refresh_denials()

    # -- life -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Ten times a second."""
        self._beats += 1
        second = self._beats % 10 == 0
        self.feeder.tick()
        self._tell_time()
        self.file_synced()
        if self.link is not None:
            self.link.tick(send_ack=second)
        self._keep_bound()
        self.voting.tick()
        if not second:
            return
        self.refresh_denials()
        if (self._beats // 10) % self.config.repl_ping_replica_period == 0:
            self.feeder.pulse()
            if self.role.leads and self.feeder.feeds:
                self.engine.log.append_passing(PING)

    def _keep_bound(self) -> None:
        """Where a bound is stated: record, with or without replicas, and hear of them sooner while a write waits."""
        if not self.engine.deny_masks.get("unreplicated"):
            return
        if not self.role.recording:
            self.stream_wanted()
        if self.hands.bound.unreplicated.waiting(self.engine.log.offset):
            self.ask_for_acks()

    def _tell_time(self) -> None:
        feeder = self.feeder
        idle_s = 0.0 if feeder.feeds else self._clock.monotonic() - feeder.no_replicas_since_s
        ttl_s = 0 if self.voting.active else self.config.repl_backlog_ttl  # a group's log has no gaps
        self._step(Tick(self.engine.log.offset, self._new_id(), feeder.records(), idle_s, ttl_s))

    async def start(self) -> None:
        """The data set is loaded: follow the primary that the configuration names, or lead."""
        if self.role.state is not State.STARTING:
            return
        primary = self.config.replicaof
        if primary is not None:
            self.follow(primary.host, primary.port)
        elif self.voting.rests():
            self.rest()
        else:
            self.promote()

    async def stop(self) -> None:
        """End the link and transfers."""
        if self.link is not None:
            self.link.stop()
        await self.feeder.stop()
        await asyncio.sleep(0)


def replication_of(c: Session) -> Replication:
    """The replication of the session's engine."""
    return c.engine.services.kept(Replication)
