"""What must never happen, watched from outside while it runs, and looked at when all is quiet."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kvserver.node.node import Node
from replication.shell import Replication
from simulation.checkers import Violation
from simulation.whole.clients import History
from simulation.whole.loop import Process
from simulation.whole.world import World


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


class Votes:
    """What sentinels say in their logs: one vote for each of them in an epoch, restarts included."""

    def __init__(self, world: World) -> None:
        self._votes: dict[tuple[str, int], str] = {}
        self.counts: Counter[str] = world.counts
        self.trouble = ""

    def watch(self, process: Process | None, text: str, facts: dict[str, Any]) -> None:
        """See a line of a log."""
        if not text.startswith("sentinel: ") or process is None:
            return
        channel, *words = text[len("sentinel: ") :].split()
        self.counts[channel] += 1
        if channel == "+vote-for-leader":
            leader, epoch = words[0], int(words[1])
            if self._votes.setdefault((process.host.ip, epoch), leader) != leader:
                self.trouble = self.trouble or f"{process.name} voted twice in epoch {epoch}"


def lost(history: History, lists: dict[str, list[str]]) -> list[str]:
    """Elements that were acknowledged and are gone."""
    gone = []
    for kind in ("append", "pair"):
        for operation in history.done(kind):
            key = operation.key if kind == "append" else "pair:1"
            if operation.value not in lists[key]:
                gone.append(f"{operation.client} {operation.value}")
    return gone


def check_lists(history: History, lists: dict[str, list[str]]) -> None:
    """Nothing is there twice, nothing that nobody wrote, and a client's own elements are in its order.

    Raises:
        Violation: something is.
    """
    written = {operation.value for operation in history.operations if operation.kind in ("append", "pair")}
    told = {operation.value for kind in ("append", "pair") for operation in history.done(kind)}
    for key, values in lists.items():
        if len(set(values)) != len(values):
            raise Violation(f"{key} has an element twice: {[v for v, n in Counter(values).items() if n > 1]}")
        if not written.issuperset(values):
            raise Violation(f"{key} has what nobody wrote")
        for client in {value.partition(".")[0] for value in values}:
            own = [int(v.partition(".")[2]) for v in values if v.startswith(f"{client}.") and v in told]
            if own != sorted(own):
                raise Violation(f"{key} isn't in the order in which {client} wrote")
    if lists["pair:1"] != lists["pair:2"]:
        raise Violation("a transaction was done by half")
