"""Linearizable reads of clients: on a leader their replies wait for a round, on a follower they run when the leader has
answered what they have to see (a shell: it acts on sessions, and decides nothing about safety)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvserver.config import Config
from kvserver.engine.command_table.row import SHOWS_DATA, WRITE, Row
from kvserver.engine.run import blocking
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.holds import Held, Holds
from kvserver.engine.run.session import ATT_LINEAR, Blocked, Session
from kvserver.wire.resp import error
from replication.quorum.sharing import Sharing
from replication.quorum.words import Refused

if TYPE_CHECKING:
    from replication.quorum.shell.voting import Quorum

_BLOCKED_KIND = "quorum"
Asker = tuple[Session, Blocked]


def unknown(reason: str) -> bytes:
    """The error for whoever can't know what became of what it sent."""
    return error(f"NOQUORUM The outcome is unknown, what was sent may be lost or not: {reason}.")


class Linear:
    """See the module's docstring."""

    def __init__(self, engine: Engine, config: Config, quorum: Quorum, holds: Holds) -> None:
        self._engine = engine
        self._config = config
        self._quorum = quorum
        self._holds = holds
        self._rounds: Sharing[Held] = Sharing()
        self._questions: Sharing[Asker] = Sharing()
        self._asks = 0
        self._soon = False  # at the end of the turn the next round begins
        holds.confirm = self._confirm
        engine.set_gate("quorum-read", self._read)

    # -- both -----------------------------------------------------------------------------------------------------

    def begin_soon(self) -> None:
        """At the end of the turn, when all are there that it brings, begin what they wait for."""
        if not self._soon and (self._rounds.gathered or self._questions.gathered):
            self._soon = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._soon = False
        node, now_ms = self._quorum.node, int(self._quorum.now_s() * 1000)
        patience_ms = self._config.quorum_timeout_ms
        name = object()
        if node.leading is None:
            self._ask(now_ms, patience_ms)
            return
        if self._rounds.begin(name, now_ms, patience_ms):
            self._quorum.do(node.read(name, linearizable=True))
        self._run(self._questions.take_gathered())  # they were asked before this node led

    def lost(self, names: tuple[object, ...]) -> int:
        """What these showed, or were to show, nobody vouches for; how many replies had been made."""
        count = 0
        for name in names:
            count += self._unsafe(self._rounds.over(name), "this node leads no more")
            self._fail(self._questions.over(name), "NOQUORUM The link to the leader is lost.")
        self.begin_soon()
        return count

    # -- a leader's -------------------------------------------------------------------------------------------------

    def _confirm(self, held: Held) -> None:
        """Replies wait for a round; a follower asked before it read, so that committed is all they wait for."""
        if self._quorum.node.leading is None:
            self._holds.confirmed(held)
            return
        self._rounds.join(held)
        self.begin_soon()

    def answered(self, name: object) -> None:
        """The round is over."""
        self._holds.confirmed(*self._rounds.over(name))
        self.begin_soon()

    def deposed(self, reason: str) -> int:
        """This node leads no more, and no round begins any more; how many replies waited for one."""
        return self._unsafe(self._rounds.take_gathered(), reason)

    def give_up(self, reason: str, until_ms: int) -> int:
        """Tell those whose replies have waited since `until_ms` or before; how many that were."""
        self.begin_soon()
        return self._unsafe(self._rounds.take(lambda held: held.since_ms <= until_ms), reason)

    @staticmethod
    def _unsafe(replies: list[Held], reason: str) -> int:
        for held in replies:
            held.holder.unsafe(unknown(reason))
        return len(replies)

    # -- a follower's -----------------------------------------------------------------------------------------------

    def _read(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """On a follower a linearizable read waits until it is known what it has to see; outside a group it fails."""
        rows = [queued for queued, _ in c.queue or ()] if row.name == "exec" else [row]
        shows = any(each.flags & SHOWS_DATA for each in rows) and not row.flags & WRITE
        if not shows or self._quorum.node.leading is not None or c.no_block:
            return PASS
        if c.queue is not None and row.name != "exec":
            return PASS
        if not self._quorum.rests():
            return error(f"NOQUORUM The read was not done: {self._quorum.attendance.trouble}.")
        c.row, c.args = row, args
        engine.block(c, _BLOCKED_KIND, [], self._config.quorum_timeout_ms, self._given_up)
        assert c.blocked is not None
        self._questions.join((c, c.blocked))
        self.begin_soon()
        return None

    def _given_up(self, c: Session) -> bytes:
        self._questions.take(lambda asker: asker[0] is c)
        return error("NOQUORUM The read was not done: the leader has not confirmed it in time.")

    def _ask(self, now_ms: int, patience_ms: int) -> None:
        """Ask the leader what all have to see that have gathered."""
        self._asks += 1
        name = b"%x" % self._asks
        if not self._questions.begin(name, now_ms, patience_ms):
            return
        said = self._quorum.node.read(name, linearizable=True)
        refused = next((action for action in said if isinstance(action, Refused)), None)
        if refused is not None:
            self._fail(self._questions.over(name), f"NOQUORUM The read was not done: {refused.reason}.")
        else:
            self._quorum.do(said)

    def execute(self, name: object) -> None:
        """The follower has applied what these have to see."""
        self._run(self._questions.over(name))
        self.begin_soon()

    def _fail(self, askers: list[Asker], text: str) -> None:
        for c, wait in askers:
            if c.blocked is wait:
                blocking.unblock(self._engine, c, error(text))

    def _run(self, askers: list[Asker]) -> None:
        engine = self._engine
        for c, wait in askers:
            if c.blocked is not wait:
                continue
            blocking.forget(engine, c)
            c.attend(ATT_LINEAR, False)
            reply = engine.execute(c, wait.args)
            c.attend(ATT_LINEAR, True)
            if reply:
                c.send(reply)
            if c.blocked is None:
                c.port.resume()
