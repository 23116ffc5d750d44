"""Commands about thousands of users, a slice at a time: their client waits, the others are served (a shell)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from kvserver.acl.access import Access
from kvserver.acl.rules import RuleError
from kvserver.acl.steps import Steps, T, finish
from kvserver.doors import Clock
from kvserver.doors.pacing import Slice
from kvserver.engine.run import blocking
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.wire.resp import error

SLICE_S = 0.002
KIND = "acl"
FREE_AT_ONCE = 100
_GONE = error("ERR the server is shutting down")

Conclusion = Callable[[T], "bytes | Awaitable[bytes]"]


def failed(failure: RuleError) -> bytes:
    """The error that a client gets for rules that are wrong."""
    return b"ERR " + str(failure).encode("utf-8", "surrogateescape")


def sliced(c: Session, steps: Steps[T], conclude: Conclusion[T]) -> bytes | None:
    """Do the steps, and reply what `conclude` makes of their result; None when the client has to wait for it.

    Where nobody can wait, in a transaction or a script, `conclude` must not want to either.
    """
    try:
        if c.no_block:
            outcome = conclude(finish(steps))
            assert isinstance(outcome, bytes)
            return outcome
        done, value = _slice(steps, c.engine.services.clock)
    except RuleError as failure:
        raise CommandError(failed(failure)) from None
    if done:
        outcome = conclude(value)
        if isinstance(outcome, bytes):
            return outcome
        _wait(c, _awaited(outcome))
    else:
        _wait(c, _work(steps, conclude, c.engine.services.clock))
    return None


def _slice(steps: Steps[T], clock: Clock) -> tuple[bool, Any]:
    work = Slice(clock.perf, SLICE_S)
    try:
        while work.left():
            next(steps)
    except StopIteration as done:
        return True, done.value
    return False, None


async def _awaited(outcome: Awaitable[bytes]) -> bytes:
    return await outcome


async def _work(steps: Steps[T], conclude: Conclusion[T], clock: Clock) -> bytes:
    value: Any = None
    done = False
    while not done:
        await asyncio.sleep(0)
        try:
            done, value = _slice(steps, clock)
        except RuleError as failure:
            return error(failed(failure))
    outcome = conclude(value)
    return outcome if isinstance(outcome, bytes) else await outcome


def _wait(c: Session, work: Any) -> None:
    engine = c.engine
    engine.block(c, KIND, [], 0, lambda session: _GONE)
    wait = c.blocked
    task: asyncio.Task[bytes] = asyncio.get_running_loop().create_task(work)
    tasks = engine.services.kept(Access).work
    tasks.add(task)

    def ended(task: asyncio.Task[bytes]) -> None:
        tasks.discard(task)
        if c.blocked is not wait or task.cancelled():
            return
        reply = task.result()
        if reply.startswith(b"-"):
            engine.count_error(reply)
        blocking.unblock(engine, c, reply)

    task.add_done_callback(ended)


def free_later(c: Session, things: list[Any]) -> None:
    """Forget many objects, which takes a while, some at a time."""
    if len(things) <= FREE_AT_ONCE or c.no_block:
        return

    async def free() -> None:
        while things:
            del things[-FREE_AT_ONCE:]
            await asyncio.sleep(0)

    tasks = c.engine.services.kept(Access).work
    task = asyncio.get_running_loop().create_task(free())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
