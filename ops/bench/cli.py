"""The command line of `kvops bench`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from ops.bench import (
    aof as aof_runs,
    machine,
    memory,
    peers as peer_servers,
    quorum as quorum_runs,
    race,
    results,
    servers,
    stalls,
    sync,
    throughput,
    types,
)
from ops.bench.report import Sheet, throughput_sheet
from ops.chaos.cli import chaos

T = TypeVar("T")
WIDTH = 200
"""Columns of a table that isn't shown on a terminal: beside three peers it has as many."""


def _output(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where results go."""
    to_file = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers there.")
    return to_file(click.option("--markdown", is_flag=True, help="Print the table as Markdown.")(command))


def _beside(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which servers ours runs beside; the command is given those that there are."""

    @wraps(command)
    def with_peers(*args: Any, peers: tuple[str, ...], **options: Any) -> Any:
        given = {name: path for name in peer_servers.KINDS if (path := options.pop(name))}
        try:
            found = peer_servers.find(peers, given, lambda text: click.echo(text, err=True)) if peers else []
        except servers.BenchError as failure:
            raise click.ClickException(str(failure))
        return command(*args, peers=found, **options)

    wrapped: Callable[..., Any] = with_peers
    for name, kind in reversed(peer_servers.KINDS.items()):
        wrapped = click.option(f"--{name}", type=click.Path(exists=True, dir_okay=False), help=f"{kind.product} "
                               f"{kind.major}'s server  [default: the PATH's {kind.program}]",
                               envvar=f"UNDERSTUDY_{name.upper()}")(wrapped)  # fmt: skip
    names = ",".join(peer_servers.KINDS)
    return click.option("--peers", callback=_peer_names, help=f"Run beside these, out of {names}.")(wrapped)


def _peer_names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = _words(context, option, value)
    unknown = [name for name in names if name not in peer_servers.KINDS]
    if unknown:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(peer_servers.KINDS)}")
    return names


def _words(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in (value or "").split(",") if word.strip())


def _numbers(context: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(word) for word in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise click.BadParameter("numbers separated by commas, each at least 1")
    return numbers


def _measure(work: Callable[[Callable[[str], None]], T]) -> T:
    """Run a benchmark with its progress shown on standard error; exit with 1 when it can't go on."""
    console = Console(stderr=True)
    machine.hurry()
    try:
        with console.status("starting") as status:
            terminal = console.is_terminal
            return work(lambda text: status.update(text) if terminal else print(text, file=sys.stderr, flush=True))
    except servers.BenchError as failure:
        raise click.ClickException(str(failure))


def _show(sheet: Sheet, markdown: bool, json_file: Path | None, data: object) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(data, indent=2) + "\n")
    if markdown:
        click.echo(sheet.as_markdown())
    else:
        wide = Console()
        (wide if wide.is_terminal else Console(width=WIDTH)).print(sheet.as_table())


@click.group(invoke_without_command=True)
@click.option("--quick", is_flag=True, help="A fifth of the requests.")
@click.option("--tests", callback=_words, help="Tests of redis-benchmark, separated by commas  [default: all]")
@click.option("--pipelines", callback=_numbers, default="1,16,64", show_default=True, help="Pipeline depths.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--clients", type=click.IntRange(1, 10000), default=50, show_default=True)
@click.option("--replicas", type=click.IntRange(0, 8), default=0, help="Replicas attached to both servers.")
@click.option("--aof", type=click.Choice(aof_runs.POLICIES), is_flag=False, flag_value="everysec", default=None,
              help="Append-only file on, on both servers; how it is synced  [without a value: everysec]")
@click.option("--keyspace", type=click.IntRange(0), default=0, help="Random keys out of so many; 0 = one key.")
@_beside
@_output
@click.pass_context
def bench(
    context: click.Context,
    quick: bool,
    tests: tuple[str, ...],
    pipelines: tuple[int, ...],
    rounds: int,
    clients: int,
    replicas: int,
    aof: str | None,
    keyspace: int,
    peers: list[peer_servers.Peer],
    markdown: bool,
    json_file: Path | None,
) -> None:
    """Compare with other servers in the same run; without a subcommand, requests per second."""
    if context.invoked_subcommand is not None:
        return
    _refuse_unknown(tests)
    plan = throughput.Plan(
        tests or throughput.TESTS, pipelines, rounds, clients, replicas, aof or "", quick, keyspace
    )
    about = machine.describe() | {"clients": clients, "replicas": replicas, "aof": aof, "rounds": rounds}
    what = f"{clients} clients, {replicas} replicas, AOF {aof or 'off'}"
    if peers:
        races = _measure(lambda say: throughput.compete(plan, _programs(peers), machine.choose_cores(), say))
        _show_races(races, peers, about, what, markdown, json_file, results.SUMMARY_TESTS)
        return
    found = _measure(lambda progress: throughput.run(plan, machine.choose_cores(), progress))
    about["redis"] = servers.redis_version()
    title = _title(about, f"{what}; ratio (lowest–highest round) and thousand requests per second of both")
    _show(throughput_sheet(found, title), markdown, json_file, results.as_data(found, about))


def _programs(peers: Sequence[peer_servers.Peer]) -> dict[str, str]:
    return {peer.name: peer.program for peer in peers}


def _show_races(
    races: Sequence[race.Race],
    peers: Sequence[peer_servers.Peer],
    about: dict[str, object],
    what: str,
    markdown: bool,
    json_file: Path | None,
    means_of: Sequence[str] = (),
) -> None:
    """Show what was measured beside several peers."""
    title = machine.title(about, peer_servers.title(peers))
    sheet = race.compared_sheet(races, list(_programs(peers)), f"{title}; {what}", means_of)
    versions = {peer.name: peer.version for peer in peers}
    _show(sheet, markdown, json_file, race.as_data(races, about | {"peers": versions}))


def _refuse_unknown(tests: tuple[str, ...]) -> None:
    unknown = [test for test in tests if test not in throughput.TESTS]
    if unknown:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(throughput.TESTS)}")


def _title(about: dict[str, object], what: str) -> str:
    return f"{machine.title(about, f'Redis {servers.redis_version()}')}; {what}"


@bench.command("quorum")
@click.option("--clients", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.2, 60), default=4.0, show_default=True, help="Of each run.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@_output
def quorum_command(clients: int, seconds: float, rounds: int, markdown: bool, json_file: Path | None) -> None:
    """Writes that a majority has to have, beside asynchronous ones, WAIT and appendfsync always."""
    about = machine.describe()
    found = _measure(lambda say: quorum_runs.run(clients, seconds, rounds, machine.choose_cores(), say))
    sheet = quorum_runs.sheet(found, _title(about, f"{clients} clients"))
    _show(sheet, markdown, json_file, quorum_runs.as_data(found))


@bench.command("types")
@click.option("--quick", is_flag=True, help="A fifth of the requests, in one round: less than a minute.")
@click.option("--cases", callback=_words, help="How the cases' names begin, separated by commas  [default: all]")
@click.option("--pipelines", callback=_numbers, default="1,16", show_default=True, help="Pipeline depths.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--divide", type=click.IntRange(1), default=1, show_default=True, help="Make the runs so much shorter.")
@_beside
@_output
def types_command(
    quick: bool,
    cases: tuple[str, ...],
    pipelines: tuple[int, ...],
    rounds: int,
    divide: int,
    peers: list[peer_servers.Peer],
    markdown: bool,
    json_file: Path | None,
) -> None:
    """Requests on every type of value: ratios to Redis, the worst ones named."""
    chosen = types.choose(cases) if cases or not peers else (*types.CASES, *types.MORE_CASES)
    if not chosen:
        raise click.BadParameter(f"no such case; there are {', '.join(case.name for case in types.CASES)}")
    if quick:
        rounds, divide = 1, divide * throughput.QUICK
    plan = types.Plan(chosen, pipelines, rounds, divide=divide)
    about = machine.describe() | {"clients": plan.clients, "rounds": rounds}
    if peers:
        races = _measure(lambda say: types.compete(plan, _programs(peers), machine.choose_cores(), say))
        _show_races(races, peers, about, f"{plan.clients} clients", markdown, json_file)
        return
    found = _measure(lambda progress: types.run(plan, machine.choose_cores(), progress))
    about["redis"] = servers.redis_version()
    title = _title(about, f"{plan.clients} clients; ratio (lowest–highest round) and "
                   "thousand requests per second of both; ratio by processor time per request")  # fmt: skip
    _show(types.sheet(found, title), markdown, json_file, results.as_data(found, about))
    click.echo(types.worst(found))


@bench.command("aof")
@click.option("--tests", callback=_words, help="Tests of redis-benchmark, separated by commas  [default: four]")
@click.option("--pipelines", callback=_numbers, default="1,16", show_default=True, help="Pipeline depths.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@_output
def aof_command(
    tests: tuple[str, ...], pipelines: tuple[int, ...], rounds: int, markdown: bool, json_file: Path | None
) -> None:
    """Writes with the append-only file synced every second, and before each reply."""
    _refuse_unknown(tests)
    plan = throughput.Plan(tests or aof_runs.TESTS, pipelines, rounds, quick=True)
    about = machine.describe()
    found = _measure(lambda progress: aof_runs.run(plan, machine.choose_cores(), progress))
    about |= {"redis": servers.redis_version(), "clients": plan.clients, "rounds": rounds}
    title = _title(about, f"{plan.clients} clients, AOF on; "
                   "ratio (lowest–highest round) and thousand requests per second of both")  # fmt: skip
    _show(aof_runs.sheet(found, title), markdown, json_file, {"about": about, "aof": aof_runs.as_data(found)})


@bench.command("memory")
@click.option("--keys", type=click.IntRange(1000), default=1_000_000, show_default=True)
@_beside
@_output
def memory_command(
    keys: int, peers: list[peer_servers.Peer], markdown: bool, json_file: Path | None
) -> None:
    """Bytes per key and per element of each type; beside several peers, of keys with small values."""
    about = machine.describe()
    what = "growth of resident memory"
    if peers:
        found = _measure(lambda progress: memory.run(memory.small_cases(keys), _programs(peers), progress))
        sheet = memory.compared_sheet(found, f"{machine.title(about, peer_servers.title(peers))}; {what}")
        about["peers"] = {peer.name: peer.version for peer in peers}
    else:
        found = _measure(lambda progress: memory.run(memory.cases(keys), {servers.REDIS: ""}, progress))
        sheet = memory.sheet(found, _title(about, what))
    _show(sheet, markdown, json_file, {"about": about, "memory": memory.as_data(found)})


@bench.command("sync")
@click.option("--keys", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@_output
def sync_command(keys: int, rounds: int, markdown: bool, json_file: Path | None) -> None:
    """Full synchronization of a replica, and the primary's SET times meanwhile."""
    about = machine.describe()
    found = _measure(lambda progress: sync.run(keys, rounds, machine.choose_cores(), progress))
    _show(sync.sheet(found, _title(about, f"full synchronization of {keys:,} keys")), markdown, json_file,
          {"about": about, "keys": keys, "sync": sync.as_data(found)})  # fmt: skip


@bench.command("stalls")
@click.option("--keys", type=click.IntRange(1000), default=1_000_000, show_default=True)
@click.option("--cases", callback=_words, help="Words of the cases' names, separated by commas  [default: all]")
@_output
def stalls_command(keys: int, cases: tuple[str, ...], markdown: bool, json_file: Path | None) -> None:
    """The longest time without an answer, while heavy things happen."""
    about = machine.describe()
    found = _measure(lambda progress: stalls.run(keys, cases, machine.choose_cores(), progress))
    _show(stalls.sheet(found, _title(about, f"answers to a client at 1 kHz, {keys:,} keys")), markdown, json_file,
          {"about": about, "keys": keys, "stalls": stalls.as_data(found)})  # fmt: skip


bench.add_command(chaos)
