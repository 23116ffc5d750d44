"""All clients of one host, a process: `python -m ops.chaos.worker PLAN`, ended by SIGTERM.

Each line of its output is an operation: workload, client, action, key, value, result, when it was called and when it
returned (nanoseconds of the machine's monotonic clock), its outcome, the port and address that served it, and the
error if there was one.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ops.chaos.caller import AGAIN_S, Caller, Finder, NotSent, Refused, Unheard
from ops.chaos.workloads import BY_NAME, Draw, Workload
from ops.histories.operation import Outcome


@dataclass(frozen=True)
class Plan:
    """What a process of clients is told."""

    host: int
    local: str
    """The address to call from; "" = any."""
    sentinels: list[list[Any]]
    """Address and port of each, in the order in which they are asked."""
    node: list[Any]
    """Address and port of the host's own node."""
    workloads: list[str]
    setup: list[list[str]]
    """Commands sent first on every connection to a node."""
    seed: int
    output: str

    def write(self, path: Path) -> None:
        """Write it where the process will read it."""
        path.write_text(json.dumps(asdict(self)))


async def run(plan: Plan, output: IO[str]) -> None:
    """Work until SIGTERM; `output` is the file that the plan names."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    finder = Finder([(str(host), int(port)) for host, port in plan.sentinels], plan.local)
    ears = [asyncio.create_task(finder.listen(sentinel)) for sentinel in finder.sentinels]
    tasks = [
        asyncio.create_task(_work(plan, BY_NAME[name], number, finder, output, over))
        for name in plan.workloads
        for number in range(BY_NAME[name].clients)
    ]
    await asyncio.gather(*tasks)
    for ear in ears:
        ear.cancel()
    await asyncio.gather(*ears, return_exceptions=True)


async def _work(
    plan: Plan, workload: Workload, number: int, finder: Finder, output: IO[str], over: asyncio.Event
) -> None:
    """One client, from one request to the next."""
    name = f"{workload.name}-{plan.host}-{number}"
    draw = Draw(name, random.Random(f"{plan.seed} {name}"))
    setup = tuple(tuple(command) for command in plan.setup)
    home = (str(plan.node[0]), int(plan.node[1])) if workload.stays_home else None
    caller = Caller(finder, setup, workload.patience_s, workload.clings_s, home)
    while not over.is_set():
        try:
            await caller.connect()
        except NotSent:
            await asyncio.sleep(AGAIN_S)
            continue
        draw.now_s = time.monotonic()
        request = workload.draw(draw)
        result, outcome, error = None, Outcome.OK, ""
        called = time.monotonic_ns()
        try:
            reply = await caller.call(request.commands)
        except Refused as refusal:
            outcome, error = Outcome.REFUSED, str(refusal)
        except Unheard as failure:
            outcome, error = Outcome.UNKNOWN, str(failure)
        returned = time.monotonic_ns()
        if outcome is Outcome.OK:
            result = request.decode(reply)
        row = (workload.name, name, request.action, request.key, request.value, result, called, returned,
               outcome.value, f"{caller.address[0]}:{caller.address[1]}" if caller.address else "", error)  # fmt: skip
        output.write(json.dumps(row) + "\n")
        await asyncio.sleep(workload.pause_s * draw.rng.uniform(0.5, 1.5))
    caller.drop()


if __name__ == "__main__":
    told = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    with Path(told.output).open("w") as file:
        asyncio.run(run(told, file))
