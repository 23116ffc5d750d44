"""What must never happen, watched from outside while it runs."""

from __future__ import annotations

from kvserver.node.node import Node
from replication.quorum.identity import decode
from replication.quorum.shell.identity_file import NAME as IDENTITY
from replication.sentinel.mind.messages import Action, Request, Send
from replication.sentinel.mind.monitor import Monitor
from replication.sentinel.shell.runner import Runner
from replication.shell import Replication
from simulation.checkers import Checkers, Violation
from simulation.whole.cluster import Plan
from simulation.whole.loop import Process
from simulation.whole.programs import SENTINEL_FILE


class Streams:
    """Equal offset in one history means equal bytes: each node's log is compared with what others had there."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[tuple[int, bytearray]]] = {}
        """Of each history the pieces known: where one begins, and what it is."""
        self.trouble = ""

    def watch(self, process: Process, node: Node) -> None:
        """See what a node records."""
        try:
            replication = node.services.kept(Replication)
        except KeyError:  # a sentinel's
            return
        feeder, log = replication.feeder, node.engine.log
        inner = feeder.sink

        def sink(data: bytes) -> None:
            self._saw(process.name, replication.history.replid, log.offset - len(data), data)
            inner(data)

        feeder.sink = sink  # type: ignore[method-assign]

    def _saw(self, name: str, replid: bytes, start: int, data: bytes) -> None:
        pieces = self._known.setdefault(replid, [])
        for base, known in pieces:
            if base <= start <= base + len(known):
                at = start - base
                same = known[at : at + len(data)]
                if same != data[: len(same)]:
                    there = f"{name} has other bytes at {start} of {replid.decode()}"
                    self.trouble = self.trouble or f"{there}: {data[:200]!r}, known were {bytes(same[:200])!r}"
                known += data[len(same) :]
                return
        pieces.append((start, bytearray(data)))


class Sentinels:
    """What sentinels tell others, judged by the checkers that the simulation of their decisions has."""

    def __init__(self, plan: Plan) -> None:
        self._checkers = Checkers(plan.sentinels // 2 + 1, plan.quorum)
        self.trouble = ""

    def operated(self) -> None:
        """From now on people order failovers: sentinels ask nobody then, and their votes don't add up."""
        self._checkers.unsound = True

    @property
    def counts(self) -> dict[str, int]:
        """How often each event was told of."""
        return self._checkers.counts

    def saw(self, process: Process, runner: Runner, action: Action) -> None:
        """A sentinel has told something: to a peer, to a node, or in its log.

        Whose disk is full tells of configurations that it has heard of all the same; it neither votes nor leads.
        """
        if isinstance(action, Send) and action.request is Request.HELLO and not runner._saved:
            return
        try:
            self._checkers.observe(_Told(process, runner.monitor), action)  # type: ignore[arg-type]
        except Violation as violation:
            self.trouble = self.trouble or f"{process.name}: {violation}"


class _Told:
    """A sentinel as the checkers know one."""

    def __init__(self, process: Process, monitor: Monitor) -> None:
        self.monitor = monitor
        self.host = process.host.ip
        self.network = self.clock = self
        self._process = process

    @property
    def now_ms(self) -> int:
        """The time."""
        return self._process.host.world.loop.now_ns // 1_000_000

    @property
    def durable(self) -> list[str]:
        """The lines of its state file that a power cut leaves."""
        return self._process.host.disk.durable(SENTINEL_FILE).decode().splitlines()


class Promises:
    """What members of a quorum keep durably: one try for each node in an epoch, and one node that opens an epoch."""

    def __init__(self) -> None:
        self._tries: dict[tuple[str, int], str] = {}
        self._openers: dict[int, str] = {}
        self.trouble = ""

    @property
    def epochs(self) -> int:
        """How many were opened."""
        return len(self._openers)

    def saw(self, ip: str, path: str, content: bytes) -> None:
        """A file is on a disk."""
        if not path.endswith(f"/{IDENTITY}"):
            return
        mine = decode(content.decode())
        if mine.attempt and self._tries.setdefault((mine.node_id, mine.promised), mine.attempt) != mine.attempt:
            self.trouble = self.trouble or f"{ip} promised epoch {mine.promised} twice"
        if mine.opened and self._openers.setdefault(mine.opened, ip) != ip:  # its id changes when it loses its memory
            self.trouble = self.trouble or f"{ip} opened epoch {mine.opened}, which another node had opened"
