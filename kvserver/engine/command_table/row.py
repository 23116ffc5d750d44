"""What a command is: its flags as bits, and its row in the command table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

WRITE = 1 << 0
READONLY = 1 << 1
DENYOOM = 1 << 2
ADMIN = 1 << 3
PUBSUB = 1 << 4
NOSCRIPT = 1 << 5
BLOCKING = 1 << 6
LOADING = 1 << 7
STALE = 1 << 8
SKIP_MONITOR = 1 << 9
SKIP_SLOWLOG = 1 << 10
FAST = 1 << 11
NO_AUTH = 1 << 12
MAY_REPLICATE = 1 << 13
NO_MULTI = 1 << 14
ALLOW_BUSY = 1 << 15
# The complements, so that one AND finds a command that a state of the server forbids.
NOT_LOADING = 1 << 24
NOT_STALE = 1 << 25
NOT_BUSY = 1 << 26
ANY = 1 << 27
"""Set in every row: a gate that wants to see all commands asks for it."""

TELLS_DISK = 1 << 28
"""Refused, like writes, while a primary can't save, though it writes nothing: PING, so that monitors notice."""

SHOWS_DATA = 1 << 29
"""Shows data or changes them, so that its reply waits for what its connection asks: not PUBLISH, by which sentinels
greet each other, though its effect is replicated."""

FLAG_BITS = {
    "write": WRITE,
    "readonly": READONLY,
    "denyoom": DENYOOM,
    "admin": ADMIN,
    "pubsub": PUBSUB,
    "noscript": NOSCRIPT,
    "blocking": BLOCKING,
    "loading": LOADING,
    "stale": STALE,
    "skip_monitor": SKIP_MONITOR,
    "skip_slowlog": SKIP_SLOWLOG,
    "fast": FAST,
    "no_auth": NO_AUTH,
    "may_replicate": MAY_REPLICATE,
    "no_multi": NO_MULTI,
    "allow_busy": ALLOW_BUSY,
}
LATENCY_BUCKETS = 32
"""Bucket i of a row's histogram counts calls that took less than 2**i microseconds, and at least half of it.

Calls of less than 4 µs are in none: their number is `calls` less the sum of the buckets."""

Handler = Callable[[Any, list[bytes]], bytes | None]


def flag_bits(names: frozenset[str]) -> int:
    """Return the bits for the flag names of the catalogue; names the engine doesn't act on have none."""
    bits = ANY
    for name in names:
        bits |= FLAG_BITS.get(name, 0)
    if not bits & LOADING:
        bits |= NOT_LOADING
    if not bits & STALE:
        bits |= NOT_STALE
    if not bits & ALLOW_BUSY:
        bits |= NOT_BUSY
    if bits & (READONLY | WRITE) or bits & (MAY_REPLICATE | PUBSUB) == MAY_REPLICATE:
        bits |= SHOWS_DATA
    return bits


class Row:
    """One command or subcommand: what it is, what runs it, and what it has done so far (plain counters)."""

    def __init__(self, name: str, fn: Handler, arity: int, flags: int, facts: Any) -> None:
        self.name = name  # lower case, "config|get" for a subcommand
        self.fn = fn
        self.arity = arity  # as Redis writes it: the number of arguments with the name; negative = at least so many
        self.least = abs(arity)
        self.most = arity if arity > 0 else sys.maxsize
        self.flags = flags
        self.facts = facts  # the catalogue's CommandFacts
        self.subs: dict[bytes, Row] | None = None
        self.calls = 0
        self.seconds = 0.0
        self.rejected = 0
        self.failed = 0
        self.buckets = [0] * LATENCY_BUCKETS

    def reset_stats(self) -> None:
        """Forget what was counted (CONFIG RESETSTAT)."""
        self.calls = self.rejected = self.failed = 0
        self.seconds = 0.0
        self.buckets = [0] * LATENCY_BUCKETS
