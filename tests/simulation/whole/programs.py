"""The product on simulated machines: data nodes and sentinels as they are, from their configuration files on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

from kvserver import cli, logs
from kvserver.config import Config, load
from kvserver.node.node import Node
from kvserver.node.supervisor import Supervisor
from replication.quorum.shell.voting import Quorum
from replication.sentinel import __main__ as sentinel_program
from replication.sentinel.commands.seat import Seat
from replication.sentinel.mind.messages import Action, Answer, Emit, Event, Level, Refusal, Send
from replication.sentinel.shell import runner
from replication.sentinel.shell.runner import Runner
from replication.sentinel.shell.startup import start
from replication.sentinel.shell.state_file import StateFile
from replication.sentinel.shell.wire import Outgoing
from replication.sentinel.world.group import Primary
from replication.shell import Replication
from simulation.whole.doors import doors_of, keep_logs
from simulation.whole.loop import CURRENT, Process, owner
from simulation.whole.world import World

NODE_PORT, SENTINEL_PORT = 6379, 26379
FOLDER = "/data"
NODE_FILE, SENTINEL_FILE = f"{FOLDER}/kv.conf", f"{FOLDER}/sentinel.conf"

Watch = Callable[[Process, Node], None]
WATCHES: list[Watch] = []
"""Who wants to see each node, a sentinel's as well, as it is put together."""


class _Shown(Node):
    """A node that its process shows to checkers."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        process = CURRENT.get()
        assert process is not None
        process.app = self
        for watch in WATCHES:
            watch(process, self)


class _Told(Outgoing):
    """A connection of a sentinel, whose requests are shown as they leave."""

    def send(self, request: Send) -> None:
        """Send, and show."""
        if self._transport is not None and not self._over:
            _show(request)
        super().send(request)


class _Runner(Runner):
    """A sentinel's shell that shows what it tells."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        _RUNNERS[owner()] = self

    def handle(self, event: Event) -> Answer | Refusal | None:
        """Handle it, and show the answer."""
        answer = super().handle(event)
        if isinstance(answer, Answer):
            _show(answer)
        return answer

    def _emit(self, level: Level, channel: str, message: str) -> None:
        super()._emit(level, channel, message)
        _show(Emit(level, channel, message))


Tell = Callable[[Process, Runner, Action], None]
TELLS: list[Tell] = []
"""Who wants to see what sentinels tell."""
_RUNNERS: dict[Process, Runner] = {}


def _show(action: Action) -> None:
    process = owner()
    for tell in TELLS:
        tell(process, _RUNNERS[process], action)


class _Shell:
    """In place of `ProcessShell`: no standard streams, no pid file, no supervisor."""

    def __init__(self) -> None:
        self.log: Any = logs.get("server")
        self.supervisor = Supervisor(self.log)

    def write_pid(self) -> None:
        """There is none."""

    remove_pid = write_pid


class _NoReports:
    """In place of `CrashReports`."""

    def crash(self, name: str) -> None:
        """DEBUG SEGFAULT and the like."""
        process = CURRENT.get()
        assert process is not None
        process.exit(1)

    def switch(self, on: bool) -> None:
        """There are none."""


def prepare() -> None:
    """What is done once, before any story: programs and their logs are ours from here on."""
    cli.Node = sentinel_program.Node = _Shown  # type: ignore[misc, attr-defined]
    sentinel_program.Runner = _Runner  # type: ignore[misc, attr-defined]
    runner.Outgoing = _Told  # type: ignore[misc, attr-defined]
    keep_logs()
    cli.plugins()  # imports what it names
    Config()
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would end what kill -9 left as it stood


def write_file(world: World, ip: str, path: str, lines: list[str]) -> None:
    """Give a machine a configuration file."""
    disk = world.host(ip).disk
    disk.folder(FOLDER)
    disk.put(path, "".join(f"{line}\n" for line in lines).encode())


def node_lines(ip: str, options: Mapping[str, str]) -> list[str]:
    """A data node's configuration file."""
    lines = {
        "port": str(NODE_PORT), "bind": ip, "protected-mode": "no", "save": '""', "set-proc-title": "no",
        "dir": FOLDER, "enable-debug-command": "yes", **options,
    }  # fmt: skip
    return [f"{name} {value}" for name, value in lines.items()]


def start_node(world: World, ip: str, name: str) -> Process:
    """Run `kvserver /data/kv.conf`."""

    async def main(process: Process) -> int:
        doors = doors_of(process, FOLDER)
        text = doors.disk.path(NODE_FILE).read_text()
        config = Config()
        loaded = load(config, [(NODE_FILE, text)], [], read_file=lambda pattern: [])
        return await cli.serve_until_told(config, loaded, NODE_FILE, _Shell(), _NoReports(), doors)  # type: ignore[arg-type]

    return world.host(ip).spawn(name, main)


def start_sentinel(world: World, ip: str, name: str) -> Process:
    """Run `kvsentinel /data/sentinel.conf`."""

    async def main(process: Process) -> int:
        doors = doors_of(process, FOLDER)
        state = StateFile(SENTINEL_FILE, doors.disk)
        started = start(SENTINEL_FILE, state.text, [], doors, lambda config: None)
        return await sentinel_program.serve_until_told(started, state, doors, _Shell())  # type: ignore[arg-type]

    return world.host(ip).spawn(name, main)


def replication_of(process: Process) -> Replication | None:
    """A data node's replication, None before it is there."""
    return None if process.app is None else process.app.services.kept(Replication)


def quorum_of(process: Process) -> Quorum | None:
    """A data node's part in its quorum, None without one, and before it is there."""
    node = replication_of(process)
    return None if node is None or not isinstance(node.voting, Quorum) else node.voting


def group_of(process: Process) -> Primary | None:
    """What a sentinel thinks of the group, None before it is there."""
    if process.app is None:
        return None
    try:
        return process.app.services.kept(Seat).world.groups.get("main")
    except KeyError:
        return None
