"""What clients do: a table of workloads, each draws one request after the other. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Command: TypeAlias = tuple[str, ...]

SWAP = """local found = redis.call('GET', KEYS[1])
if (found or '') == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end
return found"""
"""Compare and set, which tells what was found; an empty value to compare with stands for none."""
SETS = 16
REGISTERS = 6
LISTS = 12
COUNTERS = 4
REGISTER_S, LIST_S = 10, 4
"""After so many seconds other registers and lists are used, so that each history is short."""
READS = 0.3
"""Share of requests that only read."""


@dataclass(frozen=True)
class Request:
    """What one operation sends, and how a judge is told of it; `decode` makes the result of the last reply."""

    action: str
    key: str
    value: Any
    commands: tuple[Command, ...]
    decode: Callable[[Any], Any]


@dataclass
class Draw:
    """One client's chance and memory; `name` is its own in the whole run."""

    name: str
    rng: random.Random
    now_s: float = 0.0
    count: int = 0
    seen: dict[str, str] = field(default_factory=dict)
    """The value of each register as this client knows it."""

    def unique(self) -> str:
        """A word that no other request has."""
        self.count += 1
        return f"{self.name}.{self.count}"


@dataclass(frozen=True)
class Workload:
    """A row of the table."""

    name: str
    judge: str
    """`elements`, `registers`, `lists` or `counters`."""
    clients: int
    """On each host."""
    draw: Callable[[Draw], Request]
    patience_s: float = 0.5
    """After so long without a reply a client gives up, and asks the sentinels."""
    pause_s: float = 0.008
    """Between two requests."""
    clings_s: float = 0.0
    """For so long it goes back to the same address, before it asks who leads."""
    stays_home: bool = False
    """Asks its own host's node, whoever leads: for servers whose replicas serve reads that must not be stale."""


def _nothing(reply: Any) -> None:
    return None


def _text(reply: Any) -> str | None:
    return None if reply is None else str(reply)


def _element(prefix: str) -> Callable[[Draw], Request]:
    def draw(d: Draw) -> Request:
        key, element = f"{prefix}:{d.rng.randrange(SETS)}", d.unique()
        return Request("add", key, element, (("SADD", key, element),), _nothing)

    return draw


def _register(d: Draw) -> Request:
    key = f"register:{int(d.now_s / REGISTER_S)}:{d.rng.randrange(REGISTERS)}"
    chance = d.rng.random()
    if chance < READS:
        return Request("read", key, None, (("GET", key),), _remember(d, key))
    value = d.unique()
    if chance < 2 * READS:
        return Request("write", key, value, (("SET", key, value),), _nothing)
    expected = d.seen.get(key)
    command = ("EVAL", SWAP, "1", key, expected or "", value)
    return Request("cas", key, [expected, value], (command,), _remember(d, key))


def _look(d: Draw) -> Request:
    key = f"register:{int(d.now_s / REGISTER_S)}:{d.rng.randrange(REGISTERS)}"
    return Request("read", key, None, (("GET", key),), _text)


def _remember(d: Draw, key: str) -> Callable[[Any], str | None]:
    def decode(reply: Any) -> str | None:
        value = _text(reply)
        if value is None:
            d.seen.pop(key, None)
        else:
            d.seen[key] = value
        return value

    return decode


def _list(d: Draw) -> Request:
    keys = [f"list:{int(d.now_s / LIST_S)}:{n}" for n in d.rng.sample(range(LISTS), d.rng.choice([1, 2]))]
    is_read = d.rng.random() < READS
    steps: list[list[str]] = []
    for key in keys:
        steps += [["read", key]] if is_read else [["append", key, d.unique()], ["read", key]]
    return transaction(steps)


def transaction(steps: Sequence[Sequence[str]]) -> Request:
    """A request of steps in MULTI and EXEC; its result has a list for each read."""
    words = [("RPUSH", *step[1:]) if step[0] == "append" else ("LRANGE", step[1], "0", "-1") for step in steps]
    reads = [at for at, step in enumerate(steps) if step[0] == "read"]
    commands = (("MULTI",), *words, ("EXEC",))
    return Request("transaction", "", steps, commands, lambda reply: [reply[at] for at in reads])


def _counter(d: Draw) -> Request:
    key = f"counter:{d.rng.randrange(COUNTERS)}"
    if d.rng.random() < READS:
        return Request("read", key, None, (("GET", key),), lambda reply: int(reply or 0))
    amount = d.rng.randrange(1, 10)
    return Request("increment", key, amount, (("INCRBY", key, str(amount)),), int)


WORKLOADS = (
    Workload("elements", "elements", 3, _element("set")),
    Workload("clinging", "elements", 1, _element("cling"), patience_s=3.0, clings_s=4.0),
    Workload("registers", "registers", 2, _register),
    Workload("lists", "lists", 2, _list, pause_s=0.02),
    Workload("counters", "counters", 1, _counter),
    Workload("readers", "registers", 1, _look, patience_s=1.5, stays_home=True),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}


def whole(key: str) -> Command | None:
    """What reads all elements that a key holds; None for one that holds none."""
    kind = key.split(":", 1)[0]
    return ("SMEMBERS", key) if kind in ("set", "cling") else ("LRANGE", key, "0", "-1") if kind == "list" else None


REFUSALS = (
    "READONLY", "LOADING", "MISCONF", "NOREPLICAS", "MASTERDOWN", "EXECABORT", "OOM", "NOAUTH", "NOPERM", "NOSCRIPT",
)  # fmt: skip
"""Errors that say that a request did not run; after any other its outcome is unknown."""


NOT_DONE = " was not done:"
"""In an error that else would say that the outcome is unknown."""


def is_refusal(error: str) -> bool:
    """Whether an error reply says that the request did not run."""
    return error.split(" ", 1)[0] in REFUSALS or (error.startswith("NOQUORUM ") and NOT_DONE in error)
