"""`kvops check-aof`: whether an append-only file is whole, and what can be done if it isn't.

Takes what redis-check-aof takes, says what it says, and ends with its exit codes: a manifest of several files, a
single file of commands, or a snapshot followed by commands.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from kvserver.config.quoting import encode
from persistence.aof.load.check import HEAD_BYTES, Verdict, check_commands, is_manifest, is_rdb
from persistence.aof.manifest import ManifestError, parse
from persistence.rdb.check import check_rdb, lines

PIECE_BYTES = 1 << 20


class GiveUp(Exception):
    """The file isn't valid, or can't be read; the text says why, and the exit code is 1."""


class Checker:
    """One run over one file, or over those of a manifest."""

    def __init__(self, fix: bool, until_s: int) -> None:
        self.fix = fix
        self.until_s = until_s
        self.lines = 1  # counted through all files, as redis-check-aof does

    def manifest(self, path: Path, content: bytes) -> None:
        """Check the files that a manifest names, in the order of loading."""
        click.echo("Start checking Multi Part AOF")
        try:
            manifest = parse(content)
        except ManifestError as error:
            raise GiveUp("\n".join(error.report()))
        for i, file in enumerate(manifest.files):
            there = path.parent / os.fsdecode(encode(file.name))
            preamble = False
            if file is manifest.base:
                preamble = is_rdb(read_head(there))
                click.echo(f"Start to check BASE AOF ({'RDB' if preamble else 'RESP'} format).")
            elif i == len(manifest.files) - len(manifest.incr):
                click.echo("Start to check INCR files.")
            kind = "BASE AOF" if file is manifest.base else "INCR AOF"
            self.single(file.name, there, kind, preamble, file is manifest.files[-1])
        click.echo("All AOF files and manifest are valid")

    def old_style(self, path: Path, preamble: bool) -> None:
        """Check a single file."""
        click.echo("Start checking Old-Style AOF")
        self.single(str(path), path, "AOF", preamble, True)

    def single(self, name: str, path: Path, kind: str, preamble: bool, last: bool) -> None:
        """Check one file and say what came of it; only the `last` may be shortened."""
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                if size:
                    result = self.content(name, path, file, size, preamble, last)
                else:
                    result = "empty"
        except OSError as error:
            raise GiveUp(f"Cannot open file {path}: {error.strerror}, aborting...")
        if result == "timestamp":
            click.echo(f"Successfully truncated AOF {name} to timestamp {self.until_s}")
        elif result == "truncated":
            click.echo(f"Successfully truncated AOF {name}")
        else:
            click.echo(f"{kind} {name} is {result}")

    def content(self, name: str, path: Path, file: BinaryIO, size: int, preamble: bool, last: bool) -> str:
        """Check a file that isn't empty: "valid", "truncated" or "timestamp"."""
        base = check_preamble(file, size) if preamble else 0
        file.seek(base)
        try:
            verdict = check_commands(pieces(file), base, self.until_s, str(path))
        except ValueError as error:
            raise GiveUp(str(error))
        if verdict.late_at >= 0:
            return self.cut_late(path, verdict.late_at, last)
        self.lines += verdict.lines
        tell_error(name, verdict)
        beyond = size - verdict.valid_up_to
        if not beyond and self.until_s:
            click.echo(f"Truncate nothing in AOF {name} to timestamp {self.until_s}")
            return "valid"
        click.echo(
            f"AOF analyzed: filename={name}, size={size}, ok_up_to={verdict.valid_up_to}, "
            f"ok_up_to_line={self.lines}, diff={beyond}"
        )
        return self.shorten(name, path, size, verdict.valid_up_to, last) if beyond else "valid"

    def cut_late(self, path: Path, at: int, last: bool) -> str:
        """Cut what is later than the time asked for."""
        if at == 0:
            raise GiveUp(f"AOF {path} has nothing before timestamp {self.until_s}, aborting...")
        if not last:
            raise GiveUp(
                f"Failed to truncate AOF {path} to timestamp {self.until_s} to offset {at} because it is not the "
                "last file.\nDelete the files behind it, and their lines in the manifest, by hand if that is what "
                "you want. Then run this again."
            )
        truncate(path, at)
        return "timestamp"

    def shorten(self, name: str, path: Path, size: int, keep: int, last: bool) -> str:
        """Cut what isn't valid, if that was asked for, and is confirmed."""
        if not self.fix:
            raise GiveUp(f"AOF {name} is not valid. Use the --fix option to try fixing it.")
        if not last:
            raise GiveUp(f"Failed to truncate AOF {name} because it is not the last file")
        click.echo(f"This will shrink the AOF {name} from {size} bytes, with {size - keep} bytes, to {keep} bytes")
        click.echo("Continue? [y/N]: ", nl=False)
        if not sys.stdin.readline(1).lower().startswith("y"):
            raise GiveUp("Aborting...")
        truncate(path, keep)
        return "truncated"


def tell_error(name: str, verdict: Verdict) -> None:
    """Print what is wrong, if something is."""
    if verdict.foreign:
        click.echo(f"AOF {name} format error")
    elif verdict.error:
        click.echo(f"0x{verdict.error_offset:16x}: {verdict.error}")


def check_preamble(file: BinaryIO, size: int) -> int:
    """Check the snapshot that the file begins with; return where it ends."""
    report = check_rdb(pieces(file), int(time.time() * 1000))
    end = size - report.trailing
    report.trailing = 0  # what follows are commands
    for line in lines(report):
        click.echo(f"[info] {line}")
    if report.error is not None:
        raise GiveUp("RDB preamble of AOF file is not sane, aborting.")
    click.echo("RDB preamble is OK, proceeding with AOF tail...")
    return end


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """What is left of a file."""
    return iter(lambda: file.read(PIECE_BYTES), b"")


def truncate(path: Path, size: int) -> None:
    """Cut a file, durably."""
    try:
        with path.open("rb+") as file:
            file.truncate(size)
            os.fsync(file.fileno())
    except OSError as error:
        raise GiveUp(f"Failed to truncate AOF {path}: {error.strerror}")


def read_head(path: Path) -> bytes:
    """As much of a file as tells what it is."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise GiveUp(f"Cannot open file {path}: {error.strerror}")


def check(path: Path, fix: bool, until_s: int) -> None:
    """Check `path`, whatever it is.

    Raises:
        GiveUp: it isn't valid, and isn't now.
    """
    head = read_head(path)
    checker = Checker(fix, until_s)
    if is_manifest(head):
        checker.manifest(path, path.read_bytes())
    else:
        checker.old_style(path, is_rdb(head))


def unix_time(context: click.Context, parameter: click.Parameter, value: str | None) -> int:
    """A time in seconds; 0 when none is given."""
    if value is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,18}", value):
        click.echo("Invalid timestamp, aborting...")
        context.exit(1)
    return int(value)


@click.command("check-aof")
@click.option("--fix", is_flag=True, help="Cut the file, once confirmed, where it stops being valid.")
@click.option("--truncate-to-timestamp", "until_s", metavar="SECONDS", callback=unix_time,
              help="Cut what was written after this unix time (needs aof-timestamp-enabled).")
@click.argument("file", type=click.Path(path_type=Path))
def check_aof(fix: bool, until_s: int, file: Path) -> None:
    """Check an append-only file: its manifest, or a single FILE; the exit code is 1 when it isn't valid."""
    if fix and until_s:
        raise click.UsageError("--fix and --truncate-to-timestamp exclude each other")
    try:
        check(file, fix, until_s)
    except GiveUp as failure:
        click.echo(str(failure))
        sys.exit(1)


