"""A local cluster as running processes: started in order, watched, started again when one dies, stopped in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from ops.cluster.layout import Layout, Member
from ops.cluster.processes import Child, StartError, our_command, redis_command
from ops.cluster.status import ClusterStatus
from ops.cluster.watcher import Watcher

START_S = 30.0
"""How long a process may take until it answers."""
POLL_S = 0.05


class Cluster:
    """The children of `kvops up`, and the watcher that asks them how they are."""

    def __init__(self, layout: Layout, folder: Path, say: Callable[[str], None], redis: bool = False) -> None:
        self.layout = layout
        self.say = say
        self.restart_after_s = 5.0
        """A process that ended by itself is started again after this long; 0 = never."""
        command = redis_command if redis else our_command
        self.children = {
            member.name: Child(member, folder / member.name, command(member, folder / member.name / member.config_name))
            for member in layout.members()
        }
        self.watcher = Watcher(layout, self.pid_of)
        self._guards: list[asyncio.Task[None]] = []
        self._stopping = False

    def pid_of(self, member: Member) -> int:
        """The process id of a member; 0 before it was started."""
        return self.children[member.name].pid

    async def start(self) -> None:
        """Start the nodes, then the sentinels; return when each of them answers.

        Raises:
            StartError: one of them ended, or doesn't answer in time.
        """
        for members in (self.layout.nodes, self.layout.sentinels):
            for member in members:
                await self.children[member.name].start()
            for member in members:
                await self._until_it_answers(self.children[member.name])
        self.watcher.start()
        self._guards = [asyncio.create_task(self._guard(child)) for child in self.children.values()]

    async def _until_it_answers(self, child: Child) -> None:
        deadline = time.monotonic() + START_S
        while not await self.watcher.ping(child.member):
            if not child.running:
                raise StartError(f"{child.member.name} ended with {child.returncode}:\n{child.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{child.member.name} does not answer:\n{child.log_tail()}")
            await asyncio.sleep(POLL_S)

    async def _guard(self, child: Child) -> None:
        """Notice when a process ends, and start it again."""
        while not self._stopping:
            code = await child.wait()
            if self._stopping:
                return
            self.say(f"{child.member.name} ended with {code}")
            if not self.restart_after_s:
                return
            await asyncio.sleep(self.restart_after_s)
            if self._stopping:
                return
            self.say(f"{child.member.name} is started again")
            await child.start()

    async def wait_until(self, good: Callable[[ClusterStatus], bool], timeout_s: float) -> ClusterStatus:
        """Poll the status until it is as wanted. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while True:
            status = await self.watcher.status()
            if good(status):
                return status
            if time.monotonic() > deadline:
                raise TimeoutError("; ".join(status.complaints()) or "not in time")
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """End all: sentinels first, so that nobody fails over, then the primary, then its replicas."""
        if self._stopping:
            return
        self._stopping = True
        status = await self.watcher.status()
        leader = status.primary
        await self.watcher.close()
        await self._stop_all([self.children[m.name] for m in self.layout.sentinels])
        if leader is not None:
            await self.children[leader.member.name].stop()
        await self._stop_all([self.children[m.name] for m in self.layout.nodes])
        await asyncio.gather(*self._guards, return_exceptions=True)

    async def _stop_all(self, children: list[Child]) -> None:
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*(child.stop() for child in children))
