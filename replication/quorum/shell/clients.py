"""What a quorum means for clients: which replies wait for what, which requests are refused, who is told that the
outcome isn't known (a shell: it acts on sessions, and decides nothing about safety)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvserver.client.server import Server
from kvserver.config import Config
from kvserver.engine.command_table.row import ADMIN, SHOWS_DATA, WRITE, Row
from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.holds import COPIED, EVERYTHING, NONE, SYNCED, Held, Safety
from kvserver.engine.run.session import ATT_LINEAR, Session
from kvserver.wire.resp import error
from replication.quorum.tally import Level
from replication.quorum.words import Refused

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
        self._asks = 0
        self._questions: dict[bytes, Session] = {}  # a follower's linearizable reads
        self._linear: dict[object, Held] = {}  # a leader's: replies that wait for a round
        self.refused = self.unknown = 0  # writes that weren't run; clients that were told that they can't know
        self.holds = server.holds
        self.holds.confirm = self._confirm
        self.holds.on_sought = self._sought
        self._seeking = False  # disks will be asked at the end of the turn
        engine.set_gate("quorum", self._refuse)
        engine.set_gate("quorum-guard", self._guard)
        engine.set_gate("quorum-read", self._read)

    # -- replies --------------------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Tell how far each level is; where there is no group, nothing waits for it."""
        node = self._quorum.node
        founded = self._quorum.rests()
        for level, which in ((COPIED, Level.MEMORY), (SYNCED, Level.SYNCED)):
            to = node.commit[which] if founded else EVERYTHING
            if self.holds.own(level) != to:
                self.holds.reach(level, to)

    def _confirm(self, held: Held) -> None:
        """A round begins for replies (or goes on; all that wait share it)."""
        name = object()
        self._linear[name] = held
        node = self._quorum.node
        if node.leading is None:  # a follower asked before it read; committed is all that is left to wait for
            del self._linear[name]
            self.holds.confirmed(held)
            return
        self._quorum.do(node.read(name, linearizable=True))

    def _sought(self) -> None:
        """Replies begin to wait for disks: ask them once in a turn, when what the turn wrote is in the log's sinks."""
        if not self._seeking:
            self._seeking = True
            asyncio.get_running_loop().call_soon(self._seek)

    def _seek(self) -> None:
        self._seeking = False
        self._quorum.do(self._quorum.node.want(self.holds.take_sought()))

    def answered(self, name: object) -> None:
        """The round is over."""
        held = self._linear.pop(name, None)
        if held is not None:
            self.holds.confirmed(held)

    def lost(self, names: tuple[object, ...]) -> None:
        """What these showed may vanish."""
        text = self._unknown("this node leads no more")
        for name in names:
            held = self._linear.pop(name, None)
            if held is not None:
                self.unknown += 1
                held.holder.unsafe(text)
            c = self._questions.pop(name, None) if isinstance(name, bytes) else None
            if c is not None and c.blocked is not None and c.blocked.kind == _BLOCKED_KIND:
                blocking.unblock(self._engine, c, error("NOQUORUM The link to the leader is lost."))

    def deposed(self, reason: str) -> None:
        """The node leads no more: whose replies wait is told that the outcome isn't known."""
        self.unknown += self.holds.fail(self._unknown(reason))
        self._quorum.attendance.look(self._quorum)
        self._engine.services.administration.pause.end(self._engine, HOLD)  # who waited is refused, and asks elsewhere

    @staticmethod
    def _unknown(reason: str) -> bytes:
        return error(f"NOQUORUM The outcome is unknown, what was sent may be lost or not: {reason}.")

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

    # -- linearizable reads of a follower -----------------------------------------------------------------------

    def _read(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """On a follower a linearizable read waits until it is known what it has to see; outside a group it fails."""
        node = self._quorum.node
        rows = [queued for queued, _ in c.queue or ()] if row.name == "exec" else [row]
        shows = any(each.flags & SHOWS_DATA for each in rows) and not row.flags & WRITE
        if not shows or node.leading is not None or c.no_block:
            return PASS
        if c.queue is not None and row.name != "exec":
            return PASS
        if not self._quorum.rests():
            return error(f"NOQUORUM The read was not done: {self._quorum.attendance.trouble}.")
        self._asks += 1
        name = b"%x" % self._asks
        said = node.read(name, linearizable=True)
        refused = next((action for action in said if isinstance(action, Refused)), None)
        if refused is not None:
            return error(f"NOQUORUM The read was not done: {refused.reason}.")
        c.row, c.args = row, args
        engine.block(c, _BLOCKED_KIND, [], self._config.quorum_timeout_ms, self._given_up)
        self._questions[name] = c
        self._quorum.do(said)
        return None

    def _given_up(self, c: Session) -> bytes:
        self._questions = {name: asker for name, asker in self._questions.items() if asker is not c}
        return error("NOQUORUM The read was not done: the leader has not confirmed it in time.")

    def execute(self, name: object) -> None:
        """The follower has applied what the read has to see."""
        c = self._questions.pop(name, None) if isinstance(name, bytes) else None
        engine = self._engine
        if c is None or c.blocked is None or c.blocked.kind != _BLOCKED_KIND:
            return
        args = c.blocked.args
        blocking.forget(engine, c)
        c.attend(ATT_LINEAR, False)
        reply = engine.execute(c, args)
        c.attend(ATT_LINEAR, True)
        if reply:
            c.send(reply)
        if c.blocked is None:
            c.port.resume()

    # -- time -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Tell those whose replies have waited for quorum-timeout-ms that the outcome isn't known."""
        oldest_ms = min([held.since_ms for held in self._linear.values()] + [self.holds.oldest_ms() or EVERYTHING])
        now_ms = self._engine.state.wall_us() // 1000
        until_ms = now_ms - self._config.quorum_timeout_ms
        if oldest_ms <= until_ms:
            text = self._unknown(f"no majority has confirmed it within {self._config.quorum_timeout_ms} ms")
            self.unknown += self.holds.fail(text, until_ms)
            for name in [name for name, held in self._linear.items() if held.since_ms <= until_ms]:
                self.unknown += 1
                self._linear.pop(name).holder.unsafe(text)

