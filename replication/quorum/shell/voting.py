"""The shell of a quorum node: performs what `QuorumNode` says, in the order in which it says it.

Theory of operation.  Each thing that happens is a step of the pure node; its actions go into one `Line`.  What only
stops something (to lead, to follow, to answer) is done at once, since the log has to stand still from the step on that
promised it away; an identity is written by a thread, and what stands behind it waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kvserver.client.server import Server
from kvserver.config import Config
from kvserver.engine.run.session import Session
from replication.quorum import records, words
from replication.quorum.identity import PROCESS
from replication.quorum.node import QuorumNode
from replication.quorum.shell.clients import Clients
from replication.quorum.shell.followers import Followers
from replication.quorum.shell.identity_file import IdentityFile
from replication.quorum.shell.leader_link import LeaderLink
from replication.quorum.shell.line import Answer, Line
from replication.quorum.shell.log_view import LogView
from replication.quorum.shell.members import Attendance
from replication.quorum.tally import Level
from replication.quorum.words import Action
from replication.replica.wire import Wire
from replication.shell import Replication


class Quorum:
    """One node's part in a group; see the module's theory of operation, and `replication.voting.Voting`."""

    active = True

    def __init__(
        self, server: Server, config: Config, log: Any, ours: Replication, node: QuorumNode, file: IdentityFile,
        view: LogView,
    ) -> None:  # fmt: skip
        services = server.engine.services
        self.node = node
        self.view = view
        self.log = log
        self.ours = ours
        self.now_s = services.clock.monotonic
        self.attendance = Attendance()
        self.clients = Clients(server.engine, config, self, server)
        self.followers = Followers(self)
        self.link = LeaderLink(self, services.doors.chance.token(20))
        self.line = Line(file, self._perform, self.clients.publish)
        self._engine = server.engine
        self._config = config

    def rests(self) -> bool:
        """Whether the node belongs to a group."""
        return bool(self.node.epochs.rows())

    def do(self, actions: list[Action], answer: Answer | None = None) -> None:
        """Perform what a step said; `answer` hears of it when it has been performed."""
        self.line.take(actions, answer)

    def _perform(self, action: Action) -> None:
        match action:
            case words.Append(record, term):
                if self.node.term == term:
                    self._append(record)
            case words.Tell(link, message):
                if isinstance(link, Session):
                    self.followers.tell(link, message)
                elif isinstance(link, Wire):
                    self.link.tell(link, message)
            case words.Unlink(link):
                if isinstance(link, Session):
                    self.followers.cut(link)
                elif isinstance(link, Wire):
                    self.link.cut(link)
            case words.StepDown(reason):
                self.log.warning("this node leads no more", reason=reason)
                self.ours.rest()
                self.clients.deposed(reason)
            case words.Sync(offset):
                self._engine.services.persistence.sync_soon(offset)
            case words.Execute(name):
                self.clients.linear.execute(name)
            case words.Done(name):
                self.clients.linear.answered(name)
            case words.Lost(names):
                self.clients.lost(names)
            case _:
                pass  # Committed: `publish` looks; Synchronize: who was admitted waits for its snapshot already

    def _append(self, record: records.Record) -> None:
        """A record of our own: the first one of an epoch makes this node the primary."""
        if record.opens_epoch and not self.ours.role.leads:
            self.ours.promote()
        log = self._engine.log
        self.ours.stream_wanted()
        first = log.offset + 1
        log.append_raw(records.encode(record))
        log.flush()
        self.do(self.node.recorded(record, first, log.offset))
        if self.node.level is Level.SYNCED:  # the leader itself waits for it
            self.do(self.node.want(log.offset))
        if record.opens_epoch:
            self.attendance.begin(self.now_s())
            self.log.warning("this node leads", epoch=record.epoch, offset=log.offset)

    def file_synced(self) -> None:
        """More of the log is on our disk, or outlives the process."""
        self.do(self.node.grown())

    def note_loss(self) -> None:
        """Keep durably what a loss of power, or the end of the process, would lose of what was acknowledged."""
        identity, view = self.node.identity, self.view
        if not self._config.appendonly:
            wanted = PROCESS
        elif self.node.level is Level.SYNCED:
            wanted = ""
        else:
            wanted = self._engine.services.doors.machine.boot()
        if wanted == identity.unsynced:
            view.relaxed = bool(wanted)
            return
        if not wanted:
            view.relaxed = False
            if view.synced < view.end:
                return  # looked at again soon
        self.node.identity = replace(identity, unsynced=wanted)
        self.do([words.Persist(self.node.identity)], lambda said: setattr(view, "relaxed", bool(wanted)))

    def tick(self) -> None:
        """Ten times a second: found, take in, give up."""
        self.note_loss()
        if not self.rests() and self.ours.role.follows:  # a founding waits for what is on our disk
            self._engine.services.persistence.sync_soon(self._engine.log.offset)
        self.clients.tick()
        self.attendance.look(self)
