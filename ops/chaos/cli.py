"""The command line of `kvops bench chaos`."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console

from ops.bench.servers import OURS, REDIS, BenchError, redis_version
from ops.chaos import faults as table
from ops.chaos.namespaces import enter, permitted
from ops.chaos.run import Plan, run, servers_of
from ops.chaos.tables import Round, as_data, by_fault, remarks, totals

LEVELS = ("async", "quorum", "quorum-fsync")
INSIDE = "--inside-namespaces"
WIDTH = 200
"""Of the tables where there is no terminal, in characters."""


def _chosen(text: str, known: Iterable[str]) -> list[str]:
    """Words separated by commas, each of which has to be known; all that are known if there is none."""
    known = list(known)
    words = [word.strip() for word in text.split(",") if word.strip()] or known
    unknown = [word for word in words if word not in known]
    if unknown:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return words


@click.command("chaos")
@click.option("--servers", "kinds", type=click.Choice([OURS, REDIS, "both"]), default="both", show_default=True)
@click.option(
    "--durability",
    default="async",
    show_default=True,
    help="Of our nodes: async, quorum, quorum-fsync, or several, separated by commas.",
)
@click.option("--faults", default="", help="Names separated by commas  [default: all]")
@click.option("--list", "lists", is_flag=True, help="Print the faults, and end.")
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Each has fresh servers, and every fault once, in an order drawn by lot.",
)
@click.option("--seconds", type=click.FloatRange(0), default=0.0, help="Begin no fault later  [default: no limit]")
@click.option("--seed", type=int, help="Chooses the order of faults and what clients do  [default: by lot]")
@click.option(
    "--down-after",
    type=click.IntRange(100, 60_000),
    default=1000,
    show_default=True,
    help="Milliseconds after which silence counts as down.",
)
@click.option("--network", type=click.Choice(["namespaces", "proxy"]), help="[default: namespaces if permitted]")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep histories and logs there.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers there.")
@click.option(INSIDE, "is_inside", is_flag=True, hidden=True)
def chaos(
    kinds: str,
    durability: str,
    faults: str,
    lists: bool,
    rounds: int,
    seconds: float,
    seed: int | None,
    down_after: int,
    network: str | None,
    keep: Path | None,
    markdown: bool,
    json_file: Path | None,
    is_inside: bool,
) -> None:
    """Kill, stop, cut off and fill up real servers under clients that write down what they were told."""
    chosen = [table.BY_NAME[name] for name in _chosen(faults, table.BY_NAME)]
    levels = _chosen(durability, LEVELS)
    if lists:
        for fault in chosen:
            click.echo(f"{fault.name:14} {fault.what}")
        return
    if not is_inside and network != "proxy":
        _enter(network == "namespaces")
    if not sys.platform.startswith("linux"):
        raise click.ClickException("this needs Linux: network namespaces, or many addresses on loopback")
    seed = random.SystemRandom().randrange(1 << 31) if seed is None else seed
    words = [OURS, REDIS] if kinds == "both" else [kinds]
    try:
        plan = Plan(servers_of(words, levels, down_after), tuple(chosen), rounds, seconds, seed, is_inside, keep)
        found, made = asyncio.run(_until_ended(plan))
        about = {"seed": seed, "network": made, "rounds": rounds, "down_after_ms": down_after,
                 "redis": redis_version() if REDIS in words else ""}  # fmt: skip
    except BenchError as failure:
        raise click.ClickException(f"{failure} (seed {seed})")
    _report(found, f"Seed {seed}; {made}; silence counts as down after {down_after} ms", markdown)
    if json_file is not None:
        json_file.write_text(json.dumps({"about": about, "rounds": as_data(found)}, indent=2) + "\n")
    promised = {servers.title for servers in plan.servers if servers.is_quorum}
    sys.exit(any(each.servers in promised and (each.verdict.violations or each.verdict.unjudged) for each in found))


async def _until_ended(plan: Plan) -> tuple[list[Round], str]:
    """Run, and clean up too where SIGTERM ends it."""
    task = asyncio.create_task(run(plan, lambda text: print(text, file=sys.stderr, flush=True)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise BenchError("ended before its time")


def _enter(is_wanted: bool) -> None:
    """Go on in namespaces of our own, if we may: then this does not return."""
    if permitted():
        enter([*sys.argv[1:], INSIDE])
    if is_wanted:
        raise click.ClickException("network namespaces aren't permitted here (or unshare, nsenter, ip are missing)")


def _report(found: Sequence[Round], title: str, markdown: bool) -> None:
    wide = Console()
    console = wide if wide.is_terminal else Console(width=WIDTH)
    for sheet in (totals(found, title), by_fault(found)):
        if markdown:
            click.echo(sheet.as_markdown())
        else:
            console.print(sheet.as_table())
    for line in remarks(found):
        click.echo(line)
