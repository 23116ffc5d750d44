"""Waiting for a truth with a deadline, in place of sleeping for a guess."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis import exceptions

T = TypeVar("T")

POLL_SECONDS = 0.02
NOT_YET = (OSError, exceptions.ConnectionError, exceptions.TimeoutError)


def wait_until(condition: Callable[[], T], timeout: float = 15.0, what: str = "") -> T:
    """Poll `condition` until it returns something true, and return that.

    Connection errors (a server that is starting, stopping or failing over) count as not yet. Raises
    AssertionError after `timeout` seconds, naming `what` (by default the condition) and the last outcome.
    """
    deadline = time.monotonic() + timeout
    outcome: object = None
    while True:
        try:
            value = condition()
            if value:
                return value
            outcome = value
        except NOT_YET as error:
            outcome = error
        if time.monotonic() > deadline:
            raise AssertionError(_message(condition, timeout, what, outcome))
        time.sleep(POLL_SECONDS)


async def wait_until_async(
    condition: Callable[[], Awaitable[T]],
    timeout: float = 15.0,  # noqa: ASYNC109 - polls, and cancels nothing
    what: str = "",
) -> T:
    """`wait_until` for a condition that is awaited."""
    deadline = time.monotonic() + timeout
    outcome: object = None
    while True:
        try:
            value = await condition()
            if value:
                return value
            outcome = value
        except NOT_YET as error:
            outcome = error
        if time.monotonic() > deadline:
            raise AssertionError(_message(condition, timeout, what, outcome))
        await asyncio.sleep(POLL_SECONDS)


def _message(condition: object, timeout: float, what: str, outcome: object) -> str:
    name = what or getattr(condition, "__name__", repr(condition))
    return f"not within {timeout:g} s: {name} (last outcome: {outcome!r})"
