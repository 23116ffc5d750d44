"""One step in the making: the moment, the world, and the actions collected so far."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from replication.sentinel.mind.messages import (
    Action,
    Close,
    Crash,
    Emit,
    Level,
    Lookup,
    Persist,
    Request,
    RunScript,
    Send,
)
from replication.sentinel.world.group import Instance, Lane, Link, Primary, group_of
from replication.sentinel.world.world import World

Render = Callable[[World], tuple[str, ...]]
"""The durable part of the world as lines of a configuration file."""
MAX_LOOKUPS = 100
"""Host names looked up at the same time."""


class Turn:
    """Handed to every decision of a step.

    `persist` marks the place before which nothing may wait: the state at the end of the step is written at
    the first mark, so that what stands after it in `actions` is durable before it is visible.
    """

    __slots__ = ("_mark", "actions", "now", "rng", "wake_ms", "world")

    def __init__(self, world: World, now: int, rng: Random) -> None:
        self.world = world
        self.now = now
        self.rng = rng
        self.actions: list[Action] = []
        self.wake_ms: int | None = None
        self._mark: int | None = None

    def finish(self, render: Render) -> list[Action]:
        """The actions of the step, with the state to be written at its mark."""
        if self._mark is not None:
            self.actions.insert(self._mark, Persist(render(self.world)))
        return self.actions

    def persist(self) -> None:
        """What was changed must be on disk before anything that is added from here on leaves."""
        if self._mark is None:
            self._mark = len(self.actions)

    def wake_at(self, ms: int) -> None:
        """Ask for a step no later than `ms`."""
        if self.wake_ms is None or ms < self.wake_ms:
            self.wake_ms = ms

    def describe(self, instance: Instance) -> str:
        """An instance as Redis's events name it: `slave NAME IP PORT @ GROUP IP PORT`."""
        group, shown = group_of(instance), self.world.shown
        own = f"{instance.kind.value} {instance.name} {shown(instance.address)} {instance.address.port}"
        if instance is group:
            return own
        return f"{own} @ {group.name} {shown(group.address)} {group.address.port}"

    def emit(self, level: Level, channel: str, instance: Instance, detail: str = "") -> None:
        """An event about an instance; `detail` follows its description."""
        text = self.describe(instance)
        self.emit_text(level, channel, f"{text} {detail}" if detail else text, group_of(instance))

    def emit_text(self, level: Level, channel: str, text: str, group: Primary | None) -> None:
        """An event; a warning about a group runs that group's notification script."""
        script = group.notification_script if group is not None and level is Level.WARNING else None
        self.actions.append(Emit(level, channel, text, script))

    def send(self, instance: Instance, request: Request, *args: bytes, lane: Lane = Lane.COMMAND,
             tag: str = "") -> bool:
        """Send a request, under its name in this deployment; False when the connection isn't there."""
        link, group = instance.link, group_of(instance)
        if link.lane(lane).state != 2:
            return False
        command = group.renamed.get(args[0].decode().lower()) if group.renamed else None
        if command is not None:
            args = (command.encode(), *args[1:])
        if lane is Lane.COMMAND:
            link.pending += 1
        self.actions.append(Send(link.id, lane, args, request, group.name, tag))
        return True

    def close(self, link: Link, lane: Lane) -> None:
        """Close a connection of ours."""
        self.actions.append(Close(link.id, lane))

    def look_up(self, host: str, group: Primary | None = None) -> None:
        """Ask for the address of a host name, unless that is under way; `group` wants its INFO again then."""
        wanted = self.world.lookups.get(host)
        if wanted is None:
            if len(self.world.lookups) >= MAX_LOOKUPS:
                return
            wanted = self.world.lookups[host] = set()
            self.actions.append(Lookup(host))
        if group is not None:
            wanted.add(group.name)

    def run_script(self, path: str, *args: str) -> None:
        """Run a program of the operator, after what was added before."""
        self.actions.append(RunScript(path, args))

    def crash(self) -> None:
        """End the process here, as an operator asked for."""
        self.actions.append(Crash(99))
