"""Hosts with one process each, and TCP between them as far as a sentinel can tell.

A message on a connection arrives in order, after a delay; while the two hosts can't reach each other it waits
and is tried again, as TCP does. A process that is paused takes what arrived when it wakes up; one that died
resets its connections (towards hosts that it reaches) and its host refuses new ones. A connection can be
torn: what was on its way is lost in both directions, the end of a message with it, so the whole message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from replication.sentinel.mind.messages import Cause, Reply
from simulation.clock import Clock

RETRANSMIT_MS = 200
MAX_RETRANSMIT_MS = 1_600


class Process:
    """Something that runs on a host: alive or not, paused or not."""

    def __init__(self, network: Network, host: str) -> None:
        self.network = network
        self.host = host
        self.alive = True
        self.paused = False
        self.inbox: list[Callable[[], None]] = []
        self.connections: dict[Connection, None] = {}  # in order: a set would go by address, and no seed repeat
        network.processes[host] = self

    def take(self, act: Callable[[], None]) -> None:
        """Let the process handle something that reached it."""
        if self.paused:
            self.inbox.append(act)
        elif self.alive:
            act()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        inbox, self.inbox = self.inbox, []
        for act in inbox:
            self.take(act)

    def kill(self) -> None:
        self.alive, self.paused, self.inbox = False, False, []
        for connection in list(self.connections):
            connection.broken_by(self)

    def restart(self) -> None:
        raise NotImplementedError

    def serve(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        raise NotImplementedError


class Client(Protocol):
    """The connecting side."""

    def opened(self, connection: Connection) -> None: ...
    def ended(self, connection: Connection, cause: Cause) -> None: ...
    def received(self, connection: Connection, tag: object, reply: Reply) -> None: ...


@dataclass(eq=False)
class Connection:
    network: Network
    client: Client
    client_process: Process
    server: Process
    key: object
    open: bool = True
    torn: bool = False
    orphaned: bool = False
    """The server's end is gone, and the client couldn't be told: its next message is answered by a reset."""
    subscribed: bool = False
    queued: list[tuple[bytes, ...]] | None = None
    on_the_way: dict[bool, deque[Callable[[], None]]] = field(default_factory=lambda: {True: deque(), False: deque()})
    ready_at: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def send(self, args: tuple[bytes, ...], tag: object) -> None:
        self._carry(True, lambda: self.server.take(lambda: self._serve(args, tag)))

    def _serve(self, args: tuple[bytes, ...], tag: object) -> None:
        if self.open:
            self.reply(self.server.serve(self, args), tag)

    def reply(self, reply: Reply, tag: object) -> None:
        self._carry(False, lambda: self.client_process.take(
            lambda: self.client.received(self, tag, reply) if self.open else None))

    def _carry(self, to_server: bool, deliver: Callable[[], None]) -> None:
        clock = self.network.clock
        arrival = max(clock.now_ms + self.network.delay(), self.ready_at[to_server])
        self.ready_at[to_server] = arrival
        self.on_the_way[to_server].append(deliver)
        clock.after(arrival - clock.now_ms, lambda: self._arrive(to_server, RETRANSMIT_MS))

    def _arrive(self, to_server: bool, retry_ms: int) -> None:
        """One message arrives: the oldest, since none overtakes one that had to be sent again."""
        if not self.open or self.torn:
            return
        if self.network.reaches(self.client_process, self.server):
            if self.orphaned:
                self._lose()
            else:
                self.on_the_way[to_server].popleft()()
            return
        clock = self.network.clock
        self.ready_at[to_server] = max(self.ready_at[to_server], clock.now_ms + retry_ms)
        again = min(retry_ms * 2, MAX_RETRANSMIT_MS)
        clock.after(retry_ms, lambda: self._arrive(to_server, again))

    def close(self) -> None:
        """The client closes: the other side forgets at once."""
        self.open = False
        self.client_process.connections.pop(self, None)
        self.server.connections.pop(self, None)

    def broken_by(self, dead: Process) -> None:
        """A process died, or its server killed the connection: the client hears, if it can."""
        if dead is self.client_process:
            self.close()
            return
        self.server.connections.pop(self, None)
        if self.network.reaches(self.client_process, self.server):
            self._lose()
        else:
            self.orphaned = True

    def _lose(self) -> None:
        self.client_process.connections.pop(self, None)
        self.network.clock.after(self.network.delay(), self._tell_lost)

    def _tell_lost(self) -> None:
        if self.open:
            self.open = False
            self.client_process.take(lambda: self.client.ended(self, Cause.LOST))


class Network:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.processes: dict[str, Process] = {}
        self.cut: set[frozenset[str]] = set()
        self.max_delay_ms = 3

    def delay(self) -> int:
        return self.clock.rng.randrange(self.max_delay_ms + 1)

    def reaches(self, one: Process, other: Process) -> bool:
        return frozenset((one.host, other.host)) not in self.cut

    def connect(self, client: Client, process: Process, host: str, key: object) -> None:
        """Try to connect; the client hears of success or refusal, or nothing (no route)."""
        self.clock.after(self.delay(), lambda: self._syn(client, process, host, key))

    def _syn(self, client: Client, process: Process, host: str, key: object) -> None:
        server = self.processes.get(host)
        if server is None or not process.alive or not self.reaches(process, server):
            return
        connection = Connection(self, client, process, server, key)
        if not server.alive:
            self.clock.after(self.delay(), lambda: process.take(
                lambda: client.ended(connection, Cause.REFUSED)))
            return
        server.connections[connection] = None
        process.connections[connection] = None
        self.clock.after(self.delay(), lambda: process.take(
            lambda: client.opened(connection) if connection.open else None))
