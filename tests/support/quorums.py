"""A group of our nodes that found a quorum, and a stand-in for the sentinel that has one of them lead."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import redis

from replication.quorum.choice import Answer, Choice, NoChoice, choose
from support.replicas import FAST
from support.servers import Server, start_kvserver
from support.waiting import wait_until

QUORUM = {**FAST, "quorum_nodes": 3, "durability": "quorum", "appendonly": True}
_tries = itertools.count(1)


def state(node: Server, name: str = "quorum_state") -> Any:
    """A field of INFO's section Quorum; "" when the node doesn't answer, or isn't in a quorum."""
    try:
        return node.info("quorum").get(name, "")
    except redis.RedisError:
        return ""


def start_group(
    stack: ExitStack, size: int = 3, leader_options: dict[str, Any] | None = None, **options: Any
) -> list[Server]:
    """Start a primary and its replicas, and wait until they are a group; the leader comes first."""
    settings = {**QUORUM, "quorum_nodes": size, **options}
    leader = stack.enter_context(start_kvserver(**{**settings, **(leader_options or {})}))
    others = [
        stack.enter_context(start_kvserver(replicaof=[leader.host, leader.port], **settings)) for _ in range(size - 1)
    ]
    nodes = [leader, *others]
    wait_until(lambda: is_whole(nodes), what="the founding")
    return nodes


def is_whole(nodes: Iterable[Server]) -> bool:
    """Whether the first leads, without trouble, and the others follow."""
    first, *others = nodes
    ready = state(first) == "leading" and state(first, "quorum_committed") == 1 and not state(first, "quorum_reason")
    return ready and all(state(node) == "following" for node in others)


def promise(node: Server, epoch: int, attempt: str) -> Answer:
    """QUORUM PROMISE. Raises redis.ResponseError: it is refused."""
    node_id, last_epoch, offset, sets, places = node.command("QUORUM", "PROMISE", epoch, attempt)
    return Answer(
        node_id.decode(), last_epoch, offset, tuple(frozenset(one.decode().split(",")) for one in sets),
        frozenset(places.decode().split(",")),
    )  # fmt: skip


def elect(nodes: Iterable[Server], epoch: int = 0) -> Server:
    """As a sentinel does: have nodes promise, choose, order; the others follow. Raises AssertionError: no choice."""
    there = [node for node in nodes if node.answers()]
    epoch = epoch or 1 + max(int(state(node, "quorum_promised") or 0) for node in there)
    attempt = f"try{next(_tries)}"
    answers = {promise(node, epoch, attempt): node for node in there}
    choice = choose(answers)
    assert isinstance(choice, Choice), choice
    chosen = next(node for answer, node in answers.items() if answer.node_id == choice.node_id)
    order = [epoch, attempt, choice.node_id, choice.last_epoch, choice.offset]
    chosen.command("QUORUM", "LEAD", *order, *([",".join(sorted(choice.refound))] if choice.refound else []))
    for node in there:
        if node is not chosen:
            node.command("REPLICAOF", chosen.host, chosen.port)
    return chosen


def no_choice(nodes: Iterable[Server]) -> str:
    """Why nobody of these may lead."""
    there = list(nodes)
    epoch = 1 + max(int(state(node, "quorum_promised") or 0) for node in there)
    attempt = f"try{next(_tries)}"
    choice = choose([promise(node, epoch, attempt) for node in there])
    assert isinstance(choice, NoChoice), choice
    return choice.reason


def writes(node: Server, prefix: str, seconds: float) -> list[str]:
    """Write keys one after another for a while; those that were acknowledged."""
    client = node.client()
    done: list[str] = []
    end = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > end:
            return done
        client.set(f"{prefix}:{number}", number)
        done.append(f"{prefix}:{number}")
    raise AssertionError
