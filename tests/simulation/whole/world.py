"""One story's world: the loop, the network and the machines that one seed decides, and the trace that proves it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from simulation.whole.connecting import Attempt, Listener
from simulation.whole.disk import HostDisk
from simulation.whole.ends import End
from simulation.whole.loop import BOOT_NS, CURRENT, Loop, Process
from simulation.whole.network import Network


class World:
    """Everything that a seed decides. `tape` has the whole trace, if that is wanted, to find where two runs part."""

    def __init__(self, seed: int, taped: bool = False, lines: int = 30_000) -> None:
        self.rng = Random(seed)
        self.loop = Loop(self.say)
        self.network = Network(self)
        self.hosts: dict[str, Host] = {}
        self.lines: deque[str] = deque(maxlen=lines)
        self.on_replaced: Callable[[str, str, bytes], None] = lambda ip, path, content: None
        """Told of each file that has durably taken another's place: on which machine, its path, what it holds."""
        self.alarms: list[str] = []
        """What processes have logged that never should happen."""
        self._pids = 100
        self.tape: bytearray | None = bytearray() if taped else None
        self._hash = hashlib.blake2b(digest_size=16)

    @property
    def now_s(self) -> float:
        """Seconds since the story began."""
        return (self.loop.now_ns - BOOT_NS) / 1e9

    def reseed(self, seed: int) -> None:
        """Everything that is decided from here on is this seed's."""
        self.rng.seed(seed)
        for host in self.hosts.values():
            for process in host.processes:
                process.rng.seed(self.rng.getrandbits(64))
        self.say("SEED", seed)

    def next_pid(self) -> int:
        """A number that no process has had."""
        self._pids += 1
        return self._pids

    def host(self, ip: str) -> Host:
        """The machine with this address."""
        return self.hosts.get(ip) or self.hosts.setdefault(ip, Host(self, ip))

    def connect(self, process: Process, ip: str, port: int) -> asyncio.Future[End]:
        """Begin a connection; the future raises OSError if it can't be."""
        return Attempt(self, process, ip, port).future

    def trace(self, *facts: bytes | str) -> None:
        """What the same seed has to bring about again, at the same time."""
        line = b"%d %b\n" % (
            self.loop.now_ns, b" ".join(fact if isinstance(fact, bytes) else fact.encode() for fact in facts))
        self._hash.update(line)
        if self.tape is not None:
            self.tape += line

    def say(self, *words: object) -> None:
        """Note something for people, and in the trace."""
        process = CURRENT.get()
        line = f"{self.now_s:11.6f} {process.name if process else '-':>4} " + " ".join(map(str, words))
        self.lines.append(line)
        self.trace(line.encode("utf-8", "backslashreplace"))

    def digest(self) -> str:
        """Names what has happened so far."""
        return self._hash.hexdigest()

    def run(self, story: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine, which belongs to no process, in this world."""
        CURRENT_WORLD.append(self)
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(story)
        finally:
            asyncio.set_event_loop(None)
            self.loop.finish()
            CURRENT_WORLD.pop()


CURRENT_WORLD: list[World] = []


class Host:
    """A machine: an address, a disk that outlives its processes, what listens there."""

    def __init__(self, world: World, ip: str) -> None:
        self.world = world
        self.ip = ip
        self.disk = HostDisk(world, ip)
        self.up = True
        self.boots = 1
        self.skew_ns = 0
        """By how much its wall clock is wrong."""
        self.listeners: dict[int, Listener] = {}
        self.processes: list[Process] = []
        self._port = 40000

    def next_port(self) -> int:
        """For a connection from here."""
        self._port = self._port + 1 if self._port < 60000 else 40001
        return self._port

    def spawn(self, name: str, main: Callable[[Process], Coroutine[Any, Any, int]]) -> Process:
        """Start a program."""
        self.up = True
        process = Process(self, name)
        self.processes.append(process)
        process.begin(lambda: main(process))
        return process

    def closed(self, process: Process) -> None:
        """A process has ended: nobody listens for it."""
        self.processes.remove(process)
        for port in [port for port, listener in self.listeners.items() if listener.process is process]:
            del self.listeners[port]

    def power_off(self) -> None:
        """Everything stops at once, nobody is told, and the disk forgets what it didn't hold."""
        self.up = False
        self.boots += 1
        for process in list(self.processes):
            process.die(silent=True)
        self.disk.lose_power()
