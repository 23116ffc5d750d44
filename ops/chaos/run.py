"""Rounds: a fresh deployment of each kind, the same faults, and what the judges say."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.bench.servers import OURS, REDIS, BenchError
from ops.chaos.deployment import Deployment, Servers, log_tail
from ops.chaos.director import Director
from ops.chaos.faults import Fault, order
from ops.chaos.namespaces import Namespaces
from ops.chaos.oversight import Operator
from ops.chaos.places import Network, Place
from ops.chaos.proxy import Proxy
from ops.chaos.records import Row
from ops.chaos.tables import Round
from ops.chaos.verdicts import judge
from ops.chaos.workloads import transaction

START_S = 60.0
END_S = 30.0
READ_S = 10.0
LIST_BATCH = 12


@dataclass(frozen=True)
class Plan:
    """What the operator asked for."""

    servers: tuple[Servers, ...]
    faults: tuple[Fault, ...]
    rounds: int
    seconds: float
    """No fault begins later than so long after the start; 0 = no limit."""
    seed: int
    in_namespaces: bool
    keep: Path | None = None
    """Where histories and logs are kept, whatever is found."""


async def run(plan: Plan, say: Callable[[str], None]) -> tuple[list[Round], str]:
    """Play all rounds; what was found, and how the network was made. Raises BenchError."""
    network: Network = Namespaces(plan.seed) if plan.in_namespaces else Proxy(plan.seed)
    await network.open()
    found: list[Round] = []
    started_s = time.monotonic()
    try:
        for number in range(plan.rounds):
            if plan.seconds and time.monotonic() - started_s > plan.seconds:
                break
            left_s = plan.seconds and max(plan.seconds - (time.monotonic() - started_s), 1) / len(plan.servers)
            for servers in plan.servers:
                say(f"round {number + 1} of {plan.rounds}: {servers.title} starts")
                found.append(await _round(plan, servers, network, plan.seed + number, left_s, say))
    finally:
        await network.close()
    return found, network.kind


async def _round(
    plan: Plan, servers: Servers, network: Network, seed: int, left_s: float, say: Callable[[str], None]
) -> Round:
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{servers.kind}-"))
    deployment = Deployment(servers, network, folder)
    operator = Operator(network, servers.is_quorum)
    director = Director(deployment, operator, say)
    try:
        deployment.prepare()
        await _start(deployment, operator, seed)
        until_s = time.monotonic() + left_s
        faults = [fault for fault in plan.faults if fault.name not in network.limits]
        for chosen in order(faults, random.Random(seed)):
            if left_s and time.monotonic() > until_s:
                break
            if not await director.carry_out(chosen):
                break
        deployment.end_clients()
        say(f"{servers.title}: judging")
        result = await _judge(deployment, operator, director, seed)
        violated = servers.is_quorum and bool(result.verdict.violations or result.verdict.unjudged)
        if plan.keep is not None or violated:
            result.kept = str(_keep(folder, plan.keep or Path(tempfile.gettempdir()), f"{servers.title}-{seed}"))
        return result
    finally:
        await operator.close()
        await deployment.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _start(deployment: Deployment, operator: Operator, seed: int) -> None:
    """Nodes, sentinels, and when all is well the clients. Raises BenchError."""
    network = deployment.network
    for kind in ("node", "sentinel"):
        for place in network.places:
            if place.kind == kind:
                await deployment.start(place)
        await asyncio.sleep(0.3)
    if await operator.until_settled(START_S) is None:
        logs = "\n".join(log_tail(deployment.folder, p) for p in network.places if not deployment.running(p))
        raise BenchError(f"{deployment.servers.title} does not settle: {operator.complaint}\n{logs}")
    operator.start()
    for place in network.places:
        if place.kind == "clients":
            deployment.start_clients(place, place.address, [], seed)


async def _judge(deployment: Deployment, operator: Operator, director: Director, seed: int) -> Round:
    rows = _rows(deployment)
    sets = None
    found = await operator.until_settled(END_S)
    if found is not None:
        lead = next(p for p in deployment.network.places if p.kind == "node" and p.host == found[0])
        sets, last = await _last_reads(operator, lead, rows)
        rows += last
    verdict = await asyncio.to_thread(judge, rows, sets, director.periods, operator.failovers)
    return Round(deployment.servers.title, seed, director.periods, operator.failovers, verdict)


def _rows(deployment: Deployment) -> list[Row]:
    """The histories of all clients; a line that was cut off, as its process ended, isn't one."""
    rows: list[Row] = []
    for place in deployment.network.places:
        if place.kind == "clients" and deployment.history(place).exists():
            for line in deployment.history(place).read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    rows.append(Row(*json.loads(line)))
    return sorted(rows, key=lambda row: row.called)


async def _last_reads(operator: Operator, lead: Place, rows: Sequence[Row]) -> tuple[dict[str, list[str]], list[Row]]:
    """All that was written, read once more from who leads at the end. Raises BenchError."""
    sets: dict[str, list[str]] = {}
    last: list[Row] = []
    lists: set[str] = set()
    for workload, action, key in sorted({(r.workload, r.action, r.key) for r in rows}):
        if action == "add":
            sets[key] = await _read(operator, lead, "SMEMBERS", key)
        elif action == "read":
            called = time.monotonic_ns()
            value = await _read(operator, lead, "GET", key)
            result = int(value or 0) if workload == "counters" else value
            last.append(Row(workload, "end", "read", key, None, result, called, time.monotonic_ns(), "ok", ""))
    for row in rows:
        if row.action == "transaction":
            lists.update(step[1] for step in row.value)
    for key in sorted(lists):
        called = time.monotonic_ns()
        request = transaction([["read", key]])
        value = await _read(operator, lead, "LRANGE", key, "0", "-1")
        last.append(Row("lists", "end", request.action, "", request.value, [value], called, time.monotonic_ns(), "ok",
                        ""))  # fmt: skip
    return sets, last


async def _read(operator: Operator, lead: Place, *command: str) -> Any:
    reply = await operator.ask(lead, *command, patience_s=READ_S)
    if reply is None and command[0] != "GET":
        raise BenchError(f"{lead.name} does not answer {' '.join(command)}")
    if isinstance(reply, Exception):
        raise BenchError(f"{lead.name} answers {' '.join(command)} with {reply}")
    return reply


def _keep(folder: Path, where: Path, name: str) -> Path:
    """Copy configurations, logs and histories."""
    kept = where / f"chaos-{name.replace(' ', '-')}"
    shutil.copytree(folder, kept, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    return kept


def servers_of(words: Sequence[str], levels: Sequence[str], down_after_ms: int) -> tuple[Servers, ...]:
    """The kinds that were asked for: ours at each level of durability, and Redis's, which has none."""
    ours = [Servers(OURS, level, down_after_ms) for level in levels if OURS in words]
    return (*ours, *(Servers(REDIS, "async", down_after_ms) for _ in range(REDIS in words)))
