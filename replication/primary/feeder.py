"""The shell that serves replicas: a snapshot or the backlog first, then whatever is logged.

Theory of operation. The feeder is a sink of the command log: every flush goes into the backlog and to each
replica that is on line. A replica that needs a snapshot waits until one can begin; from that instant on the
stream is kept for it, up to the output limit, while the snapshot goes out. One transfer runs at a time.
Replicas with `capa eof` go on line with their first acknowledgement, since what follows the mark at once they
would take for part of the snapshot; the others when the announced length has been sent.

Whether a replica may continue instead is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kvserver.client.reasons import Reason
from kvserver.config import Config
from kvserver.config.replica_output import replica_output
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.services.offers import SnapshotStream
from replication.backlog import Backlog
from replication.primary.attached import Attached, Parts, Phase, over_limit, silent
from replication.primary.feed import Feed
from replication.primary.transfer import Transfer
from replication.psync import Continue, continue_reply, full_resync_reply


class Feeder:
    """Feeds replicas; see the module's theory of operation.

    `take_snapshot` opens a snapshot of this instant, and says of which history it is.
    """

    def __init__(
        self, engine: Engine, config: Config, log: Any, take_snapshot: Callable[[Parts], tuple[SnapshotStream, bytes]]
    ) -> None:
        self.engine = engine
        self.config = config
        self._clock = engine.services.clock
        self.backlog: Backlog | None = None
        self.feeds: dict[int, Feed] = {}
        self.no_replicas_since_s = self._clock.monotonic()
        self.full_resyncs = 0
        self.partial_resyncs = 0
        self.refused_partials = 0
        self._log = log
        self._take_snapshot = take_snapshot
        self._task: asyncio.Task[None] | None = None
        self.on_online: Callable[[Session], None] = _unheard

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.full_resyncs = self.partial_resyncs = self.refused_partials = 0

    # -- the log's sink ---------------------------------------------------------------------------------------

    def sink(self, data: bytes) -> None:
        """Take the bytes of one flush."""
        if self.backlog is not None:
            self.backlog.append(data)
        for feed in self.feeds.values():
            if feed.live:
                feed.session.send(data)
            elif feed.kept is not None:
                feed.keep(data)
                now_s = self._clock.monotonic()
                reason = over_limit(feed.record, feed.kept_bytes, replica_output(self.config), now_s)
                if reason is not None:
                    self.drop(feed, reason, "while its snapshot is on the way")

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

    def attach_partial(self, session: Session, record: Attached, decision: Continue, welcome: bytes = b"") -> None:
        """A replica continues from the backlog; `welcome` comes before the stream."""
        assert self.backlog is not None
        self.engine.log.flush()
        self.partial_resyncs += 1
        record.phase = Phase.ONLINE
        record.ack_offset = decision.offset - 1
        feed = self._attach(Feed(session, record))
        session.send(continue_reply(decision, record.capa_psync2) + welcome)
        for chunk in self.backlog.read_from(decision.offset):
            session.send(chunk)
        feed.live = True
        record.online_offset = self.engine.log.offset
        self._log.info("replica continues", replica=feed.name, offset=record.ack_offset)
        self.on_online(session)

    def attach_full(self, session: Session, record: Attached, sync: bool) -> None:
        """A replica waits for a snapshot."""
        self.full_resyncs += 1
        record.phase = Phase.WAIT_SNAPSHOT
        self._attach(Feed(session, record, sync))
        self.consider()

    def _attach(self, feed: Feed) -> Feed:
        feed.session.kind = "replica"
        feed.session.replica = feed
        self.feeds[feed.session.id] = feed
        return feed

    def detach(self, session: Session) -> None:
        """The connection of a session is gone (or it wanted a copy of the data and nothing more)."""
        if self.feeds.pop(session.id, None) is not None and not self.feeds:
            self.no_replicas_since_s = self._clock.monotonic()

    def drop(self, feed: Feed, reason: Reason, detail: str) -> None:
        """Disconnect a replica; it may come back and continue."""
        self._log.info("disconnecting replica", replica=feed.name, reason=detail)
        feed.kept = None
        feed.live = False
        feed.session.end(reason, detail)

    def drop_all(self, detail: str) -> None:
        """Disconnect all replicas, so that they ask again whether they may continue; `detail` says why."""
        for feed in list(self.feeds.values()):
            self.drop(feed, Reason.REPLICA_HISTORY, detail)
            self.detach(feed.session)

    def acknowledge(self, feed: Feed, offset: int, file_offset: int = 0) -> None:
        """A replica has applied the stream up to `offset`, and has it in a file up to `file_offset`."""
        feed.record.acknowledge(offset, self._clock.monotonic(), file_offset)
        feed.acked = True
        if feed.sent and not feed.live and self._is_present(feed):
            self._go_online(feed)

    def _is_present(self, feed: Feed) -> bool:
        return self.feeds.get(feed.session.id) is feed and feed.kept is not None

    def _go_online(self, feed: Feed) -> None:
        if feed.record.rdb_only:
            feed.kept = None
            self.detach(feed.session)
            return
        feed.record.phase = Phase.ONLINE
        feed.record.online_offset = self.engine.log.offset
        feed.record.acked_at_s = self._clock.monotonic()
        feed.release()
        self._log.info("replica is on line", replica=feed.name)
        self.on_online(feed.session)

    # -- time -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Some ten times a second: begin a snapshot whose time has come, drop the silent."""
        self.consider()
        for record in silent(self.records(), self.config.repl_timeout, self._clock.monotonic()):
            self.drop(self.feeds[record.replica_id], Reason.REPL_TIMEOUT, "no acknowledgement for repl-timeout")

    def pulse(self) -> None:
        """Keep the connections of those alive who wait for a snapshot to begin."""
        for feed in self.feeds.values():
            if feed.record.phase is Phase.WAIT_SNAPSHOT:
                feed.session.send(b"\n")

    # -- snapshots --------------------------------------------------------------------------------------------

    @property
    def sending(self) -> bool:
        """Whether a snapshot is being sent."""
        return self._task is not None and not self._task.done()

    def consider(self) -> None:
        """Begin a snapshot if one is wanted, none is under way, and the time to gather replicas is over."""
        if self.sending:
            return
        waiting = [feed for feed in self.feeds.values() if feed.record.phase is Phase.WAIT_SNAPSHOT]
        if not waiting:
            return
        config = self.config
        for feed in waiting:
            if feed.record.parts is not Parts.ALL:
                self._begin([feed], marked=True, parts=feed.record.parts)
                return
        marked = [feed for feed in waiting if feed.record.capa_eof and config.repl_diskless_sync]
        if len(marked) < len(waiting):
            self._begin([feed for feed in waiting if feed not in marked], marked=False)
            return
        waited_s = self._clock.monotonic() - min(feed.record.acked_at_s for feed in marked)
        enough = 0 < config.repl_diskless_sync_max_replicas <= len(marked)
        if enough or waited_s >= config.repl_diskless_sync_delay:
            self._begin(marked, marked=True)

    def _begin(self, group: list[Feed], marked: bool, parts: Parts = Parts.ALL) -> None:
        config = self.config
        snapshot, replid = self._take_snapshot(parts)
        for feed in group:
            feed.begin_keeping()
            if not feed.sync:
                feed.session.send(full_resync_reply(replid, snapshot.offset))
        self._log.info("sending a snapshot", replicas=[feed.name for feed in group], offset=snapshot.offset)
        transfer = Transfer(
            group, snapshot, self.engine.services.doors, config.repl_timeout, self._is_present, self.drop,
            lambda: config.rdb_key_save_delay,
        )
        self._task = asyncio.get_running_loop().create_task(self._send(transfer, snapshot, marked))

    async def _send(self, transfer: Transfer, snapshot: SnapshotStream, marked: bool) -> None:
        try:
            await (transfer.send_marked() if marked else transfer.send_sized())
        except Exception as failure:
            self._log.error("sending a snapshot failed", error=repr(failure))
            for feed in transfer.present():
                self.drop(feed, Reason.REPLICA_TRANSFER, "sending its snapshot failed")
        finally:
            snapshot.close()
        for feed in transfer.present():
            feed.sent = True
            if not marked or feed.acked or feed.record.rdb_only:
                self._go_online(feed)
        asyncio.get_running_loop().call_soon(self.consider)

    async def stop(self) -> None:
        """End the transfer under way, if any."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _unheard(session: Session) -> None:
    """Nobody asks when a replica comes on line."""
