"""The shell that serves replicas: snapshots with back-pressure, then the stream, then whatever is logged.

Theory of operation. The feeder is a sink of the command log: every flush goes into the backlog and to each
replica that is on line. A replica that needs a snapshot waits until one can begin; from that instant on the
stream is held for it, up to the output limit, while the snapshot goes out. Replicas that read snapshots of
unknown length (`capa eof`) share one that is encoded straight into their sockets, as fast as the slowest of
them reads; they go on line with their first acknowledgement. For the others the snapshot is written to a
temporary file first, because its length has to come before it; they go on line when it has been sent.

Which of the two, and whether a replica may continue instead, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from kvserver.config import Config
from kvserver.engine.executor import Engine
from kvserver.engine.session import Session
from persistence.snapshot import Snapshot
from replication.backlog import Backlog
from replication.primary import Attached, OutputLimit, Phase, over_limit, silent
from replication.psync import Continue, continue_reply, full_resync_reply

PENDING_MAX = 1 << 20
"""Bytes of a snapshot handed to a connection that its peer has not taken, before encoding pauses."""
DRAIN_POLL_S = 0.002
SPOOL_BATCH = 1 << 20


class Feed:
    """A replica's connection, and the stream held for it until its snapshot is through."""

    __slots__ = (
        "drained_at_s",
        "held",
        "held_bytes",
        "live",
        "pending",
        "record",
        "sent",
        "session",
        "sync",
        "waiting_since_s",
    )

    def __init__(self, session: Session, record: Attached) -> None:
        self.session = session
        self.record = record
        self.live = False
        self.held: list[bytes] | None = None
        self.held_bytes = 0
        self.sent = False  # the whole snapshot was written; an acknowledgement brings it on line
        self.sync = False  # it asked by SYNC: no status line before the snapshot
        self.waiting_since_s = record.acked_at_s
        self.pending = 0
        self.drained_at_s = record.acked_at_s

    def hold(self, data: bytes) -> None:
        """Keep bytes of the stream for later."""
        if self.held is not None:
            self.held.append(data)
            self.held_bytes += len(data)


class Feeder:
    """Feeds replicas; see the module's theory of operation."""

    def __init__(self, engine: Engine, config: Config, log: Any, identity: Callable[[], Identity]) -> None:
        self.engine = engine
        self.config = config
        self.backlog: Backlog | None = None
        self.feeds: dict[int, Feed] = {}
        self.no_replicas_since_s = monotonic()
        self.full_resyncs = 0
        self.partial_resyncs = 0
        self.refused_partials = 0
        self._log = log
        self._identity = identity
        self._task: asyncio.Task[None] | None = None

    # -- the log's sink ---------------------------------------------------------------------------------------

    def sink(self, data: bytes) -> None:
        """Take the bytes of one flush."""
        if self.backlog is not None:
            self.backlog.append(data)
        for feed in self.feeds.values():
            if feed.live:
                feed.session.send(data)
            elif feed.held is not None:
                feed.hold(data)
                if over_limit(feed.record, feed.held_bytes, self._output_limit(), monotonic()):
                    self.drop(feed, "output buffer limit while its snapshot is on the way")

    def _output_limit(self) -> OutputLimit:
        limit = self.config.client_output_buffer_limit.replica
        return OutputLimit(limit.hard_bytes, limit.soft_bytes, limit.soft_seconds).at_least(
            self.config.repl_backlog_size
        )

    def open_backlog(self) -> None:
        """Begin to keep the stream from here on, forgetting what was kept."""
        log = self.engine.log
        log.flush()
        if self.backlog is None:
            log.attach(self.sink)
        self.backlog = Backlog(self.config.repl_backlog_size, log.offset)

    def close_backlog(self) -> None:
        """Keep nothing any more."""
        if self.backlog is not None:
            self.engine.log.detach(self.sink)
            self.backlog = None

    # -- replicas come and go ---------------------------------------------------------------------------------

    def records(self) -> list[Attached]:
        """What is known of each replica."""
        return [feed.record for feed in self.feeds.values()]

    def attach_partial(self, session: Session, record: Attached, decision: Continue) -> None:
        """A replica continues from the backlog."""
        assert self.backlog is not None
        self.engine.log.flush()
        self.partial_resyncs += 1
        record.phase = Phase.ONLINE
        record.ack_offset = decision.offset - 1
        feed = Feed(session, record)
        session.send(continue_reply(decision, record.capa_psync2))
        for chunk in self.backlog.read_from(decision.offset):
            session.send(chunk)
        feed.live = True
        self._attach(feed)

    def attach_full(self, session: Session, record: Attached, sync: bool) -> None:
        """A replica waits for a snapshot."""
        self.full_resyncs += 1
        record.phase = Phase.WAIT_SNAPSHOT
        feed = Feed(session, record)
        feed.sync = sync
        self._attach(feed)
        self.consider()

    def _attach(self, feed: Feed) -> None:
        feed.session.kind = "replica"
        feed.session.replica = feed
        self.feeds[feed.session.id] = feed

    def detach(self, session: Session) -> None:
        """The connection of a session is gone (or it was a copy of the data that was wanted, and no more)."""
        if self.feeds.pop(session.id, None) is not None and not self.feeds:
            self.no_replicas_since_s = monotonic()

    def drop(self, feed: Feed, reason: str) -> None:
        """Disconnect a replica; it may come back and continue."""
        self._log.info("disconnecting replica", replica=_name(feed.record), reason=reason)
        feed.held = None
        feed.live = False
        feed.session.port.close(reason)

    def drop_all(self, reason: str) -> None:
        """Disconnect all replicas, so that they ask again whether they may continue."""
        for feed in list(self.feeds.values()):
            self.drop(feed, reason)
            self.detach(feed.session)

    def acknowledge(self, feed: Feed, offset: int) -> None:
        """A replica has applied the stream up to `offset`."""
        feed.record.acknowledge(offset, monotonic())
        if feed.sent and not feed.live:
            self._go_online(feed)

    def _go_online(self, feed: Feed) -> None:
        record = feed.record
        if record.rdb_only:
            self.detach(feed.session)
            return
        held = feed.held or []
        feed.held = None
        feed.held_bytes = 0
        feed.live = True
        record.phase = Phase.ONLINE
        record.acked_at_s = monotonic()
        for chunk in held:
            feed.session.send(chunk)
        self._log.info("replica is on line", replica=_name(record))

    # -- time -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Some ten times a second: begin snapshots whose time has come, drop the silent."""
        self.consider()
        for record in silent(self.records(), self.config.repl_timeout, monotonic()):
            self.drop(self.feeds[record.replica_id], "no acknowledgement for repl-timeout")

    def pulse(self) -> None:
        """Keep the connections of those alive who wait for a snapshot to begin."""
        for feed in self.feeds.values():
            if feed.record.phase is Phase.WAIT_SNAPSHOT:
                feed.session.send(b"\n")

    def consider(self) -> None:
        """Begin a snapshot if one is wanted, none is under way, and the time to gather replicas is over."""
        if self._task is not None and not self._task.done():
            return
        waiting = [feed for feed in self.feeds.values() if feed.record.phase is Phase.WAIT_SNAPSHOT]
        if not waiting:
            return
        config = self.config
        marked = [feed for feed in waiting if feed.record.capa_eof and config.repl_diskless_sync]
        sized = [feed for feed in waiting if feed not in marked]
        if sized:
            self._begin(sized, self._send_sized)
        else:
            waited_s = monotonic() - min(feed.waiting_since_s for feed in marked)
            enough = 0 < config.repl_diskless_sync_max_replicas <= len(marked)
            if enough or waited_s >= config.repl_diskless_sync_delay:
                self._begin(marked, self._send_marked)

    # -- snapshots --------------------------------------------------------------------------------------------

    def _begin(self, group: list[Feed], send: Callable[[list[Feed], Snapshot], Coroutine[Any, Any, None]]) -> None:
        identity = self._identity()
        snapshot = identity.snapshot()
        for feed in group:
            feed.held = []
            if not feed.sync:
                feed.session.send(full_resync_reply(identity.replid, snapshot.offset))
        names = [_name(feed.record) for feed in group]
        self._log.info("sending a snapshot", replicas=names, offset=snapshot.offset)
        self._task = asyncio.get_running_loop().create_task(self._transfer(group, snapshot, send))

    async def _transfer(
        self,
        group: list[Feed],
        snapshot: Snapshot,
        send: Callable[[list[Feed], Snapshot], Coroutine[Any, Any, None]],
    ) -> None:
        try:
            await send(group, snapshot)
        except Exception as failure:
            self._log.error("sending a snapshot failed", error=repr(failure))
            for feed in self._present(group):
                self.drop(feed, "sending its snapshot failed")
        finally:
            snapshot.close()
        self.consider_soon()

    def consider_soon(self) -> None:
        """Look again when the present task is over."""
        asyncio.get_running_loop().call_soon(self.consider)

    async def _send_marked(self, group: list[Feed], snapshot: Snapshot) -> None:
        mark = secrets.token_hex(20).encode()
        for feed in group:
            feed.record.phase = Phase.SEND_SNAPSHOT
        await self._broadcast(group, b"$EOF:%s\r\n" % mark)
        while (chunk := snapshot.next_chunk(0.001, 1 << 16)) is not None and self._present(group):
            await self._broadcast(group, chunk)
        await self._broadcast(group, mark)
        for feed in self._present(group):
            feed.sent = True
            if feed.record.rdb_only:
                self._go_online(feed)

    async def _send_sized(self, group: list[Feed], snapshot: Snapshot) -> None:
        with tempfile.TemporaryFile() as spool:
            batch: list[bytes] = []
            size = held = 0
            while (chunk := snapshot.next_chunk(0.001)) is not None and self._present(group):
                batch.append(chunk)
                held += len(chunk)
                if held >= SPOOL_BATCH:
                    size += await asyncio.to_thread(spool.write, b"".join(batch))
                    batch, held = [], 0
                await asyncio.sleep(0)
            size += await asyncio.to_thread(spool.write, b"".join(batch))
            snapshot.close()
            for feed in group:
                feed.record.phase = Phase.SEND_SNAPSHOT
            await self._broadcast(group, b"$%d\r\n" % size)
            await asyncio.to_thread(spool.seek, 0)
            while self._present(group) and (piece := await asyncio.to_thread(spool.read, 1 << 18)):
                await self._broadcast(group, piece)
        for feed in self._present(group):
            feed.sent = True
            self._go_online(feed)

    def _present(self, group: list[Feed]) -> list[Feed]:
        return [feed for feed in group if self.feeds.get(feed.session.id) is feed and feed.held is not None]

    async def _broadcast(self, group: list[Feed], data: bytes) -> None:
        """Write to every replica that is still there; return when none has too much left to read."""
        for feed in self._present(group) if data else ():
            feed.session.send(data)
        await asyncio.sleep(0)
        while any(self._is_full(feed) for feed in self._present(group)):
            await asyncio.sleep(DRAIN_POLL_S)

    def _is_full(self, feed: Feed) -> bool:
        """Whether a replica has to catch up; one that takes nothing for repl-timeout is dropped."""
        pending = feed.session.port.pending_bytes()
        now = monotonic()
        if pending < feed.pending or pending <= PENDING_MAX:
            feed.drained_at_s = now
        feed.pending = pending
        if pending > PENDING_MAX and now - feed.drained_at_s > self.config.repl_timeout:
            self.drop(feed, "it doesn't read its snapshot")
        return pending > PENDING_MAX

    async def stop(self) -> None:
        """End the transfer under way, if any."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class Identity:
    """The history's present id, and the way to take a snapshot that carries it."""

    __slots__ = ("replid", "snapshot")

    def __init__(self, replid: bytes, snapshot: Callable[[], Snapshot]) -> None:
        self.replid = replid
        self.snapshot = snapshot


def _name(record: Attached) -> str:
    return f"{record.ip}:{record.port}"
