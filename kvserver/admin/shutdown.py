"""SHUTDOWN: the caller waits, without a reply, until the process ends or can't.

How the request was made is there for the other packages' shutdown hooks, as `Administration.wish`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kvserver.admin.context import NodeView, admin_of, admin_on
from kvserver.engine.run import blocking
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.services.offers import ShutdownWish
from kvserver.wire.resp import OK, error

BLOCKED_KIND = "shutdown"
FAILED = error("ERR Errors trying to SHUTDOWN. Check logs.")


@dataclass(frozen=True, slots=True)
class ShutdownRequest:
    """How to shut down. `save`: True, False, or None for "if there are save points"."""

    save: bool | None = None
    now: bool = False
    force: bool = False


class Shutdown:
    """The way of one node to its end."""

    def __init__(self, node: NodeView) -> None:
        self.wish = ShutdownWish()
        self.cron_runs = asyncio.Event()
        """Cleared by DEBUG PAUSE-CRON, which holds back whatever is periodic in Redis: shutdowns begin there, too."""
        self.cron_runs.set()
        self._node = node
        self._task: asyncio.Task[None] | None = None

    @property
    def in_progress(self) -> bool:
        """Whether the node is on its way to stop."""
        return self._task is not None and not self._task.done()

    def begin(self, request: ShutdownRequest) -> None:
        """Begin to shut down; while that goes on already, only the wish changes."""
        self.wish.save = request.save
        self.wish.now = request.now
        if not self.in_progress:
            self._task = asyncio.ensure_future(self._run(request.force))

    def abort(self) -> bool:
        """Go on serving; False when no shutdown is in progress."""
        if self._task is None or self._task.done():
            return False
        self._task.cancel()
        return True

    async def _run(self, force: bool) -> None:
        """Ask the node to stop; tell those who wait when it can't, or when ABORT came first."""
        engine = self._node.engine
        try:
            await self.cron_runs.wait()
            reason = await self._node.shutdown(force)
        except asyncio.CancelledError:
            reason = "Shutdown manually aborted"
        self.wish.save, self.wish.now = None, False
        if reason:
            self._node.log.warning(reason)
            for session in list(engine.sessions.values()):
                if session.blocked is not None and session.blocked.kind == BLOCKED_KIND:
                    blocking.unblock(engine, session, FAILED)


def parse(words: list[bytes]) -> ShutdownRequest | None:
    """The flags of SHUTDOWN; None is ABORT. Raises CommandError for what doesn't go together."""
    given = {word.upper() for word in words}
    if not given <= {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"} or {b"SAVE", b"NOSAVE"} <= given:
        raise CommandError(SYNTAX)
    if b"ABORT" in given:
        if len(given) > 1:
            raise CommandError(SYNTAX)
        return None
    save = True if b"SAVE" in given else False if b"NOSAVE" in given else None
    return ShutdownRequest(save, b"NOW" in given, b"FORCE" in given)


def shutdown(c: Session, a: list[bytes]) -> bytes | None:
    """SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] | ABORT."""
    request = parse(a[1:])
    process = admin_of(c).shutdown
    if request is None:
        if not process.abort():
            raise CommandError("ERR No shutdown in progress.")
        return OK
    if c.no_block and not request.now:
        raise CommandError("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
    c.engine.block(c, BLOCKED_KIND, [], 0, lambda session: FAILED)
    process.begin(request)
    return None


def by_signal(node: NodeView, actions: tuple[str, ...]) -> None:
    """Shut down because of a signal, in the manner of shutdown-on-sigterm or shutdown-on-sigint."""
    save = True if "save" in actions else False if "nosave" in actions else None
    admin_on(node.engine).shutdown.begin(ShutdownRequest(save, "now" in actions, "force" in actions))


HANDLERS = {"SHUTDOWN": shutdown}
