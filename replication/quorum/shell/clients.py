"""What a quorum means for clients: which replies wait for what, which requests are refused, who is told that the
outcome isn't known (a shell: it acts on sessions, and decides nothing about safety)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvserver.client.server import Server
from kvserver.config import Config
from kvserver.engine.command_table.row import ADMIN, WRITE, Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.holds import COPIED, EVERYTHING, NONE, SYNCED, Safety
from kvserver.engine.run.session import Session
from kvserver.wire.resp import error
from replication.quorum.shell.linear import Linear, unknown
from replication.quorum.tally import Level

if TYPE_CHECKING:
    from replication.quorum.shell.voting import Quorum

LEVELS = {"async": NONE, "quorum": COPIED, "quorum-fsync": SYNCED}
READS = ("local", "committed", "linearizable")
HOLD = "quorum"
"""The reason of a pause by QUORUM HOLD."""
_BLOCKED_KIND = "quorum"
_READONLY = error("READONLY You can't write against a node that doesn't lead its quorum.")
_GUARDED = {
    "replicaof": "a member of a quorum leads when its sentinels say so: use SENTINEL FAILOVER",
    "slaveof": "a member of a quorum leads when its sentinels say so: use SENTINEL FAILOVER",
    "failover": "a member of a quorum hands over when its sentinels say so: use SENTINEL FAILOVER",
    "debug": "this would change the data of a member of a quorum without its log",
}
_CHANGING = frozenset((b"RELOAD", b"LOADAOF", b"CHANGE-REPL-ID", b"POPULATE", b"REPLICATE"))
"""Subcommands of DEBUG that change data, or whose log they are."""


def safety(durability: str, reads: str) -> Safety:
    """What replies wait for at these two levels ("default" for `reads`: as the durability wants it)."""
    level = LEVELS[durability]
    if reads == "default":
        reads = "committed" if level else "local"
    wanted = max(level, COPIED) if reads != "local" else level
    return Safety(wanted, reads == "local", reads == "linearizable")


def chosen_safety(config: Config, chosen: tuple[str, str]) -> Safety:
    """What the replies of a client wait for that chose durability and reads; "default" is the node's."""
    durability, reads = chosen
    return safety(
        config.durability if durability == "default" else durability, config.reads if reads == "default" else reads
    )


class Clients:
    """See the module's docstring."""

    def __init__(self, engine: Engine, config: Config, quorum: Quorum, server: Server) -> None:
        self._engine = engine
        self._config = config
        self._quorum = quorum
        self.refused = self.unknown = 0  # writes that weren't run; clients that were told that they can't know
        self.holds = server.holds
        self.linear = Linear(engine, config, quorum, self.holds)
        self.holds.on_sought = self._sought
        self._seeking = False  # disks will be asked at the end of the turn
        engine.set_gate("quorum", self._refuse)
        engine.set_gate("quorum-guard", self._guard)

    # -- replies --------------------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Tell how far each level is; where there is no group, nothing waits for it."""
        node = self._quorum.node
        founded = self._quorum.rests()
        for level, which in ((COPIED, Level.MEMORY), (SYNCED, Level.SYNCED)):
            to = node.commit[which] if founded else EVERYTHING
            if self.holds.own(level) != to:
                self.holds.reach(level, to)

    def _sought(self) -> None:
        """Replies begin to wait for disks: ask them once in a turn, when what the turn wrote is in the log's sinks."""
        if not self._seeking:
            self._seeking = True
            asyncio.get_running_loop().call_soon(self._seek)

    def _seek(self) -> None:
        self._seeking = False
        self._quorum.do(self._quorum.node.want(self.holds.take_sought()))

    def lost(self, names: tuple[object, ...]) -> None:
        """What these showed may vanish."""
        self.unknown += self.linear.lost(names)

    def deposed(self, reason: str) -> None:
        """The node leads no more: whose replies wait is told that the outcome isn't known."""
        self.unknown += self.holds.fail(unknown(reason)) + self.linear.deposed(reason)
        self._quorum.attendance.look(self._quorum)
        self._engine.services.administration.pause.end(self._engine, HOLD)  # who waited is refused, and asks elsewhere

    # -- requests -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Put the gates in force that the present state wants."""
        engine, quorum = self._engine, self._quorum
        deposed = quorum.rests() and quorum.node.leading is None and not quorum.ours.role.follows
        wanted = WRITE if quorum.attendance.trouble or deposed else 0
        if engine.deny_masks.get("quorum", 0) != wanted:
            engine.forbid("quorum", wanted)
        guarded = ADMIN if quorum.rests() else 0
        if engine.deny_masks.get("quorum-guard", 0) != guarded:
            engine.forbid("quorum-guard", guarded)

    def _refuse(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """A write that could not be acknowledged isn't run; on who doesn't lead its group nothing is written at all."""
        if self._quorum.rests() and not self._quorum.ours.role.leads:
            return _READONLY
        if c.level > NONE:
            self.refused += 1
            return error(f"NOQUORUM The write was not done: {self._quorum.attendance.trouble}.")
        return PASS

    def _guard(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        name = row.name.partition("|")[0]
        why = _GUARDED.get(name, "")
        if name == "debug" and (len(args) < 2 or args[1].upper() not in _CHANGING):
            return PASS
        follows = name in ("replicaof", "slaveof") and args[1].lower() != b"no"
        if not why or (follows and self._quorum.node.leading is None):
            return PASS
        if follows:
            why = f"this node leads epoch {self._quorum.node.identity.opened} of its quorum: use SENTINEL FAILOVER"
        return error(f"NOQUORUM Refused: {why}.")

    # -- time -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Tell those whose replies have waited for quorum-timeout-ms that the outcome isn't known."""
        until_ms = self._engine.state.wall_us() // 1000 - self._config.quorum_timeout_ms
        reason = f"no majority has confirmed it within {self._config.quorum_timeout_ms} ms"
        self.unknown += self.linear.give_up(reason, until_ms)
        if 0 < self.holds.oldest_ms() <= until_ms:
            self.unknown += self.holds.fail(unknown(reason), until_ms)
