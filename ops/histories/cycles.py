"""Transactions over several lists must have one order (Elle's list-append): strict serializability, by cycles.

The order of each list (`lists.Lists.orders`) says which transaction must stand before which:

- ww    who appended an element before who appended the next one
- wr    who appended the last element that a read shows before who read it
- rw    who read a list before who appended the first element that the read doesn't show
- time  who was acknowledged before who called later

If these can't all be had, they run in a circle, and the circle is the evidence. `time` would be an edge for each pair;
a chain of moments (one for each return, each before the next) says the same with two edges for each transaction.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence

from ops.histories.lists import Append, Lists, Transaction
from ops.histories.operation import Outcome, Violation

_Graph = list[dict[int, str]]
"""For each node the nodes that must come later, and why; after the transactions come the moments."""


def judge_order(history: Sequence[Transaction], found: Lists) -> list[Violation]:
    """A violation for each knot of transactions that can't be put in an order; `found` is of the same history."""
    counted = [each for each in history if each.outcome is not Outcome.REFUSED]
    graph: _Graph = [{} for _ in counted]
    _by_lists(graph, counted, found)
    _by_time(graph, counted)
    violations: list[Violation] = []
    for knot in _knots(graph):
        circle = _circle(graph, knot)
        kinds = [graph[a][b] for a, b in zip(circle, circle[1:] + circle[:1], strict=True)]
        shown = tuple(counted[node] for node in circle if node < len(counted))
        text = f"{len(shown)} transactions that each must stand before the next: {', '.join(kinds)}"
        violations.append(Violation("cycle", "", text, shown))
    return violations


def _by_lists(graph: _Graph, counted: Sequence[Transaction], found: Lists) -> None:
    number = {id(each): at for at, each in enumerate(counted)}
    writers: dict[str, list[int | None]] = {}
    for key, order in found.orders.items():
        appended = [found.appends.get((key, element)) for element in order]
        writers[key] = [None if by is None else number.get(id(by)) for by in appended]
        for before, after in zip(writers[key], writers[key][1:], strict=False):
            _edge(graph, before, after, "ww")
    for at, each in enumerate(counted):
        if each.outcome is not Outcome.OK:
            continue
        for step in each.steps:
            if isinstance(step, Append) or step.elements is None:
                continue
            order, of_key = found.orders[step.key], writers[step.key]
            length = len(step.elements)
            if step.elements != order[:length]:
                continue
            if length:
                _edge(graph, of_key[length - 1], at, "wr")
            if length < len(order):
                _edge(graph, at, of_key[length], "rw")


def _edge(graph: _Graph, before: int | None, after: int | None, kind: str) -> None:
    if before is not None and after is not None and before != after:
        graph[before].setdefault(after, kind)


def _by_time(graph: _Graph, counted: Sequence[Transaction]) -> None:
    """Moments: each return leads to its moment, that to the next, and the last one before a call to who called."""
    ended = sorted((each.returned, at) for at, each in enumerate(counted) if each.outcome is Outcome.OK)
    times = [when for when, _ in ended]
    first = len(counted)
    for number, (_, at) in enumerate(ended):
        graph[at][first + number] = "time"
        graph.append({first + number + 1: "time"} if number + 1 < len(ended) else {})
    for at, each in enumerate(counted):
        earlier = bisect_left(times, each.called)
        if earlier:
            graph[first + earlier - 1].setdefault(at, "time")


def _knots(graph: _Graph) -> Iterator[list[int]]:
    """The strongly connected parts with more than one node."""
    search = _Tarjan(graph)
    for root in range(len(graph)):
        if root not in search.index:
            yield from search.from_root(root)


class _Tarjan:
    """Tarjan's algorithm without recursion: paths are as long as the history."""

    def __init__(self, graph: _Graph) -> None:
        self.graph = graph
        self.index: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._open: list[int] = []
        self._inside: set[int] = set()
        self._work: list[tuple[int, Iterator[int]]] = []

    def _enter(self, node: int) -> None:
        self.index[node] = self._low[node] = len(self.index)
        self._open.append(node)
        self._inside.add(node)
        self._work.append((node, iter(self.graph[node])))

    def from_root(self, root: int) -> Iterator[list[int]]:
        """The parts that are first reached from this node."""
        self._enter(root)
        while self._work:
            node, after = self._work[-1]
            deeper = next((other for other in after if self._is_new(node, other)), None)
            if deeper is not None:
                self._enter(deeper)
                continue
            self._work.pop()
            if self._work:
                above = self._work[-1][0]
                self._low[above] = min(self._low[above], self._low[node])
            if self._low[node] == self.index[node]:
                part = self._leave(node)
                if len(part) > 1:
                    yield part

    def _is_new(self, node: int, other: int) -> bool:
        if other in self._inside:
            self._low[node] = min(self._low[node], self.index[other])
        return other not in self.index

    def _leave(self, node: int) -> list[int]:
        part: list[int] = []
        while not part or part[-1] != node:
            part.append(self._open.pop())
        self._inside.difference_update(part)
        return part


def _circle(graph: _Graph, knot: Sequence[int]) -> list[int]:
    """A short way from a node of the knot back to itself."""
    inside = set(knot)
    start = min(knot)
    came: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for other in graph[node]:
            if other == start:
                way = [node]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return way[::-1]
            if other in inside and other not in came:
                came[other] = node
                waiting.append(other)
    raise AssertionError("a knot without a circle")
