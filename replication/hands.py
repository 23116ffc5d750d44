"""What the role's actions do to the engine: the log and its backlog, the link, replicas, clients, configuration.

One action at a time, each in the turn of the event loop in which it was said; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvserver.client.reasons import Reason
from kvserver.config import Config, Endpoint
from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine
from kvserver.wire.resp import encode_request, error
from replication import gates as guards
from replication.primary.feeder import Feeder
from replication.primary.waiting import Waiting
from replication.replica.incoming import Incoming
from replication.replica.link import Link, Owner
from replication.role import Role
from replication.role_messages import (
    Action,
    AskForAcks,
    CloseBacklog,
    DropReplicas,
    EndBlocked,
    EndLink,
    Fence,
    HoldWrites,
    Install,
    Lead,
    LetWrites,
    Note,
    OpenBacklog,
    RefreshGates,
    RememberPrimary,
    StartLink,
    TellReplaced,
)

GETACK = encode_request([b"REPLCONF", b"GETACK", b"*"])
_STAYS_BLOCKED = ("pause", "quorum-order")
"""Who waits for the end of a pause will find out by itself; a sentinel waits for what it ordered."""
UNBLOCKED = error("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")


class Hands:
    """Does what the role says.

    `link` is the one to the primary, None on who follows nobody; `incoming` a data set that was received and is to be
    installed. `hold_writes` makes clients wait who want to write during a hand-over, `let_writes` lets them go on.
    """

    def __init__(
        self, engine: Engine, config: Config, log: Any, role: Role, feeder: Feeder, waiting: Waiting, owner: Owner
    ) -> None:
        self.link: Link | None = None
        self.incoming: Incoming | None = None
        self.hold_writes: Callable[[], None] = _nothing
        self.let_writes: Callable[[], None] = _nothing
        self._engine = engine
        self._clock = engine.services.clock
        self._config = config
        self._log = log
        self._role = role
        self._feeder = feeder
        self._waiting = waiting
        self._owner = owner
        self.denials = guards.Denials(engine, config)
        self.bound = guards.Bound(config, self._clock.monotonic)
        engine.set_gate("unreplicated", self.bound.answer)
        engine.log.on_active = self._log_active

    def do(self, action: Action) -> None:
        """Carry out one action."""
        match action:
            case Fence():
                self._serve(follows=True)
            case Lead():
                self._engine.log.selected = -1
                self._feeder.no_replicas_since_s = self._clock.monotonic()
                self._serve(follows=False)
            case EndLink():
                self._end_link()
            case StartLink(primary, term):
                self._start_link(*primary, term)
            case OpenBacklog():
                self._feeder.open_backlog()
            case CloseBacklog():
                self._feeder.close_backlog()
            case Install(offset):
                self._install(offset)
            case TellReplaced():
                self._tell_replaced()
            case DropReplicas(reason):
                self._feeder.drop_all(reason)
            case EndBlocked():
                self._unblock_all()
            case RememberPrimary(primary):
                self._config.assign("replicaof", None if primary is None else Endpoint(*primary))
            case HoldWrites():
                self.hold_writes()
            case LetWrites():
                self.let_writes()
            case AskForAcks():
                self.ask_for_acks()
                self._engine.log.flush()
            case RefreshGates():
                self.refresh_denials()
            case Note(text, facts, warning):
                (self._log.warning if warning else self._log.info)(text, **dict(facts))

    def _serve(self, follows: bool) -> None:
        self._engine.state.follow(follows)
        self._engine.services.signals.role_changed.emit()
        self._log_active(self._engine.log.active)
        self.refresh_denials()

    def _log_active(self, active: bool) -> None:
        """A replica logs its primary's stream verbatim, never effects of its own."""
        self._engine.state.logging = active and not self._role.fenced

    def refresh_denials(self) -> None:
        """Have the gates look at the commands that the present state forbids."""
        self.denials.refresh(self._role.link_up, self._feeder.records(), self._clock.monotonic())
        self.bound.follow_role(self._engine, self._role.leads)

    def ask_for_acks(self) -> None:
        """Have the replicas acknowledge at once."""
        if self._feeder.feeds:
            self._engine.log.append_passing(GETACK)

    def _end_link(self) -> None:
        if self.link is not None:
            self.link.stop()
            self._engine.log.selected = self.link.stream_db
            self.link = None

    def _start_link(self, host: str, port: int, term: int) -> None:
        link = self.link = Link(host, port, term, self._engine, self._config, self._owner, self._log)
        link.stream_db = max(self._engine.log.selected, 0)
        link.start()

    def _install(self, offset: int) -> None:
        assert self.incoming is not None
        self.incoming.install(self._engine)
        self._engine.log.offset = offset

    def _tell_replaced(self) -> None:
        assert self.incoming is not None
        services = self._engine.services
        services.scripting.restore(self.incoming.functions)
        services.signals.data_replaced.emit()

    def _unblock_all(self) -> None:
        for c in list(self._engine.sessions.values()):
            if c.blocked is not None and c.blocked.kind not in _STAYS_BLOCKED:
                self._waiting.forget(c)
                blocking.forget(self._engine, c)
                c.send(UNBLOCKED)
                c.end(Reason.ROLE_CHANGE)


def _nothing() -> None:
    """Nothing holds clients back."""
