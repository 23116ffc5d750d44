"""SHUTDOWN: the caller waits, without a reply, until the process ends or can't.

How the request was made is there for the other packages' shutdown hooks in `engine.extensions`:
"shutdown_save" is True, False or None (if there are save points), "shutdown_now" says not to wait for replicas.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kvserver.admin.context import NodeView, admin_of
from kvserver.engine.run import blocking
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.resp import OK, error

BLOCKED_KIND = "shutdown"
TASK = "shutdown_task"
CRON_RESUMED = "cron_resumed"
"""The event that ends DEBUG PAUSE-CRON, which holds back whatever is periodic in Redis: shutdowns begin there, too."""
FAILED = error("ERR Errors trying to SHUTDOWN. Check logs.")


@dataclass(frozen=True, slots=True)
class ShutdownRequest:
    """How to shut down. `save`: True, False, or None for "if there are save points"."""

    save: bool | None = None
    now: bool = False
    force: bool = False


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
    extensions = c.engine.extensions
    running: asyncio.Task[None] | None = extensions.get(TASK)
    if request is None:
        if running is None or running.done():
            raise CommandError("ERR No shutdown in progress.")
        running.cancel()
        return OK
    if c.no_block and not request.now:
        raise CommandError("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
    c.engine.block(c, BLOCKED_KIND, [], 0, lambda session: FAILED)
    extensions["shutdown_save"] = request.save
    extensions["shutdown_now"] = request.now
    _begin(admin_of(c).node, request.force)
    return None


async def _run(node: NodeView, force: bool) -> None:
    """Ask the node to stop; tell those who wait when it can't, or when ABORT came first."""
    engine = node.engine
    try:
        paused: asyncio.Event | None = engine.extensions.get(CRON_RESUMED)
        if paused is not None:
            await paused.wait()
        reason = await node.shutdown(force)
    except asyncio.CancelledError:
        reason = "Shutdown manually aborted"
    engine.extensions["shutdown_save"] = None
    engine.extensions["shutdown_now"] = False
    if reason:
        node.log.warning(reason)
        for session in list(engine.sessions.values()):
            if session.blocked is not None and session.blocked.kind == BLOCKED_KIND:
                blocking.unblock(engine, session, FAILED)


def by_signal(node: NodeView, actions: tuple[str, ...]) -> None:
    """Shut down because of a signal, in the manner of shutdown-on-sigterm or shutdown-on-sigint."""
    extensions = node.engine.extensions
    extensions["shutdown_save"] = True if "save" in actions else False if "nosave" in actions else None
    extensions["shutdown_now"] = "now" in actions
    _begin(node, "force" in actions)


def in_progress(node: NodeView) -> bool:
    """Whether the node is on its way to stop."""
    running: asyncio.Task[None] | None = node.engine.extensions.get(TASK)
    return running is not None and not running.done()


def abandon(node: NodeView) -> None:
    """The process ends at once, without what a shutdown does: leave no half-written files."""
    last_act = node.engine.extensions.get("abandon")
    if last_act is not None:
        last_act()


def _begin(node: NodeView, force: bool) -> None:
    """Begin to shut down, unless that goes on already."""
    if not in_progress(node):
        node.engine.extensions[TASK] = asyncio.ensure_future(_run(node, force))


HANDLERS = {"SHUTDOWN": shutdown}
