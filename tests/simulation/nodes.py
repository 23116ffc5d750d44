"""A data node without a process: the real role, history, backlog and PSYNC, and data that are a number.

What a node holds is the digest of everything ever written into it, so that two nodes hold the same exactly when
their digests are the same. Sentinels see it by PING, INFO, hellos and SLAVEOF in a transaction, other nodes by PSYNC.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from replication.backlog import Backlog
from replication.handover.decide import Order
from replication.history import same_id
from replication.primary.attached import Attached, Phase
from replication.psync import Continue, Request, decide
from replication.role import Role
from replication.role_messages import (
    Abort,
    Action,
    AskForAcks,
    CloseBacklog,
    DropReplicas,
    EndLink,
    Event,
    Follow,
    HandOver,
    Install,
    OpenBacklog,
    Promote,
    Restarted,
    StartLink,
    StreamWanted,
    Tick,
)
from replication.role_states import State
from replication.sentinel.mind.messages import Reply
from simulation.links import Feed, Link
from simulation.network import Connection, Network, Process

PORT = 6379
SYNC_MS = 50
UNIT = 16
"""Bytes of each write in the stream."""
BACKLOG_BYTES = 4096
BACKLOG_TTL_S = 20
_PRIME = (1 << 61) - 1

Saw = Callable[["Node"], None]


def digest(data: int, stream: bytes) -> int:
    """What the data become when this is written into them."""
    for start in range(0, len(stream), UNIT):
        data = (data * 1_000_003 + int.from_bytes(stream[start : start + UNIT])) % _PRIME
    return data


class Node(Process):
    def __init__(self, network: Network, host: str, rng: Random, saw: Saw, priority: int = 100) -> None:
        super().__init__(network, host)
        self.rng = rng
        self.saw = saw
        self.priority = priority
        self.quiet = False
        self.configured: tuple[str, int] | None = None
        self.saved: tuple[bytes | None, int, int] = (None, 0, 0)
        self.dropped = 0
        self._boot()

    def new_id(self) -> bytes:
        return b"%040x" % self.rng.getrandbits(160)

    @property
    def follows(self) -> tuple[str, int] | None:
        return self.role.primary

    @property
    def link_up(self) -> bool:
        return self.role.link_up is True

    def _boot(self) -> None:
        self.run_id = f"{self.rng.getrandbits(160):040x}"
        self.role = Role(self.new_id())
        self.link: Link | None = None
        self.backlog: Backlog | None = None
        self.feeds: dict[Connection, Feed] = {}
        self.incoming = 0
        self.link_since_ms = self.no_replicas_since_ms = self.network.clock.now_ms
        replid, self.offset, self.data = self.saved
        if replid is not None:
            self.step(Restarted(replid, self.offset, self.configured is not None, self.new_id()))
        if self.configured is not None:
            self.step(Follow(self.configured, self.offset, self.new_id()))
        else:
            self.step(Promote(self.offset, self.new_id()))

    def save(self) -> None:
        """What a snapshot of this instant says: the history only if one could continue from there."""
        recorded = self.role.recording
        self.saved = (self.role.history.replid, self.offset, self.data) if recorded else (None, 0, self.data)

    def kill(self) -> None:
        """Die: all is on the disk, or all but the place in the history, or no more than the last snapshot."""
        if self.alive:
            luck = self.rng.randrange(4)
            if luck < 2:
                self.save()
            elif luck == 2:
                self.saved = (None, 0, self.data)
        super().kill()

    def restart(self) -> None:
        """Come back with the role it was last told (CONFIG REWRITE), as a new process."""
        self.dropped += self.role.stale
        self.alive = True
        self._boot()

    # -- the shell of the role --------------------------------------------------------------------------------

    def step(self, event: Event) -> None:
        up = self.role.link_up
        for action in self.role.step(event, self.network.clock.now_ms / 1000):
            self._do(action)
        self.role.check_invariants()
        if self.role.link_up != up:
            self.link_since_ms = self.network.clock.now_ms
        self.saw(self)

    def _do(self, action: Action) -> None:
        match action:
            case OpenBacklog(offset):
                self.backlog = Backlog(BACKLOG_BYTES, offset)
            case CloseBacklog():
                self.backlog = None
            case EndLink():
                assert self.link is not None
                self.link.stop()
                self.link = None
            case StartLink((host, _), term):
                self.link = Link(self, host, term)
                self.link.start()
            case Install(offset):
                self.offset, self.data = offset, self.incoming
            case DropReplicas():
                for connection in list(self.feeds):
                    self._drop(connection)
            case AskForAcks() | _:
                pass

    def _drop(self, connection: Connection) -> None:
        self.feeds.pop(connection, None)
        connection.broken_by(self)

    # -- the data path ----------------------------------------------------------------------------------------

    def replicate(self) -> None:
        """One turn: write a little as a primary, acknowledge as a replica, look at the time."""
        if not self.alive or self.paused:
            return
        for connection in [c for c in self.feeds if c not in self.connections]:
            del self.feeds[connection]
        if self.feeds:
            self.no_replicas_since_ms = self.network.clock.now_ms
        if self.role.leads and not self.quiet and not self.role.paused and not self.rng.randrange(3):
            self._take(self.rng.getrandbits(8 * UNIT).to_bytes(UNIT))
        if self.link is not None:
            self.link.tick(self.network.clock.now_ms)
        if not self.rng.randrange(200):
            self.save()
        if self.role.leads:
            idle_s = (self.network.clock.now_ms - self.no_replicas_since_ms) / 1000
            records = [feed.record for feed in self.feeds.values()]
            self.step(Tick(self.offset, self.new_id(), records, 0.0 if self.feeds else idle_s, BACKLOG_TTL_S))

    def apply(self, stream: bytes) -> None:
        """What the primary's stream brings."""
        for start in range(0, len(stream), UNIT):
            self._take(stream[start : start + UNIT])

    def _take(self, unit: bytes) -> None:
        self.data = digest(self.data, unit)
        if self.backlog is None:
            return
        self.offset += len(unit)
        self.backlog.append(unit)
        for connection, feed in self.feeds.items():
            if feed.kept is not None:
                feed.kept.append(unit)
            else:
                connection.reply(unit, None)
        self.saw(self)

    def hand_over(self, timeout_ms: int) -> None:
        """FAILOVER TIMEOUT, if there is anybody to hand over to."""
        if self.alive and not self.paused and self.role.state is State.PRIMARY and self.feeds:
            self.step(HandOver(Order(timeout_ms=timeout_ms)))

    def abort_hand_over(self) -> None:
        """FAILOVER ABORT."""
        if self.alive and self.role.paused:
            self.step(Abort("an operator's wish", self.offset, self.new_id()))

    # -- as a server ------------------------------------------------------------------------------------------

    def serve(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        command = args[0].upper()
        if connection.queued is not None and command != b"EXEC":
            connection.queued.append(args)
            return b"QUEUED"
        if command == b"EXEC":
            queued, connection.queued = connection.queued or [], None
            return [self._run(connection, each) for each in queued]
        return self._run(connection, args)

    def _run(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        match args[0].upper(), *args[1:]:
            case b"PING", *_:
                return b"PONG"
            case b"INFO", *_:
                return self.info()
            case b"MULTI", *_:
                connection.queued = []
            case b"SUBSCRIBE", channel:
                connection.subscribed = True
                return [b"subscribe", channel, 1]
            case b"PUBLISH", channel, payload:
                return self._publish(channel, payload)
            case b"SLAVEOF", host, port:
                self.replicaof(host.decode(), port.decode())
            case b"PSYNC", replid, offset, *more:
                return self._psync(connection, replid, int(offset), bool(more))
            case b"REPLCONF", b"ACK", offset:
                if connection in self.feeds:
                    self.feeds[connection].record.acknowledge(int(offset), self.network.clock.now_ms / 1000)
            case b"CLIENT", b"KILL", *_:
                self._kill_clients(connection)
        return b"OK"

    def replicaof(self, host: str, port: str) -> None:
        if self.role.paused:  # not allowed while failing over
            return
        target = None if (host, port) == ("NO", "ONE") else (host, int(port))
        self.configured = target
        if target is None:
            self.step(Promote(self.offset, self.new_id()))
        elif target != self.follows:
            self.step(Follow(target, self.offset, self.new_id()))

    def _psync(self, connection: Connection, replid: bytes, offset: int, failover: bool) -> Reply:
        role = self.role
        if failover:
            if not role.follows or not same_id(replid, role.history.replid):
                return [b"-", "PSYNC FAILOVER refused"]
            self.configured = None
            self.step(Promote(self.offset, self.new_id()))
        if role.state is State.ASKING or role.link_up is False:
            return [b"-", "NOMASTERLINK"]
        self.step(StreamWanted(self.offset, self.new_id()))
        record = Attached(0, connection.client_process.host, PORT, Phase.ONLINE, self.network.clock.now_ms / 1000)
        decision = decide(Request(replid, offset), role.history, self.backlog)
        if isinstance(decision, Continue):
            assert self.backlog is not None
            record.ack_offset = offset - 1
            self.feeds[connection] = Feed(record)
            return [b"CONTINUE", decision.replid, b"".join(self.backlog.read_from(offset))]
        feed = self.feeds[connection] = Feed(record, kept=[])
        record.phase = Phase.SEND_SNAPSHOT
        data, delay_ms = self.data, self.rng.randrange(SYNC_MS)
        self.network.clock.after(delay_ms, lambda: self.take(lambda: self._send_snapshot(connection, feed, data)))
        return [b"FULLRESYNC", role.history.replid, self.offset]

    def _send_snapshot(self, connection: Connection, feed: Feed, data: int) -> None:
        if self.feeds.get(connection) is not feed or feed.kept is None:
            return
        connection.reply([b"snapshot", data], None)
        for chunk in feed.kept:
            connection.reply(chunk, None)
        feed.kept = None
        feed.record.phase = Phase.ONLINE

    def _kill_clients(self, keep: Connection) -> None:
        for connection in list(self.connections):
            if connection is not keep and connection.server is self and connection not in self.feeds:
                connection.broken_by(self)

    def _publish(self, channel: bytes, payload: bytes) -> int:
        listeners = [c for c in self.connections if c.subscribed and c.server is self]
        for connection in listeners:
            connection.reply([b"message", channel, payload], None)
        return len(listeners)

    def info(self) -> bytes:
        lines = ["# Server", f"run_id:{self.run_id}", "# Replication"]
        if self.follows is None:
            lines.append("role:master")
            lines += [f"slave{i}:ip={feed.record.ip},port={PORT},state=online,offset={feed.record.ack_offset},lag=0"
                      for i, (c, feed) in enumerate(self.feeds.items()) if c in self.connections]
        else:
            lines += ["role:slave", f"master_host:{self.follows[0]}", f"master_port:{self.follows[1]}",
                      f"master_link_status:{'up' if self.link_up else 'down'}",
                      f"slave_repl_offset:{self.offset}", f"slave_priority:{self.priority}"]
            if not self.link_up:
                down_ms = self.network.clock.now_ms - self.link_since_ms
                lines.append(f"master_link_down_since_seconds:{down_ms // 1000}")
        return ("\r\n".join(lines) + "\r\n").encode()
