"""What a node is in replication: whom it follows, who follows it, which history it holds (the shell's centre).

Theory of operation. A node is a replica while it has a `link`, else a primary. The command log's offset and the
`history` together say what it holds. The invariant that everything rests on: whatever has been written under
an id that another node may know is in the backlog or was dropped from its front. So writes that nobody
recorded (no replica, no backlog) must end under an id nobody knows: opening the first backlog, and giving up
an idle one, both begin a new history.
"""

from __future__ import annotations

import asyncio
import secrets
from time import monotonic
from typing import Any

from kvserver.config import Config, Endpoint
from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.services.offers import SnapshotStream
from kvserver.wire.resp import encode_request, error
from replication import gates as guards
from replication.handover.shell import Failover
from replication.history import History
from replication.primary.attached import Parts
from replication.primary.feeder import Feeder
from replication.primary.waiting import Waiting
from replication.replica.handshake import Full, Settings
from replication.replica.incoming import Incoming
from replication.replica.link import Link

PING = encode_request([b"PING"])
GETACK = encode_request([b"REPLCONF", b"GETACK", b"*"])
UNBLOCKED = error("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")


def new_id() -> bytes:
    """A replication id that no other node has."""
    return secrets.token_hex(20).encode()


class Hub:
    """The node's place in replication; see the module's theory of operation."""

    def __init__(self, engine: Engine, config: Config, log: Any) -> None:
        self.engine = engine
        self.config = config
        self.log = log
        self.history = History(new_id())
        self.link: Link | None = None
        self.term = 0  # counts the changes of the role
        self.stale_effects = 0  # begun in an earlier term, and so dropped
        self.feeder = Feeder(engine, config, log, self._snapshot)
        self.waiting = Waiting(engine, self.feeder.records)
        self.listening_port = config.port
        self.failover = Failover(self)
        self._known = False  # whether asking to continue makes sense
        self._beats = 0
        engine.log.on_active = self._log_active
        engine.on_close.append(self._closed)

    @property
    def is_replica(self) -> bool:
        """Whether this node follows another."""
        return self.link is not None

    def begin(self, history: History, known: bool) -> None:
        """Start in a history; `known` when asking to continue in it makes sense."""
        self.history = history
        self._known = known
        self.feeder.open_backlog()

    def follow(self, host: str, port: int) -> None:
        """Become a replica of a node (or of another one)."""
        engine = self.engine
        stream_db = self.link.stream_db if self.link is not None else max(engine.log.selected, 0)
        if self.link is not None:
            self.link.stop()
        else:
            self._known = self._known or self.feeder.backlog is not None
            self._unblock_all()
        self.term += 1
        engine.log.flush()
        if self.feeder.backlog is None:
            self.open_backlog()
        self.feeder.drop_all("this node follows another now")
        self.config.assign("replicaof", Endpoint(host, port))
        link = Link(host, port, engine, self.config, self, self.log)
        link.stream_db = stream_db
        self.link = link
        engine.state.follow(True)
        self._log_active(True)
        self.refresh_denials()
        self.log.info("following", primary=f"{host}:{port}")
        link.start()

    def promote(self) -> None:
        """Become a primary; no effect on one."""
        link = self.link
        if link is None:
            return
        link.stop()
        self.term += 1
        self.link = None
        engine = self.engine
        engine.log.flush()
        self.history = self.history.promoted(new_id(), engine.log.offset)
        engine.log.selected = -1
        engine.state.follow(False)
        self._log_active(engine.log.active)
        self.feeder.drop_all("this node was promoted")
        self.feeder.no_replicas_since_s = monotonic()
        self.config.assign("replicaof", None)
        self.refresh_denials()
        self.log.info("promoted", replid=self.history.replid.decode(), offset=engine.log.offset)

    def _unblock_all(self) -> None:
        for c in list(self.engine.sessions.values()):
            if c.blocked is not None and c.blocked.kind != "pause":
                self.waiting.forget(c)
                c.close_after_reply()
                blocking.unblock(self.engine, c, UNBLOCKED)

    def _log_active(self, active: bool) -> None:
        """A replica logs its primary's stream verbatim, never effects of its own."""
        self.engine.state.logging = active and self.link is None

    def open_backlog(self) -> None:
        """Begin to record; what was written unrecorded must not be taken for known."""
        if self.feeder.backlog is None:
            self.begin_history()
            self.feeder.open_backlog()

    def begin_history(self) -> None:
        """Give the stream another id, which nobody knows yet."""
        self.history = self.history.forgotten(new_id())

    def resize_backlog(self) -> None:
        """repl-backlog-size has changed."""
        if self.feeder.backlog is not None:
            self.feeder.backlog.resize(self.config.repl_backlog_size)

    def settings(self) -> Settings:
        """What to tell the primary."""
        config = self.config
        return Settings(
            user=config.masteruser,
            password=config.masterauth,
            listening_port=config.replica_announce_port or self._reachable_port(),
            announce_ip=config.replica_announce_ip.encode(),
            replid=self.history.replid if self._known else b"?",
            next_offset=self.engine.log.offset + 1 if self._known else -1,
            failover=self.failover.asking,
        )

    def _reachable_port(self) -> int:
        """The port for other nodes: they use TLS if we do."""
        return (self.config.tls_replication and self.config.tls_port) or self.listening_port

    def may_continue(self, replid: bytes | None) -> None:
        """The primary lets us continue, perhaps under a new id, which our own replicas have to learn."""
        self.failover.succeeded()
        if replid is None:
            return
        before = self.history
        self.history = before.continued(replid, self.engine.log.offset)
        if self.history is not before:
            self.feeder.drop_all("the primary's history has a new id")

    def adopt(self, full: Full, incoming: Incoming) -> None:
        """Put a received data set in force."""
        self.failover.succeeded()
        engine = self.engine
        engine.log.flush()
        incoming.install(engine)
        self.feeder.drop_all("the data set was replaced")
        engine.log.offset = full.offset
        self.history = self.history.adopted(full.replid)
        self.feeder.open_backlog()
        self._known = True
        engine.services.scripting.restore(incoming.functions)
        engine.services.signals.data_replaced.emit()

    def dropped_stale(self) -> None:
        """A link brought something that was begun in an earlier term: it was dropped."""
        self.stale_effects += 1

    def refused(self, reason: str) -> None:
        """The primary refused us: the link tries again, but doesn't wrest the role back."""
        if self.failover.asking:
            self.failover.abort(f"Failover target rejected psync request: {reason}")

    def link_changed(self) -> None:
        """The link went up or down: reads may be stale."""
        self.refresh_denials()

    def refresh_denials(self) -> None:
        """Have the gates look at the commands that the present state forbids."""
        link_up = None if self.link is None else self.link.connected
        guards.refresh(self.engine, self.config, link_up, self.feeder.records(), monotonic())

    def position(self) -> tuple[bytes, int, int] | None:
        """Where in which history a snapshot taken now stands: id, offset, the stream's database.

        Flushes the log. None when nothing is recorded, so that nobody could continue from there.
        """
        log = self.engine.log
        log.flush()
        if self.feeder.backlog is None:
            return None
        stream_db = self.link.stream_db if self.link is not None else max(log.selected, 0)
        return self.history.replid, log.offset, stream_db

    def _snapshot(self, parts: Parts) -> tuple[SnapshotStream, bytes]:
        """A snapshot for replicas, and its history. Behind it a primary's stream selects its database anew."""
        if self.link is None:
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

    def ask_for_acks(self) -> None:
        """Have the replicas acknowledge at once."""
        if self.feeder.feeds:
            self.engine.log.append_passing(GETACK)

    def _closed(self, c: Session) -> None:
        self.waiting.forget(c)
        if c.kind == "replica":
            self.feeder.detach(c)
            self.refresh_denials()

    def tick(self) -> None:
        """Ten times a second."""
        self._beats += 1
        second = self._beats % 10 == 0
        self.feeder.tick()
        self.failover.tick()
        self.file_synced()
        if self.link is not None:
            self.link.tick(send_ack=second)
        if not second:
            return
        self.refresh_denials()
        if (self._beats // 10) % self.config.repl_ping_replica_period == 0:
            self.feeder.pulse()
            if self.link is None and self.feeder.feeds:
                self.engine.log.append_passing(PING)
        self._give_up_backlog()

    def _give_up_backlog(self) -> None:
        ttl_s = self.config.repl_backlog_ttl
        idle = self.link is None and not self.feeder.feeds and self.feeder.backlog is not None
        if idle and ttl_s and monotonic() - self.feeder.no_replicas_since_s > ttl_s:
            self.feeder.close_backlog()
            self.begin_history()
            self.log.info("backlog given up", idle_s=ttl_s)

    async def start(self) -> None:
        """Follow the primary that the configuration names."""
        primary = self.config.replicaof
        if primary is not None:
            self.follow(primary.host, primary.port)

    async def stop(self) -> None:
        """End the link and transfers."""
        if self.link is not None:
            self.link.stop()
        await self.feeder.stop()
        await asyncio.sleep(0)


def hub_of(c: Session) -> Hub:
    """The hub of the session's engine."""
    return c.engine.services.kept(Hub)
