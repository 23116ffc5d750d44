"""The demonstration of `kvops up --demo`: a client that writes all the time while its primary is killed.

The writer is redis-py with its Sentinel support, nothing of ours: it asks the sentinels who leads, writes keys
that are each written once, one after the other, and remembers which writes were acknowledged. What counts is
what such a client sees: the longest time between two acknowledgements, and which acknowledged keys are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from uuid import uuid4

from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError

from ops.cluster.cluster import Cluster
from ops.cluster.layout import HOST, Layout, Member
from ops.cluster.status import ClusterStatus
from ops.cluster.watcher import client

PAUSE_S = 0.001
"""Between two writes; also between two attempts while there is no primary."""
WARM_UP_S = 4.0
FAILOVER_S = 60.0
REJOIN_S = 60.0
BATCH = 1000
FAILURES = (OSError, RedisError, TimeoutError)


@dataclass
class Writer:
    """Writes numbered keys until cancelled; `acked` are the numbers whose write was acknowledged."""

    layout: Layout
    prefix: str = field(default_factory=lambda: f"demo:{uuid4().hex[:8]}:")
    acked: list[int] = field(default_factory=list)
    attempts: int = 0
    failures: int = 0
    last_ack_s: float = 0.0
    over: bool = False
    """Set to end the writing: redis-py may turn a cancellation that meets a timeout into the timeout's error."""
    gap_s: float = 0.0
    """The longest time between two acknowledgements since the last `forget_gap`."""

    def forget_gap(self) -> None:
        """Measure gaps from now on."""
        self.gap_s = 0.0

    async def run(self) -> None:
        """Write until cancelled or `over`."""
        sentinel = Sentinel(
            [(HOST, s.port) for s in self.layout.sentinels],
            sentinel_kwargs={"socket_timeout": 0.5, "protocol": 2},
            protocol=2,
        )
        primary = sentinel.master_for(self.layout.service, socket_timeout=0.5, protocol=2)
        async with primary:
            while not self.over:
                number = self.attempts
                self.attempts += 1
                try:
                    await primary.set(f"{self.prefix}{number}", number)
                    self._acknowledged(number)
                except FAILURES:
                    self.failures += 1
                await asyncio.sleep(PAUSE_S)

    def _acknowledged(self, number: int) -> None:
        now_s = time.perf_counter()
        if self.last_ack_s:
            self.gap_s = max(self.gap_s, now_s - self.last_ack_s)
        self.last_ack_s = now_s
        self.acked.append(number)

    async def lost(self, member: Member) -> list[int]:
        """The acknowledged keys that a node doesn't have."""
        missing: list[int] = []
        async with client(member) as reader:
            for start in range(0, len(self.acked), BATCH):
                numbers = self.acked[start : start + BATCH]
                values = await reader.mget([f"{self.prefix}{n}" for n in numbers])
                missing += [n for n, value in zip(numbers, values, strict=True) if value != str(n)]
        return missing


@dataclass
class Report:
    """What the demonstration measured; `failover_ms` from the kill to the first +switch-master."""

    killed: str
    promoted: str
    gap_ms: float
    failover_ms: float
    acked: int
    failed: int
    lost: int
    others_by_partial: bool

    def lines(self) -> list[str]:
        """The report for the operator."""
        how = "by partial resynchronization" if self.others_by_partial else "by a full resynchronization"
        return [
            f"killed the primary {self.killed} (SIGKILL); {self.promoted} was promoted",
            f"failover: {self.failover_ms:.0f} ms from the kill to +switch-master",
            f"write gap that the client saw: {self.gap_ms:.0f} ms",
            f"writes: {self.acked} acknowledged, {self.failed} failed and were not counted as written",
            f"lost: {self.lost} acknowledged writes are absent from the new primary",
            f"{self.killed} rejoined as a replica; the other replicas followed {how}",
        ]


async def demonstrate(cluster: Cluster, writer: Writer, say: Callable[[str], None]) -> Report:
    """Kill the primary under the writer, wait for the failover and for the return of the killed node.

    Raises:
        TimeoutError: the failover or the return took too long.
    """
    await cluster.wait_until(lambda s: not s.complaints(), FAILOVER_S)
    await asyncio.sleep(WARM_UP_S)
    status = await cluster.wait_until(lambda s: s.primary is not None, FAILOVER_S)
    assert status.primary is not None
    old = status.primary.member
    switched = asyncio.get_running_loop().create_future()

    def heard(channel: str, message: str, when_s: float) -> None:
        if channel == "+switch-master" and not switched.done():
            switched.set_result((message, when_s))

    cluster.watcher.on_event.append(heard)
    writer.forget_gap()
    say(f"killing the primary {old.name} (pid {cluster.pid_of(old)}), after {len(writer.acked)} acknowledged writes")
    killed_s = time.perf_counter()
    cluster.children[old.name].kill()
    async with asyncio.timeout(FAILOVER_S):
        _, switched_s = await switched
    acked = len(writer.acked)
    await _until(lambda: len(writer.acked) > acked, FAILOVER_S)
    say("writes are acknowledged again; waiting for the killed node to come back as a replica")
    status = await cluster.wait_until(lambda s: _back(s, old), REJOIN_S + cluster.restart_after_s)
    assert status.primary is not None
    new = status.primary
    return Report(
        killed=old.name,
        promoted=new.member.name,
        gap_ms=writer.gap_s * 1000,
        failover_ms=(switched_s - killed_s) * 1000,
        acked=len(writer.acked),
        failed=writer.failures,
        lost=len(await writer.lost(new.member)),
        others_by_partial=new.partial_syncs >= len(cluster.layout.nodes) - 2,
    )


def _back(status: ClusterStatus, old: Member) -> bool:
    primary = status.primary
    return primary is not None and primary.member != old and not status.complaints()


async def _until(good: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not good():
        if time.monotonic() > deadline:
            raise TimeoutError("the writer was not served again")
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def writing(writer: Writer) -> AsyncIterator[Writer]:
    """Have the writer write while the block runs."""
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.over = True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
