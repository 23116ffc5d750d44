"""Before a primary stops: replicas get the time to take what was written last (a shell: it waits)."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from kvserver.admin.pause import MODE_WRITE
from replication.hub import Hub
from replication.primary import Phase, behind_count

POLL_S = 0.01
_REASON = "shutdown"
_SAVING_MS = 5000
"""How much longer than the wait itself writes are held back."""


class Farewell:
    """Waits for replicas that are behind, up to shutdown-timeout. `admin` holds writes back, where there is one."""

    def __init__(self, hub: Hub, admin: Any) -> None:
        self._hub = hub
        self._admin = admin
        self._deadline_s = 0.0

    def left_ms(self) -> int:
        """How much longer replicas may be waited for; 0 when none are."""
        return max(1, int((self._deadline_s - monotonic()) * 1000)) if self._deadline_s else 0

    async def wait(self) -> str:
        """A hook of the shutdown; it never objects. Cancelled when the shutdown is called off."""
        hub = self._hub
        timeout_s = hub.config.shutdown_timeout
        offset = hub.engine.log.offset
        behind = behind_count(hub.feeder.records(), offset)
        if behind and timeout_s and not hub.engine.extensions.get("shutdown_now"):
            hub.log.info("waiting for replicas before the shutdown", replicas=behind, timeout_s=timeout_s)
            await self._hold(offset, timeout_s)
        self._say(offset)
        return ""

    async def _hold(self, offset: int, timeout_s: int) -> None:
        hub, engine = self._hub, self._hub.engine
        if self._admin is not None:
            self._admin.pause.begin(engine, _REASON, MODE_WRITE, engine.state.now_ms + timeout_s * 1000 + _SAVING_MS)
        hub.ask_for_acks()
        self._deadline_s = monotonic() + timeout_s
        try:
            while behind_count(hub.feeder.records(), offset) and monotonic() < self._deadline_s:  # noqa: ASYNC110 - acknowledgements are polled
                await asyncio.sleep(POLL_S)
        except asyncio.CancelledError:
            if self._admin is not None:
                self._admin.pause.end(engine, _REASON)
            raise
        finally:
            self._deadline_s = 0.0

    def _say(self, offset: int) -> None:
        """Who has everything, in Redis's words, which tools look for."""
        replicas = self._hub.feeder.records()
        for replica in replicas:
            if replica.phase is Phase.ONLINE and replica.ack_offset < offset:
                self._hub.log.warning(
                    "Lagging replica", replica=f"{replica.ip}:{replica.port}", behind=offset - replica.ack_offset
                )
        if replicas:
            good = len(replicas) - behind_count(replicas, offset)
            self._hub.log.info(f"{good} of {len(replicas)} replicas are in sync")
