"""What can go wrong: a table of faults, each a few steps. Pure.

Steps name groups of places, which are looked up when the fault begins: `primary` leads then, `best` is the replica with
the highest offset, `other` the third node.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ops.chaos.places import HOSTS, KINDS

Group: TypeAlias = tuple[str, ...]
"""Names of groups; together they are one."""


@dataclass(frozen=True)
class Kill:
    """Their processes end as by a crash (SIGKILL)."""

    who: Group


@dataclass(frozen=True)
class Stop:
    """Their processes stand still (SIGSTOP), until the fault is over."""

    who: Group


@dataclass(frozen=True)
class Start:
    """What was killed is started again; `empty`: without anything in its data folder."""

    empty: bool = False


@dataclass(frozen=True)
class Cut:
    """What the first send doesn't reach the second; nor the other way round, unless it is one way."""

    some: Group
    others: Group
    is_one_way: bool = False


@dataclass(frozen=True)
class Roughen:
    """Their links are slow, and lose some."""

    who: Group


@dataclass(frozen=True)
class Fill:
    """No room is left on their disks, until the fault is over."""

    who: Group


@dataclass(frozen=True)
class Wait:
    """So many seconds beyond the time after which silence counts as down."""

    beyond_s: float


@dataclass(frozen=True)
class Pause:
    """So many seconds."""

    seconds: float


@dataclass(frozen=True)
class AwaitFailover:
    """Until somebody else leads; at most so many seconds beyond the time after which silence counts as down."""

    beyond_s: float


@dataclass(frozen=True)
class Switchover:
    """The sentinels are asked to hand the lead over."""


Step: TypeAlias = Kill | Stop | Start | Cut | Roughen | Fill | Wait | Pause | AwaitFailover | Switchover


@dataclass(frozen=True)
class Fault:
    """A fault, in words and in steps; when the last is done, all is mended."""

    name: str
    what: str
    steps: tuple[Step, ...]


HOLD = Wait(3.0)
REST = ("rest",)
PRIMARY = ("primary",)
MIXED = "mixed"

FAULTS = (
    Fault("kill", "the primary is killed", (Kill(PRIMARY), AwaitFailover(4.0), Start())),
    Fault("stop", "the primary stands still, then goes on", (Stop(PRIMARY), HOLD)),
    Fault("with-clients", "the primary and its host's clients are cut off",
          (Cut(("primary", "primary-clients"), REST), HOLD)),
    Fault("with-sentinel", "the primary, its host's sentinel and clients are cut off",
          (Cut(("primary-host",), REST), HOLD)),
    Fault("from-replicas", "the primary is cut off from its replicas only",
          (Cut(PRIMARY, ("replicas",)), HOLD)),
    Fault("one-way-out", "nothing that the primary sends gets through",
          (Cut(PRIMARY, ("replicas", "sentinels"), is_one_way=True), HOLD)),
    Fault("one-way-in", "nothing reaches the primary but its clients' requests",
          (Cut(("replicas", "sentinels"), PRIMARY, is_one_way=True), HOLD)),
    Fault("rough", "the primary's links are slow and lossy", (Roughen(PRIMARY), HOLD)),
    Fault("two-killed", "the primary and the best replica are killed together",
          (Kill(("primary", "best")), HOLD, Start())),
    Fault("empty-primary", "the primary is killed and comes back at once, with an empty folder",
          (Kill(PRIMARY), Start(empty=True), HOLD)),
    Fault("empty-replica", "the best replica comes back with an empty folder, then the primary is killed",
          (Kill(("best",)), Start(empty=True), Pause(0.5), Kill(PRIMARY), HOLD, Start())),
    Fault("second", "the primary is killed, then the one that is promoted",
          (Kill(PRIMARY), AwaitFailover(4.0), Kill(("leader",)), HOLD, Start())),
    Fault("split", "the primary is killed while no sentinel hears another",
          (Cut(("sentinels",), ("sentinels",)), Kill(PRIMARY), HOLD, Start())),
    Fault("disk-full", "no room is left on the primary's disk", (Fill(PRIMARY), HOLD)),
    Fault("switchover", "the sentinels are asked to hand over", (Switchover(), AwaitFailover(4.0))),
    Fault("all-killed", "everything is killed, and started again",
          (Kill(("nodes", "sentinels")), Pause(0.5), Start(), HOLD)),
    Fault(MIXED, "two others at once", ()),
)  # fmt: skip
BY_NAME = {fault.name: fault for fault in FAULTS}


def groups(primary: int, best: int) -> dict[str, frozenset[str]]:
    """The places of each group's name, given the hosts of the primary and of its best replica."""
    everywhere = {kind: frozenset(f"{kind}-{host}" for host in HOSTS) for kind in KINDS}
    lead = f"node-{primary}"
    return {
        "primary": frozenset({lead}),
        "best": frozenset({f"node-{best}"}),
        "replicas": everywhere["node"] - {lead},
        "nodes": everywhere["node"],
        "sentinels": everywhere["sentinel"],
        "primary-clients": frozenset({f"clients-{primary}"}),
        "primary-host": frozenset(f"{kind}-{primary}" for kind in KINDS),
        "everywhere": frozenset().union(*everywhere.values()),
    }


def members(named: Mapping[str, frozenset[str]], group: Group, some: frozenset[str] = frozenset()) -> frozenset[str]:
    """The places of groups by their names; `rest` are all but `some`."""
    return frozenset().union(*(named["everywhere"] - some if name == "rest" else named[name] for name in group))


def order(chosen: Sequence[Fault], rng: random.Random) -> list[tuple[Fault, ...]]:
    """All chosen faults in an order drawn by lot; mixed ones become two of the others."""
    drawn = list(chosen)
    rng.shuffle(drawn)
    others = [fault for fault in chosen if fault.name != MIXED] or [f for f in FAULTS if f.name != MIXED]
    return [tuple(rng.sample(others, min(2, len(others)))) if f.name == MIXED else (f,) for f in drawn]
