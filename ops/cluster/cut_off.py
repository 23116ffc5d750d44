"""The second half of `kvops up --demo --durability quorum`: a primary is cut off together with writers on its side.

A deployment of its own, behind a TCP proxy, once asynchronous and once with a quorum; what clients were told and what
is there in the end is compared as `kvops bench chaos` does.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence

from ops.bench.servers import OURS, BenchError
from ops.chaos.faults import BY_NAME
from ops.chaos.run import Plan, run, servers_of
from ops.chaos.tables import Round

FAULT = "with-clients"
DOWN_AFTER_MS = 1000


async def cut_off(durability: str, say: Callable[[str], None]) -> list[str]:
    """Strike both levels, one after the other; the report for the operator."""
    if not sys.platform.startswith("linux"):
        return ["cutting a primary off needs Linux, where loopback has many addresses"]
    say("now a primary is cut off with the writers on its side, first with async, then with " + durability)
    servers = servers_of([OURS], ["async", durability], DOWN_AFTER_MS)
    seed = random.SystemRandom().randrange(1 << 31)
    try:
        found, _ = await run(Plan(servers, (BY_NAME[FAULT],), 1, 0.0, seed, in_namespaces=False), say)
    except BenchError as failure:
        return [f"it could not be tried: {failure}"]
    return lines(found)


def lines(found: Sequence[Round]) -> list[str]:
    """A line for each level."""
    report = []
    for each in found:
        verdict = each.verdict
        gap = max((one.seconds for one in verdict.gaps), default=0.0)
        report.append(
            f"{each.servers}: {verdict.acknowledged:,} writes acknowledged, {verdict.lost:,} of them gone; "
            f"{verdict.unknown:,} of unknown outcome, {verdict.refused:,} refused; the longest silence {gap:.2f} s"
        )
    return report
