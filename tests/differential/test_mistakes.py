"""Every command with something wrong in its arguments, on us and on a real server."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from support import start_kvserver, start_redis

from differential.mistakes import PRELUDE, commands, mistakes
from differential.peers import Peer, comparable
from kvserver.engine.command_table.catalog import load

BATCH = 50
SHARE = float(os.environ.get("DIFFERENTIAL_MISTAKES", "0.05"))
"""The part of all requests that is sent, chosen anew for each command but always alike; 1 is all of them."""
Pair = tuple[Peer, Peer]


@pytest.fixture(scope="module", params=[2, 3], ids=["resp2", "resp3"])
def peers(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with start_kvserver(enable_debug_command="yes") as ours, start_redis(enable_debug_command="yes") as theirs:
        pair = Peer(ours.port, request.param), Peer(theirs.port, request.param)
        yield pair
        for peer in pair:
            peer.close()


def told(name: str, line: list[bytes], reply: Any) -> Any:
    """A reply as far as both servers must agree on it."""
    if isinstance(reply, Exception):
        return str(reply)
    if name in VAGUE or name.endswith("|HELP"):
        return None
    if name == "XADD" and isinstance(reply, bytes):
        return b"-" in reply
    return comparable(line, reply)


VAGUE = frozenset(
    {"XCLAIM", "XAUTOCLAIM", "XPENDING", "XINFO|STREAM", "XINFO|CONSUMERS", "SCAN", "KEYS", "SPOP", "SRANDMEMBER",
     "HRANDFIELD", "ZRANDMEMBER"}
)  # fmt: skip
"""Commands whose good replies hold idle times, or have no order, or are random."""


def script(name: str, lines: list[list[bytes]]) -> tuple[list[list[bytes]], int]:
    """Each line on the same data, then what became of the data; and how many requests that makes of a line."""
    waits = "blocking" in load()[name].flags  # inside of MULTI nothing waits
    out: list[list[bytes]] = []
    for line in lines:
        out += PRELUDE
        out += [[b"MULTI"], line, [b"EXEC"]] if waits else [line]
        out.append([b"DEBUG", b"DIGEST"])
    return out, len(out) // len(lines)


def chosen(name: str) -> list[list[bytes]]:
    """The requests about a command that are sent this time."""
    lines = [line for line in mistakes(name) if not (name.startswith("XREAD") and line[-1] == b"+")]
    lines = [line for line in lines if not (b"BLOCK" in line and b"9223372036854775807" in line)]
    count = max(12, int(len(lines) * SHARE))
    return lines if count >= len(lines) else random.Random(name).sample(lines, count)


def test_the_same_is_wrong(peers: Pair) -> None:
    """Wrong arities, types, numbers, ranges and odd keys get Redis's own words, and leave the same data."""
    different = []
    for name in commands():
        lines = chosen(name)
        for start in range(0, len(lines), BATCH):
            batch = lines[start : start + BATCH]
            requests, each = script(name, batch)
            mine, theirs = (peer.run(requests) for peer in peers)
            for number, line in enumerate(batch):
                # The line's reply, EXEC's where there is one, and the digest.
                span = slice(number * each + len(PRELUDE), (number + 1) * each)
                pairs = [
                    (told(name, line, a), told(name, line, b))
                    for a, b in zip(mine[span], theirs[span], strict=True)
                ]
                if name in VAGUE or (name == "XADD" and any(b"*" in word for word in line)):
                    pairs.pop()
                if any(a != b for a, b in pairs):
                    different.append((line, pairs))
    assert not different, "\n".join(map(str, different[:20]))
