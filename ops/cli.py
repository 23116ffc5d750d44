"""The command `kvops`: what an operator runs."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import click

from ops.bench.cli import bench
from ops.check_aof import check_aof


@click.group()
@click.version_option(package_name="understudy-kv", prog_name="kvops")
def main() -> None:
    """Tools for running understudy."""


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the first node; the others follow.")
@click.option("--sentinel-port", type=click.IntRange(1, 65535), help="Port of the first sentinel.")
@click.option("--replicas", type=click.IntRange(0, 16), help="Number of replicas  [default: 2]")
@click.option("--sentinels", type=click.IntRange(0, 15), help="Number of sentinels  [default: 3]")
@click.option("--quorum", type=click.IntRange(1, 15), help="Sentinels that must agree  [default: a majority]")
@click.option("--name", help="Name of the service that the sentinels watch  [default: mymaster]")
@click.option("--durability", type=click.Choice(["async", "quorum", "quorum-fsync"]),
              help="When a write is acknowledged: at once, or when a majority has it  [default: async]")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("data"),
              show_default=True, help="Data folder; started again on it, the cluster goes on as it was.")
@click.option("--demo", is_flag=True, help="Write all the time, kill the primary, report the gap and the loss.")
@click.option("--seconds", "--demo-seconds", "seconds", type=click.FloatRange(0), default=0.0,
              help="Stop by itself after so many seconds, and not before the demonstration is over.")
@click.option("--restart-after", type=click.FloatRange(0), default=5.0, show_default=True,
              help="Start a process that ended again after so many seconds; 0 = never.")
@click.option("--plain", is_flag=True, help="Plain lines, as without a terminal.")
@click.option("--with-redis", is_flag=True, hidden=True, help="Start Redis's own servers instead of ours.")
def up(
    port: int | None,
    sentinel_port: int | None,
    replicas: int | None,
    sentinels: int | None,
    quorum: int | None,
    name: str | None,
    durability: str | None,
    folder: Path,
    demo: bool,
    seconds: float,
    restart_after: float,
    plain: bool,
    with_redis: bool,
) -> None:
    """Run a primary, replicas and sentinels on this machine, and show them."""
    from rich.console import Console

    from ops.cluster.layout import Wanted
    from ops.cluster.up import Options, up as run

    wanted = Wanted(replicas, sentinels, quorum, port, sentinel_port, name, durability)
    options = Options(folder, wanted, demo, seconds, restart_after, plain, with_redis)
    sys.exit(asyncio.run(run(options, Console())))


@main.command("check-rdb")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def check_rdb(file: Path) -> None:
    """Say what an RDB file holds, and whether it is whole; the exit code is 1 when it isn't."""
    from persistence.rdb.check import check_rdb as check, lines

    with file.open("rb") as source:
        report = check(iter(lambda: source.read(1 << 20), b""), int(time.time() * 1000))
    for line in lines(report):
        click.echo(line)
    sys.exit(report.error is not None)


main.add_command(bench)
main.add_command(check_aof)

if __name__ == "__main__":
    main()
