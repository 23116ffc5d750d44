"""What a quorum node has been told to do and hasn't done yet, in its order (a shell: it waits for the disk)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from replication.quorum import words
from replication.quorum.shell.identity_file import IdentityFile
from replication.quorum.words import Action

RETRY_S = 1.0
Said = words.Promised | words.Refused | None
"""What became of a step: a promise, a refusal, or that all of it is done (None)."""
Answer = Callable[[Said], object]


@dataclass(frozen=True, slots=True)
class _Then:
    """In the line: whoever waits for what stands before it hears of it."""

    answer: Answer
    said: Said


class Line:
    """See the module's docstring. `perform` does one action; `idle` hears when all has been done."""

    def __init__(self, file: IdentityFile, perform: Callable[[Action], None], idle: Callable[[], None]) -> None:
        self._file = file
        self._perform = perform
        self._idle = idle
        self._waiting: deque[Action | _Then] = deque()
        self._writing: asyncio.Task[None] | None = None

    def take(self, actions: list[Action], answer: Answer | None) -> None:
        """Do what a step said.

        What only stops something is done at once. An identity is written by a thread, and what stands behind it waits.
        """
        said: Said = None
        for action in actions:
            if isinstance(action, words.Promised | words.Refused):
                said = action
            elif isinstance(action, words.StepDown | words.Unlink | words.Lost):
                self._perform(action)
            else:
                self._waiting.append(action)
        if answer is not None:
            self._waiting.append(_Then(answer, said))
        self._advance()

    def _advance(self) -> None:
        while self._waiting and self._writing is None:
            action = self._waiting.popleft()
            if isinstance(action, words.Persist):
                self._writing = asyncio.get_running_loop().create_task(self._persist(action))
            elif isinstance(action, _Then):
                action.answer(action.said)
            else:
                self._perform(action)
        if self._writing is None:
            self._idle()

    async def _persist(self, action: words.Persist) -> None:
        await self._file.keep(action.identity, lambda: asyncio.sleep(RETRY_S))
        self._writing = None
        self._advance()

    async def stop(self) -> None:
        """The node stops: what is being written is written."""
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=2 * RETRY_S)
