"""Before a primary stops: replicas get the time to take what was written last (a shell: it waits)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from replication.primary.attached import Phase, behind_count
from replication.shell import Replication

POLL_S = 0.01


class Farewell:
    """Waits for replicas that are behind, up to shutdown-timeout.

    `hold_writes(seconds)` makes clients wait who want to write, `let_writes` lets them go on.
    """

    def __init__(self, node: Replication, hold_writes: Callable[[int], None], let_writes: Callable[[], None]) -> None:
        self._node = node
        self._clock = node.engine.services.clock
        self._hold_writes = hold_writes
        self._let_writes = let_writes
        self._deadline_s = 0.0

    def left_ms(self) -> int:
        """How much longer replicas may be waited for; 0 when none are."""
        return max(1, int((self._deadline_s - self._clock.monotonic()) * 1000)) if self._deadline_s else 0

    async def wait(self) -> str:
        """A hook of the shutdown; it never objects. Cancelled when the shutdown is called off."""
        node = self._node
        timeout_s = node.config.shutdown_timeout
        offset = node.engine.log.offset
        behind = behind_count(node.feeder.records(), offset)
        if behind and timeout_s and not node.engine.services.administration.wish.now:
            node.log.info("waiting for replicas before the shutdown", replicas=behind, timeout_s=timeout_s)
            await self._hold(offset, timeout_s)
        self._say(offset)
        return ""

    async def _hold(self, offset: int, timeout_s: int) -> None:
        node = self._node
        self._hold_writes(timeout_s)
        node.ask_for_acks()
        self._deadline_s = self._clock.monotonic() + timeout_s
        try:
            while behind_count(node.feeder.records(), offset) and self._clock.monotonic() < self._deadline_s:  # noqa: ASYNC110 - acknowledgements are polled
                await asyncio.sleep(POLL_S)
        except asyncio.CancelledError:
            self._let_writes()
            raise
        finally:
            self._deadline_s = 0.0

    def _say(self, offset: int) -> None:
        """Who has everything, in Redis's words, which tools look for."""
        replicas = self._node.feeder.records()
        for replica in replicas:
            if replica.phase is Phase.ONLINE and replica.ack_offset < offset:
                self._node.log.warning(
                    "Lagging replica", replica=f"{replica.ip}:{replica.port}", behind=offset - replica.ack_offset
                )
        if replicas:
            good = len(replicas) - behind_count(replicas, offset)
            self._node.log.info(f"{good} of {len(replicas)} replicas are in sync")
