"""Whether a group can be founded, and by whom: what is missing, in an operator's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A follower that might vote. `holds`: it has acknowledged what was there when it came on line."""

    node_id: str
    promised: int
    member: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """The group can be founded, with these (their ids), in an epoch that nobody has promised away."""

    epoch: int
    followers: tuple[str, ...]


def look(wanted: int, promised: int, candidates: Iterable[Candidate]) -> Ready | str:
    """Whether `wanted` nodes, the first primary (which has promised `promised`) among them, hold the data."""
    there = {one.node_id: one for one in candidates if one.holds and not one.member}
    if len(there) + 1 < wanted:
        return f"the group isn't founded: {len(there) + 1} of {wanted} nodes hold the data"
    chosen = sorted(there)[: wanted - 1]
    epoch = max([promised, *(there[node_id].promised for node_id in chosen)]) + 1
    return Ready(epoch, tuple(chosen))
